// @ts-check
// The panels beside the images: scores, labels against the header, reasoning, models.

import { find, h } from "../dom.js";
import { day, density, personName, score as hundred } from "../format.js";

/** @import { Hanging, Instance, Label, Study, Verdict } from "api-types" */
/** @import { Feedback } from "./feedback.js" */

/** @type {Record<"R" | "L", string>} */
export const BREASTS = { R: "Right breast", L: "Left breast" };
const FLAGS = { suspicious: "suspicious", routine: "routine", "not-scored": "not scored" };
/** @typedef {NonNullable<Study["agreement"]>} Agreement */
/** @type {Record<Agreement, [string, string]>} class, text */
const AGREEMENTS = { agree: ["good", "agrees"], missing: ["warn", "missing"], contradict: ["bad", "contradicts"], unsure: ["faint", "not sure"] };
/** @type {Record<Agreement, string>} */
const HEADERS = { agree: "header agrees", missing: "header lacks labels", contradict: "header contradicts pixels", unsure: "header: not sure" };
/** @type {Record<string, string>} */
const STATES = { skipped: "not analysed", failed: "failed", received: "in work" };
/** @type {Record<Verdict, string>} */
const VERDICTS = {
  "as-declared": "No label contradicts the pixels.", "one-wrong-label": "One label is wrong.", "sides-swapped": "Both sides are swapped.", mirrored: "Pictures are mirrored.",
  inconclusive: "Something differs, and the images do not settle what.",
};

/** @param {number} value 0 to 1 */
export const percent = (value) => `${(100 * value).toFixed(value > 0.995 ? 1 : 0)} %`;
/** @param {string | null | undefined} word */
const known = (word) => (word && word !== "UNKNOWN" ? word : "");

/** Patient and study, and the study's state. @param {Study} study */
export function showWhose(study) {
  const { patient } = study;
  const age = patient.age_years === null ? "" : `${patient.age_years} y`;
  const facts = [patient.patient_id, age, patient.sex, patient.birth_date && `born ${day(patient.birth_date)}`, study.study_date && `study of ${day(study.study_date)}`,
    study.accession_number && `accession ${study.accession_number}`, study.station_name, study.institution];
  find("#whose").replaceChildren(personName(patient.name), h("small", {}, facts.filter(Boolean).join(" · ")));
  const state = study.state === "receiving" ? ["warn", `in work: ${study.finished_images} of ${study.images} images analysed`] : study.state === "partial" ? ["warn", "incomplete"] : ["good", "concluded"];
  const badges = [
    h("span", { class: `badge ${study.flag === "suspicious" ? "suspicious" : "faint"}` }, FLAGS[study.flag]),
    h("span", { class: `badge ${state[0]}` }, state[1]),
    study.priority !== "routine" && h("span", { class: "badge warn" }, study.priority),
    study.held && h("a", { class: "badge bad", href: `/corrections#held=${study.study_instance_uid}` }, study.hold_kind === "sides-swapped" ? "held: a person must look" : `held: ${study.hold_reason}`),
    study.agreement && h("span", { class: `badge ${AGREEMENTS[study.agreement][0]}` }, HEADERS[study.agreement]),
    study.delivery && h("span", { class: "badge faint" }, `write-back ${study.delivery}`),
  ];
  find("#answer").replaceChildren(...badges.filter((each) => each !== null && each !== false));
}

/** A bar from 0 to 1 with the operating point. @param {number | null} value @param {number | null} point @param {string} name */
function gauge(value, point, name) {
  const fill = h("span", { class: "fill" });
  fill.style.width = `${100 * (value ?? 0)}%`;
  const tick = point === null ? null : h("span", { class: "point" });
  if (tick && point !== null) tick.style.left = `${100 * point}%`;
  const above = point !== null && value !== null && value >= point;
  const text = value === null ? `${name}: no score` : `${name}: ${hundred(value)} of 100${point === null ? "" : `, operating point ${hundred(point)}`}`;
  return h("div", { class: `gauge${above ? " above" : ""}`, role: "img", "aria-label": text }, value === null ? null : fill, tick);
}

