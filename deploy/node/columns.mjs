/** From the cells of a table to the rows of a model: columns are found by name, whatever their order. */

import { LinregError, quoted } from '../js/errors.mjs';
import { missesNumber, parseCell } from '../js/numbers.mjs';

/**
 * @typedef {object} Columns
 * @property {number[]} places of the model's columns in a record
 * @property {string[]} names for messages
 * @property {number} width cells a record has
 * @property {boolean} header whether the first record is one
 */

/**
 * Find the columns of a model in the first record, which is a header or a row of numbers.
 *
 * It is a header where a cell is no number, or where every name of the model stands in it: names may look like numbers,
 * as 2010 and 2011 do. What could be either is refused, since a header taken for a row is a wrong answer.
 * deploy/vectors/columns.h does the same.
 *
 * @param {string[]} first
 * @param {string[] | null} features names in the model's order, null where the model names none
 * @param {number} count of the model's columns
 * @returns {Columns}
 */
export function findColumns(first, features, count) {
  const names = first.map(tidy);
  const wanted = features?.map(tidy);
  const numbers = first.map(parseCell);
  const here = new Set(names);
  const header = numbers.some(Number.isNaN) || Boolean(wanted?.every((name) => here.has(name)));
  if (header && wanted) {
    return { places: placesOf(wanted, names), names: wanted, width: first.length, header };
  }
  if (header) checkUnnamed(first, numbers);
  else if (wanted) checkNoName(first, numbers, wanted);
  if (first.length !== count) {
    throw new LinregError(`stdin: has ${first.length} columns${header ? '' : ' and no header'}, expected the model's ${count} in order`);
  }
  const places = Array.from({ length: count }, (_, place) => place);
  return { places, names: wanted ?? places.map((place) => String(place + 1)), width: count, header };
}

function placesOf(wanted, names) {
  const places = new Map();
  names.forEach((name, place) => places.set(name, places.has(name) ? -1 : place));
  const seen = new Set();
  const twice = wanted.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) throw new LinregError(`stdin: the model has two features ${quoted(twice)}; export it again`);
  return wanted.map((name) => {
    const place = places.get(name);
    if (place === undefined) {
      const some = names.slice(0, 8).map(quoted).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
      throw new LinregError(`stdin: has no column ${quoted(name)}, expected every feature of the model; got ${some}`);
    }
    if (place < 0) throw new LinregError(`stdin: names the column ${quoted(name)} twice; rename one`);
    return place;
  });
}

/** A row of numbers in which a name stands, as text or as a number of its value, is rather a header that lacks a column. */
function checkNoName(first, numbers, wanted) {
  const values = new Set(wanted.map(parseCell).filter((value) => !Number.isNaN(value)));
  const place = numbers.findIndex((value) => values.has(value));
  if (place >= 0) {
    throw new LinregError(
      `stdin: the first row may be names or numbers: it has ${quoted(first[place])}, a column of the model's, but not all of them; add a header that names every column`,
    );
  }
}

/** A header for a model without names: no cell of it may be a number, or a number that is missing. */
function checkUnnamed(first, numbers) {
  const place = first.findIndex((cell, index) => !Number.isNaN(numbers[index]) || missesNumber(cell));
  if (place >= 0) {
    throw new LinregError(`stdin: the first row, column ${place + 1}: got ${quoted(first[place])}, expected only names, or only finite numbers`);
  }
}

const tidy = (name) => name.normalize('NFC').trim();

/**
 * The numbers of some records, row by row.
 *
 * @param {string[][]} records
 * @param {Columns} columns
 * @param {number} before how many rows stood before these
 */
export function toNumbers(records, { places, names, width }, before) {
  const values = new Float64Array(records.length * places.length);
  records.forEach((record, index) => {
    const row = before + index + 1;
    if (record.length !== width) throw new LinregError(`stdin: row ${row}: got ${record.length} cells, expected ${width}`);
    places.forEach((place, column) => {
      const value = parseCell(record[place]);
      if (Number.isNaN(value)) {
        const where = `row ${row}, column ${place + 1} ${quoted(names[column])}`;
        throw new LinregError(`stdin: ${where}: got ${quoted(record[place])}, expected a finite number`);
      }
      values[index * places.length + column] = value;
    });
  });
  return values;
}
