// @ts-check
// Plots as SVG: lines over time, and bars against a reference. A page that uses them links /static/css/charts.css. Called again with the same
// element they draw anew; they follow the element's width. Each plot has its values as a table, which is built when it is opened.
import { h } from "./dom.js";
import { numberName, numberTicks, timeTicks } from "./scales.js";

const HEIGHT = 190, LEFT = 52, RIGHT = 12, TOP = 8, BOTTOM = 22, KINDS = 6, MOST_MARKS = 40;

/** @typedef {import("./dom.js").Child} Child */
/** @typedef {(string | number | null | undefined)[]} Point [ISO time, value or null for a gap, low, high]: low and high draw an interval */
/** @typedef {{ at: number, value: number | null, low: number | null, high: number | null }} Place */
/** @typedef {{ name: string, value: number | null, reference?: number | null, low?: number | null, high?: number | null }} Bar */
/** @typedef {(width: number, plot: HTMLElement) => Element[]} Draw */

/** @type {WeakMap<Element, { observer: ResizeObserver, details: HTMLDetailsElement }>} */
const drawn = new WeakMap();

/**
 * Make an SVG element.
 * @param {string} tag
 * @param {Record<string, string | number | null | undefined>} properties
 * @param {...Child} children
 */
function s(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  element.append(.../** @type {(Node | string)[]} */ (children.filter(Boolean)));
  return element;
}

/** The mark of a series: circle, square, triangle, diamond, cross of the same area. @param {number} kind @param {number} x @param {number} y */
function mark(kind, x, y) {
  /** @param {...[number, number]} points */
  const at = (...points) => points.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" ");
  const shape = [
    () => s("circle", { cx: x, cy: y, r: 3.5 }),
    () => s("rect", { x: x - 3.2, y: y - 3.2, width: 6.4, height: 6.4 }),
    () => s("polygon", { points: at([0, -4.5], [4.2, 3.2], [-4.2, 3.2]) }),
    () => s("polygon", { points: at([0, -4.8], [4.8, 0], [0, 4.8], [-4.8, 0]) }),
    () => s("polygon", { points: at([0, 4.5], [4.2, -3.2], [-4.2, -3.2]) }),
    () => s("rect", { x: x - 5, y: y - 1.8, width: 10, height: 3.6 }),
  ][kind % KINDS]();
  shape.setAttribute("class", `fill${kind % KINDS}`);
  return shape;
}

/** A mark and its name, for a legend. @param {number} kind @param {string} name */
function key(kind, name) {
  const line = s("line", { x1: 0, y1: 6, x2: 26, y2: 6, class: `line stroke${kind % KINDS} dash${kind % KINDS}` });
  return h("span", { class: "key" }, s("svg", { width: 26, height: 12, "aria-hidden": "true" }, line, mark(kind, 13, 6)), name);
}

/**
 * Frame, caption, legend and table around what `draw` returns; draws anew when the width changes.
 * @param {Element} element @param {string} label @param {Element[]} legend @param {boolean} empty @param {Draw} draw @param {() => Element} table
 */
function frame(element, label, legend, empty, draw, table) {
  const before = drawn.get(element);
  before?.observer.disconnect();
  const plot = h("div", { class: "plot" });
  const values = h("div", { tabindex: "0", role: "region", "aria-label": `${label}: values` });
  const details = h("details", { open: before?.details.open }, h("summary", {}, "Values as a table"), values);
  const fill = () => { if (details.open && !values.firstChild) values.append(table()); };
  details.addEventListener("toggle", fill);
  element.replaceChildren(h("figure", { class: "chart" }, h("figcaption", {}, h("strong", {}, label), legend), plot, empty ? null : details));
  if (empty) {
    plot.append(h("p", { class: "empty" }, "Nothing to show for this time."));
    drawn.set(element, { observer: new ResizeObserver(() => {}), details });
    return;
  }
  fill();
  let width = 0;
  const redraw = () => {
    if (plot.clientWidth === width || !plot.clientWidth) return;
    width = plot.clientWidth;
    plot.replaceChildren(...draw(width, plot));
  };
  const observer = new ResizeObserver(() => requestAnimationFrame(redraw));
  observer.observe(plot);
  drawn.set(element, { observer, details });
  redraw();
}

