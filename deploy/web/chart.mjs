/** What a prediction is made of: the line with its point for one feature, a bar a feature for several. */

import { svg } from './elements.mjs';

const MAX_BARS = 20;

/**
 * @typedef {object} Shown
 * @property {string[]} names of the features
 * @property {number[]} values
 * @property {number[]} weight
 * @property {number} bias
 * @property {string} target
 * @property {number} prediction of the runtime
 * @property {string} shown the prediction as the page shows it
 */

/**
 * @param {Shown} shown
 * @param {number} width in pixels, which are the units of the drawing
 * @returns {SVGElement}
 */
export function drawChart(shown, width) {
  return shown.names.length === 1 ? lineChart(shown, width) : contributionChart(shown, width);
}

/** Four digits; with an exponent where the number would be long. */
function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-6)) return Number(value.toPrecision(4)).toExponential();
  return Number(value.toPrecision(4)).toLocaleString('en', { maximumSignificantDigits: 4, useGrouping: 'min2' });
}
const signed = (value) => (value < 0 ? '−' : '+') + minus(Math.abs(value));
const minus = (value) => short(value).replaceAll('-', '−');

/** A text cut to about a width; the whole of it is the title. */
function label(text, width, attributes) {
  const signs = Math.max(4, Math.floor(width / 8.3));
  const element = svg('text', attributes, text.length > signs ? `${text.slice(0, signs - 1)}…` : text);
  if (text.length > signs) element.append(svg('title', {}, text));
  return element;
}

function picture(width, height, description, ...children) {
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': description }, ...children);
}

function contributionChart({ names, values, weight, bias, target, prediction, shown }, width) {
  const parts = names.map((name, place) => ({
    name,
    note: `${minus(weight[place])} × ${minus(values[place])}`,
    amount: weight[place] * values[place],
  }));
  if (parts.length > MAX_BARS) {
    parts.sort((one, other) => Math.abs(other.amount) - Math.abs(one.amount));
    const rest = parts.splice(MAX_BARS - 1);
    const amount = rest.reduce((sum, part) => sum + part.amount, 0);
    parts.push({ name: `${rest.length} other features`, note: '', amount });
  }
  parts.push({ name: 'bias', note: '', amount: bias }, { name: target, note: '', amount: prediction, kind: 'sum' });

  const amounts = parts.map(({ amount }) => (Number.isFinite(amount) ? amount : 0));
  const [least, most] = [Math.min(0, ...amounts), Math.max(0, ...amounts)];
  const x = (amount) => ((amount - least) / (most - least || 1)) * (width - 2) + 1;
  const rowHeight = 42;
  const rows = parts.map(({ name, note, amount, kind }, row) => {
    const top = row * rowHeight + (kind ? 10 : 0);
    const [start, end] = [x(Math.min(0, amounts[row])), x(Math.max(0, amounts[row]))];
    const text = `${note}${note && ' = '}${kind ? shown : signed(amount)}`;
    return svg(
      'g',
      {},
      svg('line', { x1: x(0), x2: x(0), y1: top + 18, y2: top + 35, class: 'axis' }),
      label(name, width - text.length * 7.3 - 12, { x: 0, y: top + 14, class: kind ? 'strong' : '' }),
      svg('text', { x: width, y: top + 14, 'text-anchor': 'end', class: 'note' }, text),
      svg('rect', {
        x: start, y: top + 21, width: Math.max(end - start, 1), height: 11, rx: 2,
        class: kind ?? (amount < 0 ? 'negative' : 'positive'),
      }), // prettier-ignore
    );
  });
  const height = parts.length * rowHeight + 6;
  const rule = (parts.length - 1) * rowHeight + 3;
  const words = parts.map(({ name, amount, kind }) => `${kind ? 'sum, ' : ''}${name} ${kind ? shown : signed(amount)}`);
  return picture(
    width,
    height,
    `Contribution of each feature: ${words.join('; ')}`,
    svg('line', { x1: 0, x2: width, y1: rule, y2: rule, class: 'grid' }),
    ...rows,
  );
}

function lineChart({ names, values: [value], weight: [slope], bias, target, prediction, shown }, width) {
  const height = Math.min(320, Math.max(220, width * 0.6));
  const [left, right, top, bottom] = [58, 12, 26, 44];
  const reach = niceAbove(Math.abs(value) * 1.25 || 1);
  const [from, to] = [value < 0 ? -reach : 0, reach];
  const at = (input) => slope * input + bias;
  const ends = [at(from), at(to)];
  const ticksX = ticks(from, to, width < 420 ? 4 : 6);
  const ticksY = ticks(Math.min(...ends), Math.max(...ends), 5);
  const [low, high] = [Math.min(...ends, ticksY[0]), Math.max(...ends, ticksY.at(-1))];
  const x = (input) => left + ((input - from) / (to - from)) * (width - left - right);
  const y = (output) => height - bottom - ((output - low) / (high - low || 1)) * (height - top - bottom);
  const floor = height - bottom;
  const drawn = [...ends, prediction, value].every(Number.isFinite);
  return picture(
    width,
    height,
    `Line of ${target} over ${names[0]}: slope ${short(slope)}, bias ${short(bias)}; the point is at ${short(value)}, ${shown}`,
    ...(drawn ? ticksY : []).flatMap((tick) => [
      svg('line', { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: 'grid' }),
      svg('text', { x: left - 8, y: y(tick) + 4, 'text-anchor': 'end', class: 'note' }, minus(tick)),
    ]),
    ...(drawn ? ticksX : []).map((tick) =>
      svg('text', { x: x(tick), y: floor + 18, 'text-anchor': 'middle', class: 'note' }, minus(tick)),
    ),
    svg('line', { x1: left, x2: width - right, y1: floor, y2: floor, class: 'axis' }),
    label(target, width - 10, { x: 0, y: 12, class: 'strong' }),
    label(names[0], width - left, { x: width - right, y: height - 6, 'text-anchor': 'end', class: 'strong' }),
    ...(drawn
      ? [
          svg('path', { d: `M${x(value)} ${floor}V${y(prediction)}H${left}`, fill: 'none', class: 'guide' }),
          svg('line', { x1: x(from), y1: y(ends[0]), x2: x(to), y2: y(ends[1]), class: 'line' }),
          svg('circle', { cx: x(value), cy: y(prediction), r: 6, class: 'point' }),
        ]
      : []),
  );
}

/** 1, 2 or 5 times a power of ten, not below a positive value. */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Round numbers that hold a range between them. */
function ticks(low, high, count) {
  const step = niceAbove((high - low || Math.abs(high) || 1) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  if (!(last - first < 50)) return [low, high];
  return Array.from({ length: Math.max(last - first, 1) + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}
