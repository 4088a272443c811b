/** What is expected to go wrong: the message is one line that says what, got, expected and the next step. */
export class LinregError extends Error {}

/** There is no such file. */
export class MissingError extends LinregError {}

/** The first line of any error's message, its control characters shown, cut where it is long. */
export function oneLine(error) {
  const text = String(error instanceof Error ? error.message : error).trim();
  return cleaned(text.split(/[\r\n]/, 1)[0]).slice(0, 300) || 'no reason given';
}

/** Text from a file, quoted, with its control characters and direction marks shown, and cut at 40. */
export function quoted(text) {
  return `'${cleaned(text.length <= 40 ? text : text.slice(0, 37) + '...')}'`;
}

/** `text` with control characters and direction marks shown instead of obeyed. */
export function cleaned(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
}
