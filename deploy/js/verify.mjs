/** Prove a bundle: the hash of every file first, then every test vector through an engine. */

import { MODEL_FILE, checkFiles, isNeeded, readCases } from './bundle.mjs';
import { compare } from './compare.mjs';
import { LinregError, oneLine } from './errors.mjs';
import { openSession } from './session.mjs';

const NO_VECTORS = 'SHA256SUMS: lists no test_data_set_0, so there is nothing to verify with; export again';

/**
 * @typedef {object} Engine
 * @property {string} file the model that it runs
 * @property {(bytes: Uint8Array, what: string) => Promise<Session>} open a model that messages call so
 *
 * @typedef {import('./session.mjs').Session} Session
 */

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
 * The engine that runs model.onnx.
 *
 * @param {object} ort the module onnxruntime-node or onnxruntime-web
 * @returns {Engine}
 */
export function onnxEngine(ort) {
  return { file: MODEL_FILE, open: (bytes, what) => openSession(ort, bytes, what) };
}

/**
 * A session of the engine whose answers to every test vector are within the allowed error.
 *
 * @param {Engine} engine
 * @param {import('./bundle.mjs').Bundle} bundle
 * @returns {Promise<{session: Session, passed: number, bytes: Uint8Array}>} how many vectors, and the model
 * @throws {LinregError} says what is wrong
 */
export async function provenSession(engine, bundle) {
  const { files, problems } = await checkFiles(bundle, engine.file, isNeeded);
  if (problems.length) throw new LinregError(problems[0]);
  const session = await engine.open(files.get(engine.file), engine.file);
  try {
    let passed = 0;
    for await (const { name, failure } of runCases(session, files)) {
      if (failure !== null) throw new LinregError(`${engine.file}: ${name}: ${failure}`);
      passed++;
    }
    if (!passed) throw new LinregError(NO_VECTORS);
    return { session, passed, bytes: files.get(engine.file) };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/**
 * @param {Engine} engine
 * @param {import('./bundle.mjs').Bundle} bundle
 * @returns {Promise<Report>} never an exception for what is in the bundle
 */
export async function verifyBundle(engine, bundle) {
  let checked = { files: new Map(), count: 0, problems: [] };
  const cases = [];
  try {
    checked = await checkFiles(bundle, engine.file);
    if (!checked.problems.length) {
      const session = await engine.open(checked.files.get(engine.file), engine.file);
      try {
        for await (const result of runCases(session, checked.files)) cases.push(result);
      } finally {
        await session.release();
      }
      if (!cases.length) throw new LinregError(NO_VECTORS);
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
    worst: cases.reduce((worst, result) => Math.max(worst, result.worst), 0),
    bytesEqual: !checked.problems.length && cases.every((result) => result.bytesEqual && result.failure === null),
  };
}

async function* runCases(session, files) {
  for (const { name, vectors, error } of readCases(files)) {
    yield error ? failed(name, 0, error.message) : await runCase(session, vectors);
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
