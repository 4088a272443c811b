/** A bundle in a folder on disk. No file or folder in it may be a link: it would lead to what is not of the bundle. */

import { constants, lstat, open, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { checkBytes } from '../js/bundle.mjs';
import { LinregError, MissingError, oneLine, quoted } from '../js/errors.mjs';
import { findEntry, isName } from '../js/listing.mjs';

const MAX_BYTES = 2 ** 31 - 1;

/**
 * @param {string} path may be a link; what is in it may not
 * @returns {import('../js/bundle.mjs').Bundle}
 */
export function openFolder(path) {
  const read = async (name) => {
    if (!isName(name)) throw new LinregError(`${quoted(name)}: is no name of a file of a bundle`);
    const [first, second] = name.split('/');
    await refuseLink(join(path, first));
    if (second) await refuseLink(join(path, name));
    return readRegular(join(path, name), constants.O_NOFOLLOW ?? 0);
  };
  return { name: path, read };
}

/** The bytes of a model; those that are listed, where a SHA256SUMS or a manifest.json beside it lists it. */
export async function readModelFile(path) {
  const places = new Set([path, await realpath(path).catch(() => path)]);
  for (const place of places) {
    const [folder, name] = [openFolder(dirname(place)), basename(place)];
    const entry = isName(name) ? await findEntry(folder, name) : null;
    if (!entry) continue;
    const bytes = await folder.read(name);
    await checkBytes(place, bytes, entry);
    return bytes;
  }
  return readRegular(path, 0);
}

async function refuseLink(path) {
  const found = await lstat(path).catch((error) => fail(path, error));
  if (found.isSymbolicLink()) throw new LinregError(`${path}: is a link, expected the file or folder that linreg exported; copy it there`);
}

async function readRegular(path, flags) {
  let file;
  try {
    // Not blocking: to open a named pipe would wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
    const { size } = await regular(file, path);
    const bytes = new Uint8Array(await file.readFile());
    if (bytes.length !== size) throw new LinregError(`${path}: changed while it was read; try again`);
    return bytes;
  } catch (error) {
    return fail(path, error);
  } finally {
    await file?.close();
  }
}

function fail(path, error) {
  if (error instanceof LinregError) throw error;
  if (error.code === 'ENOENT') throw new MissingError(`${path}: no such file; expected a file that linreg exported`);
  const why = { EACCES: 'may not be read', ELOOP: 'is a link', ENOTDIR: 'is in what is no folder' }[error.code] ?? oneLine(error);
  throw new LinregError(`${path}: ${why}; expected a file that linreg exported`);
}

async function regular(file, path) {
  const found = await file.stat();
  if (!found.isFile()) throw new LinregError(`${path}: is no regular file; expected a file that linreg exported`);
  if (found.size > MAX_BYTES) throw new LinregError(`${path}: has ${found.size} bytes, expected at most ${MAX_BYTES}`);
  return found;
}
