// @ts-check
// The worklist.
import { call, get } from "../api.js";
import { choice, field, find, h, messageOf } from "../dom.js";
import { bindKeys } from "../keys.js";
import { follow } from "../live.js";
import { fragmentOf, isNarrowed, offerStations, queryOf, restore } from "./filters.js";
import { Updates } from "./updates.js";
import { StudyTable } from "./table.js";

/** @import { StudySummary } from "api-types" */
/** @import { Query } from "./filters.js" */
/** @typedef {{ fragment: string, count: number, top: number, uid: string | null }} Position where the reader was in the list */

const PAGE = 100;
const AHEAD = 50;
const LONGEST_PAGE = 500;
const STREAM_MS = 300;
const TYPING_MS = 250;
const PROGRESS_MS = 10_000;
const PLACE = "worklist-place";

/** @type {HTMLFormElement} */
const form = find("#filters");
const searchText = field("#filters [name=text]"), order = choice("#filters [name=order]");
const message = find("#message");
const table = new StudyTable(find("#scroller"), (left) => { if (left < AHEAD) loadMore(); });
const updates = new Updates(table, find("#news"), () => queryOf(form), showCount);

/** @type {Query} */
let query = {};
/** @type {string | null} */
let cursor = null;
/** @type {AbortController | null} */
let loading = null;

/** @param {Query} body @param {AbortSignal} signal @returns {Promise<{ studies: StudySummary[], next_cursor: string | null }>} */
const ask = (body, signal) => call("POST", "/api/v1/studies/search", body, { signal });

function showCount() {
  const count = table.studies.length;
  const studies = count === 1 ? "study" : "studies";
  find("#count").textContent = loading && !count ? "reading…" : cursor ? `${count} ${studies} loaded, more below` : `${count} ${studies}`;
  table.table.setAttribute("aria-busy", String(loading !== null));
  if (count || loading) return message.replaceChildren();
  message.replaceChildren(...isNarrowed(query)
    ? [h("p", {}, "No study fits these filters."), h("div", { class: "row" }, h("button", { type: "button", class: "quiet", onclick: () => form.reset() }, "Show all studies"))]
    : [h("p", {}, "No studies yet. They appear here as soon as the first image comes, by C-STORE or over HTTP.")]);
}

/** @param {unknown} error @param {() => unknown} again */
function fail(error, again) {
  if (error instanceof Error && error.name === "AbortError") return;
  find("#count").textContent = "";
  message.replaceChildren(
    h("p", { class: "bad" }, `The worklist could not be read: ${messageOf(error)}`),
    h("div", { class: "row" }, h("button", { type: "button", onclick: again }, "Try again")));
}

/** Read the list from its top. @param {Position | null} place where the reader was, on the way back from a study */
async function load(place = null) {
  loading?.abort();
  const own = loading = new AbortController();
  query = queryOf(form);
  updates.clear();
  showCount();
  try {
    const page = await ask({ ...query, limit: Math.min(Math.max(PAGE, place?.count ?? 0), LONGEST_PAGE) }, own.signal);
    cursor = page.next_cursor;
    loading = null;
    table.reset(page.studies, cursor === null);
    showCount();
    if (place) {
      table.scroller.scrollTop = place.top;
      const index = table.studies.findIndex((study) => study.study_instance_uid === place.uid);
      if (index >= 0) table.choose(index);
    }
  } catch (error) {
    if (loading === own) loading = null;
    fail(error, () => load());
  }
}

async function loadMore() {
  if (loading || cursor === null) return;
  const own = loading = new AbortController();
  try {
    const page = await ask({ ...query, cursor, limit: 2 * PAGE }, own.signal);
    cursor = page.next_cursor;
    loading = null;
    table.append(page.studies, cursor === null);
    showCount();
  } catch (error) {
    if (loading === own) loading = null;
    fail(error, () => { message.replaceChildren(); loadMore(); });
  }
}

function change() {
  const fragment = fragmentOf(form);
  if (fragment !== location.hash.slice(1)) history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname);
  load();
}

/** @type {number | undefined} */
let typing;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(change, event.target === searchText ? TYPING_MS : 0);
});
form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); change(); });
form.addEventListener("reset", () => setTimeout(change, 0));
addEventListener("hashchange", () => { restore(form, location.hash); load(); });

/** The row that an event happened in. @param {Event} event @returns {HTMLTableRowElement | null} */
const rowOf = (event) => (event.target instanceof Element ? event.target.closest("tr[data-uid]") : null);

table.body.addEventListener("click", (event) => {
  const line = rowOf(event);
  if (!line?.dataset.uid || (event.target instanceof Element && event.target.closest("a")) || getSelection()?.type === "Range") return;
  table.active = line.dataset.uid;
  if (event.ctrlKey || event.metaKey) open(`/studies/${line.dataset.uid}`, "_blank", "noopener");
  else location.assign(`/studies/${line.dataset.uid}`);
});
table.body.addEventListener("focusin", (event) => {
  const line = rowOf(event);
  if (line?.dataset.uid && line.dataset.uid !== table.active) { table.active = line.dataset.uid; table.draw(); }
});

/** @param {number} by */
const step = (by) => () => table.choose(table.index < 0 ? 0 : table.index + by);
bindKeys([
  { keys: ["j", "ArrowDown"], help: "next study", run: step(1) },
  { keys: ["k", "ArrowUp"], help: "previous study", run: step(-1) },
  { keys: ["Enter", "o"], help: "open the study", run: () => { if (table.active) location.assign(`/studies/${table.active}`); } },
  { keys: ["Home"], help: "first study", run: () => table.choose(0) },
  { keys: ["End"], help: "last study that is loaded", run: () => table.choose(table.studies.length - 1) },
  { keys: ["/"], help: "search", run: () => searchText.select() },
  { keys: ["t"], help: "suspicious first, or newest first", run: () => { order.value = order.value === "triage" ? "received" : "triage"; change(); } },
  { keys: ["n"], help: "show what is new", run: () => updates.settle(true) },
  { keys: ["x"], help: "all studies: no filter", run: () => form.reset() },
]);
searchText.addEventListener("keydown", (event) => {
  if (event.key === "Escape" || event.key === "ArrowDown") { event.preventDefault(); table.choose(Math.max(table.index, 0)); }
});

// Where the reader was, without anything about a patient, for the way back.
addEventListener("pagehide", () => {
  sessionStorage.setItem(PLACE, JSON.stringify({ fragment: location.hash, count: table.studies.length, top: table.scroller.scrollTop, uid: table.active }));
});
/** @returns {Position | null} */
function restoreFilter() {
  const place = JSON.parse(sessionStorage.getItem(PLACE) || "null");
  const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  return place && place.fragment === location.hash && entry?.type !== "navigate" ? place : null;
}

restore(form, location.hash);
// First the stream, then the list, so that no event between them is missed; a list without a stream is better than none.
const opened = new Promise((onOpen) => {
  follow({ kinds: "study.*,delivery.*,label.*", onOpen }, (event) => updates.hear(event.data.study_instance_uid), () => load());
});
Promise.race([opened, new Promise((resolve) => { setTimeout(resolve, STREAM_MS); })]).then(() => load(restoreFilter()));
get("/api/v1/stations").then(({ stations }) => offerStations(form, stations)).catch(() => {});
setInterval(() => table.tick(), 30_000);
// No event is sent for a single image.
setInterval(() => {
  if (!document.hidden) table.drawn().filter((study) => study.finished_images < study.images).forEach((study) => updates.hear(study.study_instance_uid));
}, PROGRESS_MS);
