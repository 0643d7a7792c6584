import assert from "node:assert/strict";
import { test } from "node:test";

import { fragmentOf, isNarrowed, queryOf, restore } from "#js/worklist/filters.js";
import { ORDERS } from "#js/worklist/row.js";

/**
 * A form as far as the filters use it. A select takes only values that it has, as in a browser.
 * @param {Record<string, string>} values
 * @returns {any}
 */
function form(values = {}) {
  const choices = {
    order: ["triage", "received"], flag: ["", "suspicious", "routine"], agreement: ["", "agree", "contradict"], density: ["", "A", "D"],
    state: ["", "receiving", "concluded"], priority: ["", "urgent"], station: ["", "MG1"], received: ["", "24"],
  };
  /** @type {Record<string, any>} */
  const fields = { study_date: { type: "date", value: "" }, text: { type: "search", value: "" }, held: { type: "checkbox", value: "yes", checked: false } };
  for (const [name, options] of Object.entries(choices)) {
    let chosen = options[0];
    fields[name] = {
      type: "select-one", options: options.map((value) => ({ value })),
      get value() { return chosen; },
      set value(value) { chosen = options.includes(value) ? value : ""; },
    };
  }
  for (const [name, value] of Object.entries(values)) {
    if (name === "held") fields.held.checked = value === "yes";
    else fields[name].value = value;
  }
  return { elements: { namedItem: (/** @type {string} */ name) => fields[name] } };
}

test("a form without a choice has an empty fragment", () => {
  assert.equal(fragmentOf(form()), "");
});

test("the fragment holds what differs from the defaults, and never the search text", () => {
  const fragment = fragmentOf(form({ order: "received", flag: "suspicious", held: "yes", text: "Doe", study_date: "2026-11-02" }));
  assert.deepEqual(Object.fromEntries(new URLSearchParams(fragment)), { order: "received", flag: "suspicious", held: "yes", study_date: "2026-11-02" });
});

test("a fragment and the form that it was restored into say the same", () => {
  const fragment = "order=received&flag=routine&density=D&station=MG1&received=24&held=yes";
  const restored = form();
  restore(restored, `#${fragment}`);
  assert.deepEqual([...new URLSearchParams(fragmentOf(restored))].sort(), [...new URLSearchParams(fragment)].sort());
});

test("values that the form does not know fall back to the defaults", () => {
  const restored = form({ flag: "suspicious" });
  restore(restored, "#order=alphabet&flag=purple");
  assert.equal(fragmentOf(restored), "");
});

test("restoring an empty fragment clears every filter", () => {
  const restored = form({ flag: "suspicious", held: "yes", order: "received" });
  restore(restored, "");
  assert.equal(fragmentOf(restored), "");
});

test("the query has the search text, trimmed, and the time since which studies were received", () => {
  const before = Date.now();
  const query = queryOf(form({ text: "  Doe ", received: "24", held: "yes", state: "concluded" }));
  assert.deepEqual({ ...query, since: undefined }, { order: "triage", state: "concluded", held: true, text: "Doe", since: undefined });
  const since = Date.parse(query.since ?? "");
  assert.ok(Math.abs(since - (before - 24 * 3600e3)) < 60e3);
});

test("an order alone narrows nothing", () => {
  assert.equal(isNarrowed(queryOf(form({ order: "received" }))), false);
  assert.equal(isNarrowed(queryOf(form({ text: "Doe" }))), true);
});

/** @param {string} uid @param {Record<string, unknown>} changed @returns {any} */
const study = (uid, changed) => ({ study_instance_uid: uid, flag: "routine", score: 0.5, first_received_at: "2026-11-02T08:00:00Z", ...changed });

test("triage order: suspicious first, then the score, then the oldest, then the UID", () => {
  const sorted = [
    study("1.1", { flag: "suspicious", score: 0.7 }),
    study("1.2", { flag: "suspicious", score: 0.6, first_received_at: "2026-11-02T07:00:00Z" }),
    study("1.3", { flag: "suspicious", score: 0.6 }),
    study("1.4", { flag: "suspicious", score: 0.6 }),
    study("1.5", { flag: "routine", score: 0.9 }),
    study("1.6", { flag: "not-scored", score: null }),
  ];
  assert.deepEqual([...sorted].reverse().sort(ORDERS.triage), sorted);
});

test("received order: the newest first", () => {
  const sorted = [
    study("1.1", { first_received_at: "2026-11-02T09:00:00Z" }),
    study("1.3", { first_received_at: "2026-11-02T08:00:00Z" }),
    study("1.2", { first_received_at: "2026-11-02T08:00:00Z" }),
  ];
  assert.deepEqual([sorted[2], sorted[0], sorted[1]].sort(ORDERS.received), sorted);
});
