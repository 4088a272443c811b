/** What an .onnx file says of itself: its columns, its inputs and outputs, and, of an affine model, its weights. */

import { LinregError, quoted } from './errors.mjs';
import { TYPES, numbers, readTensor } from './tensor.mjs';
import { message, text, whole } from './wire.mjs';

const MODEL = { 7: 'graph', 14: 'metadata' };
const GRAPH = { 1: 'nodes', 5: 'initializers', 11: 'inputs', 12: 'outputs' };
const NODE = { 1: 'inputs', 2: 'outputs', 4: 'operator', 5: 'attributes' };

/**
 * @typedef {object} Model
 * @property {string[] | null} features names of the columns, in order; null where the file names none
 * @property {string | null} target name of what is predicted
 * @property {Map<string, string>} units by column name
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {{weight: number[], bias: number} | null} affine of a model of one row and one answer, all of whose
 *   arithmetic is weight · row + bias
 *
 * @typedef {{name: string, type: string | null, dims: (number | null)[]}} Port a size is null where it is free
 */

/**
 * @param {Uint8Array} bytes of model.onnx
 * @param {string} what the file, for messages
 * @returns {Model}
 */
export function readModel(bytes, what) {
  const model = message(bytes, MODEL, what);
  if (!model.graph.length) throw new LinregError(`${what}: is no ONNX model: it has no graph; export again`);
  const graph = message(model.graph.at(-1), GRAPH, what);
  const tensors = graph.initializers.map((value) => readTensor(value, what));
  const names = new Set(tensors.map((tensor) => tensor.name));
  const inputs = graph.inputs.map((value) => readPort(value, what)).filter((port) => !names.has(port.name));
  const outputs = graph.outputs.map((value) => readPort(value, what));
  return { ...readMetadata(model.metadata, what), inputs, outputs, affine: readAffine(graph.nodes, tensors, inputs, what) };
}

function readMetadata(entries, what) {
  const texts = new Map(
    entries.map((value) => {
      const entry = message(value, { 1: 'key', 2: 'value' }, what);
      return [entry.key.length ? text(entry.key.at(-1), what) : '', entry.value.length ? text(entry.value.at(-1), what) : ''];
    }),
  );
  const features = json(texts, 'linreg.features', isNames, what);
  const target = json(texts, 'linreg.target', (value) => typeof value === 'string', what);
  const units = json(texts, 'linreg.units', isUnits, what);
  return { features, target, units: new Map(Object.entries(units ?? {})) };
}

const isNames = (value) => Array.isArray(value) && value.every((name) => typeof name === 'string');
const isUnits = (value) => value !== null && typeof value === 'object' && isNames(Object.values(value));

function json(texts, key, accepts, what) {
  if (!texts.has(key)) return null;
  try {
    const value = JSON.parse(texts.get(key));
    if (accepts(value)) return value;
  } catch {
    // The message below serves both.
  }
  throw new LinregError(`${what}: its metadata ${key} is ${quoted(texts.get(key))}, expected names in JSON; export it with linreg`);
}

function readPort(value, what) {
  const port = message(value, { 1: 'name', 2: 'type' }, what);
  const name = port.name.length ? text(port.name.at(-1), what) : '';
  const type = port.type.length ? message(port.type.at(-1), { 1: 'tensor' }, what) : { tensor: [] };
  if (!type.tensor.length) return { name, type: null, dims: [] };
  const tensor = message(type.tensor.at(-1), { 1: 'element', 2: 'shape' }, what);
  const shape = tensor.shape.length ? message(tensor.shape.at(-1), { 1: 'dims' }, what).dims : [];
  const dims = shape.map((entry) => {
    const size = message(entry, { 1: 'value' }, what).value.at(-1);
    return size === undefined ? null : whole(size, what);
  });
  return { name, type: TYPES[whole(tensor.element.at(-1) ?? 0n, what)]?.name ?? null, dims };
}

/** One Gemm of the input with transposed weights, the form in which linreg writes every affine model. */
function readAffine(nodes, tensors, inputs, what) {
  if (nodes.length !== 1 || inputs.length !== 1) return null;
  const node = message(nodes[0], NODE, what);
  const [input, weightName, biasName] = node.inputs.map((name) => text(name, what));
  const attributes = node.attributes.map((value) => {
    const attribute = message(value, { 1: 'name', 3: 'whole' }, what);
    return `${text(attribute.name.at(-1) ?? new Uint8Array(), what)}=${attribute.whole.at(-1)}`;
  });
  if (text(node.operator.at(-1) ?? new Uint8Array(), what) !== 'Gemm' || attributes.join() !== 'transB=1') return null;
  const weight = tensors.find((tensor) => tensor.name === weightName);
  const bias = tensors.find((tensor) => tensor.name === biasName);
  if (input !== inputs[0].name || !weight || weight.dims.length !== 2 || weight.dims[0] !== 1) return null;
  if (biasName !== undefined && numbersOf(bias).length !== 1) return null;
  return { weight: numbersOf(weight), bias: numbersOf(bias)[0] ?? 0 };
}

const numbersOf = (tensor) => (tensor ? Array.from(numbers(tensor), Number) : []);
