/** Text to numbers and back, by the rules of linreg's tables. */

const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** The number that a cell holds; NaN where it holds none, or one beyond a float64. */
export function parseCell(cell) {
  const text = cell.trim();
  const value = NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

/** A prediction with the fewest digits that give the same bits back. */
export function roundTrip(value, type) {
  if (Object.is(value, -0)) return '-0';
  return type === 'float32' ? String(Number(value.toPrecision(9))) : String(value);
}
