/** Rows of numbers in, answers out. */

import { LinregError } from './errors.mjs';
import { elements, toTensor } from './tensor.mjs';

const ARRAYS = { float32: Float32Array, float64: Float64Array };

/**
 * Functions from rows to answers, for a model of one input (batch, features).
 *
 * @param {import('./session.mjs').Session} session
 * @param {string} what the file, for messages
 */
export function rowPredictor({ model, run }, what) {
  const [input] = model.inputs;
  const columns = input?.dims[1];
  const array = ARRAYS[input?.type];
  if (model.inputs.length !== 1 || input.dims.length !== 2 || !columns || !array) {
    const shapes = model.inputs.map(({ type, dims }) => `${type}[${dims.map((size) => size ?? 'batch')}]`).join(', ');
    throw new LinregError(`${what}: takes ${shapes || 'nothing'}, expected float32 or float64 [batch,features]; it can only be verified`);
  }
  if (model.features && model.features.length !== columns) {
    throw new LinregError(`${what}: names ${model.features.length} features, but takes ${columns}; export it with linreg`);
  }
  /**
   * @param {Float64Array} values row by row
   * @returns {Promise<import('./tensor.mjs').Tensor[]>} every output
   */
  const answer = async (values) => {
    const rows = values.length / columns;
    if (!Number.isInteger(rows)) throw new LinregError(`${what}: got ${values.length} numbers, expected ${columns} a row`);
    return run([toTensor(input.name, input.type, [rows, columns], array.from(values))]);
  };
  /**
   * @param {Float64Array} values row by row
   * @returns {Promise<Float32Array | Float64Array>} one answer a row, in the model's own type
   */
  const predict = async (values) => {
    const rows = values.length / columns;
    const [output] = await answer(values);
    if (output.type !== input.type || elements(output).length !== rows) {
      throw new LinregError(`${what}: gives ${output.type}[${output.dims}] for ${rows} rows, expected one answer a row`);
    }
    return elements(output);
  };
  return { columns, batch: input.dims[0] || null, answer, predict };
}
