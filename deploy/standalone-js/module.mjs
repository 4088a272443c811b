/** A model.mjs as a session in this process, which it may use as any program may. */

import { Buffer } from 'node:buffer';

import { checkedSession } from '../js/checked_session.mjs';
import { LinregError, oneLine } from '../js/errors.mjs';
import { readModule } from '../js/module.mjs';
import { measureBlocks } from '../js/timing.mjs';

const WARM_UP_MS = 100;

/**
 * @param {Uint8Array} bytes of model.mjs, which were checked: they are what is imported
 * @param {string} what the file, for messages
 * @returns {Promise<import('../js/session.mjs').Session>}
 */
export async function openModule(bytes, what) {
  const model = readModule(bytes, what);
  const predict = await importPredict(bytes, what);
  const measure = (values, settings) => {
    const outputs = predict(values);
    for (const start = performance.now(); performance.now() - start < WARM_UP_MS; ) predict(values, outputs); // V8 compiles it
    return measureBlocks(() => predict(values, outputs), settings);
  };
  return checkedSession(model, what, { run: (values) => predict(values), measure, release: () => {} });
}

async function importPredict(bytes, what) {
  try {
    const { predict } = await import(`data:text/javascript;base64,${Buffer.from(bytes).toString('base64')}`);
    if (typeof predict !== 'function') throw new TypeError('it exports no predict function');
    return predict;
  } catch (error) {
    throw new LinregError(`${what}: does not run: ${oneLine(error)}; export it again`);
  }
}
