/** The form of the features: one field a feature, by name. */

import { parseCell } from '../js/numbers.mjs';
import { byId, html } from './elements.mjs';

const LARGEST = { float32: '3.4028235e+38', float64: '1.7976931348623157e+308' };

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string | undefined} unit
 * @property {{minimum: number, maximum: number} | undefined} range of the data that the model was fitted to
 * @property {string | undefined} start what the field holds at first; else the middle of the range, or 0
 */

/**
 * Show a field for every feature.
 *
 * @param {Field[]} fields
 * @param {() => void} changed
 */
export function showForm(fields, changed) {
  const shown = fields.map(({ name, unit, range, start = range ? middleOf(range) : '0' }, place) => {
    const id = `feature-${place}`;
    // A text field, as a number field drops what it does not understand: 39,1 would be read as 391.
    const input = html('input', { id, type: 'text', value: start, 'aria-describedby': `${id}-range ${id}-error` });
    input.inputMode = range?.minimum >= 0 ? 'decimal' : 'text'; // the digits of a phone have no minus
    input.addEventListener('input', changed);
    const label = html('label', { htmlFor: id, title: name }, name);
    if (unit) label.append(' ', html('span', { className: 'unit' }, `in ${unit}`));
    if (range) Object.assign(input.dataset, range);
    const notes = ['range', 'error'].map((kind) => html('p', { id: `${id}-${kind}`, className: kind === 'error' ? 'bad' : 'hint' }));
    return html('div', { className: 'field' }, label, input, ...notes);
  });
  byId('features').replaceChildren(...shown);
}

/**
 * What the form holds, as it was typed.
 *
 * @param {string[]} names of the features
 * @returns {[string, string][]}
 */
export function formTexts(names) {
  return Array.from(byId('features').querySelectorAll('input'), ({ value }, place) => [names[place], value]);
}

/** About the middle, with the digits that people would type, and never outside. */
function middleOf({ minimum, maximum }) {
  const middle = minimum / 2 + maximum / 2;
  const rounded = Number(middle.toPrecision(3));
  return String(rounded >= minimum && rounded <= maximum ? rounded : middle);
}

/**
 * The numbers in the form; null where one is missing, which is then said beside its field.
 *
 * @param {string} type of the model's numbers
 */
export function readForm(type) {
  const values = Array.from(byId('features').querySelectorAll('input'), (input) => {
    const { value, problem } = parseNumber(input.value, type);
    input.setAttribute('aria-invalid', String(problem !== undefined));
    byId(`${input.id}-error`).textContent = problem ?? '';
    if (input.dataset.minimum !== undefined) showRange(byId(`${input.id}-range`), input.dataset, value);
    return value ?? NaN;
  });
  return values.some(Number.isNaN) ? null : Float64Array.from(values);
}

function showRange(hint, range, value) {
  const outside = value < Number(range.minimum) || value > Number(range.maximum);
  const [minimum, maximum] = [range.minimum, range.maximum].map((end) => Number(Number(end).toPrecision(6)));
  hint.classList.toggle('warn', outside);
  hint.textContent = outside ? `⚠ Outside the model’s data, ${minimum} to ${maximum}` : `${minimum} to ${maximum} in the model’s data`;
}

/**
 * @param {string} text
 * @param {string} type
 * @returns {{value?: number, problem?: string}} one of the two
 */
export function parseNumber(text, type) {
  const typed = text.trim().replace(/^−/, '-'); // the page writes this sign itself
  const value = parseCell(typed);
  const exceeds = /[0-9]/.test(typed) && Math.abs(Number(typed)) === Infinity;
  if (exceeds || Math.abs(type === 'float32' ? Math.fround(value) : value) === Infinity) {
    return { problem: `Too large: ${type} holds at most ${LARGEST[type]}` };
  }
  if (!Number.isNaN(value)) return { value };
  const [, whole, rest] = /^([+-]?[0-9]*),([0-9]+)$/.exec(typed) ?? [];
  if (rest === undefined) return { problem: 'Type a number, such as 39.1' };
  const point = `${whole}.${rest}`;
  return { problem: rest.length === 3 ? `Type ${point} or ${whole}${rest}: a comma may mean either` : `Type ${point}, with a point` };
}
