// @ts-check
// The corrections page: a queue, one correction at a time, and the decision on it.
import { call, getInBackground, Problem } from "../api.js";
import { showCorrection, showHold, showRecord } from "./detail.js";
import { KINDS, labels, stateBadge } from "./wording.js";
import { actionsFor, choose, offer } from "./decision.js";
import { choice, find, h, messageOf, notice } from "../dom.js";
import { ago, personName } from "../format.js";
import { bindKeys } from "../keys.js";
import { follow } from "../live.js";

/** @import { Correction, CorrectionDetail, Hold, Study, StudySummary } from "api-types" */
/** @typedef {Correction | Hold} Row */
/** @typedef {{ found: Correction[], ended: boolean }} Page */
/** @typedef {{ filters: Record<string, string>, wanted?: (row: Correction) => boolean }} Question */

const PAGE = 50, SETTLE_MS = 400, MOST_AT_ONCE = 500, MOST_NAMES = 200;
/** @type {Map<string, string>} patient names by Study Instance UID */
const names = new Map();
const stateField = choice("#state"), kindField = choice("#kind"), list = find("#queue"), more = find("#more"), count = find("#count");

/** @type {Row[]} */
let rows = [];
/** @type {(() => Promise<Page>) | null} */
let loadNext = null;
let ofStudy = "";
let current = "";
let heat = false;
let asked = 0;
/** @type {string | null} Study Instance UID */
let shownFor = null;
/** @type {{ detail: boolean, queue: boolean, timer: number } | null} */
let waiting = null;

// -- the queue

/** @param {Record<string, string>} filters @param {string} cursor @param {number} limit */
function pathOf(filters, cursor, limit) {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ kind: kindField.value, study: ofStudy, cursor, ...filters })) if (value) query.set(name, value);
  return `/api/v1/corrections?${query}`;
}

/** Pages of one or several questions in turn. @param {Question[]} questions @param {number} limit @returns {() => Promise<Page>} */
function pages(questions, limit) {
  let index = 0, cursor = "";
  return async () => {
    while (index < questions.length) {
      const { filters, wanted } = questions[index];
      /** @type {{ corrections: Correction[], next_cursor: string | null }} */
      const page = await getInBackground(pathOf(filters, cursor, limit));
      cursor = page.next_cursor || "";
      if (!cursor) index += 1;
      const found = page.corrections.filter(wanted || (() => true));
      if (found.length || index >= questions.length) return { found, ended: index >= questions.length };
    }
    return { found: [], ended: true };
  };
}

/** @returns {Question[]} */
function currentQuestions() {
  const state = stateField.value;
  if (state === "proposed" || state === "reported") return [{ filters: { state } }];
  if (state) return [{ filters: { state, order: "newest" } }];
  return [{ filters: { state: "proposed" } }, { filters: { order: "newest" }, wanted: (row) => row.state !== "proposed" }];
}

/** Patient names of the rows: asked for in one request, and kept while the page is open. @param {Row[]} found */
async function learnNames(found) {
  const unknown = [...new Set(found.map((row) => row.study_instance_uid))].filter((uid) => !names.has(uid));
  for (let at = 0; at < unknown.length; at += MOST_NAMES) {
    const few = unknown.slice(at, at + MOST_NAMES);
    /** @type {{ studies: StudySummary[] }} */
    const { studies } = await call("POST", "/api/v1/studies/search", { study_instance_uids: few, limit: MOST_NAMES }, { background: true });
    for (const study of studies) names.set(study.study_instance_uid, personName(study.patient.name));
  }
}

/** @param {Row} row */
const keyOf = (row) => ("id" in row ? String(row.id) : `held=${row.study_instance_uid}`);

/** Load as much as is shown now, or the first page; the selection stays. @param {number} least */
async function load(least = PAGE) {
  const mine = ++asked;
  try {
    if (stateField.value === "held") {
      /** @type {{ holds: Hold[] }} */
      const { holds } = await getInBackground("/api/v1/holds");
      if (mine !== asked) return;
      [rows, loadNext] = [holds.filter((hold) => !ofStudy || hold.study_instance_uid === ofStudy), null];
    } else {
      const next = pages(currentQuestions(), Math.min(Math.max(least, PAGE), MOST_AT_ONCE));
      /** @type {Correction[]} */
      const found = [];
      let ended = false;
      while (!ended && found.length < least) {
        const page = await next();
        if (mine !== asked) return;
        found.push(...page.found);
        ended = page.ended;
      }
      [rows, loadNext] = [found, ended ? null : next];
    }
    await learnNames(rows);
    if (mine === asked) draw();
  } catch (problem) {
    if (mine === asked) count.textContent = `The queue cannot be loaded: ${messageOf(problem)}`;
  }
}

