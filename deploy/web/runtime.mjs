/** onnxruntime-web's wasm from the folder beside this file: in one thread, and from no other host. */

import { LinregError, oneLine } from '../js/errors.mjs';

const FOLDER = new URL('./node_modules/onnxruntime-web/dist/', import.meta.url).href;
const INSTALL = 'run: npm ci --ignore-scripts in deploy/web';
const NOTHING = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

export const WASM = new URL('ort-wasm-simd-threaded.wasm', FOLDER);

/**
 * @param {() => Promise<Uint8Array>} readWasm
 * @returns {Promise<object>} the module onnxruntime-web
 * @throws {LinregError} says what keeps WebAssembly from running here, and what to do about it
 */
export async function startRuntime(readWasm = fetchWasm) {
  checkAllowed();
  const wasm = await readWasm();
  if (NOTHING.some((byte, place) => wasm[place] !== byte)) {
    throw new LinregError('what came as ONNX Runtime’s WebAssembly is something else, perhaps a sign-in page of the network; sign in, then reload this page');
  }
  let ort;
  try {
    ort = await import(`${FOLDER}ort.wasm.bundle.min.mjs`);
  } catch (error) {
    throw new LinregError(`onnxruntime-web cannot be loaded (${oneLine(error)}); ${INSTALL}, then reload this page`);
  }
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.logLevel = 'fatal';
  return ort;
}

/** A browser may have no WebAssembly, and a server or an extension may forbid it. */
function checkAllowed() {
  try {
    new WebAssembly.Module(NOTHING);
  } catch (error) {
    throw new LinregError(
      `WebAssembly is blocked here (${oneLine(error)}); allow it for this page ('wasm-unsafe-eval' in script-src of its Content-Security-Policy), or use another browser`,
    );
  }
}

async function fetchWasm() {
  let response;
  try {
    response = await fetch(WASM, { redirect: 'error' });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new LinregError(
      `ONNX Runtime’s WebAssembly cannot be fetched (${oneLine(error)}): the connection is down, or something blocks .wasm files; reconnect or unblock them, then reload this page`,
    );
  }
  throw new LinregError(`the server does not give ONNX Runtime’s WebAssembly (status ${response.status}); ${INSTALL}, then reload this page`);
}
