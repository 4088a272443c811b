/** CSV as a stream: each chunk that arrives gives the records that end in it, so that memory stays small. */

import { LinregError, oneLine, quoted } from '../js/errors.mjs';

const MAX_RECORD = 2 ** 20;
const MAX_CELLS = 10_000;

/**
 * Lists of records, each a list of cells. A line ends with LF, CRLF or CR; empty lines are passed over, as other readers
 * of CSV do. The readers of deploy/vectors take and refuse the same.
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
    checkLength(rest);
    if (found.length) yield found;
  }
  rest += decode(decoder);
  if (rest !== '') {
    const { found, used } = split(rest + '\n');
    if (used !== rest.length + 1) throw new LinregError('stdin: ends inside a quoted cell; check its quotes');
    if (found.length) yield found;
  }
}

function decode(decoder, chunk) {
  let text;
  try {
    text = chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch (error) {
    throw new LinregError(`stdin: is not UTF-8 (${oneLine(error)}); save it again as 'CSV UTF-8'`);
  }
  if (text.includes('\0')) throw new LinregError('stdin: has a zero byte, expected text; is it a binary file?');
  return text;
}

function checkLength(record) {
  if (record.length > MAX_RECORD) throw new LinregError(`stdin: a row is longer than ${MAX_RECORD} characters; check its quotes`);
}

/** The complete records of a text, and how many of its characters they take. */
function split(text) {
  const found = [];
  let used = 0;
  let quotes = 0;
  const lineFeeds = finder(text, '\n');
  const returns = finder(text, '\r');
  for (let scanned = 0, end; (end = Math.min(lineFeeds(scanned), returns(scanned))) < text.length; scanned = end + 1) {
    quotes += countQuotes(text.slice(scanned, end));
    if (quotes % 2) continue; // the line ends inside a quoted cell
    if (end > used) found.push(cells(text.slice(used, end), quotes > 0));
    used = end + 1; // the LF of a CRLF is then an empty line
    quotes = 0;
  }
  return { found, used };
}

/** A function that finds the next place of a sign; the length of the text where there is none. Places only grow. */
function finder(text, sign) {
  let place = -1;
  return (from) => {
    if (place < from) place = text.indexOf(sign, from);
    if (place < 0) place = text.length;
    return place;
  };
}

function cells(record, hasQuotes) {
  checkLength(record);
  const found = hasQuotes ? quotedCells(record) : record.split(',');
  if (found.length > MAX_CELLS) throw new LinregError(`stdin: a row has ${found.length} cells, expected at most ${MAX_CELLS}`);
  return found;
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
    if (!match) throw new LinregError(`stdin: a row cannot be read: ${quoted(record)}; check its quotes`);
    found.push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    ended = match[3] === '';
  }
  return found;
}
