// @ts-check
// Elements without markup in strings: what a header or a peer wrote becomes text, never HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Child | Child[]} Children */
/** @typedef {string | number | boolean | null | undefined | ((event: any) => unknown)} Property */

/**
 * Make an element: h("td", { class: "number", onclick: f }, "text", child, ...). null, undefined and false are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Property>} properties attributes; a name that starts with "on" is an event listener
 * @param {...Children} children
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const shown = /** @type {(Node | string)[]} */ (children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  element.append(...shown);
  return element;
}

/**
 * The first element that fits. The caller names its type, and knows that the page has it.
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} root
 * @returns {T}
 */
export const find = (selector, root = document) => /** @type {T} */ (root.querySelector(selector));

/**
 * The form field that fits.
 * @param {string} selector
 * @returns {HTMLInputElement}
 */
export const field = (selector) => find(selector);

/**
 * The list of choices that fits.
 * @param {string} selector
 * @returns {HTMLSelectElement}
 */
export const choice = (selector) => find(selector);

/** What to show of an error. @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Show a sentence at the edge of the page for a while; screen readers speak it. @param {string} text */
export function notice(text) {
  const shown = h("div", { class: "notice" }, text);
  find("#notices").append(shown);
  setTimeout(() => shown.remove(), 8000);
}
