// @ts-check
// The quality page: the form's values are in the URL's fragment, and one request answers them.

import { call } from "../api.js";
import { find, h, messageOf } from "../dom.js";
import { showGroups, showReasons, showSummary, showTimes } from "./rates.js";
import { showDistributions, showReaders } from "./distributions.js";

/** @import { Quality } from "api-types" */

/** @type {HTMLFormElement} */
const form = find("#asked");
const figures = find("#figures"), summary = find("#said");
/** @type {Record<Quality["by"], string>} */
const NAMES = { station: "By station", manufacturer: "By manufacturer", model: "By machine", software: "By software version" };
const NOT_STATED = "\u2400"; // The option of images whose headers lack the value; the empty option means all.
/** @type {AbortController | null} */
let running = null;

/** @param {string} name @returns {any} the form's field of this name */
const control = (name) => form.elements.namedItem(name);

/** The form's values as query parameters; the server has defaults for empty ones. */
function asked() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) parameters.set(name, value === NOT_STATED ? "" : String(value));
  return parameters;
}

/** @param {URLSearchParams} parameters */
function fill(parameters) {
  for (const [name, value] of parameters) {
    const field = control(name);
    if (!field) continue;
    // A group that is not listed yet: the answer lists it.
    if (name === "only") field.append(option(value));
    field.value = name === "only" && value === "" ? NOT_STATED : value;
  }
}

/** @param {string | null} group */
const option = (group) => h("option", { value: group || NOT_STATED }, group || "not stated");

/** What is wrong with the days, before the page asks the server; "" where nothing is. @param {URLSearchParams} parameters */
function mistake(parameters) {
  const today = new Date().toISOString().slice(0, 10);
  /** @param {string} name */
  const day = (name) => parameters.get(name);
  /** @param {string | null} first @param {string | null} last */
  const turned = (first, last) => first && last && first > last;
  return turned(day("from"), day("to") || today) || turned(day("reference_from"), day("reference_to") || day("from")) ? "the first day of a period must not be after its last" : "";
}

/** @param {string} reason */
function refuse(reason) {
  figures.hidden = true;
  summary.className = "bad";
  summary.textContent = `The figures cannot be shown: ${reason}`;
}

async function load() {
  running?.abort();
  const mine = (running = new AbortController());
  const parameters = asked();
  const wrong = mistake(parameters);
  if (wrong) {
    refuse(wrong);
    return;
  }
  history.replaceState(null, "", parameters.size ? `#${parameters}` : location.pathname);
  /** @type {HTMLAnchorElement} */ (find("#rates-csv")).href = `/api/v1/quality.csv?${parameters}`;
  figures.setAttribute("aria-busy", "true");
  try {
    show(await call("GET", `/api/v1/quality?${parameters}`, undefined, { signal: mine.signal }));
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return;
    refuse(messageOf(error));
  } finally {
    if (running === mine) figures.removeAttribute("aria-busy");
  }
}

/** @param {Quality} answer */
function show(answer) {
  const { period, reference, total } = answer;
  figures.hidden = false;
  summary.className = "faint";
  const images = total.images === 1 ? "1 image" : `${total.images.toLocaleString("en")} images`;
  summary.textContent = `${images} ended from ${period.first} to ${period.last} (UTC), compared with ${reference.first} to ${reference.last}.`;
  find("#groups-name").textContent = NAMES[answer.by];
  const only = control("only");
  only.replaceChildren(h("option", { value: "" }, "all"), ...answer.groups.map(({ group }) => option(group)));
  if (answer.only !== null && !answer.groups.some(({ group }) => group === answer.only)) only.append(option(answer.only));
  only.value = answer.only === null ? "" : answer.only || NOT_STATED;
  showSummary(find("#summary"), answer);
  showTimes(answer);
  const groups = find("#groups"), focused = groups.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.group : undefined;
  showGroups(groups, answer, (group) => {
    only.value = only.value === (group || NOT_STATED) ? "" : group || NOT_STATED;
    load();
  });
  // The table is new: the keyboard's focus returns to where it was.
  [.../** @type {NodeListOf<HTMLElement>} */ (groups.querySelectorAll("[data-group]"))].find((each) => each.dataset.group === focused)?.focus();
  showDistributions(answer);
  showReaders(answer);
  showReasons(find("#reasons"), answer);
}

form.addEventListener("change", (event) => {
  if (event.target === control("by")) control("only").value = "";
  load();
});
form.addEventListener("submit", (event) => { event.preventDefault(); load(); });
form.addEventListener("reset", () => setTimeout(load));
addEventListener("hashchange", () => { form.reset(); fill(new URLSearchParams(location.hash.slice(1))); load(); });
fill(new URLSearchParams(location.hash.slice(1)));
load();
