// @ts-check
// The study page: findings beside the viewer, kept current while the study is analysed.

import { get } from "../api.js";
import { choice, field, find, h, messageOf, notice } from "../dom.js";
import { day, score as hundred } from "../format.js";
import { bindKeys, showKeys } from "../keys.js";
import { follow } from "../live.js";
import { showLabels, showLeftOut, showModels, showReasoning, showScores, showWhose } from "./panels.js";
import { Feedback } from "./feedback.js";
import { showTimeline } from "./timeline.js";
import { Viewer } from "./viewer.js";

/** @import { Hanging, HungImage, Instance, Study, Timeline } from "api-types" */

const root = find("#study");
const uid = root.dataset.study ?? "";
const here = `/api/v1/studies/${uid}`;
const SETTLE_MS = 300;

/** @type {Study} */
let study;
let hung = "";
const toolButtons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-tool]"));
const feedback = new Feedback(uid, root.dataset.me ?? "", () => showLabels(study, feedback));
const viewer = new Viewer(find("#stage"), find("#below"), showControls);

/** @param {Instance[]} instances */
const byUid = (instances) => new Map(instances.map((image) => [image.sop_instance_uid, image]));
/** @param {HungImage | null} image */
const pick = (image) => image && [image.sop_instance_uid, image.image_horizontal_flip, image.image_rotation, image.state];
/** What hangs where, as text to compare. @param {Hanging} hanging */
const places = ({ version, slots, repeated, extras }) => JSON.stringify([version, Object.values(slots).map(pick), Object.values(repeated).flat().map(pick), extras.map(pick)]);

async function load() {
  /** @type {[Study, Hanging, Timeline, void]} */
  const [found, hanging, timeline] = await Promise.all([get(here), get(`${here}/hanging`), get(`${here}/timeline`), feedback.load()]);
  study = found;
  showWhose(study);
  showScores(study);
  // A form that a reader is filling in stays.
  if (!feedback.open) feedback.onchange();
  showReasoning(study);
  showModels(study);
  showTimeline(timeline);
  showLeftOut(study, hanging);
  // Images are hung anew only where one hangs in another place: a reader's zoom and window stay.
  if (places(hanging) !== hung) {
    hung = places(hanging);
    viewer.hang("current", hanging, byUid(study.instances), `This study, ${day(study.study_date)}`);
    find("#more").hidden = !find("#below").children.length;
  }
}

async function loadPriors() {
  /** @type {{ priors: import("api-types").Prior[] }} */
  const { priors } = await get(`${here}/priors`);
  find("#priors-label").hidden = !priors.length;
  find("#prior").append(...priors.map((prior) => h("option", { value: prior.study_instance_uid }, `${day(prior.study_date)} · ${hundred(prior.score)}`)));
}

/** Whether a study was made after another; false where a date is missing. @param {Study} one @param {Study} other */
const isLater = (one, other) => Boolean(one.study_date && other.study_date && one.study_date > other.study_date);

/** @param {string} prior Study Instance UID; none takes the prior down */
async function showPrior(prior) {
  if (!prior) { viewer.take("prior"); return; }
  try {
    /** @type {[Study, Hanging]} */
    const [found, hanging] = await Promise.all([get(`/api/v1/studies/${prior}`), get(`/api/v1/studies/${prior}/hanging`)]);
    viewer.hang("prior", hanging, byUid(found.instances), `${isLater(found, study) ? "Later" : "Prior"}, ${day(found.study_date)}`);
  } catch (error) { notice(messageOf(error)); }
}

