/** The page: a bundle comes in, its features become a form, and what is typed becomes a prediction and a chart. */

import { MODEL_FILE, sha256 } from '../js/bundle.mjs';
import { LinregError, cleaned, oneLine } from '../js/errors.mjs';
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

/** What is loaded; `shown` is what the chart shows. A later bundle replaces the whole object. */
let loaded = null;
let ort = null;

// The runtime answers one question at a time: each waits for the one before it.
let lastTurn = Promise.resolve();
function inTurn(task) {
  lastTurn = lastTurn.then(task).catch((error) => showStatus(error));
  return lastTurn;
}

function showStatus(message) {
  const failed = message instanceof Error;
  if (failed && !(message instanceof LinregError)) console.warn(message);
  byId('status').textContent = failed ? (message instanceof LinregError ? cleaned(message.message) : oneLine(message)) : message;
  byId('status').className = failed ? 'bad' : '';
}

/** Show a bundle; `start` holds values for its features. */
function load(toBundle, start = new Map()) {
  showStatus('Loading…');
  byId('model').hidden = byId('proof').hidden = true;
  clearProof();
  toBundle.catch(() => {}); // it is awaited, and its error shown, when its turn comes
  return inTurn(async () => {
    await loaded?.session?.release();
    loaded = null;
    ort ??= await startRuntime();
    const bundle = await toBundle;
    const bytes = await bundle.read(MODEL_FILE);
    // A model that the runtime refuses may still be verified, which then says what is wrong with its files.
    loaded = { bundle };
    byId('proof').hidden = false;
    loaded.session = await openSession(ort, bytes, MODEL_FILE);
    Object.assign(loaded, rowPredictor(loaded.session, MODEL_FILE));
    const names = featureNames(loaded);
    const target = loaded.session.model.target ?? loaded.session.model.outputs[0].name;
    showStatus(`${cleaned(bundle.name)}: ${names.length} ${names.length === 1 ? 'feature' : 'features'} → ${cleaned(target)}, ${bytes.length} bytes, sha256 ${(await sha256(bytes)).slice(0, 12)}…`);
    byId('target').textContent = target;
    showForm(names, loaded.session.model.units, start, predict);
    byId('model').hidden = false;
    predict();
    measure();
  });
}

function featureNames({ columns, session: { model } }) {
  if (columns > MAX_FEATURES) {
    throw new LinregError(`the model has ${columns} features, too many to type (at most ${MAX_FEATURES}); it can be verified`);
  }
  return model.features ?? Array.from({ length: columns }, (_, place) => `column ${place + 1}`);
}

/** The prediction of what is in the form; of several waiting, only the last is made. */
function predict() {
  const values = readForm();
  const mine = loaded;
  mine.values = values;
  if (!values) {
    byId('prediction').textContent = '–';
    byId('chart').replaceChildren();
    return;
  }
  inTurn(async () => {
    if (mine !== loaded || values !== mine.values) return;
    const [prediction] = await mine.predict(values);
    const { model } = mine.session;
    const unit = model.units.get(model.target);
    byId('prediction').replaceChildren(roundTrip(prediction, model.inputs[0].type).replace('-', '−'));
    if (unit) byId('prediction').append(' ', html('span', { className: 'unit' }, unit));
    mine.shown = { values: Array.from(values), prediction };
    draw();
  });
}

function draw() {
  if (!loaded?.shown) return;
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
    if (mine !== loaded || !mine?.predict) return;
    const [input] = mine.session.model.inputs;
    const array = input.type === 'float64' ? Float64Array : Float32Array;
    const call = mine.session.bind([toTensor(input.name, input.type, [1, mine.columns], new array(mine.columns))]);
    const { calls, blockS } = await measureBlocks(call, { blocks: 9, blockMs: 20 });
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
    const report = mine === loaded ? await verifyBundle(ort, mine.bundle) : null;
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
