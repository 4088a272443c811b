/** The protobuf wire format, read from hostile bytes: never past the end, and no recursion. */

import { LinregError } from './errors.mjs';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/**
 * The fields of one message, in order: `{number, value}` where a value is a bigint (varint) or bytes (all others).
 *
 * @param {Uint8Array} bytes
 * @param {string} what the file, for messages
 */
export function* fields(bytes, what) {
  let at = 0;
  const fail = (why) => {
    throw new LinregError(`${what}: is no ONNX protobuf: ${why} at byte ${at} of ${bytes.length}; export again`);
  };
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) fail('cut off');
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    return fail('a number of more than 10 bytes');
  };
  const take = (length) => {
    if (length > bytes.length - at) fail(`${length} bytes announced, ${bytes.length - at} left`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    if (number === 0 || number > 536870911) fail(`field ${number}`);
    const wire = Number(tag & 7n);
    if (wire === VARINT) yield { number, value: BigInt.asIntN(64, varint()) };
    else if (wire === LENGTH) yield { number, value: take(Number(varint())) };
    else if (wire === FIXED64) yield { number, value: take(8) };
    else if (wire === FIXED32) yield { number, value: take(4) };
    else fail(`wire type ${wire}`);
  }
}

/**
 * A message as lists by field name; fields that `names` does not hold are passed over.
 *
 * @param {Uint8Array} bytes
 * @param {Record<number, string>} names of field numbers
 * @param {string} what the file, for messages
 * @returns {Record<string, (bigint | Uint8Array)[]>}
 */
export function message(bytes, names, what) {
  if (!(bytes instanceof Uint8Array)) throw new LinregError(`${what}: is no ONNX protobuf: a number where a message stands`);
  const found = Object.fromEntries(Object.values(names).map((name) => [name, []]));
  for (const { number, value } of fields(bytes, what)) {
    if (Object.hasOwn(names, number)) found[names[number]].push(value);
  }
  return found;
}

/** A whole number that JavaScript holds exactly. */
export function whole(value, what) {
  if (typeof value !== 'bigint' || value < BigInt(Number.MIN_SAFE_INTEGER) || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new LinregError(`${what}: is no ONNX protobuf: got bytes or a huge number where a whole number stands`);
  }
  return Number(value);
}

/** UTF-8 text. */
export function text(value, what) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(/** @type {Uint8Array} */ (value));
  } catch {
    throw new LinregError(`${what}: is no ONNX protobuf: a text is not UTF-8`);
  }
}
