import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, day, density, moment, personName, score } from "#js/format.js";

test("a score is 0 to 100", () => {
  assert.deepEqual([0, 0.004, 0.126, 1, null, undefined].map(score), ["0", "0", "13", "100", "–", "–"]);
});

test("an unknown density is a dash", () => {
  assert.deepEqual(["A", "UNKNOWN", null].map(density), ["A", "–", "–"]);
});

for (const [name, expected] of [
  ["Doe^Jane", "Doe, Jane"],
  ["Doe^Jane^^Dr", "Doe, Jane, Dr"],
  ["Doe^^^^", "Doe"],
  ["Yamada^Tarou=山田^太郎", "Yamada, Tarou"],
  ["", "–"],
  [null, "–"],
]) {
  test(`the person name ${name} reads ${expected}`, () => assert.equal(personName(name), expected));
}

test("a DICOM date is written with dashes; anything else is a dash", () => {
  assert.deepEqual(["20261102", "2026-11-02", "", null].map(day), ["2026-11-02", "–", "–", "–"]);
});

test("a missing time is a dash", () => {
  assert.equal(moment(null), "–");
  assert.notEqual(moment("2026-11-02T08:00:00Z"), "–");
});

test("the age of a point in time has one unit", () => {
  const now = Date.parse("2026-11-02T12:00:00Z");
  const before = (/** @type {number} */ seconds) => ago(new Date(now - 1000 * seconds).toISOString(), now);
  assert.deepEqual([0, 59, 60, 3599, 3600, 47 * 3600, 48 * 3600].map(before), ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
  assert.equal(before(-30), "0 s", "a clock that is ahead");
});
