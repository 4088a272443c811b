/** The form of the features: one field a feature, by name. */

import { byId, html } from './elements.mjs';

/**
 * Show a field for every feature.
 *
 * @param {string[]} names
 * @param {Map<string, string>} units
 * @param {Map<string, string>} start values, by name; 0 for those that are not in it
 * @param {() => void} changed
 */
export function showForm(names, units, start, changed) {
  const fields = names.map((name, place) => {
    const id = `feature-${place}`;
    const input = html('input', { id, type: 'number', step: 'any', value: '0', 'aria-describedby': `${id}-error` });
    if (start.has(name)) input.value = start.get(name);
    input.addEventListener('input', changed);
    const label = html('label', { htmlFor: id, title: name }, name);
    if (units.has(name)) label.append(' ', html('span', { className: 'unit' }, `in ${units.get(name)}`));
    return html('div', { className: 'field' }, label, input, html('p', { id: `${id}-error`, className: 'bad' }));
  });
  byId('features').replaceChildren(...fields);
}

/** The numbers in the form; null where one is missing, which is then said beside its field. */
export function readForm() {
  const values = Array.from(byId('features').querySelectorAll('input'), (input) => {
    const fine = input.value !== '' && Number.isFinite(input.valueAsNumber);
    input.setAttribute('aria-invalid', String(!fine));
    byId(`${input.id}-error`).textContent = fine ? '' : 'Type a number, such as 39.1';
    return fine ? input.valueAsNumber : NaN;
  });
  return values.some(Number.isNaN) ? null : Float64Array.from(values);
}
