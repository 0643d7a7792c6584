// @ts-check
// One correction: the difference between header and pixels, and the evidence for and against it.
import { h } from "../dom.js";
import { KINDS, deliveryBadge, label, labels, objectName, percent, stateBadge, stateName } from "./wording.js";
import { day, moment, personName } from "../format.js";
import { table } from "../tables.js";

/** @import { CorrectionDetail, Hold, Instance, Study } from "api-types" */
/** @typedef {import("../dom.js").Child} Child */

/** @type {Record<string, string>} by `Verdict` */
const VERDICTS = {
  "one-wrong-label": "One label is wrong.", "sides-swapped": "Both sides are swapped.", mirrored: "The images are mirrored.",
  inconclusive: "Something differs, and the images together do not settle what.",
};

/** @param {string} source @param {string} text */
function image(source, text) {
  const shown = h("img", { src: source, alt: text, decoding: "async" });
  shown.addEventListener("error", () => shown.replaceWith("no picture"));
  return shown;
}

/** Patient and study, with a link to the study's page. @param {Study} study @param {Child[]} badges */
export function showWhose(study, badges) {
  const { patient } = study;
  const facts = [patient.patient_id, patient.age_years !== null && `${patient.age_years} years`, study.study_date && `study of ${day(study.study_date)}`,
    study.accession_number && `accession ${study.accession_number}`, study.station_name && `station ${study.station_name}`];
  return h("header", { class: "whose" }, h("h1", {}, personName(patient.name)), h("span", { class: "faint" }, facts.filter(Boolean).join(" · ")), badges,
    h("span", { class: "spacer" }), h("a", { href: `/studies/${study.study_instance_uid}` }, "Open in the viewer"));
}

/** The image, with the heatmap or without. @param {CorrectionDetail} correction @param {Instance | undefined} instance @param {boolean} heat @param {() => void} toggleHeat */
function showPicture(correction, instance, heat, toggleHeat) {
  const what = `${labels(correction.pixels)} as its pixels show it`;
  const links = instance?.links, marker = instance?.marker;
  const frame = links ? image(heat ? links.heatmap : links.preview, heat ? `${what}, with the heatmap over it` : what) : "no picture";
  return h("figure", { class: "picture panel" }, h("div", { class: "frame" }, frame), h("figcaption", {},
    h("button", { type: "button", class: "quiet", "aria-pressed": String(heat), onclick: toggleHeat, disabled: !links }, "Heatmap"),
    h("span", { class: "faint" }, [correction.film && "digitised film", marker ? `marker in the picture: ${marker.text}, ${percent(marker.confidence)} sure` : "no marker read"].filter(Boolean).join(" · "))));
}

