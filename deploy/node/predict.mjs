/** Predictions of a CSV stream, chunk by chunk: no more is read than what was written makes room for. */

import { once } from 'node:events';

import { LinregError } from '../js/errors.mjs';
import { roundTrip } from '../js/numbers.mjs';
import { findColumns, toNumbers } from './columns.mjs';
import { records } from './csv.mjs';

/**
 * Write one prediction a line; a row with a missing value gives an empty line.
 *
 * @param {{features: string[] | null, columns: number, type: string, predict: (values: Float64Array) => Promise<ArrayLike<number>>}} model
 * @param {AsyncIterable<Uint8Array>} input
 * @param {import('node:stream').Writable} output
 * @returns {Promise<{rows: number, missing: number}>}
 */
export async function predictStream(model, input, output) {
  let columns = null;
  let [rows, missing] = [0, 0];
  for await (let found of records(input)) {
    if (columns === null) {
      columns = findColumns(found[0], model.features, model.columns);
      if (columns.header) found = found.slice(1);
    }
    const { values, complete } = toNumbers(found, columns, rows);
    const predicted = await model.predict(values);
    const lines = toLines(complete, predicted, model.type, rows);
    if (!output.write(lines)) await once(output, 'drain');
    rows += complete.length;
    missing += complete.length - predicted.length;
  }
  if (columns === null) throw new LinregError('stdin: is empty, expected CSV rows');
  return { rows, missing };
}

function toLines(complete, predicted, type, before) {
  let next = 0;
  let lines = '';
  complete.forEach((isComplete, index) => {
    if (isComplete) {
      const value = predicted[next++];
      if (!Number.isFinite(value)) {
        throw new LinregError(`stdin: row ${before + index + 1} gives ${value}: its values exceed what ${type} holds; leave it out`);
      }
      lines += roundTrip(value, type);
    }
    lines += '\n';
  });
  return lines;
}
