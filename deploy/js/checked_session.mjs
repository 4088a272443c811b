/** A model.mjs as a session: what it is given and what it gives are checked against what it says of itself. */

import { LinregError } from './errors.mjs';
import { elements, toTensor } from './tensor.mjs';

const ARRAYS = { float32: 'Float32Array', float64: 'Float64Array' };

/**
 * @typedef {object} Calls of its `predict`, wherever it runs
 * @property {(values: Values) => Values | Promise<Values>} run
 * @property {(values: Values, settings: object) => ReturnType<typeof import('./timing.mjs').measureBlocks>} measure
 * @property {() => void} release
 *
 * @typedef {Float32Array | Float64Array} Values row by row
 */

/**
 * @param {import('./model.mjs').Model} model what `readModule` read
 * @param {string} what the file, for messages
 * @param {Calls} call
 * @returns {import('./session.mjs').Session}
 */
export function checkedSession(model, what, call) {
  const [input] = model.inputs;
  const [output] = model.outputs;
  const valuesOf = (inputs) => {
    if (inputs.length !== 1) throw new LinregError(`${what}: takes 1 input, got ${inputs.length}`);
    const [{ type, dims }] = inputs;
    if (type !== input.type || dims.length !== input.dims.length || input.dims.some((size, axis) => (size ?? dims[axis]) !== dims[axis])) {
      throw new LinregError(`${what}: takes ${input.type} of shape [${input.dims.map((size) => size ?? 'batch')}], got ${type} of [${dims}]`);
    }
    return elements(inputs[0]);
  };
  const run = async (inputs) => {
    const values = await call.run(valuesOf(inputs));
    const dims = output.dims.map((size) => size ?? inputs[0].dims[0]);
    const count = dims.reduce((product, size) => product * size, 1);
    // Its constructor may be that of another frame.
    if (values?.[Symbol.toStringTag] !== ARRAYS[output.type] || values.length !== count) {
      throw new LinregError(`${what}: gives something else than ${count} numbers of ${output.type}; export it again`);
    }
    return [toTensor(output.name, output.type, dims, values)];
  };
  const measure = async (inputs, settings) => call.measure(valuesOf(inputs), settings);
  return { model, run, measure, release: async () => call.release() };
}
