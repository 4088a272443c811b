/** A bundle is anything that gives the bytes of a name: `{name, read(name)}`. listing.mjs says what is in it. */

import { LinregError } from './errors.mjs';
import { CHECKSUM_FILE, MANIFEST_FILE, readListing } from './listing.mjs';
import { readTensor } from './tensor.mjs';

export const MODEL_FILE = 'model.onnx';
export const JAVASCRIPT_FILE = 'model.mjs';

const VECTOR = /^test_data_set_([0-9]+)\/(input|output|allowed)_([0-9]+)\.pb$/;

/**
 * @typedef {{name: string, read: (name: string) => Promise<Uint8Array>}} Bundle `read` throws a MissingError where the
 *   bundle has no such file
 * @typedef {{name: string, inputs: Tensor[], outputs: Tensor[], allowed: Tensor[]}} Vectors
 * @typedef {import('./tensor.mjs').Tensor} Tensor
 */

/** Whether a file is the model, or part of a test vector: what a proof of the model alone needs. */
export const isNeeded = (name, model) => name === model || VECTOR.test(name);

/**
 * Read the files that SHA256SUMS lists and compare their sizes and their hashes.
 *
 * @param {Bundle} bundle
 * @param {string} model the file that is verified
 * @param {(name: string, model: string) => boolean} isChecked chooses files; all by default
 * @returns {Promise<{files: Map<string, Uint8Array>, count: number, problems: string[]}>} the files that verification
 *   uses, those very bytes that were hashed
 */
export async function checkFiles(bundle, model = MODEL_FILE, isChecked = () => true) {
  const listing = await readListing(bundle);
  if (!listing.has(model)) {
    throw new LinregError(`${CHECKSUM_FILE}: does not list ${model}; export with --format ${model === MODEL_FILE ? 'onnx' : 'js'}`);
  }
  const files = new Map();
  const problems = [];
  for (const [name, entry] of listing) {
    if (!isChecked(name, model)) continue;
    try {
      const bytes = await bundle.read(name);
      await checkBytes(name, bytes, entry);
      if (isNeeded(name, model)) files.set(name, bytes);
    } catch (error) {
      if (!(error instanceof LinregError)) throw error;
      problems.push(error.message);
    }
  }
  return { files, count: listing.size, problems };
}

/**
 * See that the bytes of a file are those that are listed.
 *
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {import('./listing.mjs').Entry} entry
 */
export async function checkBytes(name, bytes, entry) {
  const got = await sha256(bytes);
  if (got !== entry.sha256) {
    throw new LinregError(`${name}: has sha256 ${got.slice(0, 12)}.., ${CHECKSUM_FILE} says ${entry.sha256.slice(0, 12)}..; restore it, or export again`);
  }
  if (entry.bytes !== null && entry.bytes !== bytes.length) {
    throw new LinregError(`${name}: has ${bytes.length} bytes, ${MANIFEST_FILE} says ${entry.bytes}; restore it, or export again`);
  }
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
