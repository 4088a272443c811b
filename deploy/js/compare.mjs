/** The rule of export/bundle/vectors.py: shape and type, then the class of NaN and infinity, then the allowed error. */

import { roundTrip } from './numbers.mjs';
import { isFloating, numbers } from './tensor.mjs';

/**
 * @param {Tensor} got
 * @param {Tensor} wanted
 * @param {Tensor} allowed float64: the allowed absolute error; infinity means that any class passes
 * @returns {{worst: number, bytesEqual: boolean, failure: string | null}} worst in units of what is allowed
 *
 * @typedef {import('./tensor.mjs').Tensor} Tensor
 */
export function compare(got, wanted, allowed) {
  if (got.type !== wanted.type || `${got.dims}` !== `${wanted.dims}`) {
    const failure = `got ${got.type} of shape [${got.dims}], expected ${wanted.type} of [${wanted.dims}]`;
    return { worst: Infinity, bytesEqual: false, failure };
  }
  const ratio = isFloating(got.type) ? floatRatio : (one, other) => (one === other ? 0 : Infinity);
  const [ours, theirs, bounds] = [numbers(got), numbers(wanted), numbers(allowed)];
  let worst = 0;
  let place = -1;
  for (let index = 0; index < theirs.length; index++) {
    const error = ratio(ours[index], theirs[index], bounds[index]);
    if (error > worst) {
      worst = error;
      place = index;
    }
  }
  const failure =
    worst > 1
      ? `row ${rowOf(place, wanted.dims)}: got ${roundTrip(ours[place], got.type)}, expected ${roundTrip(theirs[place], got.type)}, allowed ${bounds[place].toPrecision(3)}`
      : null;
  return { worst, bytesEqual: sameBytes(got.bytes, wanted.bytes), failure };
}

function floatRatio(got, wanted, allowed) {
  // A bound that is no bound lets nothing pass.
  if (Number.isNaN(allowed) || allowed < 0) return Infinity;
  if (Number.isFinite(got) && Number.isFinite(wanted)) return got === wanted ? 0 : Math.abs(got - wanted) / allowed;
  return got === wanted || (Number.isNaN(got) && Number.isNaN(wanted)) || allowed === Infinity ? 0 : Infinity;
}

function rowOf(place, dims) {
  const width = dims.slice(1).reduce((product, size) => product * size, 1);
  return width > 1 ? `${Math.floor(place / width)}, element ${place % width}` : `${place}`;
}

function sameBytes(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}
