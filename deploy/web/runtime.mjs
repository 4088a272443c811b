/** onnxruntime-web's wasm from the folder beside this file: in one thread, and from no other host. */

import { LinregError, oneLine } from '../js/errors.mjs';

/** @returns {Promise<object>} the module onnxruntime-web */
export async function startRuntime() {
  const folder = new URL('./node_modules/onnxruntime-web/dist/', import.meta.url).href;
  let ort;
  try {
    ort = await import(`${folder}ort.wasm.min.mjs`);
  } catch (error) {
    throw new LinregError(`onnxruntime-web cannot be loaded (${oneLine(error)}); run: npm ci --ignore-scripts in deploy/web`);
  }
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = folder;
  ort.env.logLevel = 'fatal';
  return ort;
}