/** @param {number} width @param {number} height @param {string} label */
function picture(width, height, label) {
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: plot, its values are in the table below` });
}

/** @param {Element} svg @param {number[]} ticks @param {string} unit @param {(value: number) => number} y @param {number} right */
function valueAxis(svg, ticks, unit, y, right) {
  for (const tick of ticks) {
    svg.append(s("line", { class: "axis", x1: LEFT, x2: right, y1: y(tick), y2: y(tick) }));
    svg.append(s("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, numberName(tick, unit)));
  }
}

/**
 * Lines over time.
 * @param {Element} element
 * @param {{ series: { name: string, points: Point[] }[], unit?: string, label: string, max?: number }} options values are in `unit`;
 *   max: the least top of the scale, 100 for rates
 */
export function lineChart(element, { series, unit = "", label, max = 0 }) {
  const lines = series.map(({ name, points }) => ({
    name, points: points.map(([at, value, low, high]) => /** @type {Place} */ ({ at: Date.parse(String(at)), value, low: low ?? null, high: high ?? null })),
  }));
  const all = lines.flatMap(({ points }) => points), values = all.flatMap((p) => [p.value, p.low, p.high]).filter(known);
  const empty = values.length === 0;
  const legend = lines.length > 1 ? lines.map((line, i) => key(i, line.name)) : [];
  const times = [...new Set(all.map((p) => p.at))].sort((a, b) => a - b);
  const byTime = lines.map(({ points }) => new Map(points.map((p) => [p.at, p.value])));
  const days = times.every((at) => new Date(at).getHours() === 0 && at % 60e3 === 0 && new Date(at).getMinutes() === 0);
  /** @param {number} at */
  const moment = (at) => (days ? new Date(at).toLocaleDateString() : new Date(at).toLocaleString());

  /** @type {Draw} */
  const draw = (width, plot) => {
    const svg = picture(width, HEIGHT, label), right = width - RIGHT, floor = HEIGHT - BOTTOM;
    const ticks = numberTicks(Math.min(...values), Math.max(...values, max));
    const from = times[0], to = Math.max(times[times.length - 1], from + 1), last = ticks[ticks.length - 1];
    /** @param {number} at */
    const x = (at) => (times.length === 1 ? (LEFT + right) / 2 : LEFT + ((at - from) / (to - from)) * (right - LEFT));
    /** @param {number} value */
    const y = (value) => floor - ((value - ticks[0]) / (last - ticks[0])) * (floor - TOP);
    valueAxis(svg, ticks, unit, y, right);
    const axis = timeTicks(from, to, Math.max(2, Math.floor((right - LEFT) / 90)));
    for (const tick of times.length === 1 ? times : axis.ticks) svg.append(s("text", { x: x(tick), y: HEIGHT - 5, "text-anchor": "middle" }, axis.name(tick)));
    lines.forEach(({ points }, i) => {
      for (const run of runs(points)) {
        const line = run.map((p) => `${x(p.at).toFixed(1)},${y(p.value).toFixed(1)}`);
        const banded = run.filter((p) => p.low !== null && p.high !== null);
        if (banded.length > 1) {
          const edge = /** @type {[number, number][]} */ ([...banded.map((p) => [p.at, p.high]), ...banded.reverse().map((p) => [p.at, p.low])]);
          svg.append(s("polygon", { class: `band fill${i % KINDS}`, points: edge.map(([at, v]) => `${x(at).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }));
        }
        if (run.length > 1) svg.append(s("polyline", { class: `line stroke${i % KINDS} dash${i % KINDS}`, points: line.join(" ") }));
        const every = Math.ceil(times.length / MOST_MARKS);
        run.forEach((p, n) => { if (run.length === 1 || n % every === 0 || n === run.length - 1) svg.append(mark(i, x(p.at), y(p.value))); });
      }
    });
    const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" }), cursor = s("line", { class: "cursor", y1: TOP, y2: floor, visibility: "hidden" });
    svg.append(cursor);
    svg.addEventListener("pointerleave", () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); });
    svg.addEventListener("pointermove", (/** @type {any} */ event) => {
      const px = event.clientX - svg.getBoundingClientRect().left;
      const at = times.reduce((best, each) => (Math.abs(x(each) - px) < Math.abs(x(best) - px) ? each : best));
      cursor.setAttribute("x1", String(x(at)));
      cursor.setAttribute("x2", String(x(at)));
      cursor.setAttribute("visibility", "visible");
      tip.replaceChildren(moment(at), ...lines.map((line, i) => h("div", {}, key(i, `${line.name}: ${numberName(byTime[i].get(at), unit)}`))));
      tip.hidden = false;
      tip.style.left = `${Math.max(0, Math.min(x(at) + 10, plot.clientWidth - tip.offsetWidth))}px`;
    });
    return [svg, tip];
  };
  const table = () => h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), lines.map((line) => h("th", { scope: "col", class: "number" }, line.name)))),
    h("tbody", {}, times.map((at) => h("tr", {}, h("td", {}, moment(at)), byTime.map((known) => h("td", { class: "number" }, numberName(known.get(at), unit)))))));
  frame(element, label, legend, empty, draw, table);
}

/** Points in a row without a gap. @param {Place[]} points */
function runs(points) {
  /** @type {(Place & { value: number })[][]} */
  const found = [[]];
  for (const { at, value, low, high } of points) {
    if (known(value)) found[found.length - 1].push({ at, value, low, high });
    else found.push([]);
  }
  return found.filter((run) => run.length);
}

/**
 * Bars against a reference.
 * @param {Element} element
 * @param {{ bars: Bar[], unit?: string, label: string, max?: number, horizontal?: boolean, names?: [string, string] }} options
 *   names: of the values and of the references
 */
