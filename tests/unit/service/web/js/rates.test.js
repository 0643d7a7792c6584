import assert from "node:assert/strict";
import { test } from "node:test";

import { label, labels, percent as confidence } from "#js/corrections/wording.js";
import { groupName, interval, percent } from "#js/quality/rates.js";

test("a rate is in per cent, with two digits below ten", () => {
  assert.equal(percent(0.0123), "1.23\u202f%");
  assert.equal(percent(0.456), "45.6\u202f%");
  assert.equal(percent(null), "–");
});

test("an interval has both ends, and is empty without a rate", () => {
  assert.equal(interval({ rate: 0.1, low: 0.0512, high: 0.2, count: 10, of: 100 }), "5.12 – 20.0");
  assert.equal(interval({ rate: null, low: null, high: null, count: 0, of: 0 }), "");
});

test("images without the value are a group of their own", () => {
  assert.equal(groupName("MG1"), "MG1");
  assert.equal(groupName(""), "not stated");
});

test("labels read as radiographers write them", () => {
  assert.equal(labels({ laterality: "L", view: "CC" }), "L CC");
  assert.equal(labels({ laterality: "UNKNOWN", view: "MLO" }), "– MLO");
  assert.equal(labels({ laterality: null, view: "UNKNOWN" }), "no labels");
  assert.equal(label("UNKNOWN"), "–");
});

test("a confidence near 1 keeps a digit, so that it is not shown as certain", () => {
  assert.equal(confidence(0.5), "50 %");
  assert.equal(confidence(0.997), "99.7 %");
});
