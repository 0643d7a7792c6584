// The page quality: what is asked stands in the URL's fragment, what is answered in one JSON.

import { call } from "../api.js";
import { find, h } from "../dom.js";
import { showGroups, showReasons, showSummary, showTimes } from "./rates.js";
import { showReaders, showSpreads } from "./distributions.js";

const form = find("#asked"), figures = find("#figures"), said = find("#said");
const NAMES = { station: "By station", manufacturer: "By manufacturer", model: "By machine", software: "By software version" };
const NOT_TOLD = "\u2400"; // An option's value for the group whose headers say nothing; the empty one means all.
let running = null;

/** What the form asks, as query parameters; what is left empty is the server's to fill. */
function asked() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) parameters.set(name, value === NOT_TOLD ? "" : value);
  return parameters;
}

function fill(parameters) {
  for (const [name, value] of parameters) {
    const control = form.elements[name];
    if (!control) continue;
    // A group that is not listed yet: the answer lists it.
    if (name === "only") control.append(option(value));
    control.value = name === "only" && value === "" ? NOT_TOLD : value;
  }
}

const option = (group) => h("option", { value: group || NOT_TOLD }, group || "not told");

/** What is plainly wrong with the days; the server is not asked then. */
function mistake(parameters) {
  const today = new Date().toISOString().slice(0, 10), day = (name) => parameters.get(name);
  const turned = (first, last) => first && last && first > last;
  return turned(day("from"), day("to") || today) || turned(day("reference_from"), day("reference_to") || day("from")) ? "the first day of a period must not lie behind its last" : "";
}

function refuse(why) {
  figures.hidden = true;
  said.className = "bad";
  said.textContent = `The figures are not there: ${why}`;
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
  find("#rates-csv").href = `/api/v1/quality.csv?${parameters}`;
  figures.setAttribute("aria-busy", "true");
  try {
    show(await call("GET", `/api/v1/quality?${parameters}`, undefined, { signal: mine.signal }));
  } catch (error) {
    if (error.name === "AbortError") return;
    refuse(error.message);
  } finally {
    if (running === mine) figures.removeAttribute("aria-busy");
  }
}

function show(answer) {
  const { period, reference, total } = answer;
  figures.hidden = false;
  said.className = "faint";
  const images = total.images === 1 ? "1 image" : `${total.images.toLocaleString("en")} images`;
  said.textContent = `${images} ended from ${period.first} to ${period.last} (UTC), compared with ${reference.first} to ${reference.last}.`;
  find("#groups-name").textContent = NAMES[answer.by];
  const only = form.elements.only;
  only.replaceChildren(h("option", { value: "" }, "all"), ...answer.groups.map(({ group }) => option(group)));
  if (answer.only !== null && !answer.groups.some(({ group }) => group === answer.only)) only.append(option(answer.only));
  only.value = answer.only === null ? "" : answer.only || NOT_TOLD;
  showSummary(find("#summary"), answer);
  showTimes(answer);
  const groups = find("#groups"), focused = groups.contains(document.activeElement) ? document.activeElement.dataset.group : undefined;
  showGroups(groups, answer, (group) => {
    only.value = only.value === (group || NOT_TOLD) ? "" : group || NOT_TOLD;
    load();
  });
  // The table is new: who works it by keyboard stays where they were.
  [...groups.querySelectorAll("[data-group]")].find((each) => each.dataset.group === focused)?.focus();
  showSpreads(answer);
  showReaders(answer);
  showReasons(find("#reasons"), answer);
}

form.addEventListener("change", (event) => {
  if (event.target.name === "by") form.elements.only.value = "";
  load();
});
form.addEventListener("submit", (event) => { event.preventDefault(); load(); });
form.addEventListener("reset", () => setTimeout(load));
addEventListener("hashchange", () => { form.reset(); fill(new URLSearchParams(location.hash.slice(1))); load(); });
fill(new URLSearchParams(location.hash.slice(1)));
load();
