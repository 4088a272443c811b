/** CSV as a stream: each chunk that arrives gives the records that end in it, so that memory stays small. */

import { LinregError, oneLine, quoted } from '../js/errors.mjs';

const MAX_RECORD = 2 ** 20;

/**
 * Lists of records, each a list of cells. Empty lines are passed over, as other readers of CSV do.
 *
 * @param {AsyncIterable<Uint8Array>} chunks UTF-8
 */
export async function* records(chunks) {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of chunks) {
    rest += decode(decoder, chunk);
    const { found, used } = split(rest);
    rest = rest.slice(used);
    if (rest.length > MAX_RECORD) throw new LinregError(`stdin: a row is longer than ${MAX_RECORD} characters; look at its quotes`);
    if (found.length) yield found;
  }
  rest += decode(decoder);
  if (rest !== '') {
    const { found, used } = split(rest + '\n');
    if (used !== rest.length + 1) throw new LinregError('stdin: ends inside a quoted cell; look at its quotes');
    if (found.length) yield found;
  }
}

function decode(decoder, chunk) {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch (error) {
    throw new LinregError(`stdin: is not UTF-8 (${oneLine(error)}); save it again as 'CSV UTF-8'`);
  }
}

/** The complete records of a text, and how many of its characters they take. */
function split(text) {
  const found = [];
  let used = 0;
  let quotes = 0;
  for (let scanned = 0, end; (end = text.indexOf('\n', scanned)) >= 0; scanned = end + 1) {
    quotes += countQuotes(text.slice(scanned, end));
    if (quotes % 2) continue; // the newline stands inside a quoted cell
    const record = text.slice(used, text[end - 1] === '\r' ? end - 1 : end);
    if (record !== '') found.push(quotes ? quotedCells(record) : record.split(','));
    used = end + 1;
    quotes = 0;
  }
  return { found, used };
}

function countQuotes(line) {
  let count = 0;
  for (let at = line.indexOf('"'); at >= 0; at = line.indexOf('"', at + 1)) count++;
  return count;
}

function quotedCells(record) {
  const found = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;
  for (let ended = false; !ended; ) {
    const match = cell.exec(record);
    if (!match) throw new LinregError(`stdin: a row cannot be read: ${quoted(record)}; look at its quotes`);
    found.push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    ended = match[3] === '';
  }
  return found;
}
