// @ts-check
// Keyboard shortcuts of a page, and the list of them behind "?". A shortcut never takes a key that a field or a button needs.
import { find, h } from "./dom.js";

/** @typedef {{ keys: string[], help: string, run: (event: KeyboardEvent) => unknown }} Shortcut */

/** @type {Record<string, string>} */
const NAMES = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", " ": "Space", Escape: "Esc" };
const TYPING = "textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit])";
const MOVING = /^(Arrow|Home|End|Page)/;

/** @type {Shortcut[]} */
let bound = [];
/** @type {HTMLDialogElement | null} */
let list = null;

/** Whether the browser or a field needs the key. @param {KeyboardEvent} event */
function isTaken(event) {
  const { target, key } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return true;
  if (!(target instanceof Element)) return false;
  if (target.matches(TYPING) || (target instanceof HTMLElement && target.isContentEditable)) return true;
  if (target.matches("input") && (MOVING.test(key) || key === " ")) return true;
  return (key === "Enter" || key === " ") && target.closest("a, button, summary, label") !== null;
}

document.addEventListener("keydown", (event) => {
  if (isTaken(event)) return;
  const shortcut = bound.find(({ keys }) => keys.includes(event.key));
  if (!shortcut) return;
  event.preventDefault();
  shortcut.run(event);
});

/** Bind shortcuts; returns a function that releases them. @param {Shortcut[]} wanted */
export function bindKeys(wanted) {
  bound = [...bound, ...wanted];
  return () => { bound = bound.filter((each) => !wanted.includes(each)); };
}

/** Show every key of the page. */
export function showKeys() {
  list ??= h("dialog", { class: "keys", "aria-labelledby": "keys-title" });
  const rows = bound.map(({ keys, help }) => h("tr", {},
    h("td", {}, ...keys.flatMap((key, index) => [index ? " " : "", h("kbd", {}, NAMES[key] || key)])), h("td", {}, help)));
  const close = h("form", { method: "dialog" }, h("button", { class: "quiet" }, "Close"));
  list.replaceChildren(h("h2", { id: "keys-title" }, "Keys of this page"), h("table", {}, h("tbody", {}, ...rows)), close);
  if (!list.isConnected) document.body.append(list);
  if (!list.open) list.showModal();
}

bindKeys([{ keys: ["?"], help: "this list", run: showKeys }]);
find(".foot")?.append(" ", h("button", { type: "button", class: "quiet small", onclick: showKeys }, "Keys ?"));
