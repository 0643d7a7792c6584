// @ts-check
// Distributions against a reference period, and readers' feedback, on the quality page.

import { barChart, lineChart } from "../charts.js";
import { find, h } from "../dom.js";
import { atDay, driftBadge, groupName, interval, percent } from "./rates.js";
import { numberName } from "../scales.js";

/** @import { Distribution, FeedbackLabel, Quality, Rate } from "api-types" */
/** @typedef {import("../dom.js").Children} Children */

/** @type {Record<FeedbackLabel, string>} */
const LABELS = { view: "View", laterality: "Side", density: "Density", cancer: "Cancer" };

/** @param {Quality} quality */
export function showDistributions({ scores, densities, thresholds }) {
  distribution("#scores", scores, "Share of images by score, 0 to 100", thresholds);
  distribution("#densities", densities, "Share of images by density", thresholds);
}

/** @param {string} id @param {Distribution} distribution @param {string} label @param {Quality["thresholds"]} thresholds */
function distribution(id, { bars, images_now, images_reference, index, by_chance, drift }, label, { steady, shifted }) {
  /** @param {number} count @param {number} of */
  const share = (count, of) => (of ? (100 * count) / of : null);
  barChart(find(id), {
    label, unit: "%", horizontal: false, names: ["this period", "reference"],
    bars: images_now + images_reference === 0 ? [] : bars.map(({ name, now, reference }) => (
      { name: name === "UNKNOWN" ? "not sure" : name, value: share(now, images_now), reference: share(reference, images_reference) })),
  });
  const counted = `${images_now.toLocaleString("en")} images against ${images_reference.toLocaleString("en")}`;
  find(`${id}-said`).replaceChildren(
    h("p", {}, driftBadge(drift), ` ${counted}`, index === null ? "." : `: population stability index ${numberName(index)}; chance alone stays below ${numberName(by_chance)}.`),
    h("details", { class: "how" }, h("summary", {}, "How to read the index"),
      h("p", {}, `The index adds up how far apart the shares of both periods are. As is usual, below ${steady} nothing moved, from ${steady} to ${shifted} it is worth a look, `
        + `and from ${shifted} on something shifted: another machine, other patients, another network. Scores are compared in tenths of the reference.`),
      h("p", {}, "With few images chance alone makes the index grow. So the page shows the limit below which it stays in 95 of 100 cases without a change, and an index below that "
        + "limit counts as steady. With fewer than 100 images in a period the index is not shown.")),
  );
}

/** @param {Quality} quality */
export function showReaders({ readers }) {
  /** @param {Rate} rate */
  const agree = (rate) => ({ value: rate.rate === null ? null : 100 * rate.rate, low: rate.low === null ? null : 100 * rate.low, high: rate.high === null ? null : 100 * rate.high });
  barChart(find("#readers"), {
    label: "Readers who agree", unit: "%", max: 100, horizontal: true,
    bars: readers.labels.map((each) => ({ name: LABELS[each.label], ...agree(each.agree) })),
  });
  find("#readers-time").hidden = find("#readers-tables").hidden = readers.labels.length === 0;
  if (!readers.labels.length) return;
  lineChart(find("#readers-time"), {
    label: "Agreement over time, all labels", unit: "%", max: 100,
    series: [{ name: "Agree", points: readers.points.map(({ start, agree: rate }) => {
      const { value, low, high } = agree(rate);
      return [atDay(start), value, low, high];
    }) }],
  });
  /** @param {string} caption @param {string} of @param {Quality["readers"]["models"]} rows */
  const rated = (caption, of, rows) => table(caption, ["Label", of], ["Agree", "Answers"], rows.map((each) => [
    LABELS[each.label], groupName(each.of), [percent(each.agree.rate), " ", h("span", { class: "interval" }, interval(each.agree))], each.agree.of.toLocaleString("en")]));
  find("#readers-tables").replaceChildren(
    readers.instead.length ? table("What was wrong", ["Label", "Network said", "Reader says"], ["Answers"], readers.instead.map((each) => [
      LABELS[each.label], each.predicted_value || "a score", each.corrected_value, each.count.toLocaleString("en")])) : "",
    rated("By network", "Network", readers.models),
    h("details", { class: "how" }, h("summary", {}, "By group"), rated("By group", "Group", readers.groups)),
  );
}

/** @param {string} caption @param {string[]} texts @param {string[]} numbers columns after the texts @param {Children[][]} rows */
function table(caption, texts, numbers, rows) {
  /** @param {number} place */
  const kind = (place) => (place < texts.length ? null : "number");
  return h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, [...texts, ...numbers].map((name, place) => h("th", { scope: "col", class: kind(place) }, name)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => h("td", { class: kind(place) }, cell))))));
}
