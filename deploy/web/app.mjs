/** The page: a bundle comes in, its features become a form, and what is typed becomes a prediction and a chart. */

import { MODEL_FILE, sha256 } from '../js/bundle.mjs';
import { LinregError, cleaned, oneLine, quoted } from '../js/errors.mjs';
import { NO_CARD, readCard } from '../js/card.mjs';
import { rowPredictor } from '../js/predictor.mjs';
import { toTensor } from '../js/tensor.mjs';
import { median } from '../js/timing.mjs';
import { verifyBundle } from '../js/verify.mjs';
import { byId } from './elements.mjs';
import { ENGINES, enginesOf, openJavaScript, openOnnx, showChoice, showEngine } from './engines.mjs';
import { formTexts, readForm, showForm } from './form.mjs';
import { clearPrediction, drawPrediction, showPrediction } from './prediction.mjs';
import { clearProof, showProof } from './proof.mjs';
import { fromAddress, fromDrop, fromFiles } from './sources.mjs';

const MAX_FEATURES = 200;

/**
 * What is loaded: `values` is what the form holds, `shown` what the prediction and the chart show, null for nothing.
 * It is empty from the moment that another bundle is asked for, and a later bundle replaces the whole object.
 */
let loaded = {};
let session = null;

/** The engine that the user chose, for this bundle and those that follow; null for the best. */
let wanted = null;

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

/** Take away all that an earlier bundle showed. */
function clearAll() {
  byId('model').hidden = byId('proof').hidden = true;
  byId('features').replaceChildren();
  for (const name of ['target', 'timing', 'notes', 'engine']) byId(name).textContent = '';
  clearPrediction();
  clearProof();
}

/** Show another bundle; its engines are not known yet. */
function loadOther(toBundle, start) {
  byId('engines').hidden = true;
  return load(toBundle, start);
}

/** Show a bundle; `start` holds values for its features, as the address of the page gives them. */
function load(toBundle, start = new URLSearchParams()) {
  const mine = (loaded = { toBundle, start });
  showStatus('Loading…');
  clearAll();
  toBundle.catch(() => {}); // it is awaited, and its error shown, when its turn comes
  return inTurn(async () => {
    await session?.release();
    session = null;
    if (mine === loaded) await show(mine, await toBundle, start);
  });
}

/** Every wait may end after another bundle was asked for: nothing is shown then. */
async function show(mine, bundle, start) {
  const { proof, bytes } = await open(mine, bundle);
  const predictor = rowPredictor(session, mine.engine.file);
  const hash = await sha256(bytes);
  const notes = [];
  const card = await readCard(bundle).catch((error) => {
    if (!(error instanceof LinregError)) throw error;
    notes.push(`The ranges and the error are not shown: ${cleaned(error.message)}.`);
    return NO_CARD;
  });
  if (mine !== loaded) return;
  Object.assign(mine, predictor, { session, card });
  const names = featureNames(mine);
  showNotes([...notes, ...oddParameters(start, names)]);
  const target = session.model.target ?? session.model.outputs.map(({ name }) => name).join(', ');
  showStatus(`${cleaned(bundle.name)}: ${names.length} ${names.length === 1 ? 'feature' : 'features'} → ${cleaned(target)}, ${bytes.length} bytes, sha256 ${hash.slice(0, 12)}…`);
  byId('target').textContent = target;
  const { units, inputs } = session.model;
  mine.type = inputs[0].type;
  const fields = names.map((name) => ({ name, unit: units.get(name), range: card.ranges.get(name), start: start.getAll(name).at(-1) }));
  showForm(fields, predict);
  showEngine(mine.engine, proof);
  byId('model').hidden = false;
  predict();
  measure();
}

/** Open the model of a bundle in an engine. One that is refused may still be verified, which says what is wrong. */
async function open(mine, bundle) {
  const offer = (name, offered) => {
    if (mine !== loaded) return;
    Object.assign(mine, { bundle, engine: ENGINES[name] });
    byId('proof').hidden = false;
    if (offered) showChoice(offered, name);
  };
  const offered = await enginesOf(bundle).catch((error) => {
    offer('onnxruntime');
    throw error;
  });
  const name = wanted ?? (offered.js ? 'js' : 'onnxruntime');
  if (offered.js) offer(name, offered);
  const model = name === 'js' ? null : await bundle.read(MODEL_FILE);
  offer(name, offered);
  const opened = await (model ? openOnnx(bundle, model) : openJavaScript(bundle, offered.onnxruntime));
  session = opened.session;
  return opened;
}

