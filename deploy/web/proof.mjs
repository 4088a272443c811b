/** The result of a verification, as a verdict and a table. */

import { closeness } from '../js/verify.mjs';
import { byId, html } from './elements.mjs';

/** Take away what an earlier verification showed. */
export function clearProof(text = '') {
  showVerdict(text, '');
  byId('problems').hidden = byId('cases').hidden = true;
}

/**
 * @param {import('../js/verify.mjs').Report} report
 * @param {string} engine that answered
 */
export function showProof(report, engine) {
  const proved = report.passed > 0 && report.failed === 0;
  const counts = `${report.passed} passed, ${report.failed} failed`;
  const hashes = `${report.files} files have the listed sha256; answered by ${engine}`;
  if (report.problems.length) showVerdict(`✗ Not proved: ${counts}. No test vector was run.`, 'bad');
  else if (proved) showVerdict(`✓ Proved: ${counts}; ${closeness(report)}; ${hashes}.`, 'good');
  else showVerdict(`✗ Not proved: ${counts}; ${hashes}.`, 'bad');
  byId('problems').replaceChildren(...report.problems.map((problem) => html('li', { className: 'bad' }, problem)));
  byId('problems').hidden = !report.problems.length;
  byId('cases').tBodies[0].replaceChildren(...report.cases.flatMap(rowsOf));
  byId('cases').hidden = !report.cases.length;
}

function showVerdict(text, kind) {
  byId('verdict').textContent = text;
  byId('verdict').className = kind;
}

function rowsOf({ name, rows, worst, bytesEqual, failure }) {
  const row = html(
    'tr',
    {},
    html('th', { scope: 'row' }, 'test_data_', html('wbr'), name.slice('test_data_'.length)),
    html('td', { className: 'number' }, String(rows)),
    html('td', { className: 'number' }, worst === Infinity ? '∞' : String(Number(worst.toPrecision(3)))),
    html('td', {}, bytesEqual ? 'yes' : 'no'),
    html('td', { className: `result ${failure === null ? 'good' : 'bad'}` }, failure === null ? '✓ passed' : '✗ failed'),
  );
  return failure === null ? [row] : [row, html('tr', {}, html('td', { colSpan: 5, className: 'bad' }, failure))];
}
