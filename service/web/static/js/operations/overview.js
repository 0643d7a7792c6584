// @ts-check
// The parts of the operations page: tiles, plots, destinations, workers, models, webhooks.
import { lineChart } from "../charts.js";
import { table } from "../tables.js";
import { find, h } from "../dom.js";
import { ago, moment } from "../format.js";

/** @import { DestinationState, Overview } from "api-types" */

/** @type {Record<string, string>} */
const PARTS = { listener: "DICOM listener", broker: "Broker", ledger: "Ledger" };
/** @type {Record<DestinationState, [string, string]>} class, text */
const CONDITIONS = { unknown: ["faint", "not tried yet"], up: ["good", "answers"], failing: ["bad", "does not answer"], "circuit-open": ["bad", "left alone for a while"] };
const WITHOUT_PROOF = ["failed", "rejected", "mismatch"];
const GIGABYTE = 1e9, LATE_S = 60;
/** @param {number} bytes */
const gigabytes = (bytes) => `${(bytes / GIGABYTE).toFixed(bytes < 100 * GIGABYTE ? 1 : 0)} GB`;
/** @param {number} value */
const count = (value) => value.toLocaleString("en");
/** @param {number} seconds */
export const duration = (seconds) => ago(new Date(Date.now() - 1000 * seconds).toISOString());

/** @type {Record<string, string>} */
const MARKS = { good: "✓ ", warn: "! ", bad: "✕ " };

/** Deliveries of a destination in some states. @param {Overview["destinations"][number]} destination @param {string[]} states */
const deliveriesIn = (destination, states) => states.reduce((sum, state) => sum + (destination.deliveries[state] || 0), 0);

/** @param {string} name @param {"good" | "warn" | "bad" | "none"} state @param {string} value @param {string} more @param {string} [href] */
function tile(name, state, value, more, href) {
  const mark = MARKS[state] || "";
  return h("li", { class: `is-${state}` }, h("span", { class: "name" }, href ? h("a", { href }, name) : name), h("span", { class: "value" }, mark, value), h("span", { class: "more-about" }, more || ""));
}

/** @param {Overview} seen */
export function showTiles(seen) {
  const parts = Object.entries(seen.readiness).map(([part, answer]) => tile(PARTS[part] || part, answer === "ok" ? "good" : "bad", answer === "ok" ? "works" : "down", answer === "ok" ? "" : answer));
  const alive = seen.workers.filter((worker) => worker.alive).length;
  const lost = seen.workers.length - alive;
  const waiting = Object.values(seen.queues ?? {}).reduce((sum, each) => sum + each, 0);
  const stuck = seen.destinations.reduce((sum, each) => sum + each.stuck, 0);
  const unproven = seen.destinations.reduce((sum, each) => sum + deliveriesIn(each, WITHOUT_PROOF), 0);
  const { disk } = seen, full = disk.free_bytes < disk.refuses_below_bytes, short = disk.free_bytes < 5 * disk.refuses_below_bytes || disk.free_bytes < 0.05 * disk.total_bytes;
  const behind = seen.webhooks.filter((each) => each.failures > 0 || each.seconds_behind > LATE_S).length;
  find("#tiles").replaceChildren(...parts,
    tile("Workers", alive ? (lost ? "warn" : "good") : "bad", `${alive} alive`, lost ? `${lost} lost` : "", "#workers"),
    tile("Queues", seen.queues ? (seen.oldest_waiting_seconds > 600 ? "warn" : "good") : "bad", seen.queues ? `${count(waiting)} waiting` : "unknown",
      seen.images.received ? `${count(seen.images.received)} images in work, oldest ${duration(seen.oldest_waiting_seconds)}` : "no image in work"),
    tile("Deliveries", stuck || unproven ? "warn" : "good", `${count(stuck)} stuck`, `${count(unproven)} ended without proof`, "#troubled"),
    tile("Images", seen.images.failed ? "warn" : "good", `${count(seen.images.failed)} failed`, `${count(seen.images.skipped)} not analysed, ${count(seen.images.analysed)} analysed`, "#images"),
    tile("Corrections", seen.held_studies ? "warn" : "good", `${count(seen.corrections.proposed)} to decide`, `${count(seen.held_studies)} held ${seen.held_studies === 1 ? "study" : "studies"}`, "/corrections"),
    tile("Disk", full ? "bad" : short ? "warn" : "good", `${gigabytes(disk.free_bytes)} free`, full ? "full: nothing is received" : `of ${gigabytes(disk.total_bytes)}`),
    seen.webhooks.length ? tile("Webhooks", behind ? "warn" : "good", behind ? `${behind} behind` : "up to date", "", "#webhooks") : "",
    night(seen.night));
}

