/** Text to numbers and back, by the rules of linreg's tables. */

const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const MISSING = /^[+-]?(?:|na|n\/a|#n\/a|nan|null|none|inf|infinity)$/i;

/** The number that a cell holds; NaN where it holds none, or one beyond a float64. */
export function parseCell(cell) {
  const text = cell.trim();
  const value = NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

/** Whether a number is missing here, or is beyond a float64: what stands in a row of numbers, and is no name. */
export function missesNumber(cell) {
  const text = cell.trim();
  return NUMBER.test(text) ? !Number.isFinite(Number(text)) : MISSING.test(text);
}

/** A prediction with the fewest digits that give the same bits back. */
export function roundTrip(value, type) {
  if (Object.is(value, -0)) return '-0';
  return type === 'float32' ? String(Number(value.toPrecision(9))) : String(value);
}
