// @ts-check
// Rates on the quality page: a summary, over time, by group, and why images have no labels.

import { lineChart } from "../charts.js";
import { find, h } from "../dom.js";

/** @import { Drift, Quality, QualityGroup, Rate } from "api-types" */
/** @typedef {"disagree" | "missing" | "skipped" | "failed"} RateName */

/** The name of a group; images whose headers lack the value are one. @param {string | null} group */
export const groupName = (group) => group || "not stated";
/** @param {number} value */
const digits = (value) => value.toFixed(value < 9.995 ? 2 : 1);
/** @param {number | null} share 0 to 1 */
export const percent = (share) => (share === null ? "–" : `${digits(100 * share)}\u202f%`);
/** @param {Rate} rate */
export const interval = (rate) => (rate.low === null || rate.high === null ? "" : `${digits(100 * rate.low)} – ${digits(100 * rate.high)}`);

/** @type {[RateName, string][]} */
const RATES = [
  ["disagree", "Labels that contradict the pixels"],
  ["missing", "Labels that are missing"],
  ["skipped", "Not analysed"],
  ["failed", "Failed"],
];
/** @type {Record<Drift, string>} */
const SENTENCES = { "too-few": "too few images", steady: "steady", moved: "worth a look", shifted: "shifted" };
/** @type {Record<Drift, string>} */
const COLOURS = { "too-few": "faint", steady: "good", moved: "warn", shifted: "bad" };

/** @param {Drift} drift */
export const driftBadge = (drift) => h("span", { class: `badge ${COLOURS[drift]}` }, SENTENCES[drift]);

/** @param {Element} element @param {Quality} quality */
export function showSummary(element, { total, scores, densities }) {
  /** @param {string} name @param {import("../dom.js").Child} figure @param {import("../dom.js").Child} below */
  const tile = (name, figure, below) => h("div", { class: "panel" }, h("div", { class: "faint" }, name), h("div", { class: "figure" }, figure), below);
  element.replaceChildren(
    ...RATES.map(([key, name]) => tile(name, percent(total[key].rate),
      h("div", { class: "interval" }, total[key].of ? `${total[key].count.toLocaleString("en")} of ${total[key].of.toLocaleString("en")}, 95 %: ${interval(total[key])}` : "nothing to count in"))),
    tile("Scores against the reference", driftBadge(scores.drift), null),
    tile("Densities against the reference", driftBadge(densities.drift), null),
  );
}

/** The start of a day in the browser's time zone: a bucket is named by its day in every time zone. @param {string} start */
export const atDay = (start) => `${start}T00:00:00`;

/** @param {Quality} quality */
export function showTimes({ series }) {
  /** @param {{ group: string | null }} each @param {number} number */
  const name = (each, number) => (number === 0 ? (each.group === null ? "All" : groupName(each.group)) : groupName(each.group));
  /** @param {string} id @param {string} label @param {"disagree" | "missing" | "skipped"} key */
  const times = (id, label, key) => lineChart(find(id), {
    label, unit: "%",
    // One interval can be read, six cannot.
    series: series.map((each, number) => ({
      name: name(each, number),
      points: each.points.map((point) => {
        const { rate, low, high } = point[key];
        return rate === null || low === null || high === null ? [atDay(point.start), null] : [atDay(point.start), 100 * rate, ...(number === 0 ? [100 * low, 100 * high] : [])];
      }),
    })),
  });
  times("#disagree-time", "Labels that contradict the pixels", "disagree");
  times("#missing-time", "Labels that are missing", "missing");
  times("#skipped-time", "Not analysed", "skipped");
  lineChart(find("#images-time"), {
    label: "Images that ended", unit: "", max: 4,
    series: series.map((each, number) => ({ name: name(each, number), points: each.points.map((point) => [atDay(point.start), point.images]) })),
  });
}

/** @param {Element} element @param {Quality} quality @param {(group: string) => void} choose */
export function showGroups(element, { groups, groups_left_out, total, only, by }, choose) {
  if (!groups.length) {
    element.replaceChildren(h("p", { class: "faint" }, "No image ended within these days."));
    return;
  }
  /** @param {QualityGroup} row @param {RateName} key */
  const rate = (row, key) => {
    const { low } = row[key], { rate: ofAll } = total[key];
    const high = only === null && groups.length > 1 && low !== null && ofAll !== null && low > ofAll;
    return h("td", { class: "number" }, high && h("span", { class: "badge warn", title: "the whole interval is above the rate of all images" }, "above all"),
      " ", percent(row[key].rate), " ", h("span", { class: "interval" }, interval(row[key])));
  };
  const head = ["Images", ...RATES.map(([, name]) => name), "Mean score"].map((name) => h("th", { scope: "col", class: "number" }, name));
  const rows = groups.map((row) => h("tr", { class: row.group === only ? "chosen" : null },
    h("th", { scope: "row" }, h("button", { type: "button", class: "link", "data-group": row.group, onclick: () => choose(row.group), "aria-pressed": String(row.group === only) }, groupName(row.group))),
    h("td", { class: "number" }, row.images.toLocaleString("en")),
    RATES.map(([key]) => rate(row, key)),
    h("td", { class: "number" }, row.mean_score === null ? "–" : digits(100 * row.mean_score))));
  element.replaceChildren(
    h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, by === "model" ? "Machine" : by[0].toUpperCase() + by.slice(1)), head)), h("tbody", {}, rows)),
    h("p", { class: "faint" }, "After each rate comes its 95 % interval (Wilson), in per cent. Choose a name to see everything else of that group alone.",
      groups_left_out ? ` ${groups_left_out} more groups are not listed.` : ""),
  );
}

/** @param {Element} element @param {Quality} quality */
export function showReasons(element, { reasons, total }) {
  if (!reasons.length) {
    element.replaceChildren(h("p", { class: "faint" }, total.images ? "Every image of these days has its labels." : "No image ended within these days."));
    return;
  }
  const rows = reasons.map((each) => h("tr", {}, h("th", { scope: "row" }, each.code), h("td", {}, each.state),
    h("td", { class: "number" }, each.images.toLocaleString("en")), h("td", { class: "number" }, percent(each.images / total.images))));
  const head = [["Reason", null], ["Ended", null], ["Images", "number"], ["Of all", "number"]];
  element.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, head.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))), h("tbody", {}, rows)));
}
