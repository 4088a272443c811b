/** From the cells of a table to the rows of a model: columns are found by name, whatever their order. */

import { LinregError, quoted } from '../js/errors.mjs';
import { parseCell } from '../js/numbers.mjs';

/**
 * @typedef {object} Columns
 * @property {number[]} places of the model's columns in a record
 * @property {string[]} names for messages
 * @property {number} width cells a record has
 * @property {boolean} header whether the first record is one
 */

/**
 * What the first record tells: it is a header unless each of its cells is a number.
 *
 * @param {string[]} first
 * @param {string[] | null} features names in the model's order, null where the model names none
 * @param {number} count of the model's columns
 * @returns {Columns}
 */
export function findColumns(first, features, count) {
  const names = first.map(tidy);
  const wanted = features?.map(tidy);
  const header = first.some((cell) => Number.isNaN(parseCell(cell))) || Boolean(wanted?.every((name) => names.includes(name)));
  if (header && wanted) {
    return { places: wanted.map((name) => placeOf(name, names)), names: wanted, width: first.length, header };
  }
  if (first.length !== count) {
    throw new LinregError(`stdin: has ${first.length} columns${header ? '' : ' and no header'}, expected the model's ${count} in order`);
  }
  const places = Array.from({ length: count }, (_, place) => place);
  return { places, names: wanted ?? places.map((place) => String(place + 1)), width: count, header };
}

function placeOf(name, names) {
  const place = names.indexOf(name);
  if (place < 0) {
    const some = names.slice(0, 8).map(quoted).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
    throw new LinregError(`stdin: has no column ${quoted(name)}, expected every feature of the model; got ${some}`);
  }
  if (names.indexOf(name, place + 1) >= 0) throw new LinregError(`stdin: names the column ${quoted(name)} twice; rename one`);
  return place;
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
