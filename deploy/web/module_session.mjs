/**
 * A model.mjs as a session. It is a program, perhaps of a stranger: it runs in a worker that has no page, and whose
 * policy keeps it from the network, the host of the page included.
 */

import { checkedSession } from '../js/checked_session.mjs';
import { LinregError, oneLine } from '../js/errors.mjs';
import { readModule } from '../js/module.mjs';

const PATIENCE_MS = 30_000;

/** A worker has the policy of the document that starts it: this one. */
const DOCUMENT = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src blob:; worker-src blob:">`;

/**
 * @param {Uint8Array} bytes of model.mjs, which were checked
 * @param {string} what the file, for messages
 * @returns {Promise<import('../js/session.mjs').Session>}
 */
export async function openModule(bytes, what) {
  const model = readModule(bytes, what);
  const { ask, release } = await startWorker(bytes, what);
  const run = (input) => ask('run', { input });
  const measure = (input, settings) => ask('measure', { input, settings });
  return checkedSession(model, what, { run, measure, release });
}

/** Start a worker, and let it import the bytes. */
async function startWorker(bytes, what) {
  const [glue, timing] = await Promise.all([ownText('model_worker.mjs'), ownText('../js/timing.mjs')]);
  const frame = await hiddenFrame();
  // Addresses that this page makes may reach the browser after the frame's worker has asked for them.
  const { Blob, URL, Worker } = frame.contentWindow;
  const addresses = [glue, timing, bytes].map((part) => URL.createObjectURL(new Blob([part], { type: 'text/javascript' })));
  const worker = new Worker(addresses[0], { type: 'module' });
  const waiting = new Map();
  let ended = '';
  const end = (problem) => {
    ended ||= problem;
    worker.terminate();
    frame.remove();
    for (const { reject } of waiting.values()) reject(new LinregError(`${what}: ${ended}`));
  };
  const release = () => end('was stopped');
  worker.onmessage = ({ data }) => {
    const question = waiting.get(data?.id);
    waiting.delete(data?.id);
    if (data?.problem === undefined) question?.resolve(data?.value);
    else question?.reject(new LinregError(`${what}: does not run: ${oneLine(data.problem)}`));
  };
  worker.onerror = (event) => end(`does not run: ${oneLine(event.message ?? 'its worker does not start')}`);
  let last = 0;
  const ask = (task, given) =>
    new Promise((resolve, reject) => {
      if (ended) throw new LinregError(`${what}: ${ended}`);
      const id = ++last;
      const timer = setTimeout(() => end(`has not answered for ${PATIENCE_MS / 1000} seconds`), PATIENCE_MS);
      const done = (settle) => (value) => (clearTimeout(timer), settle(value));
      waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      worker.postMessage({ id, task, ...given });
    });
  try {
    await ask('open', { model: addresses[2], timing: addresses[1] });
  } catch (error) {
    release();
    throw error;
  } finally {
    addresses.forEach((address) => URL.revokeObjectURL(address));
  }
  return { ask, release };
}

async function hiddenFrame() {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.srcdoc = DOCUMENT;
  const ready = new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
  document.body.append(frame);
  await ready;
  return frame;
}

/** A file of the page. */
async function ownText(path) {
  const response = await fetch(new URL(path, import.meta.url), { redirect: 'error' }).catch((error) => ({ ok: false, status: oneLine(error) }));
  if (!response.ok) throw new LinregError(`the page cannot fetch its own ${path} (${response.status}); reload it`);
  return response.text();
}