function showControls() {
  /** @param {string} id @param {boolean} on */
  const press = (id, on) => find(id).setAttribute("aria-pressed", String(on));
  press("#invert", viewer.look.invert);
  press("#linked", viewer.linked);
  press("#heat", viewer.overlay.mode === "colour");
  find("#ramp").hidden = viewer.overlay.mode !== "colour";
  press("#contour", viewer.overlay.mode === "contour");
  for (const button of toolButtons) button.setAttribute("aria-pressed", String(button.dataset.tool === viewer.tool));
  const names = viewer.tiles.find((tile) => tile.frame)?.frame?.windows.map((each, place) => each.name || `window ${place + 1}`) || [];
  find("#preset-label").hidden = names.length < 2;
  if (choice("#preset").options.length !== names.length) choice("#preset").replaceChildren(...names.map((name, place) => h("option", { value: place }, name)));
}

/** @param {"colour" | "contour"} mode */
const overlay = (mode) => viewer.setOverlay({ mode: viewer.overlay.mode === mode ? "off" : mode });
const toggleInvert = () => viewer.change((look) => { look.invert = !look.invert; });

function nextPrior() {
  const priors = choice("#prior");
  priors.selectedIndex = (priors.selectedIndex + 1) % priors.options.length;
  showPrior(priors.value);
}

bindKeys([
  { keys: ["h"], help: "heatmap in colour, on and off", run: () => overlay("colour") },
  { keys: ["c"], help: "heatmap as lines, on and off", run: () => overlay("contour") },
  { keys: ["i"], help: "invert", run: toggleInvert },
  { keys: ["f"], help: "one pixel of the image for one of the screen, and back", run: () => viewer.toggleFull() },
  { keys: ["r"], help: "reset: as it was hung", run: () => viewer.reset() },
  { keys: ["1", "2", "3", "4"], help: "one view alone, and back (or double click)", run: ({ key }) => viewer.focus(viewer.order()[Number(key) - 1]) },
  { keys: ["Escape"], help: "back to all views", run: () => viewer.set({ focused: null }) },
  { keys: ["p"], help: "next prior study, and none", run: nextPrior },
  { keys: ["w"], help: "drag sets window (across) and level (up and down)", run: () => viewer.set({ tool: "window" }) },
  { keys: ["m"], help: "drag moves (the right mouse button always does)", run: () => viewer.set({ tool: "pan" }) },
  { keys: ["l"], help: "images move together, or each by itself", run: () => viewer.link(!viewer.linked) },
  { keys: ["+", "=", "-"], help: "zoom (the wheel zooms to where the mouse is)", run: ({ key }) => viewer.zoom(key === "-" ? 1 / 1.25 : 1.25) },
  { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], help: "in an image: move; with Shift: window and level", run: () => {} },
]);

find("#invert").addEventListener("click", toggleInvert);
find("#full").addEventListener("click", () => viewer.toggleFull());
find("#reset").addEventListener("click", () => viewer.reset());
find("#linked").addEventListener("click", () => viewer.link(!viewer.linked));
find("#heat").addEventListener("click", () => overlay("colour"));
find("#contour").addEventListener("click", () => overlay("contour"));
find("#help").addEventListener("click", showKeys);
find("#opacity").addEventListener("input", () => viewer.setOverlay({ opacity: Number(field("#opacity").value) / 100 }));
find("#layout").addEventListener("change", () => {
  const { value } = choice("#layout");
  localStorage.setItem("layout", value);
  viewer.set({ layout: value });
});
find("#preset").addEventListener("change", () => viewer.change((look) => Object.assign(look, { preset: Number(choice("#preset").value), shift: 0, stretch: 1 })));
find("#prior").addEventListener("change", () => showPrior(choice("#prior").value));
for (const button of toolButtons) button.addEventListener("click", () => viewer.set({ tool: button.dataset.tool }));

let waiting = 0;

/** Several events come at once: one request answers them all. */
function loadSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => load().catch((error) => notice(error.message)), SETTLE_MS);
}

const layout = localStorage.getItem("layout");
if (layout) { choice("#layout").value = layout; viewer.layout = layout; }
load().then(() => { follow({ study: uid }, loadSoon, loadSoon); return loadPriors(); }).catch((error) => {
  find("#whose").textContent = error.message;
  find("#stage").hidden = true;
});
