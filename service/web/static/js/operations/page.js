// @ts-check
// The operations page: the state of every part, what needs attention, and the buttons for it.
import { getInBackground, may, post } from "../api.js";
import { deliveryBadge, objectName } from "../corrections/wording.js";
import { choice, find, h, messageOf, notice } from "../dom.js";
import { ago, moment } from "../format.js";
import { bindKeys } from "../keys.js";
import { fill, showDestinations, showPlots, showTiles, showWebhooks, showWorkers } from "./overview.js";

/** @import { Conflict, Delivery, Overview, ReasonCount, ReceivedImage } from "api-types" */

const LOOK_MS = 10_000, PAGE = 15;
const signs = find(".operations").dataset.signs;
const hours = choice("#hours"), destination = choice("#destination"), imageState = choice("#image-state"), reason = choice("#reason");
/** @param {number} value */
const count = (value) => value.toLocaleString("en");

/**
 * A list that grows page by page; a refresh loads as much as is shown.
 * @template Row
 */
class Pages {
  /**
   * @param {string} section @param {() => { path: string, query: Record<string, string> }} path @param {string} key of the rows in the answer
   * @param {(rows: Row[]) => void} draw
   */
  constructor(section, path, key, draw) {
    this.section = section;
    this.path = path;
    this.key = key;
    this.draw = draw;
    /** @type {Row[]} */
    this.rows = [];
    this.turn = 0;
    find(`${section} .more`).addEventListener("click", () => this.load(this.rows.length + PAGE).catch((problem) => notice(messageOf(problem))));
  }

  async load(least = Math.max(PAGE, this.rows.length)) {
    const mine = ++this.turn;
    /** @type {Row[]} */
    const found = [];
    /** @type {string | null} */
    let cursor = "";
    do {
      const query = new URLSearchParams({ ...this.path().query, limit: String(PAGE) });
      if (cursor) query.set("cursor", cursor);
      const page = await getInBackground(`${this.path().path}?${query}`);
      if (mine !== this.turn) return;
      found.push(...page[this.key]);
      cursor = page.next_cursor;
    } while (cursor && found.length < least);
    this.rows = found;
    find(`${this.section} .more`).hidden = !cursor;
    this.draw(found);
  }
}

/** @param {string} uid */
const studyLink = (uid) => h("a", { href: `/studies/${uid}` }, "study");
/** @param {string} text @param {() => Promise<void>} act */
const button = (text, act) => h("button", { type: "button", class: "quiet", onclick: (event) => press(event.currentTarget, act) }, text);

/** @param {HTMLButtonElement} pressed @param {() => Promise<void>} act */
async function press(pressed, act) {
  pressed.disabled = true;
  try {
    await act();
  } catch (problem) {
    notice(messageOf(problem));
    pressed.disabled = false;
  }
}

// -- deliveries

/** @param {Delivery} row */
const ended = (row) => !["pending", "sent"].includes(row.state);

/** @type {Pages<Delivery>} */
const troubled = new Pages("#troubled", () => ({ path: "/api/v1/deliveries/troubled", query: /** @type {Record<string, string>} */ (destination.value ? { destination: destination.value } : {}) }), "deliveries", (rows) => {
  fill("#troubled", rows.map((row) => h("tr", {}, h("td", { class: "wide" }, row.destination), h("td", {}, objectName(row.kind)), h("td", {}, deliveryBadge(row.state)), h("td", { class: "number" }, String(row.tries)),
    h("td", { class: "said" }, row.error || "", !ended(row) && h("span", { class: "faint" }, `${row.error ? ", " : ""}${row.next_try_at && Date.parse(row.next_try_at) > Date.now() ? `next try ${moment(row.next_try_at)}` : "due, nobody took it on yet"}`)),
    h("td", { class: "wide" }, `${ago(row.created_at)} ago`), h("td", {}, studyLink(row.study_instance_uid), row.correction && [" · ", h("a", { href: `/corrections#${row.correction}` }, "correction")]),
    h("td", {}, may("operate") && ended(row) && button("Retry", () => retry([row]))))),
  ["Destination", "What", "State", "Tries#", "Said", "Planned", "Of", ""], "Every delivery is in time.");
  const again = rows.filter(ended);
  find("#troubled .actions").replaceChildren(may("operate") && again.length > 1 ? button(`Retry all ${again.length} shown`, () => retry(again)) : "");
});

let actor = "";

/** The actor for the request's body: none where the account signs; null where the person gives no name. */
function askForActor() {
  if (signs) return {};
  actor = (actor || prompt("Your name, for the record:") || "").trim();
  return actor ? { actor } : null;
}

/** @param {Delivery[]} rows */
async function retry(rows) {
  const body = askForActor();
  if (!body) throw new Error("A retry needs a name.");
  /** @type {string[]} */
  const refused = [];
  for (const row of rows) {
    try {
      await post(`/api/v1/deliveries/${row.id}/retry`, body);
    } catch (problem) {
      refused.push(messageOf(problem));
    }
  }
  const done = rows.length - refused.length;
  if (done) notice(`${done} ${done === 1 ? "delivery is" : "deliveries are"} tried again.`);
  if (refused.length) notice(`${refused.length} refused: ${refused[0]}`);
  await look();
}

// -- images