/** @param {Study} study */
export function showScores(study) {
  const point = study.threshold ?? null;
  /** @param {string} name @param {number | null} value @param {string | null} dense @param {boolean} strong @returns {import("../dom.js").Child[]} */
  const line = (name, value, dense, strong = false) => [
    h("span", { class: strong ? "strong" : "" }, name),
    h("span", { class: `big${point !== null && value !== null && value >= point ? " suspicious" : ""}` }, hundred(value)),
    gauge(value ?? null, point, name),
    h("span", { title: "density", class: "badge faint" }, `density ${density(dense)}`),
  ];
  const calibration = study.models.find((model) => model.task === "cancer")?.calibration;
  find("#scores").replaceChildren(
    h("h2", {}, "Score, 0 to 100"),
    h("div", { class: "gauges" }, line("Study", study.score ?? null, study.density, true), /** @type {const} */ (["R", "L"]).flatMap((side) => line(BREASTS[side], study.scores[side] ?? null, study.densities[side]))),
    h("p", { class: "small faint" }, point === null ? "No operating point: nothing is concluded yet." : `At ${hundred(point)} and above a study is flagged suspicious (the mark in the bars). `,
      calibration === "none" && "The score orders studies; it is not calibrated and no probability of cancer."),
    h("p", { class: "small not-diagnosis" }, "Triage aid for research. Not for diagnosis."),
  );
}

/** Side and view of an image, as the pixels show them or else as declared. @param {Instance} image */
export function nameOfImage(image) {
  const side = known(image.laterality?.value) || known(image.declared.laterality);
  const view = known(image.view?.value) || known(image.declared.view);
  return [side, view].filter(Boolean).join(" ") || (image.kind === "unknown" ? "other" : image.kind);
}

/** The image as a row that opens: labels with confidence, declared against pixels, and feedback. @param {Instance} image @param {Feedback} feedback @param {boolean} open */
function imageRow(image, feedback, open) {
  const both = [image.agreement?.view, image.agreement?.laterality];
  const worst = /** @type {const} */ (["contradict", "missing", "unsure"]).find((word) => both.includes(word));
  const [tone, word] = AGREEMENTS[worst || "agree"];
  const badge = image.state !== "analysed" ? h("span", { class: "badge warn" }, STATES[image.state]) : image.agreement ? h("span", { class: `badge ${tone}` }, worst === "missing" ? "label missing" : word) : null;
  const summary = h("summary", {}, h("b", {}, nameOfImage(image)), image.cancer && h("span", {}, `score ${hundred(image.cancer.score)}`),
    image.density && h("span", { class: "faint" }, `density ${density(image.density.value)}`), h("span", { class: "spacer" }), badge);
  return h("details", { class: "image", "data-sop": image.sop_instance_uid, open }, summary, ...(image.state === "analysed" ? [labelTable(image, feedback), feedback.form(image)] : [reasonOf(image)]), footnotes(image));
}

/** @param {Instance} image */
export const reasonOf = (image) => h("p", { class: "small warn" }, image.reason ? `${image.reason.text} (${image.reason.code})` : "It is still in work.");

