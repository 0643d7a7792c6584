import assert from "node:assert/strict";
import { test } from "node:test";

import { group } from "#js/study/timeline.js";

const second = (/** @type {number} */ count) => new Date(Date.UTC(2026, 10, 2, 8, 0, count)).toISOString();

/** @param {number} at seconds @param {Partial<import("api-types").TimelineEntry>} changed @returns {import("api-types").TimelineEntry} */
const entry = (at, changed = {}) => ({ at: second(at), step: "received", state: "received", text: "", ...changed });

/** @param {import("api-types").TimelineEntry[]} entries */
const sizes = (entries) => group(entries).map((each) => each.length);

test("steps of one kind within a minute are one group, each a minute after the one before it", () => {
  assert.deepEqual(sizes([entry(0), entry(30), entry(85), entry(200)]), [3, 1]);
});

test("a group goes on behind another step", () => {
  assert.deepEqual(sizes([entry(0), entry(1, { step: "analysed", state: "analysed" }), entry(2)]), [2, 1]);
});

test("another state, destination or text is another group", () => {
  const delivered = { step: /** @type {const} */ ("delivered"), state: "verified", destination: "pacs" };
  assert.deepEqual(sizes([entry(0, delivered), entry(1, { ...delivered, state: "failed" })]), [1, 1]);
  assert.deepEqual(sizes([entry(0, delivered), entry(1, { ...delivered, destination: "archive" })]), [1, 1]);
  assert.deepEqual(sizes([entry(0, delivered), entry(1, { ...delivered, text: "no answer" })]), [1, 1]);
});

test("conclusions of two versions are two groups", () => {
  const concluded = { step: /** @type {const} */ ("concluded"), state: "complete" };
  assert.deepEqual(sizes([entry(0, { ...concluded, version: 1 }), entry(1, { ...concluded, version: 2 })]), [1, 1]);
});

test("corrections by the policy are one group whatever their reasons", () => {
  const correction = { step: /** @type {const} */ ("correction"), state: "approved" };
  assert.deepEqual(sizes([entry(0, { ...correction, actor: "policy", text: "one" }), entry(1, { ...correction, actor: "policy", text: "two" })]), [2]);
  assert.deepEqual(sizes([entry(0, { ...correction, actor: "a.curie", text: "one" }), entry(1, { ...correction, actor: "a.curie", text: "two" })]), [1, 1]);
});
