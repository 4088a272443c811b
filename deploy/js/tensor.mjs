/** TensorProto: name, type, dims and little-endian bytes, the form in which ONNX keeps weights and test vectors. */

import { LinregError } from './errors.mjs';
import { message, text, whole } from './wire.mjs';

const NAMES = {
  1: 'dims', 2: 'dataType', 4: 'elsewhere', 5: 'elsewhere', 6: 'elsewhere', 7: 'elsewhere', 8: 'name', 9: 'raw',
  10: 'elsewhere', 11: 'elsewhere', 13: 'external', 14: 'location',
}; // prettier-ignore

/** By TensorProto.DataType. A float16 is kept as its bits. */
export const TYPES = {
  1: { name: 'float32', array: Float32Array },
  2: { name: 'uint8', array: Uint8Array },
  3: { name: 'int8', array: Int8Array },
  4: { name: 'uint16', array: Uint16Array },
  5: { name: 'int16', array: Int16Array },
  6: { name: 'int32', array: Int32Array },
  7: { name: 'int64', array: BigInt64Array },
  9: { name: 'bool', array: Uint8Array },
  10: { name: 'float16', array: Uint16Array },
  11: { name: 'float64', array: Float64Array },
  12: { name: 'uint32', array: Uint32Array },
  13: { name: 'uint64', array: BigUint64Array },
};
const ARRAYS = Object.fromEntries(Object.values(TYPES).map(({ name, array }) => [name, array]));

/**
 * @typedef {{name: string, type: string, dims: number[], bytes: Uint8Array}} Tensor
 */

/**
 * A tensor from a serialised TensorProto.
 *
 * @param {Uint8Array} bytes
 * @param {string} what the file, for messages
 * @returns {Tensor}
 */
export function readTensor(bytes, what) {
  const proto = message(bytes, NAMES, what);
  const type = TYPES[whole(proto.dataType.at(-1) ?? 0n, what)];
  if (!type) throw new LinregError(`${what}: has tensor type ${proto.dataType.at(-1) ?? 0}, expected numbers; export again`);
  if (proto.external.length || whole(proto.location.at(-1) ?? 0n, what) !== 0) {
    throw new LinregError(`${what}: its numbers stand in another file, expected them inside; export again`);
  }
  const dims = proto.dims.map((value) => whole(value, what));
  const raw = proto.raw.at(-1) ?? new Uint8Array();
  const expected = dims.reduce((product, size) => product * size, type.array.BYTES_PER_ELEMENT);
  if (!(raw instanceof Uint8Array) || dims.some((size) => size < 0) || expected !== raw.length) {
    throw new LinregError(
      `${what}: has ${raw.length ?? 'no'} bytes of numbers, expected ${expected} for ${type.name} of shape [${dims}]` +
        `${proto.elsewhere.length ? ' as raw_data' : ''}; export again`,
    );
  }
  const name = proto.name.length ? text(proto.name.at(-1), what) : '';
  return { name, type: type.name, dims, bytes: new Uint8Array(raw) };
}

/** The elements as the typed array of the type; the bits of float16. */
export function elements({ type, bytes }) {
  const array = ARRAYS[type];
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT ? new Uint8Array(bytes) : bytes;
  return new array(aligned.buffer, aligned.byteOffset, aligned.length / array.BYTES_PER_ELEMENT);
}

/** The elements as numbers (bigint for the 64-bit integers). */
export function numbers(tensor) {
  const values = elements(tensor);
  return tensor.type === 'float16' ? Float64Array.from(values, fromHalf) : values;
}

/** Whether the type is a floating one. */
export function isFloating(type) {
  return type.startsWith('float');
}

/** A tensor from a typed array. */
export function toTensor(name, type, dims, values) {
  return { name, type, dims, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * (1 + fraction / 1024) * 2 ** (exponent - 15) : sign * fraction * 2 ** -24;
}
