// @ts-check
// Draws images on a 2D canvas, for browsers without WebGL 2: the same picture, more slowly.

import { shade } from "./pixels.js";

/** @import { Frame, Shading } from "./pixels.js" */
/** @import { Heat } from "./contour.js" */
/**
 * @typedef {{ frame: Frame, heat: Heat | null, map: import("./geometry.js").Affine, shading: Shading, opacity: number }} Picture what to draw;
 *   map: from pixels of the tile to the stored matrix; opacity of the heat map
 */

export class CanvasPainter {
  constructor() {
    this.name = "canvas";
    /** @type {(() => void) | undefined} */
    this.onrestored = undefined;
  }

  canHold() { return true; }

  forget() {}

  /** @param {CanvasRenderingContext2D} target @param {Picture} picture */
  paint(target, { frame, heat, map, shading, opacity }) {
    const { width, height } = target.canvas;
    const shown = target.createImageData(width, height);
    const table = Uint8ClampedArray.from({ length: 65536 }, (_, value) => Math.round(255 * shade(value, shading)));
    const pixels = new Uint32Array(shown.data.buffer);
    const [a, b, c, d, e, f] = map;
    const { rows, columns, values } = frame;
    const finer = Math.hypot(a, b) * columns < 0.8;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const u = a * (x + 0.5) + b * (y + 0.5) + c;
        const v = d * (x + 0.5) + e * (y + 0.5) + f;
        if (u < 0 || v < 0 || u >= 1 || v >= 1) { pixels[at] = 0xff000000; continue; }
        const grey = table[finer ? between(values, rows, columns, u, v) : values[Math.floor(v * rows) * columns + Math.floor(u * columns)]];
        let [r, g, l] = [grey, grey, grey];
        if (heat) {
          const h = heat.values[Math.floor(v * heat.rows) * heat.columns + Math.floor(u * heat.columns)] / 255;
          const strength = opacity * Math.min(1, Math.max(0, (h - 0.3) / 0.4));
          if (strength > 0) {
            /** @param {number} middle */
            const hot = (middle) => 255 * Math.min(1, Math.max(0, 1.5 - Math.abs(4 * h - middle)));
            [r, g, l] = [hot(3), hot(2), hot(1)].map((each) => grey + (each - grey) * strength);
          }
        }
        pixels[at] = 0xff000000 | (l << 16) | (g << 8) | r;
      }
    }
    target.putImageData(shown, 0, 0);
  }
}

/** Bilinear. @param {Uint16Array} values @param {number} rows @param {number} columns @param {number} u @param {number} v */
function between(values, rows, columns, u, v) {
  const x = u * columns - 0.5;
  const y = v * rows - 0.5;
  const [left, top] = [Math.floor(x), Math.floor(y)];
  /** @param {number} j @param {number} i */
  const at = (j, i) => values[Math.min(rows - 1, Math.max(0, j)) * columns + Math.min(columns - 1, Math.max(0, i))];
  const upper = at(top, left) + (at(top, left + 1) - at(top, left)) * (x - left);
  const lower = at(top + 1, left) + (at(top + 1, left + 1) - at(top + 1, left)) * (x - left);
  return Math.round(upper + (lower - upper) * (y - top));
}
