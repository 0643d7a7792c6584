// The operations page: how everything is doing, what needs a look, and the buttons for it.
import { call, may, post } from "../api.js";
import { deliveryBadge, objectName } from "../corrections/wording.js";
import { find, h, notice } from "../dom.js";
import { ago, moment } from "../format.js";
import { bindKeys } from "../keys.js";
import { fill, showDestinations, showPlots, showTiles, showWebhooks, showWorkers } from "./overview.js";

const LOOK_MS = 10_000, PAGE = 15;
const signs = find(".operations").dataset.signs;
const hours = find("#hours"), destination = find("#destination"), imageState = find("#image-state"), reason = find("#reason");
const ask = (path) => call("GET", path, undefined, { background: true });
const count = (value) => value.toLocaleString("en");

/** A list that grows page by page; a refresh loads as much as is shown. */
class Pages {
  constructor(section, path, key, draw) {
    Object.assign(this, { section, path, key, draw, rows: [], cursor: null, turn: 0 });
    find(`${section} .more`).addEventListener("click", () => this.load(this.rows.length + PAGE).catch((problem) => notice(problem.message)));
  }

  async load(least = Math.max(PAGE, this.rows.length)) {
    const mine = ++this.turn;
    const found = [];
    let cursor = "";
    do {
      const query = new URLSearchParams({ ...this.path().query, limit: PAGE });
      if (cursor) query.set("cursor", cursor);
      const page = await ask(`${this.path().path}?${query}`);
      if (mine !== this.turn) return;
      found.push(...page[this.key]);
      cursor = page.next_cursor;
    } while (cursor && found.length < least);
    this.rows = found;
    find(`${this.section} .more`).hidden = !cursor;
    this.draw(found);
  }
}

const studyLink = (uid) => h("a", { href: `/studies/${uid}` }, "study");
const button = (text, act) => h("button", { type: "button", class: "quiet", onclick: (event) => press(event.currentTarget, act) }, text);

async function press(pressed, act) {
  pressed.disabled = true;
  try {
    await act();
  } catch (problem) {
    notice(problem.message);
    pressed.disabled = false;
  }
}

// -- deliveries

const ended = (row) => !["pending", "sent"].includes(row.state);

const troubled = new Pages("#troubled", () => ({ path: "/api/v1/deliveries/troubled", query: destination.value ? { destination: destination.value } : {} }), "deliveries", (rows) => {
  fill("#troubled", rows.map((row) => h("tr", {}, h("td", { class: "wide" }, row.destination), h("td", {}, objectName(row.kind)), h("td", {}, deliveryBadge(row.state)), h("td", { class: "number" }, String(row.tries)),
    h("td", { class: "said" }, row.error || "", !ended(row) && h("span", { class: "faint" }, `${row.error ? ", " : ""}${Date.parse(row.next_try_at) > Date.now() ? `next try ${moment(row.next_try_at)}` : "due, nobody took it on yet"}`)),
    h("td", { class: "wide" }, `${ago(row.created_at)} ago`), h("td", {}, studyLink(row.study_instance_uid), row.correction && [" · ", h("a", { href: `/corrections#${row.correction}` }, "correction")]),
    h("td", {}, may("operate") && ended(row) && button("Retry", () => retry([row]))))),
  ["Destination", "What", "State", "Tries#", "Said", "Planned", "Of", ""], "Every delivery is in time.");
  const again = rows.filter(ended);
  find("#troubled .actions").replaceChildren(may("operate") && again.length > 1 ? button(`Retry all ${again.length} shown`, () => retry(again)) : "");
});

let whoAsks = "";

function whoIs() {
  if (!signs) whoAsks = (whoAsks || prompt("Your name, for the record:") || "").trim();
  return signs || whoAsks ? (signs ? {} : { actor: whoAsks }) : null;
}

async function retry(rows) {
  const actor = whoIs();
  if (!actor) throw new Error("A retry needs a name.");
  const refused = [];
  for (const row of rows) {
    try {
      await post(`/api/v1/deliveries/${row.id}/retry`, actor);
    } catch (problem) {
      refused.push(problem.message);
    }
  }
  const done = rows.length - refused.length;
  if (done) notice(`${done} ${done === 1 ? "delivery is" : "deliveries are"} tried again.`);
  if (refused.length) notice(`${refused.length} refused: ${refused[0]}`);
  await look();
}

// -- images

