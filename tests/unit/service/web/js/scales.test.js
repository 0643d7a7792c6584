import assert from "node:assert/strict";
import { test } from "node:test";

import { numberName, numberTicks, timeTicks } from "#js/scales.js";

// A time zone that changes its clocks on 2026-03-29.
process.env.TZ = "Europe/Berlin";

const HOUR = 3600e3, DAY = 24 * HOUR;
const at = (/** @type {string} */ text) => new Date(text).getTime(); // in that time zone

test("ticks are round, start at 0 and reach the highest value", () => {
  assert.deepEqual(numberTicks(0, 10), [0, 5, 10]);
  assert.deepEqual(numberTicks(0, 7), [0, 2, 4, 6, 8]);
  assert.deepEqual(numberTicks(3, 100), [0, 50, 100]);
  assert.deepEqual(numberTicks(0, 0.4), [0, 0.1, 0.2, 0.3, 0.4]);
});

test("ticks begin below 0 where values do", () => {
  const ticks = numberTicks(-3, 4);
  assert.deepEqual(ticks, [-4, -2, 0, 2, 4]);
});

test("values that are all 0 still have an axis", () => {
  const ticks = numberTicks(0, 0);
  assert.ok(ticks.length >= 2 && ticks[0] === 0 && ticks[1] > 0);
});

test("steps of hours are on the clock and carry the hour", () => {
  const { ticks, name } = timeTicks(at("2026-03-03T07:20:00"), at("2026-03-03T12:10:00"), 6);
  assert.deepEqual(ticks.map(name), ["08:00", "09:00", "10:00", "11:00", "12:00"]);
});

test("over more than a day midnight carries its date", () => {
  const { ticks, name } = timeTicks(at("2026-03-03T20:00:00"), at("2026-03-04T22:00:00"), 5);
  assert.deepEqual(ticks.map(name), ["03-04", "06:00", "12:00", "18:00"]);
});

test("steps of days are at midnight, over a change of the clocks too", () => {
  const { ticks, name } = timeTicks(at("2026-03-27T00:00:00"), at("2026-03-31T00:00:00"), 5);
  assert.deepEqual(ticks.map(name), ["03-27", "03-28", "03-29", "03-30", "03-31"]);
  assert.ok(ticks.every((tick) => new Date(tick).getHours() === 0));
});

test("never more ticks than asked for, and all within the range", () => {
  for (const span of [HOUR, 5 * HOUR, DAY, 9 * DAY, 400 * DAY]) {
    const from = at("2026-01-05T03:17:00");
    const { ticks } = timeTicks(from, from + span, 6);
    assert.ok(ticks.length >= 1 && ticks.length <= 7, `${ticks.length} for ${span}`);
    assert.ok(ticks.every((tick) => tick >= from && tick <= from + span));
  }
});

test("numbers have three significant digits and their unit", () => {
  assert.equal(numberName(12.3456), "12.3");
  assert.equal(numberName(0, "%"), "0\u202f%");
  assert.equal(numberName(12345), "12.3K");
  assert.equal(numberName(null), "–");
  assert.equal(numberName(undefined, "GB"), "–");
  assert.equal(numberName(Number.NaN), "–");
});
