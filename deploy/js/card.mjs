/** What card.json says of the data that a model was fitted to, and of its error. The file may be hostile. */

import { checkBytes } from './bundle.mjs';
import { LinregError, oneLine } from './errors.mjs';
import { findEntry } from './listing.mjs';

export const CARD_FILE = 'card.json';

/**
 * @typedef {object} Card
 * @property {Map<string, {minimum: number, maximum: number}>} ranges of the features, by name
 * @property {{rmse: number, rows: number, part: string} | null} error in the part of the data that the model was not
 *   fitted to, where there is one
 */

/** @type {Card} */
export const NO_CARD = { ranges: new Map(), error: null };

/**
 * @param {import('./bundle.mjs').Bundle} bundle
 * @returns {Promise<Card>} empty where no card is listed, or where it is of a model that was not fitted here
 */
export async function readCard(bundle) {
  const entry = await findEntry(bundle, CARD_FILE);
  if (!entry) return NO_CARD;
  const bytes = await bundle.read(CARD_FILE);
  await checkBytes(CARD_FILE, bytes, entry);
  try {
    return parseCard(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (error) {
    throw new LinregError(`${CARD_FILE}: is not JSON (${oneLine(error)}); train again`);
  }
}

function parseCard(value) {
  const listed = Array.isArray(value?.data?.ranges) ? value.data.ranges : [];
  const ranges = new Map();
  for (const { name, minimum, maximum } of listed.filter(Boolean)) {
    if (typeof name === 'string' && Number.isFinite(minimum) && Number.isFinite(maximum)) ranges.set(name, { minimum, maximum });
  }
  const [part, metrics] = ['test', 'validation', 'train'].map((name) => [name, value?.metrics?.[name]]).find(([, found]) => found) ?? [];
  const fine = Number.isFinite(metrics?.rmse) && metrics.rmse > 0 && Number.isSafeInteger(metrics.rows);
  return { ranges, error: fine ? { rmse: metrics.rmse, rows: metrics.rows, part } : null };
}
