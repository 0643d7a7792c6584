// Rates of the page quality: in short, over time, by group, and why images have no labels.

import { lineChart } from "../charts.js";
import { find, h } from "../dom.js";

export const groupName = (group) => group || "not told";
const digits = (value) => value.toFixed(value < 9.995 ? 2 : 1);
export const percent = (share) => (share === null ? "–" : `${digits(100 * share)}\u202f%`);
export const interval = (rate) => (rate.rate === null ? "" : `${digits(100 * rate.low)} – ${digits(100 * rate.high)}`);

const RATES = [
  ["disagree", "Labels that contradict the pixels"],
  ["missing", "Labels that are missing"],
  ["skipped", "Not analysed"],
  ["failed", "Failed"],
];
const SENTENCES = { "too-few": "too few images", steady: "steady", moved: "worth a look", shifted: "shifted" };
const COLOURS = { "too-few": "faint", steady: "good", moved: "warn", shifted: "bad" };

export const driftBadge = (drift) => h("span", { class: `badge ${COLOURS[drift]}` }, SENTENCES[drift]);

export function showSummary(element, { total, scores, densities }) {
  const tile = (name, figure, below) => h("div", { class: "panel" }, h("div", { class: "faint" }, name), h("div", { class: "figure" }, figure), below);
  element.replaceChildren(
    ...RATES.map(([key, name]) => tile(name, percent(total[key].rate),
      h("div", { class: "interval" }, total[key].of ? `${total[key].count.toLocaleString("en")} of ${total[key].of.toLocaleString("en")}, 95 %: ${interval(total[key])}` : "nothing to count in"))),
    tile("Scores against the reference", driftBadge(scores.drift), null),
    tile("Densities against the reference", driftBadge(densities.drift), null),
  );
}

/** The start of a day as the reader's clock has it: a bucket is named by its day, wherever the reader sits. */
export const atDay = (start) => `${start}T00:00:00`;

export function showTimes({ series }) {
  const name = (each, number) => (number === 0 ? (each.group === null ? "All" : groupName(each.group)) : groupName(each.group));
  const times = (id, label, key) => lineChart(find(id), {
    label, unit: "%",
    // One interval is read, six are a fog.
    series: series.map((each, number) => ({
      name: name(each, number),
      points: each.points.map((point) => {
        const { rate, low, high } = point[key];
        return rate === null ? [atDay(point.start), null] : [atDay(point.start), 100 * rate, ...(number === 0 ? [100 * low, 100 * high] : [])];
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

export function showGroups(element, { groups, groups_left_out, total, only, by }, choose) {
  if (!groups.length) {
    element.replaceChildren(h("p", { class: "faint" }, "No image ended within these days."));
    return;
  }
  const rate = (row, key) => {
    const high = only === null && groups.length > 1 && row[key].rate !== null && row[key].low > total[key].rate;
    return h("td", { class: "number" }, high && h("span", { class: "badge warn", title: "the whole interval lies above the rate of all images" }, "above all"),
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
    h("p", { class: "faint" }, "Behind each rate stands its 95 % interval (Wilson), in per cent. Choose a name to see everything else of that group alone.",
      groups_left_out ? ` ${groups_left_out} more groups are not listed.` : ""),
  );
}

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
