// @ts-check
// What happened to the study, oldest first; steps of one kind within a minute are one line.

import { find, h } from "../dom.js";

/** @import { Timeline, TimelineEntry } from "api-types" */

/** @type {Record<string, string>} by `ObjectKind` */
const OBJECTS = { "cad-sr": "CAD report", sr: "report", sc: "heatmap", gsps: "marks", corrected: "corrected image", reverted: "former labels", kos: "rejection note" };
/** @type {Record<string, string>} */
const TONES = { verified: "good", failed: "bad", rejected: "bad", mismatch: "bad", skipped: "warn", complete: "good", partial: "warn", proposed: "warn" };
const TOGETHER_MS = 60_000;

/** @param {number} count @param {string} word */
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** @param {TimelineEntry[]} entries */
function objects(entries) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { kind } of entries) counts.set(kind ?? "", (counts.get(kind ?? "") || 0) + 1);
  return [...counts].map(([kind, count]) => (count === 1 ? OBJECTS[kind] || kind : plural(count, OBJECTS[kind] || kind))).join(", ");
}

/** @type {Record<TimelineEntry["step"], (entries: TimelineEntry[]) => string>} */
const SENTENCES = {
  received: (entries) => `${plural(entries.length, "image")} received`,
  analysed: (entries) => [`${plural(entries.length, "image")} ${entries[0].state}`, entries[0].text].filter(Boolean).join(": "),
  concluded: ([entry]) => `concluded, version ${entry.version}: ${entry.text}${entry.state === "partial" ? ", without a full view set" : ""}`,
  planned: (entries) => `to ${entries[0].destination}: ${objects(entries)} planned`,
  delivered: (entries) => [`${entries[0].state} in ${entries[0].destination}: ${objects(entries)}`, entries[0].text].filter(Boolean).join(". "),
  correction: (entries) => `correction ${entries.map((entry) => entry.correction).join(", ")} ${entries[0].state} by ${entries[0].actor}${entries[0].text && entries[0].actor !== "policy" ? `: ${entries[0].text}` : ""}`,
  held: ([entry]) => `held: ${entry.text}`,
  released: ([entry]) => `released by ${entry.actor}: ${entry.text}`,
};

/** Successive entries that say the same, as one group. @param {TimelineEntry[]} entries */
export function group(entries) {
  /** @type {TimelineEntry[][]} */
  const groups = [];
  /** @param {TimelineEntry} entry */
  const key = ({ step, state, text, actor, destination, version }) =>
    JSON.stringify([step, state, actor, destination, actor === "policy" ? "" : text, step === "concluded" ? version : ""]);
  for (const entry of entries) {
    const known = groups.findLast((each) => key(each[0]) === key(entry));
    if (known && Date.parse(entry.at) - Date.parse(known[known.length - 1].at) < TOGETHER_MS) known.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

/** @param {Timeline} timeline */
export function showTimeline({ entries }) {
  let date = "";
  const lines = group(entries).flatMap((each) => {
    const at = new Date(each[0].at);
    const today = at.toLocaleDateString(undefined, { dateStyle: "medium" });
    const head = today === date ? [] : [h("li", {}, h("span", { class: "date" }, today))];
    date = today;
    return [...head, h("li", { class: TONES[each[0].state] }, h("time", { datetime: each[0].at }, at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })), h("span", {}, SENTENCES[each[0].step](each)))];
  });
  find("#timeline").replaceChildren(h("h2", {}, "Timeline"), h("ol", { class: "steps" }, lines));
}
