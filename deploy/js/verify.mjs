/** Prove a bundle: the hash of every file first, then every test vector through the runtime. */

import { MODEL_FILE, checkFiles, readCases } from './bundle.mjs';
import { compare } from './compare.mjs';
import { LinregError, oneLine } from './errors.mjs';
import { openSession } from './session.mjs';

/**
 * @typedef {object} Report
 * @property {number} files how many are listed
 * @property {string[]} problems why no vector was run: files that are missing or other than listed
 * @property {CaseResult[]} cases
 * @property {number} passed
 * @property {number} failed
 * @property {number} worst error in units of what is allowed
 * @property {boolean} bytesEqual
 *
 * @typedef {{name: string, rows: number, worst: number, bytesEqual: boolean, failure: string | null}} CaseResult
 */

/**
 * @param {object} ort the module onnxruntime-node or onnxruntime-web
 * @param {import('./bundle.mjs').Bundle} bundle
 * @returns {Promise<Report>} never an exception for what is in the bundle
 */
export async function verifyBundle(ort, bundle) {
  let checked = { files: new Map(), count: 0, problems: [] };
  const cases = [];
  try {
    checked = await checkFiles(bundle);
    if (!checked.problems.length) {
      for await (const result of runCases(ort, checked.files)) cases.push(result);
      if (!cases.length) throw new LinregError('SHA256SUMS: lists no test_data_set_0, so there is nothing to verify with; export again');
    }
  } catch (error) {
    checked.problems.push(oneLine(error));
  }
  const failing = cases.filter((result) => result.failure !== null).length;
  return {
    files: checked.count,
    problems: checked.problems,
    cases,
    passed: cases.length - failing,
    failed: failing + checked.problems.length,
    worst: cases.reduce((worst, result) => Math.max(worst, result.worst), checked.problems.length ? Infinity : 0),
    bytesEqual: !checked.problems.length && cases.every((result) => result.bytesEqual && result.failure === null),
  };
}

async function* runCases(ort, files) {
  const session = await openSession(ort, files.get(MODEL_FILE), MODEL_FILE);
  try {
    for (const { name, vectors, error } of readCases(files)) {
      yield error ? failed(name, 0, error.message) : await runCase(session, vectors);
    }
  } finally {
    await session.release();
  }
}

async function runCase(session, { name, inputs, outputs, allowed }) {
  const rows = inputs[0].dims[0] ?? 1;
  let got;
  try {
    got = await session.run(inputs);
  } catch (error) {
    return failed(name, rows, `does not run: ${oneLine(error)}`);
  }
  if (got.length !== outputs.length) return failed(name, rows, `gives ${got.length} outputs, expected ${outputs.length}`);
  const results = got.map((output, place) => compare(output, outputs[place], allowed[place]));
  return {
    name,
    rows,
    worst: Math.max(...results.map((result) => result.worst)),
    bytesEqual: results.every((result) => result.bytesEqual),
    failure: firstFailure(results),
  };
}

function firstFailure(results) {
  const place = results.findIndex((result) => result.failure !== null);
  return place < 0 ? null : `output ${place}, ${results[place].failure}`;
}

function failed(name, rows, failure) {
  return { name, rows, worst: Infinity, bytesEqual: false, failure };
}

/** How close the answers were, in words. */
export function closeness({ bytesEqual, worst }) {
  if (bytesEqual) return 'bit-equal';
  return `worst error ${worst === Infinity ? 'inf' : Number(worst.toPrecision(3))} of what is allowed`;
}
