// Elements from data. Text only ever becomes a text node, so markup in it stays text.

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** An HTML element; an attribute that is a function listens to the event of that name. */
export const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** Show a message in an element with one paragraph, or hide it when there is none. */
export function tell(element, message) {
  const line = find("p", element) ?? element;
  line.textContent = message ?? "";
  element.hidden = !message;
}

/** Split a text of several paragraphs at its empty lines. */
export const paragraphs = (text) =>
  String(text).split(/\n\s*\n/).map((part) => make("p", {}, part.trim()));