const images = new Pages("#images", () => ({ path: "/api/v1/instances", query: { state: imageState.value, ...(reason.value && { reason: reason.value }) } }), "images", (rows) => {
  const anew = imageState.value !== "received" && may("operate");
  fill("#images", rows.map((row) => h("tr", {}, h("td", { class: "said" }, row.reason ? row.reason.text : "waits for its result", row.reason && h("div", { class: "faint" }, row.reason.code)), h("td", {}, row.station_name || "–"), h("td", {}, row.manufacturer || "–"),
    h("td", {}, row.calling_ae), h("td", { class: "number" }, String(row.tries)), h("td", { class: "wide" }, `${ago(row.received_at)} ago`), h("td", { class: "wide" }, `${ago(row.tried_at)} ago`), h("td", {}, studyLink(row.study_instance_uid)),
    h("td", {}, anew && button("Analyse anew", () => analyse([row]))))),
  ["Why", "Station", "Manufacturer", "Sender", "Tries#", "Received", "Tried", "Of", ""], { failed: "No image failed.", "skipped": "No image was left out.", received: "No image waits." }[imageState.value]);
  find("#images .actions").replaceChildren(anew && rows.length > 1 ? button(`Analyse all ${rows.length} shown anew`, () => analyse(rows)) : "");
});

async function analyse(rows) {
  const refused = [];
  for (const row of rows) {
    try {
      await post(`/api/v1/instances/${row.sop_instance_uid}/analyse`);
    } catch (problem) {
      refused.push(problem.message);
    }
  }
  const done = rows.length - refused.length;
  if (done) notice(`${done} ${done === 1 ? "image is" : "images are"} analysed anew.`);
  if (refused.length) notice(`${refused.length} refused: ${refused[0]}`);
  await look();
}

function offerReasons(reasons) {
  const chosen = reason.value;
  const fitting = reasons.filter((each) => each.state === imageState.value);
  reason.replaceChildren(h("option", { value: "" }, "every reason"), ...fitting.map((each) => h("option", { value: each.code }, `${each.code} (${count(each.images)})`)));
  reason.value = fitting.some((each) => each.code === chosen) ? chosen : "";
  reason.disabled = imageState.value === "received";
  return reason.value !== chosen;
}

function offerDestinations(destinations) {
  const chosen = destination.value;
  destination.replaceChildren(h("option", { value: "" }, "all"), ...destinations.map((each) => h("option", { value: each.name }, each.name)));
  destination.value = destinations.some((each) => each.name === chosen) ? chosen : "";
}

// -- conflicts

const conflicts = new Pages("#conflicts", () => ({ path: "/api/v1/conflicts", query: {} }), "conflicts", (rows) => {
  fill("#conflicts", rows.map((row) => h("tr", {}, h("td", { class: "wide" }, moment(row.received_at)), h("td", {}, row.calling_ae), h("td", { class: "number" }, `${(row.size / 1e6).toFixed(1)} MB`), h("td", { class: "uid" }, row.sop_instance_uid), h("td", {}, studyLink(row.study_instance_uid)))),
    ["Received", "Sender", "Size#", "SOP Instance UID", "Of"], "None.");
});

// -- all of it, again and again

let seen = null;
let timer = null;

function showOnly(name) {
  destination.value = name;
  troubled.rows = [];
  troubled.load().then(() => find("#troubled").scrollIntoView(), (problem) => notice(problem.message));
}

async function look() {
  clearTimeout(timer);
  try {
    const lists = Promise.all([troubled.load(), images.load(), conflicts.load()]);
    seen = await ask(`/api/v1/operations?hours=${hours.value}`);
    await lists;
    offerDestinations(seen.destinations);
    // The last image of the chosen reason may be gone: then the list is that of every reason.
    if (offerReasons(seen.reasons)) await images.load();
    for (const show of [showTiles, showPlots, showWorkers, showWebhooks]) show(seen);
    showDestinations(seen, showOnly);
    find("#as-of").textContent = `as of ${new Date(seen.at).toLocaleTimeString()}, looks again each ${LOOK_MS / 1000} s`;
  } catch (problem) {
    find("#as-of").textContent = `no answer: ${problem.message}. Tries again.`;
  }
  timer = setTimeout(() => (document.hidden ? null : look()), LOOK_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
hours.addEventListener("change", look);
destination.addEventListener("change", () => { troubled.rows = []; troubled.load().catch((problem) => notice(problem.message)); });
for (const field of [imageState, reason]) {
  field.addEventListener("change", () => {
    if (field === imageState && seen) { reason.value = ""; offerReasons(seen.reasons); }
    images.rows = [];
    images.load().catch((problem) => notice(problem.message));
  });
}
bindKeys([{ keys: ["r"], help: "look again now", run: look }]);
look();