/** @param {Instance} image @param {Feedback} feedback */
function labelTable(image, feedback) {
  /** @typedef {import("../dom.js").Child} Child */
  /** @param {import("api-types").FeedbackLabel} label @param {string} name @param {string} declared @param {Child[]} found @param {Child} agreement */
  const row = (label, name, declared, found, agreement = "") =>
    h("tr", { "data-label": label }, h("th", { scope: "row" }, name), h("td", {}, declared), h("td", {}, ...found), h("td", {}, agreement), h("td", {}, feedback.draw(image, label)));
  /** @param {"view" | "laterality"} key */
  const word = (key) => {
    const agreement = image.agreement?.[key];
    if (!agreement) return "";
    const [tone, text] = AGREEMENTS[agreement];
    // A label in another attribute only, as on digitised film, counts as missing.
    return h("span", { class: tone }, agreement === "missing" && known(image.declared[key]) ? "not in its place" : text);
  };
  /** @param {Label | null} label */
  const seen = (label) => (label ? [h("b", {}, density(label.value)), h("span", { class: "faint" }, ` ${percent(label.confidence)}`)] : ["–"]);
  return h("table", {},
    h("thead", {}, h("tr", {}, ["label", "header", "pixels", "compared", "reader"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {},
      row("view", "View", known(image.declared.view) || "–", seen(image.view), word("view")),
      row("laterality", "Side", known(image.declared.laterality) || "–", seen(image.laterality), word("laterality")),
      row("density", "Density", "–", seen(image.density)),
      row("cancer", "Score", "–", [h("b", {}, hundred(image.cancer?.score))])));
}

/** @param {Instance} image */
function footnotes(image) {
  const correction = image.agreement?.correction_id;
  const lines = [
    image.agreement?.reason && image.agreement.kind && image.agreement.reason,
    image.marker && `marker in the picture: ${image.marker.text}`,
    image.inverted && "white background that the header does not announce",
    image.view_modifiers.length && `declared: ${image.view_modifiers.join(", ")}`,
    [image.device.manufacturer, image.device.model_name, image.device.software_versions].filter(Boolean).join(" "),
    image.rows && `${image.rows} × ${image.columns} pixels, ${image.kind}`,
  ].filter(Boolean);
  return h("p", { class: "small faint" }, lines.join(" · "), correction && [" · ", h("a", { href: `/corrections#${correction}` }, `correction ${correction}: ${image.agreement?.correction}`)]);
}

/** @param {Study} study @param {Feedback} feedback */
export function showLabels(study, feedback) {
  const details = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#labels details[open]"));
  const open = new Set([...details].map((each) => each.dataset.sop));
  const images = [...study.instances].sort((one, other) => (one.state === "analysed" ? 0 : 1) - (other.state === "analysed" ? 0 : 1) || nameOfImage(other).localeCompare(nameOfImage(one)));
  find("#labels").replaceChildren(h("h2", {}, "Labels: header against pixels"), ...images.map((image) => imageRow(image, feedback, open.has(image.sop_instance_uid))));
}

/** @param {Study} study */
export function showReasoning(study) {
  const section = find("#reasoning");
  section.hidden = !study.reasoning;
  if (!study.reasoning) return;
  const open = study.corrections.filter((each) => ["proposed", "reported"].includes(each.state)).length;
  section.replaceChildren(
    h("h2", {}, "What the images say together"),
    h("p", {}, VERDICTS[study.reasoning.verdict] || study.reasoning.verdict),
    !study.reasoning.text ? "" : h("p", { class: "small faint" }, study.reasoning.text),
    study.corrections.length ? h("p", { class: "small" }, h("a", { href: `/corrections#study=${study.study_instance_uid}` }, `${study.corrections.length} correction${study.corrections.length > 1 ? "s" : ""}`),
      open ? `, ${open} open` : "") : "",
  );
}

/** @param {Study} study */
export function showModels(study) {
  const section = find("#models");
  section.hidden = !study.models.length;
  section.replaceChildren(
    h("h2", {}, "Models"),
    h("dl", { class: "models small" }, study.models.map((model) => [
      h("dt", {}, `${model.name} ${model.version}`),
      h("dd", { class: "faint" }, `${model.task}, calibration ${model.calibration}, sha256 `, h("code", { title: model.sha256 }, `${model.sha256.slice(0, 16)}…`)),
    ]).flat()),
    h("p", { class: "small faint" }, `Conclusion ${study.version}${study.complete ? "" : ", without a full view set"}. `, [...new Set(study.instances.map((image) => image.provider).filter(Boolean))].join(", ")),
  );
}

/** Images that do not hang, with the reasons. @param {Study} study @param {Hanging} hanging */
export function showLeftOut(study, hanging) {
  const images = new Map(study.instances.map((image) => [image.sop_instance_uid, image]));
  const out = hanging.not_hung || [];
  const section = find("#not-hung");
  section.hidden = !out.length;
  section.replaceChildren(h("h2", {}, "Not hung"), h("ul", {}, out.map((each) => {
    const image = images.get(each.sop_instance_uid);
    return h("li", {}, `${image && image.kind !== "unknown" ? `${image.kind}: ` : ""}${each.reason.text} `, h("code", { class: "faint small" }, each.reason.code));
  })));
}
