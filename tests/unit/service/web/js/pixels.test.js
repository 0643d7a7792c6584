import assert from "node:assert/strict";
import { test } from "node:test";

import { CanvasPainter } from "#js/study/canvas-painter.js";
import { exactly, shade } from "#js/study/pixels.js";

const LINEAR = { centre: 100, width: 50, sigmoid: false, white: false };

test("a LINEAR window follows PS3.3 C.11.2.1.2.1", () => {
  // Centre 2048, width 4096: 0 is black and 4095 is white.
  const window = { ...exactly({ centre: 2048, width: 4096 }, { curve: "linear", slope: 1 }), white: false };
  assert.equal(shade(0, window), 0);
  assert.equal(shade(4095, window), 1);
  assert.ok(Math.abs(shade(2047.5, window) - 0.5) < 1e-12);
});

test("half a unit of the header is fewer stored values where the slope is larger", () => {
  assert.deepEqual(exactly({ centre: 100, width: 50 }, { curve: "linear", slope: 2 }), { centre: 99.75, width: 49.5, sigmoid: false });
});

test("LINEAR_EXACT and SIGMOID windows are taken as they are", () => {
  assert.deepEqual(exactly({ centre: 100, width: 50 }, { curve: "linear-exact", slope: 1 }), { centre: 100, width: 50, sigmoid: false });
  assert.deepEqual(exactly({ centre: 100, width: 50 }, { curve: "sigmoid", slope: 1 }), { centre: 100, width: 50, sigmoid: true });
});

test("a window of no width stays drawable", () => {
  assert.ok(exactly({ centre: 5, width: 1 }, { curve: "linear", slope: 1 }).width > 0);
});

test("grey is clamped, and inverted where white is asked for", () => {
  assert.deepEqual([0, 75, 100, 125, 200].map((value) => shade(value, LINEAR)), [0, 0, 0.5, 1, 1]);
  assert.deepEqual([0, 100, 200].map((value) => shade(value, { ...LINEAR, white: true })), [1, 0.5, 0]);
});

test("a sigmoid is half at its centre and never reaches its ends", () => {
  const sigmoid = { ...LINEAR, sigmoid: true };
  assert.equal(shade(100, sigmoid), 0.5);
  assert.ok(shade(125, sigmoid) > 0.85 && shade(125, sigmoid) < 0.9);
  assert.ok(shade(0, sigmoid) > 0);
});

/** Draw a picture of 2 x 2 pixels; returns the grey or [r, g, b] of every pixel. @param {Partial<import("#js/study/canvas-painter.js").Picture>} changed */
function paint(changed) {
  /** @type {any} */
  const frame = { rows: 2, columns: 2, values: Uint16Array.from([0, 100, 200, 255]) };
  let drawn = new Uint8ClampedArray();
  /** @type {any} */
  const target = {
    canvas: { width: 2, height: 2 },
    createImageData: (/** @type {number} */ width, /** @type {number} */ height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
    putImageData: (/** @type {{ data: Uint8ClampedArray<ArrayBuffer> }} */ image) => { drawn = image.data; },
  };
  new CanvasPainter().paint(target, {
    frame, heat: null, map: [0.5, 0, 0, 0, 0.5, 0], shading: { centre: 127.5, width: 255, sigmoid: false, white: false }, opacity: 0.5, ...changed,
  });
  return [0, 1, 2, 3].map((at) => [...drawn.slice(4 * at, 4 * at + 3)]);
}

test("the canvas painter draws each stored pixel where the map puts it", () => {
  assert.deepEqual(paint({}), [[0, 0, 0], [100, 100, 100], [200, 200, 200], [255, 255, 255]]);
  // Flipped from left to right.
  assert.deepEqual(paint({ map: [-0.5, 0, 1, 0, 0.5, 0] }), [[100, 100, 100], [0, 0, 0], [255, 255, 255], [200, 200, 200]]);
});

test("outside of the image the canvas painter draws black", () => {
  assert.deepEqual(paint({ map: [0.5, 0, 0.5, 0, 0.5, 0] }), [[100, 100, 100], [0, 0, 0], [255, 255, 255], [0, 0, 0]]);
});

test("the heat map colours only what is hot", () => {
  const heat = { rows: 1, columns: 2, values: Uint8Array.from([0, 255]) };
  const [cold, hot] = paint({ heat, opacity: 1 });
  assert.deepEqual(cold, [0, 0, 0]);
  assert.ok(hot[0] > hot[1] && hot[0] > hot[2], `${hot} is red`);
});
