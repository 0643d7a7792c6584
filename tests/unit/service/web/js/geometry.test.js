import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, compose, findContent, fitScale, fromHung, fromTile, hungSize, invert, place, widen, zoomAt } from "#js/study/geometry.js";

/** @param {number[]} found @param {number[]} expected */
function near(found, expected) {
  assert.equal(found.length, expected.length);
  found.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) < 1e-9, `${found} is not ${expected}`));
}

const WHOLE = { left: 0, right: 1, top: 0, bottom: 1 };
const START = { zoom: 1, away: 0, down: 0 };

test("compose applies the inner map first", () => {
  const shift = /** @type {const} */ ([1, 0, 5, 0, 1, 7]);
  const double = /** @type {const} */ ([2, 0, 0, 0, 2, 0]);
  near(apply(compose([...double], [...shift]), 1, 1), [12, 16]);
  near(apply(compose([...shift], [...double]), 1, 1), [7, 9]);
});

test("a map and its inverse cancel out", () => {
  /** @type {import("#js/study/geometry.js").Affine} */
  const map = [2, 1, 3, -1, 4, 5];
  near(compose(map, invert(map)), [1, 0, 0, 0, 1, 0]);
  near(compose(invert(map), map), [1, 0, 0, 0, 1, 0]);
});

// The stored top left corner (0, 0) after a rotation clockwise, then a flip from left to right: where it is in the hung image.
for (const [flip, degrees, hung] of /** @type {[boolean, number, [number, number]][]} */ ([
  [false, 0, [0, 0]], [false, 90, [1, 0]], [false, 180, [1, 1]], [false, 270, [0, 1]],
  [true, 0, [1, 0]], [true, 90, [0, 0]], [true, 180, [0, 1]], [true, 270, [1, 1]],
])) {
  test(`the stored corner is found for flip ${flip} and ${degrees} degrees`, () => {
    near(apply(fromHung({ image_horizontal_flip: flip, image_rotation: degrees }), ...hung), [0, 0]);
  });
}

test("an image without a turn hangs as it is stored", () => {
  near(fromHung(), [1, 0, 0, 0, 1, 0]);
});

test("the hung size is in millimetres where the spacing is known, else in pixels", () => {
  const layout = { source_rows: 400, source_columns: 200, spacing_mm: [0.1, 0.2] };
  assert.deepEqual(hungSize(layout), { width: 40, height: 40 });
  assert.deepEqual(hungSize({ ...layout, spacing_mm: null }), { width: 200, height: 400 });
  assert.deepEqual(hungSize({ ...layout, spacing_mm: null }, { image_rotation: 90 }), { width: 400, height: 200 });
});

test("the chest wall is at its edge of the tile", () => {
  const content = { left: 0.25, right: 0.75, top: 0.1, bottom: 0.9 };
  const tile = { width: 200, height: 200 };
  const right = place({ width: 100, height: 100 }, content, "right", 1, tile, START);
  assert.equal(right.left + content.right * right.width, tile.width);
  const left = place({ width: 100, height: 100 }, content, "left", 1, tile, START);
  assert.equal(left.left + content.left * left.width, 0);
  const neither = place({ width: 100, height: 100 }, content, null, 1, tile, START);
  assert.equal(neither.left, 50);
});

test("an image that fits is centred as a whole, a higher one by its content and without an empty band", () => {
  const tile = { width: 100, height: 100 };
  assert.equal(place({ width: 50, height: 60 }, WHOLE, null, 1, tile, START).top, 20);
  const low = place({ width: 50, height: 200 }, { ...WHOLE, top: 0.8, bottom: 1 }, null, 1, tile, START);
  assert.equal(low.top, -100);
  const middle = place({ width: 50, height: 200 }, { ...WHOLE, top: 0.5, bottom: 0.6 }, null, 1, tile, START);
  near([middle.top], [-60]);
});

test("moving away from the chest wall goes right in a left image and left in a right one", () => {
  const tile = { width: 100, height: 100 }, size = { width: 100, height: 100 };
  const moved = { zoom: 1, away: 0.1, down: 0.2 };
  near([place(size, WHOLE, "left", 1, tile, moved).left, place(size, WHOLE, "left", 1, tile, moved).top], [10, 20]);
  near([place(size, WHOLE, "right", 1, tile, moved).left], [-10]);
});

test("points of the tile map to the stored matrix", () => {
  const map = fromTile({ left: 10, top: 20, width: 100, height: 200 }, { image_horizontal_flip: true });
  near(apply(map, 10, 20), [1, 0]);
  near(apply(map, 110, 220), [0, 1]);
  near(apply(map, 60, 120), [0.5, 0.5]);
});

for (const wall of /** @type {("left" | "right" | null)[]} */ (["left", "right", null])) {
  test(`the point under the cursor stays while the zoom changes, chest wall ${wall}`, () => {
    const size = { width: 80, height: 120 }, tile = { width: 200, height: 150 }, point = { x: 37, y: 91 };
    const look = { zoom: 1.5, away: 0.05, down: -0.1 };
    const under = () => apply(fromTile(place(size, WHOLE, wall, 1.2, tile, look), {}), point.x, point.y);
    const before = under();
    zoomAt(look, 2.5, point, tile, wall);
    assert.equal(look.zoom, 3.75);
    near(under(), before);
  });
}

test("the zoom has limits", () => {
  const look = { ...START };
  zoomAt(look, 1000, { x: 0, y: 0 }, { width: 10, height: 10 }, null);
  assert.equal(look.zoom, 40);
  zoomAt(look, 1e-6, { x: 0, y: 0 }, { width: 10, height: 10 }, null);
  assert.equal(look.zoom, 0.5);
});

test("the content is the largest bright region, without the rim", () => {
  const box = findContent((x, y) => {
    if (Math.min(x, y, 1 - x, 1 - y) < 0.02) return 1; // the white border of a film
    if (x > 0.85 && x < 0.9 && y > 0.85 && y < 0.9) return 1; // a marker
    return x > 0.25 && x < 0.5 && y > 0.25 && y < 0.5 ? 0.8 : 0;
  });
  near([box.left, box.right, box.top, box.bottom], [0.25, 0.5, 0.25, 0.5]);
});

test("an image without a bright region counts as a whole", () => {
  assert.deepEqual(findContent(() => 0.3), WHOLE);
});

test("the content is widened, and reaches the edge at the chest wall", () => {
  const box = { left: 0.2, right: 0.6, top: 0.01, bottom: 0.5 };
  const left = widen(box, "left", 0.03), right = widen(box, "right", 0.03);
  near([left.left, left.right, left.top, left.bottom], [0, 0.63, 0, 0.53]);
  near([right.left, right.right], [0.17, 1]);
});

test("the fit is limited by the longer side of the content", () => {
  assert.equal(fitScale({ width: 100, height: 100 }, { ...WHOLE, right: 0.5 }, { width: 100, height: 100 }), 1);
  assert.equal(fitScale({ width: 100, height: 100 }, { ...WHOLE, bottom: 0.25 }, { width: 50, height: 100 }), 0.5);
});
