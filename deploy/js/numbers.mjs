/** Text to numbers and back, by the rules of linreg's tables. */

const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const MISSING = new Set(['', 'NA', 'N/A', '#N/A', 'n/a', 'NaN', 'nan', '-nan', 'NULL', 'null', 'None']);

/** The number that a cell holds; null where it is missing; undefined where it is neither, or beyond a float64. */
export function parseCell(cell) {
  const text = cell.trim();
  if (!NUMBER.test(text)) return MISSING.has(text) ? null : undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A prediction with the fewest digits that give the same bits back. */
export function roundTrip(value, type) {
  if (Object.is(value, -0)) return '-0';
  return type === 'float32' ? String(Number(value.toPrecision(9))) : String(value);
}
