/** The page: a bundle comes in, its features become a form, and what is typed becomes a prediction and a chart. */

import { MODEL_FILE, checkBytes, sha256 } from '../js/bundle.mjs';
import { LinregError, cleaned, oneLine } from '../js/errors.mjs';
import { findEntry } from '../js/listing.mjs';
import { roundTrip } from '../js/numbers.mjs';
import { rowPredictor } from '../js/predictor.mjs';
import { openSession } from '../js/session.mjs';
import { toTensor } from '../js/tensor.mjs';
import { measureBlocks, median } from '../js/timing.mjs';
import { verifyBundle } from '../js/verify.mjs';
import { drawChart } from './chart.mjs';
import { byId, html } from './elements.mjs';
import { readForm, showForm } from './form.mjs';
import { clearProof, showProof } from './proof.mjs';
import { startRuntime } from './runtime.mjs';
import { fromAddress, fromDrop, fromFiles } from './sources.mjs';

const MAX_FEATURES = 200;

/**
 * What is loaded: `values` is what the form holds, `shown` what the prediction and the chart show, null for nothing.
 * It is empty from the moment that another bundle is asked for, and a later bundle replaces the whole object.
 */
let loaded = {};
let session = null;
let ort = null;

// The runtime answers one question at a time: each waits for the one before it. What goes wrong with a bundle is not said
// after another was asked for.
let lastTurn = Promise.resolve();
function inTurn(task) {
  const mine = loaded;
  lastTurn = lastTurn.then(task).catch((error) => mine === loaded && showStatus(error));
  return lastTurn;
}

function showStatus(message) {
  const failed = message instanceof Error;
  if (failed && !(message instanceof LinregError)) console.warn(message);
  byId('status').textContent = failed ? (message instanceof LinregError ? cleaned(message.message) : oneLine(message)) : message;
  byId('status').className = failed ? 'bad' : '';
}

/** Take away what was predicted: it is not of what the form holds, or of another bundle. */
function clearPrediction() {
  loaded.shown = null;
  byId('prediction').textContent = '–';
  byId('chart').replaceChildren();
}

/** Take away all that an earlier bundle showed. */
function clearAll() {
  byId('model').hidden = byId('proof').hidden = true;
  byId('features').replaceChildren();
  byId('target').textContent = byId('timing').textContent = '';
  clearPrediction();
  clearProof();
}

/** Show a bundle; `start` holds values for its features. */
function load(toBundle, start = new Map()) {
  const mine = (loaded = {});
  showStatus('Loading…');
  clearAll();
  toBundle.catch(() => {}); // it is awaited, and its error shown, when its turn comes
  return inTurn(async () => {
    await session?.release();
    session = null;
    ort ??= await startRuntime();
    if (mine === loaded) await show(mine, await toBundle, start);
  });
}

/** Every wait may end after another bundle was asked for: nothing is shown then. */
async function show(mine, bundle, start) {
  const bytes = await bundle.read(MODEL_FILE);
  if (mine !== loaded) return;
  // A model that is not the listed one, or that the runtime refuses, may still be verified, which says what is wrong.
  mine.bundle = bundle;
  byId('proof').hidden = false;
  const entry = await findEntry(bundle, MODEL_FILE);
  if (entry) await checkBytes(MODEL_FILE, bytes, entry);
  session = await openSession(ort, bytes, MODEL_FILE);
  const predictor = rowPredictor(session, MODEL_FILE);
  const hash = await sha256(bytes);
  if (mine !== loaded) return;
  Object.assign(mine, predictor, { session });
  const names = featureNames(mine);
  const target = session.model.target ?? session.model.outputs[0].name;
  showStatus(`${cleaned(bundle.name)}: ${names.length} ${names.length === 1 ? 'feature' : 'features'} → ${cleaned(target)}, ${bytes.length} bytes, sha256 ${hash.slice(0, 12)}…`);
  byId('target').textContent = target;
  showForm(names, session.model.units, start, predict);
  byId('model').hidden = false;
  predict();
  measure();
}

