/** A bundle in a folder on disk. */

import { constants, open } from 'node:fs/promises';
import { join } from 'node:path';

import { LinregError, oneLine } from '../js/errors.mjs';

const MAX_BYTES = 2 ** 31 - 1;

/**
 * @param {string} path
 * @returns {import('../js/bundle.mjs').Bundle}
 */
export function openFolder(path) {
  return { name: path, read: (name) => readBytes(join(path, name)) };
}

/** The bytes of a regular file. */
export async function readBytes(path) {
  let file;
  try {
    // Not blocking: to open a named pipe would wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size } = await regular(file, path);
    const bytes = new Uint8Array(await file.readFile());
    if (bytes.length !== size) throw new LinregError(`${path}: changed while it was read; try again`);
    return bytes;
  } catch (error) {
    if (error instanceof LinregError) throw error;
    const why = { ENOENT: 'no such file', EACCES: 'may not be read' }[error.code] ?? oneLine(error);
    throw new LinregError(`${path}: ${why}; expected a file that linreg exported`);
  } finally {
    await file?.close();
  }
}

async function regular(file, path) {
  const found = await file.stat();
  if (!found.isFile()) throw new LinregError(`${path}: is no regular file; expected a file that linreg exported`);
  if (found.size > MAX_BYTES) throw new LinregError(`${path}: has ${found.size} bytes, expected at most ${MAX_BYTES}`);
  return found;
}
