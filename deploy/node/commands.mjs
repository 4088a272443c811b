/** The commands of a runner: for onnxruntime-node here, onnxruntime-web's wasm in ../web, and model.mjs in ../standalone-js. */

import { join } from 'node:path';

import { checkFiles, readCases } from '../js/bundle.mjs';
import { LinregError, cleaned, oneLine } from '../js/errors.mjs';
import { CHECKSUM_FILE } from '../js/listing.mjs';
import { rowPredictor } from '../js/predictor.mjs';
import { closeness, verifyBundle } from '../js/verify.mjs';
import { openFolder, readModelFile } from './folder.mjs';
import { predictStream } from './predict.mjs';

/** @typedef {{name: string, version: string, engine: import('../js/verify.mjs').Engine}} Runtime */

const COMMANDS = {
  predict: { words: 'MODEL < rows.csv > predictions.csv', least: 1, most: 1, run: predict },
  verify: { words: 'BUNDLE', least: 1, most: 1, run: verify },
  bench: { words: 'BUNDLE BATCH [BLOCKS]', least: 2, most: 3, run: bench },
};

/**
 * Run a command, and set the exit code: 0 done, 1 an error or a difference, 2 wrong usage.
 *
 * @param {Runtime} runtime
 * @param {string} program as its user calls it, for the usage
 * @param {string[]} words of the command line
 */
export async function main(runtime, program, [name, ...words]) {
  // A reader that has seen enough, such as `head`, is no error.
  process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : null;
  if (!command || words.length < command.least || words.length > command.most) {
    for (const [known, { words: given }] of Object.entries(COMMANDS)) console.error(`usage: ${program} ${known} ${given}`);
    process.exitCode = 2;
    return;
  }
  try {
    process.exitCode = await command.run(runtime, ...words);
  } catch (error) {
    // What is unexpected is still one line; LINREG_DEBUG=1 shows where it came from.
    console.error(`error: ${error instanceof LinregError ? cleaned(error.message) : oneLine(error)}`);
    if (process.env.LINREG_DEBUG) console.error(error);
    process.exitCode = 1;
  }
}

async function predict({ engine }, path) {
  const session = await engine.open(await readModelFile(path), path);
  const model = { ...rowPredictor(session, path), features: session.model.features, type: session.model.inputs[0].type };
  await predictStream(model, process.stdin, process.stdout);
  return 0;
}

async function verify({ name, engine }, folder) {
  const report = await verifyBundle(engine, openFolder(folder));
  for (const problem of report.problems) console.error(cleaned(`${name}: ${problem}`));
  for (const { name: place, failure } of report.cases) {
    if (failure !== null) console.error(cleaned(`${name}: ${place}: ${failure}`));
  }
  console.log(`${name}: ${report.cases.length} cases${report.cases.length ? `, ${closeness(report)}` : ''}`);
  console.log(`${report.passed} passed, ${report.failed} failed`);
  return report.passed > 0 && report.failed === 0 ? 0 : 1;
}

async function bench({ name, version, engine }, folder, batchText, blocksText = '100') {
  const [batch, blocks] = [positive('BATCH', batchText), positive('BLOCKS', blocksText)];
  const { files, problems } = await checkFiles(openFolder(folder), engine.file);
  if (problems.length) throw new LinregError(`${folder}: ${problems[0]}`);
  const cases = [...readCases(files)].filter(({ vectors }) => vectors);
  const found = cases.find(({ vectors }) => vectors.inputs[0].dims[0] === batch);
  if (!found) {
    const batches = cases.map(({ vectors }) => vectors.inputs[0].dims[0]).join(', ');
    throw new LinregError(`${join(folder, CHECKSUM_FILE)}: no test vector has batch ${batch}, expected one of ${batches}`);
  }
  const session = await engine.open(files.get(engine.file), join(folder, engine.file));
  const { calls, blockS } = await session.measure(found.vectors.inputs, { blocks });
  console.log(JSON.stringify({ runtime: name, version, batch, calls, block_s: blockS }));
  return 0;
}

function positive(name, word) {
  if (!/^[1-9][0-9]{0,8}$/.test(word)) throw new LinregError(`${name}: got '${word}', expected a whole number from 1`);
  return Number(word);
}
