/** What is in a bundle, by its SHA256SUMS and its manifest.json: names, hashes and sizes, which must agree. */

import { LinregError, MissingError, oneLine, quoted } from './errors.mjs';

export const CHECKSUM_FILE = 'SHA256SUMS';
export const MANIFEST_FILE = 'manifest.json';

/** A file of a bundle: in the bundle itself, or in the folder of one test vector. Never above it. */
const NAME = /^(test_data_set_[0-9]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/;
const SHA256 = /^[0-9a-f]{64}$/;
const SCHEMA_VERSION = 1;
const MAX_FILES = 10_000;
const MAX_BYTES = 2 ** 24;

/**
 * @typedef {{sha256: string, bytes: number | null}} Entry the size is null where SHA256SUMS alone lists the file
 * @typedef {import('./bundle.mjs').Bundle} Bundle
 */

/** Whether a name is one that a file of a bundle may have. */
export const isName = (name) => NAME.test(name);

const isListable = (name) => isName(name) && name !== CHECKSUM_FILE && name !== MANIFEST_FILE;

/**
 * The files of a bundle, by name. SHA256SUMS must be there, and a manifest.json that is there must list the same.
 *
 * @param {Bundle} bundle
 * @returns {Promise<Map<string, Entry>>}
 */
export async function readListing(bundle) {
  const sums = parseSums(await bundle.read(CHECKSUM_FILE));
  const manifest = await readIfThere(bundle, MANIFEST_FILE);
  return manifest ? agreed(sums, parseManifest(manifest)) : sums;
}

/**
 * What is listed of one file; null where nothing beside it lists it. For a model that is used without verification.
 *
 * @param {Bundle} bundle
 * @param {string} name
 * @returns {Promise<Entry | null>}
 */
export async function findEntry(bundle, name) {
  const manifest = await readIfThere(bundle, MANIFEST_FILE);
  const sums = await readIfThere(bundle, CHECKSUM_FILE);
  if (manifest) {
    const listed = parseManifest(manifest);
    return (sums ? agreed(parseSums(sums), listed) : listed).get(name) ?? null;
  }
  // A SHA256SUMS that has no word of the file may be that of something else in the folder.
  return sums && new TextDecoder().decode(sums).includes(name) ? (parseSums(sums).get(name) ?? null) : null;
}

async function readIfThere(bundle, name) {
  try {
    return await bundle.read(name);
  } catch (error) {
    if (error instanceof MissingError) return null;
    throw error;
  }
}

/** What a SHA256SUMS lists. */
export function parseSums(bytes) {
  const sums = new Map();
  for (const line of textOf(bytes, CHECKSUM_FILE).replace(/\n$/, '').split('\n')) {
    const [hash, name] = [line.slice(0, 64), line.slice(66)];
    if (!SHA256.test(hash) || line.slice(64, 66) !== '  ' || !isListable(name) || sums.has(name)) {
      throw new LinregError(`${CHECKSUM_FILE}: has the line ${quoted(line)}, expected 'SHA256  NAME' of files of this folder, each once`);
    }
    sums.set(name, { sha256: hash, bytes: null });
  }
  checkCount(sums.size, CHECKSUM_FILE);
  return sums;
}

/** What a manifest.json lists. */
export function parseManifest(bytes) {
  const value = jsonOf(textOf(bytes, MANIFEST_FILE));
  if (Number.isInteger(value?.schema_version) && value.schema_version > SCHEMA_VERSION) {
    throw new LinregError(`${MANIFEST_FILE}: has schema ${value.schema_version}, expected ${SCHEMA_VERSION}; update the program that reads it`);
  }
  if (value?.schema_version !== SCHEMA_VERSION || !isSha256(value.state_sha256) || !Array.isArray(value.files)) {
    throw new LinregError(`${MANIFEST_FILE}: is no manifest of linreg; export again`);
  }
  checkCount(value.files.length, MANIFEST_FILE);
  const files = new Map();
  for (const entry of value.files) {
    const { name, bytes: size, sha256 } = entry ?? {};
    if (typeof name !== 'string' || !isListable(name) || files.has(name)) {
      throw new LinregError(`${MANIFEST_FILE}: has the name ${quoted(String(name))}, expected files of this folder, each once; export again`);
    }
    if (!isSha256(sha256)) throw new LinregError(`${MANIFEST_FILE}: the sha256 of ${name} is ${quoted(String(sha256))}, expected 64 hexadecimal digits; export again`);
    if (!Number.isSafeInteger(size) || size < 0) throw new LinregError(`${MANIFEST_FILE}: the size of ${name} is ${quoted(String(size))}, expected a whole number of bytes; export again`);
    files.set(name, { sha256, bytes: size });
  }
  return files;
}

const isSha256 = (value) => typeof value === 'string' && SHA256.test(value);

/** The entries of the manifest, if SHA256SUMS has the same names and hashes. */
function agreed(sums, manifest) {
  const alone = [...sums.keys()].find((name) => !manifest.has(name)) ?? [...manifest.keys()].find((name) => !sums.has(name));
  if (alone !== undefined) {
    const [one, other] = sums.has(alone) ? [CHECKSUM_FILE, MANIFEST_FILE] : [MANIFEST_FILE, CHECKSUM_FILE];
    throw new LinregError(`${one}: lists ${alone}, but ${other} does not; restore both, or export again`);
  }
  for (const [name, { sha256 }] of sums) {
    const wanted = manifest.get(name).sha256;
    if (sha256 !== wanted) {
      throw new LinregError(`${CHECKSUM_FILE}: says ${sha256.slice(0, 12)}.. of ${name}, but ${MANIFEST_FILE} ${wanted.slice(0, 12)}..; restore both, or export again`);
    }
  }
  return manifest;
}

function textOf(bytes, what) {
  if (bytes.length > MAX_BYTES) throw new LinregError(`${what}: has ${bytes.length} bytes, expected at most ${MAX_BYTES}`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new LinregError(`${what}: is not UTF-8 (${oneLine(error)}); export again`);
  }
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LinregError(`${MANIFEST_FILE}: is not JSON (${oneLine(error)}); export again`);
  }
}

function checkCount(count, what) {
  if (count > MAX_FILES) throw new LinregError(`${what}: lists ${count} files, expected at most ${MAX_FILES}`);
}
