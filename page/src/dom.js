// Elements from plain values. Everything from outside becomes a text node; there is no markup in strings.

/**
 * @typedef {Node | string | null | undefined | false} Child
 * @typedef {Record<string, string | boolean | ((event: any) => void)>} Attributes
 */

/**
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...present(children.flat()));
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false));
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children.flat()));
}

/**
 * @param {number} seconds since 1970
 * @returns {HTMLElement}
 */
export function timeText(seconds) {
  const iso = new Date(seconds * 1000).toISOString();
  return h("time", { datetime: iso }, `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`);
}

/**
 * A long name, which breaks in the middle where it does not fit.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function digest(text) {
  const middle = Math.ceil(text.length / 2);
  return h("code", { class: "digest" }, text.slice(0, middle), h("wbr"), text.slice(middle));
}

/**
 * @param {import("./qr.js").QrCode} code
 * @param {string} label
 * @returns {SVGElement}
 */
export function qrPicture(code, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const side = code.size + 8;
  // Two points a module at least, or no camera tells them apart.
  const width = String(Math.max(200, 2 * side));
  const attributes = { width, height: width, viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label, class: "qr", "shape-rendering": "crispEdges" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  let path = "";
  for (let row = 0; row < code.size; row += 1) {
    for (let column = 0; column < code.size; column += 1) {
      if (code.dark(row, column)) path += `M${column + 4} ${row + 4}h1v1h-1z`;
    }
  }
  const parts = /** @type {[string, Record<string, string>][]} */ ([
    ["rect", { width: String(side), height: String(side), fill: "#fff" }],
    ["path", { d: path, fill: "#000" }],
  ]);
  for (const [name, values] of parts) {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
    svg.append(element);
  }
  return svg;
}