/** @param {CorrectionDetail} correction @param {Instance | undefined} instance */
function showLabels(correction, instance) {
  /** @param {string} name @param {"view" | "laterality"} key */
  const row = (name, key) => {
    const { declared, pixels, proposed } = correction;
    const differs = label(declared[key]) !== label(proposed[key]);
    const sure = instance?.[key];
    return h("tr", {}, h("th", { scope: "row" }, name),
      h("td", { class: differs ? "wrong" : "" }, label(declared[key]), differs && h("span", { class: "mark" }, label(declared[key]) === "–" ? "missing" : "changes")),
      h("td", {}, label(pixels[key]), sure && h("span", { class: "mark faint" }, percent(sure.confidence))),
      h("td", { class: differs ? "right" : "" }, label(proposed[key]), !differs && h("span", { class: "mark faint" }, "as it is")));
  };
  return h("section", { class: "panel" }, h("h2", {}, "Labels"), h("table", { class: "labels" },
    h("thead", {}, h("tr", {}, ["", "Header says", "Pixels show", "Would be written"].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
    h("tbody", {}, row("Side", "laterality"), row("View", "view"))),
  h("p", { class: "faint" }, `Confidence ${percent(correction.confidence)}: of the least sure label that would be written.`));
}

/** @param {CorrectionDetail} correction @param {Study} study */
function showEvidence(correction, study) {
  /** @param {string | null | undefined} uid */
  const named = (uid) => { const found = study.instances.find((each) => each.sop_instance_uid === uid); return found?.view ? ` (${pixelLabels(found)})` : ""; };
  const items = correction.evidence.map((each) => h("li", {}, each.text, named(each.sop_instance_uid)));
  return h("section", { class: "panel" }, h("h2", {}, "Evidence"), h("p", {}, correction.reason),
    items.length ? h("ul", {}, items) : h("p", { class: "faint" }, "No further evidence: neither a marker nor another image of the study supports it."),
    correction.blocked_reason && h("p", { class: "blocked-reason" }, h("strong", {}, "Reported only: "), correction.blocked_reason),
    correction.film && h("p", { class: "faint" }, "Digitised film: a destination takes corrections of film only where its settings say so."));
}

/** @param {Instance} instance */
const pixelLabels = (instance) => labels({ laterality: instance.laterality?.value, view: instance.view?.value });

const HANGING = ["R CC", "L CC", "R MLO", "L MLO"];
/** @param {Instance} instance */
const place = (instance) => (HANGING.indexOf(pixelLabels(instance)) + 5) % 5;

/** The conclusion from all images of the study, and each image. @param {Study} study @param {string} currentUid SOP Instance UID */
export function showStudy(study, currentUid) {
  const { reasoning } = study;
  const pictures = [...study.instances].sort((one, other) => place(one) - place(other)).map((each) => {
    const { agreement } = each;
    const agrees = !agreement?.kind;
    const words = each.view ? `header ${labels(each.declared)}, pixels ${pixelLabels(each)}` : `header ${labels(each.declared)}, ${each.reason?.text || "not analysed yet"}`;
    const drawn = each.links ? image(each.links.preview, words) : "no picture";
    const other = agreement?.correction_id && each.sop_instance_uid !== currentUid;
    return h("figure", { class: each.sop_instance_uid === currentUid ? "this" : "" },
      other ? h("a", { class: "frame", href: `#${agreement.correction_id}` }, drawn) : h("div", { class: "frame" }, drawn),
      h("figcaption", {}, h("span", { class: agrees ? "" : "bad" }, labels(each.declared), !agrees && each.view && ` → ${pixelLabels(each)}`),
        h("br"), h("span", { class: "faint" }, each.sop_instance_uid === currentUid ? "this image" : agreement?.kind ? KINDS[agreement.kind] : each.view ? "agrees" : "")));
  });
  return h("section", { class: "panel" }, h("h2", {}, "The study together"),
    reasoning ? h("p", {}, h("strong", {}, VERDICTS[reasoning.verdict] || ""), " ", reasoning.text || "Every label is as declared.") : h("p", { class: "faint" }, "Not concluded yet."),
    h("div", { class: "strip" }, pictures));
}

/** @param {CorrectionDetail} correction @param {Study} study @param {boolean} heat @param {() => void} toggleHeat */
export function showCorrection(correction, study, heat, toggleHeat) {
  const instance = study.instances.find((each) => each.sop_instance_uid === correction.sop_instance_uid);
  const badges = [h("span", { class: "badge" }, KINDS[correction.kind]), stateBadge(correction.state), correction.held && h("a", { class: "badge bad", href: `#held=${study.study_instance_uid}` }, "study held")];
  return [showWhose(study, badges), h("div", { class: "evidence-desk" },
    showPicture(correction, instance, heat, toggleHeat),
    h("div", { class: "case" }, showLabels(correction, instance), showEvidence(correction, study), showStudy(study, correction.sop_instance_uid)))];
}

/** The correction's history, and its deliveries. @param {CorrectionDetail} correction */
export function showRecord(correction) {
  const steps = correction.history.map((step) => h("tr", {}, h("td", {}, moment(step.at)), h("td", {}, stateName(step.state)), h("td", {}, step.actor), h("td", {}, step.reason)));
  const history = h("section", { class: "panel" }, h("h2", {}, "History"), table(["When", "State", "Who", "Why"], steps));
  if (!correction.deliveries.length) return [history];
  const rows = correction.deliveries.map((each) => h("tr", {}, h("td", {}, each.destination), h("td", {}, objectName(each.kind)), h("td", {}, deliveryBadge(each.state)),
    h("td", { class: "number" }, String(each.tries)), h("td", {}, each.error || ""), h("td", {}, moment(each.finished_at || each.created_at))));
  return [history, h("section", { class: "panel" }, h("h2", {}, "Deliveries"), table(["Destination", "What", "State", "Tries#", "Said", "When"], rows))];
}

/** @param {Hold} hold @param {Study} study */
export function showHold(hold, study) {
  const known = study.corrections.map((each) => h("tr", {}, h("td", {}, h("a", { href: `#${each.id}` }, `${labels(each.declared)} → ${labels(each.proposed)}`)),
    h("td", {}, KINDS[each.kind]), h("td", {}, stateBadge(each.state))));
  return [showWhose(study, [hold.released_at ? h("span", { class: "badge good" }, "released") : h("span", { class: "badge bad" }, "held")]),
    h("section", { class: "panel" }, h("h2", {}, "Why it is held"), h("p", {}, hold.reason), h("p", { class: "faint" }, `Since ${moment(hold.since)}. ${hold.kind === "sides-swapped" ? "Nothing corrected" : "Nothing"} leaves before a person releases the study.`),
      hold.released_at && h("p", {}, `Released ${moment(hold.released_at)} by ${hold.released_by}: ${hold.released_reason}`)),
    showStudy(study, ""),
    h("section", { class: "panel" }, h("h2", {}, "Its corrections"), known.length ? table(["Change", "Kind", "State"], known) : h("p", { class: "faint" }, "None."))];
}

