/** Predictions of a model.onnx of linreg in a program of yours; the types are in linreg.d.mts. */

import * as ort from 'onnxruntime-node';

import { LinregError } from '../js/errors.mjs';
import { rowPredictor } from '../js/predictor.mjs';
import { openSession } from '../js/session.mjs';
import { onnxEngine, verifyBundle } from '../js/verify.mjs';
import { openFolder, readModelFile } from './folder.mjs';

export { LinregError };

/** Load a model.onnx. */
export async function load(path) {
  const session = await openSession(ort, await readModelFile(path), path);
  const { columns, predict } = rowPredictor(session, path);
  const { features, target, units } = session.model;
  return {
    features,
    target,
    units,
    predict: async (rows) => predict(flat(rows, features, columns)),
    release: session.release,
  };
}

/** Check the sha256 of every file of a bundle, then run its test vectors. */
export function verify(folder) {
  return verifyBundle(onnxEngine(ort), openFolder(folder));
}

function flat(rows, features, columns) {
  const values = new Float64Array(rows.length * columns);
  rows.forEach((row, index) => {
    const cells = Array.isArray(row) || ArrayBuffer.isView(row) ? row : (features ?? []).map((name) => row[name]);
    if (cells.length !== columns || !Array.prototype.every.call(cells, (cell) => typeof cell === 'number')) {
      throw new LinregError(`row ${index}: expected ${columns} numbers${features ? `: ${features.join(', ')}` : ''}`);
    }
    values.set(cells, index * columns);
  });
  return values;
}