function featureNames({ columns, session: { model } }) {
  if (columns > MAX_FEATURES) {
    throw new LinregError(`the model has ${columns} features, too many to type (at most ${MAX_FEATURES}); it can be verified`);
  }
  return model.features ?? Array.from({ length: columns }, (_, place) => `column ${place + 1}`);
}

/** The prediction of what is in the form; of several waiting, only the last is made. */
function predict() {
  const mine = loaded;
  const values = (mine.values = readForm());
  if (!values) return clearPrediction();
  inTurn(async () => {
    if (mine !== loaded || values !== mine.values) return;
    try {
      const [prediction] = await mine.predict(values);
      if (mine === loaded && values === mine.values) showPrediction(mine, Array.from(values), prediction);
    } catch (error) {
      if (mine === loaded) clearPrediction();
      throw error;
    }
  });
}

function showPrediction(mine, values, prediction) {
  const { model } = mine.session;
  if (!Number.isFinite(prediction)) {
    clearPrediction();
    const reason = `This gives ${prediction}: the values exceed what ${model.inputs[0].type} holds.`;
    byId('chart').append(html('p', { className: 'bad' }, reason));
    return;
  }
  const unit = model.units.get(model.target);
  byId('prediction').replaceChildren(roundTrip(prediction, model.inputs[0].type).replace('-', '−'));
  if (unit) byId('prediction').append(' ', html('span', { className: 'unit' }, unit));
  mine.shown = { values, prediction };
  draw();
}

function draw() {
  if (!loaded.shown) return;
  const { model } = loaded.session;
  const chart = byId('chart');
  if (!model.affine) {
    chart.replaceChildren(html('p', { className: 'muted' }, 'No chart: this model is not one weight for each feature and a bias.'));
    return;
  }
  const names = featureNames(loaded);
  const target = model.target ?? model.outputs[0].name;
  chart.replaceChildren(drawChart({ ...loaded.shown, ...model.affine, names, target }, Math.max(chart.clientWidth, 240)));
}

function measure() {
  byId('timing').textContent = 'Timing…';
  const mine = loaded;
  inTurn(async () => {
    if (mine !== loaded || !mine.predict) return;
    const [input] = mine.session.model.inputs;
    const array = input.type === 'float64' ? Float64Array : Float32Array;
    const call = mine.session.bind([toTensor(input.name, input.type, [1, mine.columns], new array(mine.columns))]);
    const { calls, blockS } = await measureBlocks(call, { blocks: 9, blockMs: 20 });
    if (mine !== loaded) return;
    const microseconds = (median(blockS) / calls) * 1e6;
    byId('timing').textContent = `${microseconds.toPrecision(3)} µs a call: median of 9 blocks of ${calls} calls`;
  });
}

function verify() {
  const button = byId('verify');
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true'); // not `disabled`, which would take the keyboard's focus away
  clearProof('Verifying…');
  const mine = loaded;
  inTurn(async () => {
    const report = mine === loaded && mine.bundle ? await verifyBundle(ort, mine.bundle) : null;
    if (report && mine === loaded) showProof(report);
  }).finally(() => button.removeAttribute('aria-disabled'));
}

function listen() {
  byId('features').addEventListener('submit', (event) => event.preventDefault());
  byId('time').addEventListener('click', measure);
  byId('verify').addEventListener('click', verify);
  byId('folder').addEventListener('change', ({ target }) => {
    const chosen = [...target.files];
    target.value = ''; // so that the same folder may be chosen again
    if (chosen.length) load(asPromise(() => fromFiles(chosen)));
  });
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove('dragging'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    load(fromDrop(event.dataTransfer));
  });
  new ResizeObserver(draw).observe(byId('chart'));
}

/** Errors of `make` come out where the promise is awaited. */
async function asPromise(make) {
  return make();
}

listen();
const parameters = new URLSearchParams(location.search);
if (parameters.has('bundle')) load(asPromise(() => fromAddress(parameters.get('bundle'))), new Map(parameters));
else showStatus('No bundle yet.');