/** The last nightly comparison with the destinations. @param {Overview["night"]} report */
function night(report) {
  if (!report) return tile("Nightly comparison", "none", "none yet", "");
  const wrong = report.missing + report.changed;
  const more = [report.missing && `${report.missing} missing`, report.changed && `${report.changed} changed`, report.unverified && `${report.unverified} unproven`, `${count(report.studies)} studies`, report.finished_at && `${ago(report.finished_at)} ago`];
  return tile("Nightly comparison", wrong ? "bad" : report.complete && !report.unverified ? "good" : "warn", wrong ? "differs" : report.complete ? "sound" : "cut short", more.filter(Boolean).join(", "));
}

/** Points at every interval, so that an interval without a sample is a gap in the line. @param {[string, number][]} points @param {Overview} seen @param {number} scale */
function regular(points, seen, scale = 1) {
  const known = new Map((points || []).map(([at, value]) => [Date.parse(at), value / scale]));
  /** @type {import("../charts.js").Point[]} */
  const all = [];
  for (let at = Date.parse(seen.since); at <= Date.parse(seen.at); at += 1000 * seen.step_seconds) all.push([new Date(at).toISOString(), known.get(at) ?? null]);
  return all;
}

/** @type {Record<number, string>} by seconds */
const INTERVALS = { 60: "minute", 300: "5 minutes", 600: "10 minutes", 900: "quarter of an hour", 1800: "half hour", 3600: "hour", 7200: "2 hours", 14400: "4 hours", 21600: "6 hours" };

/** @param {Overview} seen */
export function showPlots(seen) {
  /** @param {Record<string, string>} names @param {Record<string, [string, number][]>} values @param {number} [scale] */
  const series = (names, values, scale) => Object.entries(names).filter(([key]) => values[key]).map(([key, name]) => ({ name, points: regular(values[key], seen, scale) }));
  const { throughput, samples } = seen;
  const step = INTERVALS[seen.step_seconds] || `${seen.step_seconds} s`;
  lineChart(find("#plot-throughput"), { label: `Came and went, each ${step}`, unit: "", max: 4,
    series: series({ received: "images received", analysed: "images analysed", concluded: "studies concluded", delivered: "objects delivered" }, throughput) });
  lineChart(find("#plot-queues"), { label: "Messages waiting, by queue", unit: "", max: 4, series: series({ "queued.urgent": "urgent", "queued.routine": "routine", "queued.background": "background" }, samples) });
  lineChart(find("#plot-backlog"), { label: "Not finished yet", unit: "", max: 4, series: series({ "images-waiting": "images without a result", "deliveries-in-progress": "deliveries on their way" }, samples) });
  lineChart(find("#plot-disk"), { label: "Free disk space", unit: "GB", series: series({ "disk-free-bytes": "free" }, samples, GIGABYTE) });
}

