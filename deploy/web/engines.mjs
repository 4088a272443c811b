/** What may answer: model.mjs as JavaScript, or model.onnx in ONNX Runtime. One answers for a bundle, never both. */

import { JAVASCRIPT_FILE, MODEL_FILE, checkBytes } from '../js/bundle.mjs';
import { LinregError, cleaned } from '../js/errors.mjs';
import { findEntry } from '../js/listing.mjs';
import { openSession } from '../js/session.mjs';
import { provenSession } from '../js/verify.mjs';
import { byId } from './elements.mjs';
import { openModule } from './module_session.mjs';
import { startRuntime } from './runtime.mjs';

let ort = null;

/** @typedef {import('../js/verify.mjs').Engine & {title: string}} Engine */

/** @type {Record<'js' | 'onnxruntime', Engine>} */
export const ENGINES = {
  js: { title: 'JavaScript', file: JAVASCRIPT_FILE, open: openModule },
  onnxruntime: {
    title: 'ONNX Runtime (WebAssembly)',
    file: MODEL_FILE,
    open: async (bytes, what) => openSession((ort ??= await startRuntime()), bytes, what),
  },
};

/**
 * @typedef {object} Opened
 * @property {import('../js/session.mjs').Session} session
 * @property {Uint8Array} bytes of the model
 * @property {string} proof what is known of the answers, in words
 */

/**
 * The engines that a bundle has a model for. A bundle without a manifest may have a model.onnx.
 *
 * @param {import('../js/bundle.mjs').Bundle} bundle
 * @returns {Promise<{js: boolean, onnxruntime: boolean}>}
 */
export async function enginesOf(bundle) {
  const module = await findEntry(bundle, JAVASCRIPT_FILE);
  const js = module !== null && module.bytes !== null; // a size is in manifest.json alone
  return { js, onnxruntime: !js || (await findEntry(bundle, MODEL_FILE)) !== null };
}

/**
 * Open model.mjs. It is code, and answers only after its test vectors have passed here.
 *
 * @param {import('../js/bundle.mjs').Bundle} bundle
 * @param {boolean} hasOther whether ONNX Runtime could answer instead
 * @returns {Promise<Opened>}
 */
export async function openJavaScript(bundle, hasOther) {
  try {
    const { session, bytes, passed } = await provenSession(ENGINES.js, bundle);
    return { session, bytes, proof: `all ${passed} test vectors passed here` };
  } catch (error) {
    if (!(error instanceof LinregError)) throw error;
    const instead = hasOther ? 'choose ONNX Runtime, which runs model.onnx' : 'the bundle has no model.onnx to use instead';
    throw new LinregError(`JavaScript is refused: ${error.message}. It gives no prediction; ${instead}.`);
  }
}

/**
 * Open model.onnx.
 *
 * @param {import('../js/bundle.mjs').Bundle} bundle
 * @param {Uint8Array} bytes of the model
 * @returns {Promise<Opened>}
 */
export async function openOnnx(bundle, bytes) {
  const entry = await findEntry(bundle, MODEL_FILE);
  if (entry) await checkBytes(MODEL_FILE, bytes, entry);
  return { session: await ENGINES.onnxruntime.open(bytes), bytes, proof: '' };
}

/** Show which engines there are, and which one is used. */
export function showChoice(offered, chosen) {
  for (const name of Object.keys(ENGINES)) {
    const radio = byId(`engine-${name}`);
    radio.disabled = !offered[name];
    radio.checked = name === chosen;
  }
  byId('engines').hidden = false;
  byId('trust').hidden = chosen !== 'js';
}

/** Say which engine answers. */
export function showEngine({ title, file }, proof) {
  byId('engine').textContent = `Answered by ${cleaned(file)} in ${title}${proof && `: ${proof}`}.`;
}
