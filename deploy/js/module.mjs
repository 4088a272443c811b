/** What a model.mjs of linreg says of itself, read as text: its columns, its input and output, and affine weights. */

import { LinregError, oneLine } from './errors.mjs';

const FIRST_LINES = {
  '/* An affine model: output = input * weight^T + bias. JavaScript exported by linreg; do not edit.': true,
  '/* A feed-forward network. JavaScript exported by linreg; do not edit.': false,
};
const COMMENT = /^(\/\* [^\n]*)\n \* \{\n(.*?)\n \* \}\n \*\/\n/s;
const ARRAY = /^const \w+ = new Float(?:32|64)Array\(\[\n([-+.,\s0-9e]*),\n\]\);$/gm;
const TYPES = ['float32', 'float64'];

/**
 * @param {Uint8Array} bytes of model.mjs
 * @param {string} what the file, for messages
 * @returns {import('./model.mjs').Model}
 */
export function readModule(bytes, what) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const [, first, lines] = COMMENT.exec(text) ?? [];
    if (!Object.hasOwn(FIRST_LINES, first ?? '')) throw new Error('it does not begin like one');
    const { features = null, target = null, units = {}, inputs, outputs } = JSON.parse(`{${lines.replace(/^ \* /gm, ' ')}}`);
    if (!(features === null || isNames(features)) || !(target === null || typeof target === 'string') || !isNames(Object.values(units))) {
      throw new Error('its names are no texts');
    }
    const model = { features, target, units: new Map(Object.entries(units)), inputs: [readPort(inputs)], outputs: [readPort(outputs)] };
    if (model.inputs[0].type !== model.outputs[0].type) throw new Error('its input and output have different types');
    return { ...model, affine: FIRST_LINES[first] ? readAffine(text, model.inputs[0].dims) : null };
  } catch (error) {
    throw new LinregError(`${what}: is not JavaScript of linreg: ${oneLine(error)}; export it again`);
  }
}

const isNames = (value) => Array.isArray(value) && value.every((name) => typeof name === 'string');

function readPort(ports) {
  const [{ name, dtype, shape }, ...more] = ports;
  const [batch, ...sizes] = shape;
  const fits = batch === 'batch' && sizes.every((size) => Number.isSafeInteger(size) && size > 0);
  if (more.length || typeof name !== 'string' || !TYPES.includes(dtype) || !fits) {
    throw new Error('it has other inputs and outputs than one each, of float32 or float64 and a batch');
  }
  return { name, type: dtype, dims: [null, ...sizes] };
}

function readAffine(text, [, features]) {
  const [weight, bias = [0]] = Array.from(text.matchAll(ARRAY), ([, numbers]) => numbers.split(',').map(Number));
  return bias.length === 1 && weight?.length === features ? { weight, bias: bias[0] } : null;
}
