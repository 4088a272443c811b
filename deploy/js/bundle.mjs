/** A bundle is anything that gives the bytes of a name: `{name, read(name)}`. SHA256SUMS says what is in it. */

import { LinregError, quoted } from './errors.mjs';
import { readTensor } from './tensor.mjs';

export const MODEL_FILE = 'model.onnx';
export const CHECKSUM_FILE = 'SHA256SUMS';

/** A file of a bundle: in the bundle itself, or in the folder of one test vector. Never above it. */
const NAME = /^(test_data_set_[0-9]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/;
const VECTOR = /^test_data_set_([0-9]+)\/(input|output|allowed)_([0-9]+)\.pb$/;
const MAX_FILES = 10_000;

/**
 * @typedef {{name: string, read: (name: string) => Promise<Uint8Array>}} Bundle
 * @typedef {{name: string, inputs: Tensor[], outputs: Tensor[], allowed: Tensor[]}} Vectors
 * @typedef {import('./tensor.mjs').Tensor} Tensor
 */

/** The names and hashes that a SHA256SUMS lists. */
export function parseSums(bytes) {
  const sums = new Map();
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    if (line === '') continue;
    const found = /^([0-9a-f]{64})  (.*)$/.exec(line);
    if (!found || !NAME.test(found[2]) || sums.has(found[2])) {
      throw new LinregError(`${CHECKSUM_FILE}: has the line ${quoted(line)}, expected 'SHA256  NAME' of files of this folder, each once`);
    }
    sums.set(found[2], found[1]);
  }
  if (!sums.has(MODEL_FILE)) throw new LinregError(`${CHECKSUM_FILE}: does not list ${MODEL_FILE}; export with --format onnx`);
  if (sums.size > MAX_FILES) throw new LinregError(`${CHECKSUM_FILE}: lists ${sums.size} files, expected at most ${MAX_FILES}`);
  return sums;
}

/**
 * Read every file that SHA256SUMS lists and compare its hash.
 *
 * @param {Bundle} bundle
 * @returns {Promise<{files: Map<string, Uint8Array>, count: number, problems: string[]}>} the files that verification
 *   uses, those very bytes that were hashed
 */
export async function checkSums(bundle) {
  const sums = parseSums(await bundle.read(CHECKSUM_FILE));
  const files = new Map();
  const problems = [];
  for (const [name, expected] of sums) {
    try {
      const bytes = await bundle.read(name);
      const got = await sha256(bytes);
      if (got !== expected) {
        throw new LinregError(`${name}: has sha256 ${got.slice(0, 12)}.., ${CHECKSUM_FILE} says ${expected.slice(0, 12)}..; restore it, or export again`);
      }
      if (name === MODEL_FILE || VECTOR.test(name)) files.set(name, bytes);
    } catch (error) {
      if (!(error instanceof LinregError)) throw error;
      problems.push(error.message);
    }
  }
  return { files, count: sums.size, problems };
}

/** The hash in hexadecimal. */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new LinregError('this page is not secure, so the browser gives no sha256; open it on 127.0.0.1 or by https');
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The test vectors among files, in order. One that is damaged is an error in its place.
 *
 * @param {Map<string, Uint8Array>} files
 * @returns {Generator<{name: string, vectors?: Vectors, error?: LinregError}>}
 */
export function* readCases(files) {
  const places = new Set(Array.from(files.keys(), (name) => VECTOR.exec(name)?.[1]).filter((place) => place !== undefined));
  for (const place of [...places].sort((one, other) => one - other)) {
    const name = `test_data_set_${place}`;
    try {
      yield { name, vectors: readCase(files, name) };
    } catch (error) {
      if (!(error instanceof LinregError)) throw error;
      yield { name, error };
    }
  }
}

function readCase(files, name) {
  const tensors = (kind) => {
    const found = [];
    for (let index = 0, path; files.has((path = `${name}/${kind}_${index}.pb`)); index++) {
      found.push(readTensor(files.get(path), path));
    }
    return found;
  };
  const [inputs, outputs, allowed] = [tensors('input'), tensors('output'), tensors('allowed')];
  const listed = Array.from(files.keys()).filter((path) => path.startsWith(`${name}/`)).length;
  const fits = (output, place) => allowed[place]?.type === 'float64' && `${allowed[place].dims}` === `${output.dims}`;
  if (!inputs.length || !outputs.length || !outputs.every(fits) || inputs.length + 2 * outputs.length !== listed) {
    throw new LinregError(`${name}: is incomplete; expected input_I.pb, output_I.pb and allowed_I.pb of equal shapes; export again`);
  }
  return { name, inputs, outputs, allowed };
}
