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

/**
 * A prediction with the digits that its error justifies: the last one counts a tenth of the error's first digit.
 *
 * @param {number} value
 * @param {number} error positive
 * @param {string} type
 */
export function justified(value, error, type) {
  const exact = roundTrip(value, type);
  const decimals = 1 - Math.floor(Math.log10(error));
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1 + decimals;
  if (digits > (type === 'float32' ? 9 : 17) || decimals > 100) return exact;
  if (digits < 0) return '0';
  const step = 10 ** -decimals;
  const rounded = decimals > 0 ? value.toFixed(decimals) : String(Math.round(value / step) * step);
  return Number(rounded) === 0 ? rounded.replace('-', '') : rounded;
}

/** A prediction with the fewest digits that give the same bits back. */
export function roundTrip(value, type) {
  if (Object.is(value, -0)) return '-0';
  return type === 'float32' ? String(Number(value.toPrecision(9))) : String(value);
}
