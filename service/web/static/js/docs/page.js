// @ts-check
// The API's documentation: openapi.json for people. An operation is drawn when it is opened.
import { get } from "../api.js";
import { field, find, h, messageOf } from "../dom.js";

/** @typedef {any} Json a part of the OpenAPI document, whose form depends on the API */
/** @typedef {import("../dom.js").Child} Child */
/** @typedef {{ details: HTMLDetailsElement, words: string }} Entry words: what the filter searches */

const list = find("#operations"), filter = field("#filter"), METHODS = ["get", "post", "put", "patch", "delete"];
/** @type {Json} */
let openapi;

/** Follow a reference within the document. @param {Json} value @returns {Json} */
const resolve = (value) => (value?.$ref ? value.$ref.slice(2).split("/").reduce((/** @type {Json} */ at, /** @type {string} */ name) => at[name.replace(/~1/g, "/").replace(/~0/g, "~")], openapi) : value ?? {});

/** Text with `code` in it. @param {string | undefined} text */
const prose = (text) => (text || "").split("\n\n").filter(Boolean).map((paragraph) =>
  h("p", {}, paragraph.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part))));

/** @param {Json} schema @returns {string} */
function typeName(schema) {
  const known = resolve(schema);
  const either = known.anyOf || known.oneOf;
  if (either) return either.map(typeName).join(" or ");
  if (known.enum) return known.enum.map((/** @type {Json} */ each) => JSON.stringify(each)).join(" | ");
  if (known.const !== undefined) return JSON.stringify(known.const);
  if (known.type === "array") return `list of ${typeName(known.items || {})}`;
  if (schema?.$ref) return schema.$ref.split("/").at(-1);
  return known.format || known.type || "anything";
}

/** @param {Json} content @returns {Json} */
const exampleOf = (content) => content.example ?? resolve(content.schema).examples?.[0] ?? (resolve(content.schema).items ? [exampleOf({ schema: resolve(content.schema).items })] : undefined);
/** @param {Json} value */
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
/** @param {Json} value */
const code = (value) => h("pre", { tabindex: "0" }, written(value));

/** @param {string[]} heading @param {HTMLTableRowElement[]} rows */
function table(heading, rows) {
  return h("table", {}, h("thead", {}, h("tr", {}, heading.map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, rows));
}

/** @param {Json} operation @returns {Child[]} */
function parameters(operation) {
  /** @type {Json[]} */
  const named = (operation.parameters || []).map(resolve);
  if (!named.length) return [];
  return [h("h3", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], named.map((each) => h("tr", {},
    h("td", {}, h("code", {}, each.name), each.required ? " (required)" : ""), h("td", {}, each.in), h("td", {}, typeName(each.schema)), h("td", {}, prose(each.description)))))];
}

/** @param {Json} schema @returns {Child[]} */
function fields(schema) {
  const known = resolve(schema), properties = Object.entries(known.properties || {});
  if (!properties.length) return [];
  return [h("details", {}, h("summary", {}, `Fields of ${known.title || "the answer"}`), table(["Name", "Type", "Meaning"], properties.map(([name, each]) =>
    h("tr", {}, h("td", {}, h("code", {}, name)), h("td", {}, typeName(each)), h("td", {}, prose(each.description || resolve(each).description))))))];
}

/** @param {Json} content @returns {Child[]} */
function contents(content) {
  return Object.entries(content || {}).flatMap(([type, each]) => {
    const example = exampleOf(each);
    return [h("p", { class: "faint" }, type), ...fields(each.schema), example === undefined ? null : code(example)];
  });
}

/** @param {Json} operation */
function body(operation) {
  /** @type {Child[]} */
  const shown = [...prose(operation.description), ...parameters(operation)];
  if (operation.requestBody) shown.push(h("h3", {}, "Body"), ...contents(resolve(operation.requestBody).content));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const known = resolve(answer);
    shown.push(h("h3", {}, `${status} `, h("span", { class: "faint" }, known.description)), ...contents(known.content));
  }
  return h("div", {}, shown);
}

/** @param {string} method @param {string} path @param {Json} operation @returns {Entry} */
function entry(method, path, operation) {
  const scope = operation["x-scope"];
  const details = h("details", { class: "operation", id: operation.operationId }, h("summary", {}, h("span", { class: "method" }, method.toUpperCase()),
    h("code", { class: "path" }, path), h("span", { class: "faint" }, operation.summary), scope ? h("span", { class: "badge" }, scope) : null));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(body(operation)); });
  return { details, words: [method, path, operation.summary, operation.description, scope, ...(operation.parameters || []).map((/** @type {Json} */ each) => resolve(each).name)].join(" ").toLowerCase() };
}

/** @param {Json} document_ */
function show(document_) {
  openapi = document_;
  /** @type {Map<string, { description?: string, entries: Entry[] }>} */
  const sections = new Map(openapi.tags.map((/** @type {Json} */ { name, description }) => [name, { description, entries: [] }]));
  for (const [path, methods] of Object.entries(/** @type {Record<string, Json>} */ (openapi.paths))) {
    for (const method of METHODS.filter((each) => methods[each])) {
      const tag = methods[method].tags?.[0] ?? "others";
      const section = sections.get(tag) ?? { entries: [] };
      sections.set(tag, section);
      section.entries.push(entry(method, path, methods[method]));
    }
  }
  const drawn = [...sections].filter(([, { entries }]) => entries.length).map(([name, { description, entries }]) => ({
    entries, section: h("section", { "aria-label": name }, h("h2", {}, name), prose(description), entries.map(({ details }) => details)) }));
  list.replaceChildren(...drawn.map(({ section }) => section));
  list.removeAttribute("aria-busy");
  const narrow = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const { section, entries } of drawn) {
      for (const each of entries) {
        each.details.hidden = !words.every((word) => each.words.includes(word));
        if (!each.details.hidden) count += 1;
      }
      section.hidden = entries.every(({ details }) => details.hidden);
    }
    find("#count").textContent = `${count} operations`;
  };
  filter.addEventListener("input", narrow);
  narrow();
  const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted instanceof HTMLDetailsElement) { wanted.open = true; wanted.scrollIntoView(); }
}

get("/openapi.json").then(show, (error) => { list.replaceChildren(h("p", { class: "bad" }, `The description cannot be shown: ${messageOf(error)}`)); list.removeAttribute("aria-busy"); });