/** @type {Record<string, string>} by state */
const NO_IMAGE = { failed: "No image failed.", skipped: "No image was left out.", received: "No image waits." };

/** @type {Pages<ReceivedImage>} */
const images = new Pages("#images", () => ({ path: "/api/v1/instances", query: { state: imageState.value, ...(reason.value && { reason: reason.value }) } }), "images", (rows) => {
  const anew = imageState.value !== "received" && may("operate");
  fill("#images", rows.map((row) => h("tr", {}, h("td", { class: "said" }, row.reason ? row.reason.text : "waits for its result", row.reason && h("div", { class: "faint" }, row.reason.code)), h("td", {}, row.station_name || "–"), h("td", {}, row.manufacturer || "–"),
    h("td", {}, row.calling_ae), h("td", { class: "number" }, String(row.tries)), h("td", { class: "wide" }, `${ago(row.received_at)} ago`), h("td", { class: "wide" }, `${ago(row.tried_at)} ago`), h("td", {}, studyLink(row.study_instance_uid)),
    h("td", {}, anew && button("Analyse anew", () => analyse([row]))))),
  ["Why", "Station", "Manufacturer", "Sender", "Tries#", "Received", "Tried", "Of", ""], NO_IMAGE[imageState.value]);
  find("#images .actions").replaceChildren(anew && rows.length > 1 ? button(`Analyse all ${rows.length} shown anew`, () => analyse(rows)) : "");
});

/** @param {ReceivedImage[]} rows */
async function analyse(rows) {
  /** @type {string[]} */
  const refused = [];
  for (const row of rows) {
    try {
      await post(`/api/v1/instances/${row.sop_instance_uid}/analyse`);
    } catch (problem) {
      refused.push(messageOf(problem));
    }
  }
  const done = rows.length - refused.length;
  if (done) notice(`${done} ${done === 1 ? "image is" : "images are"} analysed anew.`);
  if (refused.length) notice(`${refused.length} refused: ${refused[0]}`);
  await look();
}

/** Offer the reasons of the chosen state; returns whether the chosen reason is gone. @param {ReasonCount[]} reasons */
function offerReasons(reasons) {
  const chosen = reason.value;
  const fitting = reasons.filter((each) => each.state === imageState.value);
  reason.replaceChildren(h("option", { value: "" }, "every reason"), ...fitting.map((each) => h("option", { value: each.code }, `${each.code} (${count(each.images)})`)));
  reason.value = fitting.some((each) => each.code === chosen) ? chosen : "";
  reason.disabled = imageState.value === "received";
  return reason.value !== chosen;
}

/** @param {Overview["destinations"]} destinations */
function offerDestinations(destinations) {
  const chosen = destination.value;
  destination.replaceChildren(h("option", { value: "" }, "all"), ...destinations.map((each) => h("option", { value: each.name }, each.name)));
  destination.value = destinations.some((each) => each.name === chosen) ? chosen : "";
}

// -- conflicts

/** @type {Pages<Conflict>} */
const conflicts = new Pages("#conflicts", () => ({ path: "/api/v1/conflicts", query: {} }), "conflicts", (rows) => {
  fill("#conflicts", rows.map((row) => h("tr", {}, h("td", { class: "wide" }, moment(row.received_at)), h("td", {}, row.calling_ae), h("td", { class: "number" }, `${(row.size / 1e6).toFixed(1)} MB`), h("td", { class: "uid" }, row.sop_instance_uid), h("td", {}, studyLink(row.study_instance_uid)))),
    ["Received", "Sender", "Size#", "SOP Instance UID", "Of"], "None.");
});

// -- the whole page, refreshed

/** @type {Overview | null} */
let seen = null;
/** @type {number | undefined} */
let timer;

/** @param {string} name of a destination */
function showOnly(name) {
  destination.value = name;
  troubled.rows = [];
  troubled.load().then(() => find("#troubled").scrollIntoView(), (problem) => notice(messageOf(problem)));
}

async function look() {
  clearTimeout(timer);
  try {
    const lists = Promise.all([troubled.load(), images.load(), conflicts.load()]);
    /** @type {Overview} */
    const overview = seen = await getInBackground(`/api/v1/operations?hours=${hours.value}`);
    await lists;
    offerDestinations(overview.destinations);
    // The last image of the chosen reason may be gone: then the list is that of every reason.
    if (offerReasons(overview.reasons)) await images.load();
    for (const show of [showTiles, showPlots, showWorkers, showWebhooks]) show(overview);
    showDestinations(overview, showOnly);
    find("#as-of").textContent = `as of ${new Date(overview.at).toLocaleTimeString()}, looks again each ${LOOK_MS / 1000} s`;
  } catch (problem) {
    find("#as-of").textContent = `no answer: ${messageOf(problem)}. Tries again.`;
  }
  timer = setTimeout(() => (document.hidden ? null : look()), LOOK_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
hours.addEventListener("change", look);
destination.addEventListener("change", () => { troubled.rows = []; troubled.load().catch((problem) => notice(messageOf(problem))); });
for (const field of [imageState, reason]) {
  field.addEventListener("change", () => {
    if (field === imageState && seen) { reason.value = ""; offerReasons(seen.reasons); }
    images.rows = [];
    images.load().catch((problem) => notice(messageOf(problem)));
  });
}
bindKeys([{ keys: ["r"], help: "look again now", run: look }]);
look();