export function barChart(element, { bars, unit = "", label, max = 0, horizontal, names = ["now", "reference"] }) {
  const compared = bars.some((bar) => known(bar.reference));
  const values = bars.flatMap((bar) => [bar.value, bar.reference, bar.high]).filter(known);
  const isHorizontal = horizontal ?? bars.some((bar) => bar.name.length > 8);
  const legend = compared
    ? [{ shape: s("rect", { width: 14, height: 10, y: 1, class: "block fill0" }), name: names[0] }, { shape: s("rect", { x: 1, y: 1, width: 12, height: 9, class: "reference" }), name: names[1] }]
      .map(({ shape, name }) => h("span", { class: "key" }, s("svg", { width: 14, height: 12, "aria-hidden": "true" }, shape), name))
    : [];
  const ticks = values.length ? numberTicks(0, Math.max(...values, max)) : [0, 1];
  const top = ticks[ticks.length - 1];

  /** @type {Draw} */
  const drawVertical = (width) => {
    const svg = picture(width, HEIGHT, label), right = width - RIGHT, floor = HEIGHT - BOTTOM, step = (right - LEFT) / bars.length;
    /** @param {number} value */
    const y = (value) => floor - (value / top) * (floor - TOP);
    valueAxis(svg, ticks, unit, y, right);
    const every = Math.ceil(48 / step);
    bars.forEach((bar, i) => {
      const x = LEFT + i * step + step * 0.15, wide = Math.max(1, step * 0.7), middle = x + wide / 2;
      const tip = s("title", {}, textOf(bar));
      const group = s("g", {}, tip);
      if (known(bar.value)) group.append(s("rect", { class: "block fill0", x, y: y(bar.value), width: wide, height: floor - y(bar.value) }));
      if (known(bar.reference)) group.append(s("rect", { class: "reference", x, y: y(bar.reference), width: wide, height: floor - y(bar.reference) }));
      if (known(bar.low) && known(bar.high)) group.append(s("path", { class: "whisker", d: `M${middle - 4} ${y(bar.high)}h8M${middle} ${y(bar.high)}V${y(bar.low)}M${middle - 4} ${y(bar.low)}h8` }));
      svg.append(group);
      if (i % every === 0) svg.append(s("text", { x: middle, y: HEIGHT - 5, "text-anchor": "middle" }, bar.name));
    });
    return [svg];
  };
  /** @type {Draw} */
  const drawHorizontal = (width) => {
    const row = 26, height = row * bars.length + BOTTOM, svg = picture(width, height, label);
    const left = Math.min(width * 0.4, 12 + 7.6 * Math.max(...bars.map((bar) => bar.name.length))), right = width - 64;
    const letters = Math.floor((left - 12) / 7.6 + 1e-6);
    /** @param {number} value */
    const x = (value) => left + (value / top) * Math.max(1, right - left);
    for (const tick of ticks) {
      svg.append(s("line", { class: "axis", x1: x(tick), x2: x(tick), y1: 0, y2: height - BOTTOM }));
      svg.append(s("text", { x: x(tick), y: height - 5, "text-anchor": "middle" }, numberName(tick, unit)));
    }
    bars.forEach((bar, i) => {
      const y = i * row + 5, thick = row - 10, middle = y + thick / 2;
      const shown = bar.name.length > letters ? `${bar.name.slice(0, letters - 1)}…` : bar.name;
      const group = s("g", {}, s("title", {}, textOf(bar)), s("text", { x: left - 8, y: middle + 4, "text-anchor": "end" }, shown));
      if (known(bar.value)) group.append(s("rect", { class: "block fill0", x: left, y, width: x(bar.value) - left, height: thick }));
      if (known(bar.reference)) group.append(s("rect", { class: "reference", x: left, y, width: x(bar.reference) - left, height: thick }));
      if (known(bar.low) && known(bar.high)) group.append(s("path", { class: "whisker", d: `M${x(bar.low)} ${middle - 4}v8M${x(bar.low)} ${middle}H${x(bar.high)}M${x(bar.high)} ${middle - 4}v8` }));
      group.append(s("text", { class: "value", x: x(Math.max(...[bar.value, bar.reference, bar.high, 0].filter(known))) + 6, y: middle + 4 }, numberName(bar.value, unit)));
      svg.append(group);
    });
    return [svg];
  };
  /** @param {Bar} bar */
  const textOf = (bar) => `${bar.name}: ${numberName(bar.value, unit)}${known(bar.reference) ? `, ${names[1]} ${numberName(bar.reference, unit)}` : ""}`;
  const table = () => h("table", {}, h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col", class: "number" }, compared ? names[0] : label), compared && h("th", { scope: "col", class: "number" }, names[1]))),
    h("tbody", {}, bars.map((bar) => h("tr", {}, h("th", { scope: "row" }, bar.name), h("td", { class: "number" }, numberName(bar.value, unit)), compared && h("td", { class: "number" }, numberName(bar.reference, unit))))));
  frame(element, label, legend, values.length === 0, isHorizontal ? drawHorizontal : drawVertical, table);
}

/** @type {<T>(value: T | null | undefined) => value is T} */
const known = (value) => value !== null && value !== undefined;
