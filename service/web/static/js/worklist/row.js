// @ts-check
// One row of the worklist: a study as cells. Every colour has a word or a sign beside it.
import { h } from "../dom.js";
import { ago, day, density, moment, personName, score } from "../format.js";

/** @import { StudySummary } from "api-types" */
/** @typedef {[string, string, string?]} Badge class, text, explanation */
/** @typedef {"R" | "L"} Side */

const STATES = { receiving: "receiving", concluded: "concluded", partial: "incomplete" };
/** @type {Record<StudySummary["flag"], [string, string]>} */
const FLAGS = { suspicious: ["suspicious", "▲ suspicious"], routine: ["", "routine"], "not-scored": ["faint", "not scored"] };
/** @type {Record<NonNullable<StudySummary["agreement"]>, Badge>} */
const LABELS = {
  agree: ["good", "✓ agree", "Headers say what the pixels show"],
  missing: ["warn", "○ missing", "A header says nothing where the pixels show a view or a side"],
  contradict: ["bad", "✗ contradict", "A header says something else than the pixels show"],
  unsure: ["faint", "? unsure", "The networks are not sure enough to compare"],
};
/** @type {Record<NonNullable<StudySummary["delivery"]>, Badge>} */
const DELIVERIES = {
  pending: ["faint", "… pending"], sent: ["faint", "→ sent"], verified: ["good", "✓ verified"], partial: ["warn", "◐ partly"],
  mismatch: ["bad", "✗ mismatch"], rejected: ["bad", "✗ rejected"], failed: ["bad", "✗ failed"],
};

/** @param {Badge} words */
const badge = ([kind, text, title]) => h("span", { class: `badge ${kind}`, title }, text);
/** @param {string} name @param {...import("../dom.js").Children} children */
const cell = (name, ...children) => h("td", { class: name }, ...children);

/** @param {StudySummary} study */
function stateOf(study) {
  const left = study.images - study.finished_images;
  const text = study.state === "receiving" || left ? `${study.finished_images}/${study.images} images` : STATES[study.state];
  return [text, study.held && h("span", { class: "badge warn", title: `${study.hold_reason}: a person must decide` }, study.hold_kind === "mixed-patients" ? "held: two patients" : "held")];
}

/** The study's density; both sides' where they differ. @param {StudySummary} study */
function densityOf({ density: whole, densities }) {
  const sides = `right ${density(densities.R)}, left ${density(densities.L)}`;
  const apart = densities.R !== densities.L && densities.R !== "UNKNOWN" && densities.L !== "UNKNOWN";
  return h("span", { title: sides }, apart ? `${densities.R} | ${densities.L}` : density(whole));
}

/** @param {StudySummary} study @param {Side} side */
const scoreOf = (study, side) => h("td", { class: `score number${study.flag === "suspicious" && study.scores[side] === study.score ? " high" : ""}` }, score(study.scores[side]));

/** Make the row of a study. @param {StudySummary} study */
export function makeRow(study) {
  const uid = study.study_instance_uid;
  const name = personName(study.patient.name);
  const urgent = study.priority === "urgent" && h("span", { class: "badge warn" }, "urgent");
  return h("tr", { "data-uid": uid },
    cell("name", h("a", { href: `/studies/${uid}`, title: `${name} ${study.patient.patient_id}` }, name), " ", urgent),
    cell("id", h("span", { title: study.patient.patient_id }, study.patient.patient_id || "–")),
    cell("age number", study.patient.age_years ?? "–"),
    cell("date", day(study.study_date)),
    cell("ago", h("time", { datetime: study.first_received_at, title: moment(study.first_received_at) }, ago(study.first_received_at))),
    cell("state", ...stateOf(study).flatMap((each) => [each, " "])),
    cell("flag", h("span", { class: FLAGS[study.flag][0] }, FLAGS[study.flag][1])),
    scoreOf(study, "R"), scoreOf(study, "L"),
    cell("density", densityOf(study)),
    cell("labels", study.agreement ? badge(LABELS[study.agreement]) : "–"),
    cell("sent", study.delivery ? badge(DELIVERIES[study.delivery]) : "–"),
    cell("station", h("span", { title: study.station_name }, study.station_name || "–")));
}

const RANKS = { suspicious: 0, routine: 1, "not-scored": 2 };
/** @param {StudySummary} study */
const time = (study) => Date.parse(study.first_received_at);
/** @param {StudySummary} a @param {StudySummary} b */
const byUid = (a, b) => (a.study_instance_uid < b.study_instance_uid ? -1 : 1);

/**
 * The orders of the API's list, for studies that arrive later.
 * @type {Record<string, (a: StudySummary, b: StudySummary) => number>}
 */
export const ORDERS = {
  triage: (a, b) => RANKS[a.flag] - RANKS[b.flag] || (b.score ?? -1) - (a.score ?? -1) || time(a) - time(b) || byUid(a, b),
  received: (a, b) => time(b) - time(a) || -byUid(a, b),
};
