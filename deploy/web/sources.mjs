/** Where a page gets a bundle from: files that were chosen or dropped, or an address beside the page. */

import { JAVASCRIPT_FILE, MODEL_FILE } from '../js/bundle.mjs';
import { LinregError, MissingError, oneLine, quoted } from '../js/errors.mjs';
import { isName } from '../js/listing.mjs';

const MAX_BYTES = 256 * 2 ** 20;
const MAX_FILES = 10_000;
const MAX_DEPTH = 2;

/** @typedef {import('../js/bundle.mjs').Bundle} Bundle */

/**
 * A folder that was chosen.
 *
 * @param {Iterable<File>} chosen with the path below the folder's parent
 * @returns {Bundle}
 */
export function fromFiles(chosen) {
  const files = new Map();
  let folder = '';
  for (const file of chosen) {
    const [first, ...rest] = file.webkitRelativePath.split('/');
    folder = first;
    files.set(rest.join('/'), file);
  }
  return fromMap(folder, files);
}

/**
 * A folder that was dropped, or the files of one.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Bundle>}
 */
export async function fromDrop(transfer) {
  // The entries are gone after the first await.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) throw new LinregError('what was dropped is no file; drop the folder of a bundle');
  const files = new Map();
  const single = entries.length === 1 && entries[0].isDirectory;
  for (const entry of single ? await children(entries[0]) : entries) await collect(entry, '', 1, files);
  return fromMap(single ? entries[0].name : 'dropped files', files);
}

/**
 * A folder beside the page; another host is refused, whatever a link says.
 *
 * @param {string} address
 * @returns {Bundle}
 */
export function fromAddress(address) {
  const folder = folderOf(address);
  const read = async (name) => {
    if (!isName(name)) throw new LinregError(`${quoted(name)}: is no name of a file of a bundle`);
    // The whole address, not its path: a path may begin with two slashes, and so name a host.
    const place = new URL(folder.href + name);
    // What is in the cache may be of an earlier export, and must not be mixed with what is there now.
    const response = await fetch(place, { redirect: 'error', cache: 'no-cache' }).catch((error) => {
      throw new LinregError(`${name}: cannot be fetched: ${oneLine(error)}`);
    });
    if (!response.ok) {
      const Kind = response.status === 404 || response.status === 410 ? MissingError : LinregError;
      throw new Kind(`${name}: the server has no such file in ${quoted(folder.pathname)} (status ${response.status})`);
    }
    return readBody(name, response);
  };
  return { name: decoded(folder.pathname.split('/').at(-2)), read };
}

/** A name in a path; one that is not encoded right stays as it is. */
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The address of a folder on this host, its slash at the end, without what follows a path. */
function folderOf(address) {
  const found = URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  // A blob: has the origin of the page that made it, and two opaque origins are both called null.
  const here = found?.origin === location.origin && found.protocol === location.protocol && /^https?:$/.test(found.protocol);
  if (!here || found.username || found.password) {
    throw new LinregError(`the bundle ${quoted(address)} is not on this host; serve its folder beside this page`);
  }
  found.search = found.hash = '';
  found.pathname = `${found.pathname.replace(/\/+$/, '')}/`;
  return found;
}

/** The bytes of an answer, and no more of them than a page takes, whatever length the server tells. */
async function readBody(name, response) {
  checkSize(name, Number(response.headers.get('content-length')));
  const parts = [];
  let size = 0;
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      checkSize(name, (size += value.length));
      parts.push(value);
    }
  } catch (error) {
    if (error instanceof LinregError) throw error;
    throw new LinregError(`${name}: cannot be fetched: ${oneLine(error)}`);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function fromMap(name, files) {
  if (!files.has(MODEL_FILE) && !files.has(JAVASCRIPT_FILE)) {
    throw new LinregError(
      `${quoted(name)} has no ${MODEL_FILE} and no ${JAVASCRIPT_FILE}; choose the folder of a bundle, exported with --format onnx or js`,
    );
  }
  const read = async (path) => {
    const file = files.get(path);
    if (!file) throw new MissingError(`${path}: is not in ${quoted(name)}; export again`);
    checkSize(path, file.size);
    try {
      return new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      throw new LinregError(`${path}: cannot be read: ${oneLine(error)}; choose the folder again`);
    }
  };
  return { name, read };
}

function checkSize(name, size) {
  if (size > MAX_BYTES) throw new LinregError(`${name}: has ${size} bytes, expected at most ${MAX_BYTES} in a page`);
}

async function collect(entry, path, depth, files) {
  const name = `${path}${entry.name}`;
  if (files.size >= MAX_FILES) throw new LinregError(`more than ${MAX_FILES} files were dropped; drop the folder of one bundle`);
  if (entry.isFile) files.set(name, await new Promise((resolve, reject) => entry.file(resolve, reject)));
  else if (depth < MAX_DEPTH) for (const child of await children(entry)) await collect(child, `${name}/`, depth + 1, files);
}

async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  // A reader gives at most 100 entries at a time.
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) found.push(...some);
  return found;
}
