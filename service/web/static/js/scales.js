// @ts-check
// Axes: round numbers, round times, and both as text.

const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE).concat([1, 2, 3, 6, 12].map((n) => n * HOUR), [1, 2, 7, 14, 30, 61, 91, 182, 365].map((n) => n * DAY));

/**
 * Ticks from 0 (or `low`, where it is less) to at least `high`, at steps of 1, 2 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} wanted about as many steps
 */
export function numberTicks(low, high, wanted = 4) {
  const bottom = Math.min(0, low), span = Math.max(high - bottom, 1e-9);
  const rough = span / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((n) => n * power >= rough) ?? 10);
  const first = Math.floor(bottom / step), last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: Math.max(last, first + 1) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/**
 * Times within [from, to] (milliseconds since 1970) that are round in the browser's time zone, at most `wanted` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} wanted
 */
export function timeTicks(from, to, wanted) {
  const step = STEPS.find((each) => (to - from) / each <= wanted) ?? (to - from) / wanted;
  const midnight = new Date(from);
  midnight.setHours(0, 0, 0, 0);
  const ticks = [];
  for (let i = Math.floor((from - midnight.getTime()) / step); ticks.length <= wanted; i += 1) {
    const at = new Date(midnight);
    // Whole days are counted on the calendar: a day of a clock change has 23 or 25 hours.
    if (step >= DAY) at.setDate(at.getDate() + i * Math.round(step / DAY));
    else at.setTime(at.getTime() + i * step);
    if (at.getTime() > to) break;
    if (at.getTime() >= from) ticks.push(at.getTime());
  }
  return { ticks, name: step >= DAY ? dayName : to - from > DAY ? dayAndHour : hourName };
}

/** @param {number} n */
const pad = (n) => String(n).padStart(2, "0");
/** @param {number} at */
const hourName = (at) => { const d = new Date(at); return `${pad(d.getHours())}:${pad(d.getMinutes())}`; };
/** @param {number} at */
const dayName = (at) => { const d = new Date(at); return `${pad(d.getMonth() + 1)}-${pad(d.getDate())}`; };
/** @param {number} at */
const dayAndHour = (at) => (hourName(at) === "00:00" ? dayName(at) : hourName(at));

const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const large = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number with three significant digits and its unit. @param {number | null | undefined} value @param {string} unit */
export function numberName(value, unit = "") {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return `${(Math.abs(value) >= 10000 ? large : small).format(value)}${unit ? `\u202f${unit}` : ""}`;
}
