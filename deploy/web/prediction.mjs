/** What the runtime answered for the values in the form: one number with its chart, or a list of several. */

import { justified, roundTrip } from '../js/numbers.mjs';
import { isFloating, numbers } from '../js/tensor.mjs';
import { drawChart } from './chart.mjs';
import { byId, html } from './elements.mjs';

const MAX_LISTED = 100;

/**
 * @typedef {object} Answered
 * @property {import('../js/model.mjs').Model} model
 * @property {import('../js/card.mjs').Card} card
 * @property {string[]} names of the features
 * @property {number[]} values
 * @property {import('../js/tensor.mjs').Tensor[]} outputs
 */

/** Take away what was predicted: it is not of what the form holds, or of another bundle. */
export function clearPrediction() {
  byId('prediction').replaceChildren('–');
  byId('prediction').removeAttribute('title');
  byId('error').textContent = '';
  byId('chart').replaceChildren();
  byId('outputs').hidden = true;
  byId('outputs').tBodies[0].replaceChildren();
}

/**
 * Show the answers; the chart is drawn apart, as its width changes.
 *
 * @param {Answered} answered
 * @returns {boolean} whether there is a chart to draw
 */
export function showPrediction({ model, card, outputs }) {
  clearPrediction();
  const listed = outputs.flatMap(elementsOf);
  if (listed.length !== 1 || !isFloating(outputs[0].type)) {
    listOutputs(listed);
    return false;
  }
  const [{ value, type }] = listed;
  if (!Number.isFinite(value)) {
    byId('chart').append(html('p', { className: 'bad' }, `This gives ${value}: the values exceed what ${type} holds.`));
    return false;
  }
  const unit = model.units.get(model.target);
  byId('prediction').replaceChildren(shownText(value, type, card));
  byId('prediction').title = roundTrip(value, type);
  if (unit) byId('prediction').append(' ', html('span', { className: 'unit' }, unit));
  if (card.error) {
    const { rmse, rows, part } = card.error;
    byId('error').textContent = `typical error ${Number(rmse.toPrecision(2))}: the RMSE of ${rows} ${part} rows`;
  }
  return true;
}

/** Draw the chart of one number again, as wide as there is room. */
export function drawPrediction({ model, card, names, values, outputs }) {
  const chart = byId('chart');
  if (!model.affine) {
    chart.replaceChildren(html('p', { className: 'muted' }, 'No chart: this model is not one weight for each feature and a bias.'));
    return;
  }
  const [prediction] = numbers(outputs[0]);
  const target = model.target ?? model.outputs[0].name;
  const shown = shownText(prediction, outputs[0].type, card);
  chart.replaceChildren(drawChart({ names, values, prediction, shown, target, ...model.affine }, Math.max(chart.clientWidth, 240)));
}

function elementsOf(output) {
  const values = Array.from(numbers(output));
  const name = (place) => (values.length === 1 ? output.name : `${output.name}[${place}]`);
  return values.map((value, place) => ({ name: name(place), value, type: output.type }));
}

function listOutputs(listed) {
  byId('prediction').replaceChildren(`${listed.length} ${listed.length === 1 ? 'output' : 'outputs'}`);
  const rows = listed.slice(0, MAX_LISTED).map(({ name, value, type }) => {
    const text = type === 'bool' ? String(value !== 0) : typeof value === 'bigint' ? String(value) : roundTrip(value, type);
    return html('tr', {}, html('th', { scope: 'row' }, name), html('td', { className: 'number' }, minus(text)));
  });
  if (listed.length > MAX_LISTED) rows.push(html('tr', {}, html('td', { colSpan: 2 }, `and ${listed.length - MAX_LISTED} more`)));
  byId('outputs').tBodies[0].replaceChildren(...rows);
  byId('outputs').hidden = false;
}

/** A prediction with the digits that are justified; without an error, with all of them. */
function shownText(value, type, { error }) {
  return minus(error ? justified(value, error.rmse, type) : roundTrip(value, type));
}

const minus = (text) => text.replace('-', '−');