async function loadMore() {
  if (!loadNext) return;
  const mine = asked;
  const page = await loadNext();
  await learnNames(page.found);
  if (mine !== asked) return;
  rows = [...rows, ...page.found];
  if (page.ended) loadNext = null;
  draw();
}

/** @param {Row} row */
function item(row) {
  const key = keyOf(row);
  /** @param {...string} text */
  const small = (...text) => h("span", { class: "small" }, ...text);
  const whose = h("span", { class: "small wide" }, names.get(row.study_instance_uid) || "");
  const content = "id" in row
    ? [h("span", { class: "change" }, `${labels(row.declared)} → ${labels(row.proposed)}`), small(`${ago(row.created_at)} ago`), whose, small(KINDS[row.kind]), stateField.value === "proposed" ? null : stateBadge(row.state)]
    : [h("span", { class: "change" }, "Held study"), small(`${ago(row.since)} ago`), whose, small(row.reason)];
  return h("li", {}, h("a", { class: "item", href: `#${key}`, "aria-current": key === current ? "true" : null }, content));
}

function draw() {
  const focused = list.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
  list.replaceChildren(...rows.map(item));
  if (focused) find(`a[href="${focused}"]`, list)?.focus();
  more.hidden = !loadNext;
  find("#narrowed").hidden = !ofStudy;
  const what = stateField.value === "held" ? ["held study", "held studies"] : ["correction", "corrections"];
  count.textContent = rows.length ? `${rows.length}${loadNext ? " and more" : ""} ${rows.length === 1 && !loadNext ? what[0] : what[1]}` : "";
  if (!current && rows.length) select(keyOf(rows[0]));
  else if (!current) showNothing();
}

function showNothing() {
  /** @type {Record<string, string>} */
  const texts = { proposed: "Nothing waits for a decision.", held: "No study is held." };
  find("#detail").replaceChildren(h("p", { class: "nothing" }, texts[stateField.value] || "No correction like this."));
  find("#record").replaceChildren();
  offer(null, [], () => {});
}

// -- one of them

/** @param {string} key */
function select(key) {
  current = key;
  for (const link of list.querySelectorAll("a")) {
    const isThis = link.getAttribute("href") === `#${key}`;
    if (isThis) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (isThis) link.scrollIntoView({ block: "nearest" });
  }
  const hash = key ? `#${key}` : ofStudy ? `#study=${ofStudy}` : location.pathname;
  if (location.hash !== hash) history.replaceState(null, "", hash);
  return show();
}

async function show() {
  const key = current;
  if (!key) return;
  try {
    if (key.startsWith("held=")) await showHeld(key, key.slice(5));
    else await showDifference(key);
  } catch (problem) {
    if (key !== current) return;
    find("#detail").replaceChildren(h("p", { class: "nothing" }, problem instanceof Problem && problem.status === 404 ? "It does not exist." : `It cannot be shown: ${messageOf(problem)}`));
    find("#record").replaceChildren();
    offer(null, [], () => {});
  }
}

/** @param {string} key */
async function showDifference(key) {
  /** @type {CorrectionDetail} */
  const correction = await getInBackground(`/api/v1/corrections/${key}`);
  /** @type {Study} */
  const study = await getInBackground(`/api/v1/studies/${correction.study_instance_uid}`);
  if (key !== current) return;
  shownFor = study.study_instance_uid;
  const redrawHeat = () => { heat = !heat; redraw(); };
  const redraw = () => find("#detail").replaceChildren(...showCorrection(correction, study, heat, () => { redrawHeat(); find(".picture button").focus(); }));
  toggleHeat = redrawHeat;
  redraw();
  find("#record").replaceChildren(...showRecord(correction));
  offer({ key, path: `/api/v1/corrections/${key}`, name: `Correction ${labels(correction.declared)} → ${labels(correction.proposed)}` }, actionsFor(correction), decided);
}

