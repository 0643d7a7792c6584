// @ts-check
// Contour lines on the cancer network's map.

/** @typedef {{ rows: number, columns: number, values: Uint8Array }} Heat the map, 0 to 255 */
/** @typedef {[number, number]} Corner */

const COARSE = 256;
const LEAST_SHOWN = 0.3 * 255;

/**
 * The levels of the lines: half and three quarters of the way from the map's median, its background, to its peak, as in the CAD report;
 * none where the map would not be coloured either.
 * @param {Heat} heat
 */
export function levels(heat) {
  const counts = new Uint32Array(256);
  let peak = 0;
  for (const value of heat.values) { counts[value] += 1; peak = Math.max(peak, value); }
  let median = 0;
  for (let seen = 0; median < 255; median++) { seen += counts[median]; if (seen * 2 >= heat.values.length) break; }
  return peak - median < 3 ? [] : [0.5, 0.75].map((share) => median + share * (peak - median)).filter((level) => level >= LEAST_SHOWN);
}

/**
 * Marching squares (Lorensen & Cline 1987, in two dimensions): segments [x1, y1, x2, y2] in the stored matrix, 0 to 1.
 * @param {Heat} heat @param {number} level
 */
export function trace(heat, level) {
  const step = Math.max(1, Math.floor(Math.max(heat.rows, heat.columns) / COARSE));
  const [rows, columns] = [Math.floor(heat.rows / step), Math.floor(heat.columns / step)];
  // A frame of zeros closes lines at the edge of the image.
  /** @param {number} row @param {number} column */
  const value = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : heat.values[row * step * heat.columns + column * step]);
  /** @type {[number, number, number, number][]} */
  const found = [];
  for (let row = -1; row < rows; row++) {
    for (let column = -1; column < columns; column++) {
      const [p, q, r, s] = [value(row, column), value(row, column + 1), value(row + 1, column + 1), value(row + 1, column)];
      const kind = Number(p > level) * 8 + Number(q > level) * 4 + Number(r > level) * 2 + Number(s > level);
      if (kind === 0 || kind === 15) continue;
      /** @param {number} one @param {number} other */
      const part = (one, other) => (level - one) / (other - one);
      const top = /** @type {Corner} */ ([column + part(p, q), row]);
      const right = /** @type {Corner} */ ([column + 1, row + part(q, r)]);
      const bottom = /** @type {Corner} */ ([column + part(s, r), row + 1]);
      const left = /** @type {Corner} */ ([column, row + part(p, s)]);
      /** @type {Record<number, [Corner, Corner][]>} */
      const lines = {
        1: [[left, bottom]], 2: [[bottom, right]], 3: [[left, right]], 4: [[top, right]], 5: [[left, top], [bottom, right]], 6: [[top, bottom]],
        7: [[left, top]], 8: [[left, top]], 9: [[top, bottom]], 10: [[left, bottom], [top, right]], 11: [[top, right]], 12: [[left, right]],
        13: [[bottom, right]], 14: [[left, bottom]],
      };
      for (const [[x1, y1], [x2, y2]] of lines[kind]) found.push([(x1 + 0.5) / columns, (y1 + 0.5) / rows, (x2 + 0.5) / columns, (y2 + 0.5) / rows]);
    }
  }
  return found;
}
