/** Predictions of a CSV stream, chunk by chunk: no more is read than what was written makes room for. */

import { once } from 'node:events';

import { LinregError } from '../js/errors.mjs';
import { roundTrip } from '../js/numbers.mjs';
import { findColumns, toNumbers } from './columns.mjs';
import { records } from './csv.mjs';

/**
 * Write one prediction a line.
 *
 * @param {{features: string[] | null, columns: number, type: string, predict: (values: Float64Array) => Promise<ArrayLike<number>>}} model
 * @param {AsyncIterable<Uint8Array>} input
 * @param {import('node:stream').Writable} output
 */
export async function predictStream(model, input, output) {
  let columns = null;
  let before = 0;
  for await (let found of records(input)) {
    if (columns === null) {
      columns = findColumns(found[0], model.features, model.columns);
      if (columns.header) found = found.slice(1);
    }
    const predicted = await model.predict(toNumbers(found, columns, before));
    const lines = Array.from(predicted, (value, index) => toLine(value, model.type, before + index + 1));
    if (!output.write(lines.join(''))) await once(output, 'drain');
    before += found.length;
  }
  if (columns === null) throw new LinregError('stdin: is empty, expected CSV rows');
}

function toLine(value, type, row) {
  if (Number.isFinite(value)) return `${roundTrip(value, type)}\n`;
  throw new LinregError(`stdin: row ${row} gives ${value}: its values exceed what ${type} holds; leave it out`);
}