function featureNames({ columns, session: { model } }) {
  if (columns > MAX_FEATURES) {
    throw new LinregError(`the model has ${columns} features, too many to type (at most ${MAX_FEATURES}); it can be verified`);
  }
  return model.features ?? Array.from({ length: columns }, (_, place) => `column ${place + 1}`);
}

/** Answer with the other engine, for what the form holds. */
function changeEngine(name) {
  wanted = name === 'js' ? null : name; // null is JavaScript where there is one, and a later bundle may have none
  const { toBundle, session: opened, start } = loaded;
  load(toBundle, opened ? new URLSearchParams(formTexts(featureNames(loaded))) : start);
}

function showNotes(notes) {
  byId('notes').textContent = notes.join(' ');
}

/** What the address of the page holds that is of no use, in sentences. */
function oddParameters(start, names) {
  const given = [...new Set(start.keys())];
  const engine = names.includes('engine') ? null : start.get('engine');
  const unknown = given.filter((name) => !names.includes(name) && (name !== 'engine' || engine === null)).map(quoted);
  const twice = given.filter((name) => names.includes(name) && start.getAll(name).length > 1).map(quoted);
  const known = ['bundle', 'engine', ...names.slice(0, 10).map(cleaned), ...(names.length > 10 ? ['…'] : [])].join(', ');
  return [
    ...(engine === null ? [] : [`The engine in the address is ${quoted(engine)}, expected ${Object.keys(ENGINES).join(' or ')}.`]),
    ...(unknown.length ? [`The address holds ${unknown.join(', ')}, which is not known here; expected ${known}.`] : []),
    ...(twice.length ? [`The address holds ${twice.join(', ')} more than once; the last one counts.`] : []),
  ];
}

/** The prediction of what is in the form; of several waiting, only the last is made. */
function predict() {
  const mine = loaded;
  const values = (mine.values = readForm(mine.type));
  if (!values) return forgetPrediction();
  inTurn(async () => {
    if (mine !== loaded || values !== mine.values) return;
    try {
      const outputs = await mine.answer(values);
      if (mine !== loaded || values !== mine.values) return;
      const answered = { model: mine.session.model, card: mine.card, names: featureNames(mine), values: Array.from(values), outputs };
      mine.shown = showPrediction(answered) ? answered : null;
      draw();
    } catch (error) {
      if (mine === loaded) forgetPrediction();
      throw error;
    }
  });
}

function forgetPrediction() {
  loaded.shown = null;
  clearPrediction();
}

/** Draw what is shown again: at first, and where the width changes. */
function draw() {
  if (loaded.shown) drawPrediction(loaded.shown);
}

function measure() {
  byId('timing').textContent = 'Timing…';
  const mine = loaded;
  inTurn(async () => {
    if (mine !== loaded || !mine.answer) return;
    const [input] = mine.session.model.inputs;
    const array = input.type === 'float64' ? Float64Array : Float32Array;
    const row = toTensor(input.name, input.type, [1, mine.columns], new array(mine.columns));
    const { calls, blockS } = await mine.session.measure([row], { blocks: 9, blockMs: 20 });
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
    const report = mine === loaded && mine.bundle ? await verifyBundle(mine.engine, mine.bundle) : null;
    if (report && mine === loaded) showProof(report, mine.engine.title);
  }).finally(() => button.removeAttribute('aria-disabled'));
}

function listen() {
  byId('features').addEventListener('submit', (event) => event.preventDefault());
  byId('time').addEventListener('click', measure);
  byId('verify').addEventListener('click', verify);
  byId('engines').addEventListener('change', ({ target }) => changeEngine(target.value));
  byId('folder').addEventListener('change', ({ target }) => {
    const chosen = [...target.files];
    target.value = ''; // so that the same folder may be chosen again
    if (chosen.length) loadOther(asPromise(() => fromFiles(chosen)));
  });
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove('dragging'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    loadOther(fromDrop(event.dataTransfer));
  });
  new ResizeObserver(draw).observe(byId('chart'));
}

/** Errors of `make` come out where the promise is awaited. */
async function asPromise(make) {
  return make();
}

// Elsewhere there are no bundles at these addresses.
byId('examples').hidden = !new URL('..', import.meta.url).pathname.endsWith('/deploy/');
listen();
const parameters = new URLSearchParams(location.search);
if (Object.hasOwn(ENGINES, parameters.get('engine') ?? '')) {
  wanted = parameters.get('engine');
  parameters.delete('engine');
}
if (parameters.has('bundle')) {
  const address = parameters.get('bundle');
  parameters.delete('bundle');
  loadOther(asPromise(() => fromAddress(address)), parameters);
} else {
  showStatus('No bundle yet.');
  showNotes(oddParameters(parameters, []));
}
