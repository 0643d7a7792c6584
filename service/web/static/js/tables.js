// Tables from rows that are there already.
import { h } from "./dom.js";

/** names: of the columns; one that ends in # is a column of numbers. */
export function table(names, rows) {
  const heads = names.map((name) => (name ? h("th", { scope: "col", class: name.endsWith("#") ? "number" : null }, name.replace("#", "")) : h("td")));
  return h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}
