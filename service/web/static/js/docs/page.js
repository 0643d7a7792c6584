// The API's documentation: openapi.json as people read it. An operation is written out when somebody opens it.
import { get } from "../api.js";
import { find, h } from "../dom.js";

const list = find("#operations"), filter = find("#filter"), METHODS = ["get", "post", "put", "patch", "delete"];
let document_;

/** Follow a reference within the document. */
const resolve = (value) => (value?.$ref ? value.$ref.slice(2).split("/").reduce((at, name) => at[name.replace(/~1/g, "/").replace(/~0/g, "~")], document_) : value ?? {});

/** Text with `code` in it. */
const prose = (text) => (text || "").split("\n\n").filter(Boolean).map((paragraph) =>
  h("p", {}, paragraph.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part))));

function typeName(schema) {
  const known = resolve(schema);
  const either = known.anyOf || known.oneOf;
  if (either) return either.map(typeName).join(" or ");
  if (known.enum) return known.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (known.const !== undefined) return JSON.stringify(known.const);
  if (known.type === "array") return `list of ${typeName(known.items || {})}`;
  if (schema?.$ref) return schema.$ref.split("/").at(-1);
  return known.format || known.type || "anything";
}

const exampleOf = (content) => content.example ?? resolve(content.schema).examples?.[0] ?? (resolve(content.schema).items ? [exampleOf({ schema: resolve(content.schema).items })] : undefined);
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const code = (value) => h("pre", { tabindex: "0" }, written(value));

function table(heading, rows) {
  return h("table", {}, h("thead", {}, h("tr", {}, heading.map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, rows));
}

function parameters(operation) {
  const named = (operation.parameters || []).map(resolve);
  if (!named.length) return [];
  return [h("h3", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], named.map((each) => h("tr", {},
    h("td", {}, h("code", {}, each.name), each.required ? " (required)" : ""), h("td", {}, each.in), h("td", {}, typeName(each.schema)), h("td", {}, prose(each.description)))))];
}

function fields(schema) {
  const known = resolve(schema), properties = Object.entries(known.properties || {});
  if (!properties.length) return [];
  return [h("details", {}, h("summary", {}, `Fields of ${known.title || "the answer"}`), table(["Name", "Type", "Meaning"], properties.map(([name, each]) =>
    h("tr", {}, h("td", {}, h("code", {}, name)), h("td", {}, typeName(each)), h("td", {}, prose(each.description || resolve(each).description))))))];
}

function contents(content) {
  return Object.entries(content || {}).flatMap(([type, each]) => {
    const example = exampleOf(each);
    return [h("p", { class: "faint" }, type), ...fields(each.schema), example === undefined ? null : code(example)];
  });
}

function body(operation) {
  const shown = [...prose(operation.description), ...parameters(operation)];
  if (operation.requestBody) shown.push(h("h3", {}, "Body"), ...contents(resolve(operation.requestBody).content));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const known = resolve(answer);
    shown.push(h("h3", {}, `${status} `, h("span", { class: "faint" }, known.description)), ...contents(known.content));
  }
  return h("div", {}, shown);
}

function entry(method, path, operation) {
  const scope = operation["x-scope"];
  const details = h("details", { class: "operation", id: operation.operationId }, h("summary", {}, h("span", { class: "method" }, method.toUpperCase()),
    h("code", { class: "path" }, path), h("span", { class: "faint" }, operation.summary), scope ? h("span", { class: "badge" }, scope) : null));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(body(operation)); });
  return { details, words: [method, path, operation.summary, operation.description, scope, ...(operation.parameters || []).map((each) => resolve(each).name)].join(" ").toLowerCase() };
}

function show(shownDocument) {
  document_ = shownDocument;
  const sections = new Map(document_.tags.map(({ name, description }) => [name, { description, entries: [] }]));
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((each) => methods[each])) {
      const tag = methods[method].tags?.[0] ?? "others";
      if (!sections.has(tag)) sections.set(tag, { entries: [] });
      sections.get(tag).entries.push(entry(method, path, methods[method]));
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
        count += !each.details.hidden;
      }
      section.hidden = entries.every(({ details }) => details.hidden);
    }
    find("#count").textContent = `${count} operations`;
  };
  filter.addEventListener("input", narrow);
  narrow();
  const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
}

get("/openapi.json").then(show, (error) => { list.replaceChildren(h("p", { class: "bad" }, `The description cannot be shown: ${error.message}`)); list.removeAttribute("aria-busy"); });
