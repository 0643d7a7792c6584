// Elements without markup in strings: whatever a header or a peer wrote is text, never HTML.

/** Make an element: h("td", { class: "number", onclick: f }, "text", child, ...). null and false children are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (selector, root = document) => root.querySelector(selector);

/** Show a sentence at the edge of the page for a while; errors are read out. */
export function notice(text) {
  const shown = h("div", { class: "notice" }, text);
  find("#notices").append(shown);
  setTimeout(() => shown.remove(), 8000);
}
