/** Predictions of a CSV stream, chunk by chunk: no more is read than what was written makes room for. */

import { once } from 'node:events';

import { LinregError } from '../js/errors.mjs';
import { roundTrip } from '../js/numbers.mjs';
import { findColumns, toNumbers } from './columns.mjs';
import { records } from './csv.mjs';

/**
 * Write one prediction a line.
 *
 * @param {{features: string[] | null, columns: number, batch: number | null, type: string, predict: (values: Float64Array) => Promise<ArrayLike<number>>}} model
 * @param {AsyncIterable<Uint8Array>} input
 * @param {import('node:stream').Writable} output
 */
export async function predictStream(model, input, output) {
  let columns = null;
  let before = 0;
  let waiting = [];
  for await (let found of records(input)) {
    if (columns === null) {
      columns = findColumns(found[0], model.features, model.columns);
      if (columns.header) found = found.slice(1);
    }
    found = waiting.concat(found);
    // A model whose batch is fixed takes so many rows a call, any other what there is.
    const count = model.batch ?? found.length;
    let done = 0;
    for (; count > 0 && done + count <= found.length; done += count) {
      const predicted = await model.predict(toNumbers(found.slice(done, done + count), columns, before));
      const lines = Array.from(predicted, (value, index) => toLine(value, model.type, before + index + 1));
      if (!output.write(lines.join(''))) await once(output, 'drain');
      before += count;
    }
    waiting = found.slice(done);
  }
  if (columns === null) throw new LinregError('stdin: is empty, expected CSV rows');
  if (waiting.length) throw new LinregError(`stdin: the model takes ${model.batch} rows a call, and ${waiting.length} are left over`);
}

function toLine(value, type, row) {
  if (Number.isFinite(value)) return `${roundTrip(value, type)}\n`;
  throw new LinregError(`stdin: row ${row} gives ${value}: its values exceed what ${type} holds; leave it out`);
}
