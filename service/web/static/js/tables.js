// @ts-check
// Tables from rows that exist already.
import { h } from "./dom.js";

/** @param {string[]} names of the columns; one that ends in # is a column of numbers @param {HTMLTableRowElement[]} rows */
export function table(names, rows) {
  const heads = names.map((name) => (name ? h("th", { scope: "col", class: name.endsWith("#") ? "number" : null }, name.replace("#", "")) : h("td")));
  return h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}