/** @param {string} key @param {string} studyUid */
async function showHeld(key, studyUid) {
  /** @type {[{ holds: Hold[] }, Study]} */
  const [{ holds }, study] = await Promise.all([getInBackground("/api/v1/holds?released=true"), getInBackground(`/api/v1/studies/${studyUid}`)]);
  if (key !== current) return;
  const hold = holds.find((each) => each.study_instance_uid === studyUid);
  if (!hold) throw new Problem(404, { detail: "not held" });
  shownFor = studyUid;
  toggleHeat = () => {};
  find("#detail").replaceChildren(...showHold(hold, study));
  find("#record").replaceChildren();
  offer({ key, path: `/api/v1/studies/${studyUid}`, name: "Study" }, hold.released_at ? [] : ["release"], decided);
}

let toggleHeat = () => {};

const DONE = { approve: "approved", reject: "rejected", undo: "is being reverted", release: "released" };

/**
 * After a decision show the next correction, where the queue lists undecided ones; else show the decided one anew.
 * @param {"approve" | "reject" | "undo" | "release"} action @param {unknown} _answer @param {string} name
 */
async function decided(action, _answer, name) {
  notice(`${name} ${DONE[action]}.`);
  const index = rows.findIndex((row) => keyOf(row) === current);
  const next = rows[index + 1] || rows[index - 1];
  const leaves = stateField.value === "held" ? action === "release" : stateField.value === "proposed" && action !== "undo";
  // An answer that is still on its way was made before the decision.
  asked += 1;
  if (leaves && index >= 0) {
    rows.splice(index, 1);
    await select(next ? keyOf(next) : "");
    draw();
  } else {
    await show();
  }
  load(Math.max(rows.length, PAGE));
}

/** @param {number} by */
function step(by) {
  if (!rows.length) return;
  const index = rows.findIndex((row) => keyOf(row) === current);
  const next = rows[Math.min(Math.max(index + by, 0), rows.length - 1)];
  if (next) select(keyOf(next));
  if (loadNext && index + by >= rows.length - 3) loadMore();
}

// -- where one is

/** #17: a correction. #held=UID: a held study. #study=UID: all corrections of a study. */
function readAddress() {
  const hash = decodeURIComponent(location.hash.slice(1));
  if (hash.startsWith("study=")) {
    [ofStudy, current] = [hash.slice(6), ""];
    stateField.value = "";
    return true;
  }
  if (hash === "") {
    const changed = ofStudy !== "";
    [ofStudy, current] = ["", changed ? "" : current];
    return changed;
  }
  if (!/^\d{1,10}$|^held=[0-9.]{1,64}$/.test(hash)) return false;
  current = hash;
  if (hash.startsWith("held=") !== (stateField.value === "held")) {
    stateField.value = hash.startsWith("held=") ? "held" : "";
    return true;
  }
  return false;
}

addEventListener("hashchange", () => {
  if (readAddress()) load();
  if (current) select(current);
});
for (const field of [stateField, kindField]) {
  field.addEventListener("change", () => {
    current = "";
    load();
  });
}
more.addEventListener("click", () => loadMore().catch((problem) => notice(messageOf(problem))));

bindKeys([
  { keys: ["j", "ArrowDown"], help: "next in the queue", run: () => step(1) },
  { keys: ["k", "ArrowUp"], help: "former in the queue", run: () => step(-1) },
  { keys: ["h"], help: "heatmap on and off", run: () => toggleHeat() },
  { keys: ["a"], help: "approve, or release a held study", run: () => { choose("approve"); choose("release"); } },
  { keys: ["x"], help: "reject", run: () => choose("reject") },
  { keys: ["u"], help: "undo", run: () => choose("undo") },
  { keys: ["o"], help: "open the study in the viewer", run: () => { if (shownFor) location.assign(`/studies/${shownFor}`); } },
]);

// Events come in groups: one study changes several corrections and deliveries.
follow({ kinds: "correction.*,study.held,study.released,delivery.*" }, (event) => {
  const concerned = event.data.study_instance_uid === shownFor;
  clearTimeout(waiting?.timer);
  const detail = concerned || waiting?.detail || false;
  const queue = !event.type.startsWith("delivery.") || waiting?.queue || false;
  waiting = { detail, queue, timer: setTimeout(() => {
    waiting = null;
    if (queue) load(Math.max(rows.length, PAGE));
    if (detail) show();
  }, SETTLE_MS) };
}, () => { load(); show(); });

readAddress();
load().then(() => { if (current) select(current); });
