/** Elements of HTML and SVG. Text is only ever set as text, so that no name in a file becomes markup. */

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element; `properties` are set on it, those with a dash as attributes. */
export function html(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An element of the page by its id. */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
