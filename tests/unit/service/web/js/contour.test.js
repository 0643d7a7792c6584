import assert from "node:assert/strict";
import { test } from "node:test";

import { levels, trace } from "#js/study/contour.js";

/** @param {number} rows @param {number} columns @param {(row: number, column: number) => number} value */
function heat(rows, columns, value) {
  const values = Uint8Array.from({ length: rows * columns }, (_, at) => value(Math.floor(at / columns), at % columns));
  return { rows, columns, values };
}

test("levels are half and three quarters of the way from the median to the peak", () => {
  assert.deepEqual(levels(heat(10, 10, (row, column) => (row === 5 && column === 5 ? 220 : 20))), [120, 170]);
});

test("a flat or faint map has no lines", () => {
  assert.deepEqual(levels(heat(8, 8, () => 200)), []);
  assert.deepEqual(levels(heat(8, 8, (row) => (row === 0 ? 70 : 0))), []);
});

test("a level below what is coloured is left out", () => {
  assert.deepEqual(levels(heat(8, 8, (row, column) => (row === 3 && column === 3 ? 110 : 0))), [82.5]);
});

test("a single hot cell gives a closed line around its centre", () => {
  const pieces = trace(heat(5, 5, (row, column) => (row === 2 && column === 2 ? 200 : 0)), 100);
  assert.equal(pieces.length, 4);
  for (const [x1, y1, x2, y2] of pieces) {
    for (const [x, y] of [[x1, y1], [x2, y2]]) {
      assert.ok(Math.abs(Math.abs(x - 0.5) + Math.abs(y - 0.5) - 0.1) < 1e-9, `${x}, ${y} is half a cell from the centre`);
    }
  }
  // Every end is shared by two pieces: the line is closed.
  const ends = new Map();
  for (const [x1, y1, x2, y2] of pieces) for (const end of [`${x1.toFixed(6)} ${y1.toFixed(6)}`, `${x2.toFixed(6)} ${y2.toFixed(6)}`]) ends.set(end, (ends.get(end) ?? 0) + 1);
  assert.deepEqual([...ends.values()], [2, 2, 2, 2]);
});

test("a line is closed at the edge of the image", () => {
  const ends = new Map();
  for (const [x1, y1, x2, y2] of trace(heat(4, 4, (_, column) => (column === 0 ? 255 : 0)), 128)) {
    for (const end of [`${x1.toFixed(6)} ${y1.toFixed(6)}`, `${x2.toFixed(6)} ${y2.toFixed(6)}`]) ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  assert.ok(ends.size > 4);
  assert.ok([...ends.values()].every((count) => count === 2));
});

test("the crossing is interpolated between cells", () => {
  const [piece] = trace(heat(1, 2, (_, column) => (column === 0 ? 200 : 0)), 50).filter(([x1, , x2]) => Math.max(x1, x2) > 0.5);
  // Three quarters of the way from the first cell's centre (0.25) to the second's (0.75).
  assert.ok([piece[0], piece[2]].some((x) => Math.abs(x - 0.625) < 1e-9), String(piece));
});

/** How many separate lines the pieces make. @param {number[][]} pieces */
function lines(pieces) {
  const ends = pieces.map(([x1, y1, x2, y2]) => [`${x1.toFixed(6)} ${y1.toFixed(6)}`, `${x2.toFixed(6)} ${y2.toFixed(6)}`]);
  let count = 0;
  const left = new Set(ends);
  while (left.size) {
    count += 1;
    const [first] = left;
    const reached = new Set(first);
    for (let before = -1; before !== left.size;) {
      before = left.size;
      for (const piece of left) if (piece.some((end) => reached.has(end))) { left.delete(piece); piece.forEach((end) => reached.add(end)); }
    }
  }
  return count;
}

test("diagonal neighbours join into one line, on either diagonal", () => {
  assert.equal(lines(trace(heat(2, 2, (row, column) => (row === column ? 200 : 0)), 100)), 1);
  assert.equal(lines(trace(heat(2, 2, (row, column) => (row === column ? 0 : 200)), 100)), 1);
});

test("a map that is all below the level has no line", () => {
  assert.deepEqual(trace(heat(6, 6, () => 10), 100), []);
});