/** @param {Overview} seen @param {(name: string) => void} choose */
export function showDestinations(seen, choose) {
  const rows = seen.destinations.map((each) => {
    const [colour, words] = CONDITIONS[each.state];
    const state = each.configured ? h("span", { class: `badge ${colour}` }, words) : h("span", { class: "badge warn" }, "not configured any more");
    /** @param {...string} states */
    const number = (...states) => h("td", { class: "number" }, count(deliveriesIn(each, states)));
    const bad = deliveriesIn(each, WITHOUT_PROOF);
    const about = [each.failures && `${each.failures} failures in a row`, each.paused_until && `until ${moment(each.paused_until)}`, each.failures && each.last_error].filter(Boolean).join(", ");
    return h("tr", {}, h("th", { scope: "row" }, each.name), h("td", {}, state, about && h("div", { class: "faint" }, about)), h("td", { class: "wide" }, each.last_answer_at ? `${ago(each.last_answer_at)} ago` : "–"),
      number("pending"), number("sent"), number("verified"), number("unsupported"), h("td", { class: `number${bad ? " bad" : ""}` }, count(bad)), h("td", { class: `number${each.stuck ? " warn" : ""}` }, count(each.stuck)),
      h("td", { class: "number" }, each.oldest_seconds ? duration(each.oldest_seconds) : "–"),
      h("td", {}, (bad > 0 || each.stuck > 0) && h("button", { type: "button", class: "quiet", onclick: () => choose(each.name) }, "Show them")));
  });
  fill("#destinations", rows, ["Name", "State", "Answered", "Waiting#", "Sent#", "Verified#", "Left out#", "Without proof#", "Stuck#", "Oldest#", ""], "No destination is configured: nothing is sent.");
}

/** @param {Overview} seen */
export function showWorkers(seen) {
  const rows = seen.workers.map((each) => h("tr", {}, h("th", { scope: "row" }, each.name), h("td", {}, h("span", { class: `badge ${each.alive ? "good" : "bad"}` }, each.alive ? "alive" : "lost")),
    h("td", { class: "wide" }, `${ago(each.seen_at)} ago`), h("td", { class: "wide" }, moment(each.started_at)), h("td", {}, each.provider.replace("ExecutionProvider", "")),
    h("td", {}, each.models.map((model) => `${model.name} ${model.version}`).join(", "))));
  fill("#workers", rows, ["Name", "State", "Seen", "Since", "Runs on", "Models"], "No worker: nothing is analysed. Start one with `mammotriage worker`.");
  const versions = new Set(seen.models.map((model) => model.task)).size < seen.models.length;
  const models = seen.models.map((each) => h("tr", {}, h("th", { scope: "row" }, each.name), h("td", {}, each.version), h("td", {}, each.task), h("td", {}, each.calibration), h("td", { class: "uid" }, each.sha256.slice(0, 12)), h("td", { class: "number" }, count(each.workers))));
  fill("#models", models, ["Name", "Version", "Task", "Calibration", "sha256", "Workers#"], "No live worker has loaded any.");
  if (versions) find("#models .scroll").append(h("p", { class: "warn" }, "! Workers have different versions loaded: answers depend on which one took the image."));
}

/** @param {Overview} seen */
export function showWebhooks(seen) {
  const rows = seen.webhooks.map((each) => h("tr", {}, h("th", { scope: "row" }, each.name), h("td", {}, h("span", { class: `badge ${each.failures ? "bad" : "good"}` }, each.failures ? "does not take" : "takes")),
    h("td", { class: "number" }, count(each.events_behind)), h("td", { class: "number" }, each.events_behind ? duration(each.seconds_behind) : "–"), h("td", { class: "number" }, count(each.failures)), h("td", { class: "said" }, each.last_error || "")));
  fill("#webhooks", rows, ["Name", "State", "Behind#", "Oldest#", "Failures#", "Said"], "No webhook is configured.");
}

/**
 * Put a table into a section; a sentence where it has no row.
 * @param {string} section @param {HTMLTableRowElement[]} rows @param {string[]} names of columns; one that ends in # is of numbers @param {string} nothing
 */
export function fill(section, rows, names, nothing) {
  find(`${section} .scroll`).replaceChildren(rows.length ? table(names, rows) : h("p", { class: "nothing" }, nothing));
}
