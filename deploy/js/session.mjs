/** A model in an ONNX Runtime of the user's choice: onnxruntime-node and onnxruntime-web have one interface. */

import { LinregError, oneLine } from './errors.mjs';
import { readModel } from './model.mjs';
import { elements } from './tensor.mjs';
import { measureBlocks } from './timing.mjs';

/** One thread on the CPU: what the test vectors were made with. */
const OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 4 };

/**
 * @typedef {object} Session
 * @property {import('./model.mjs').Model} model
 * @property {(inputs: Tensor[]) => Promise<Tensor[]>} run on inputs, in the order of the model's
 * @property {(inputs: Tensor[], settings: object) => ReturnType<typeof measureBlocks>} measure calls with the inputs
 * @property {() => Promise<void>} release
 *
 * @typedef {import('./tensor.mjs').Tensor} Tensor
 */

/**
 * @param {object} ort the module onnxruntime-node or onnxruntime-web
 * @param {Uint8Array} bytes of model.onnx
 * @param {string} what the file, for messages
 * @returns {Promise<Session>}
 */
export async function openSession(ort, bytes, what) {
  const model = readModel(bytes, what);
  let session;
  try {
    session = await ort.InferenceSession.create(bytes, OPTIONS);
  } catch (error) {
    throw new LinregError(`${what}: ONNX Runtime cannot load it: ${oneLine(error)}; export again`);
  }
  const bind = (inputs) => {
    if (inputs.length !== session.inputNames.length) {
      throw new LinregError(`${what}: takes ${session.inputNames.length} inputs, got ${inputs.length}`);
    }
    const feeds = {};
    inputs.forEach((input, place) => {
      feeds[session.inputNames[place]] = new ort.Tensor(input.type, elements(input), input.dims);
    });
    return () => session.run(feeds);
  };
  const run = async (inputs) => {
    const outputs = await bind(inputs)();
    return session.outputNames.map((name) => {
      const { type, dims, data } = outputs[name];
      return { name, type, dims: [...dims], bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    });
  };
  const measure = (inputs, settings) => measureBlocks(bind(inputs), settings);
  return { model, run, measure, release: () => session.release() };
}
