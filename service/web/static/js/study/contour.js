// Lines of equal suspicion on the network's map.

const COARSE = 256;
const LEAST_SHOWN = 0.3 * 255;

/**
 * Where the lines run: the upper parts of the way from the map's median, its idea of nothing, to its peak, as in the CAD report;
 * none where the map would not be coloured either.
 */
export function levels(heat) {
  const counts = new Uint32Array(256);
  let peak = 0;
  for (const value of heat.values) { counts[value] += 1; peak = Math.max(peak, value); }
  let median = 0;
  for (let seen = 0; median < 255; median++) { seen += counts[median]; if (seen * 2 >= heat.values.length) break; }
  return peak - median < 3 ? [] : [0.5, 0.75].map((share) => median + share * (peak - median)).filter((level) => level >= LEAST_SHOWN);
}

/** Marching squares: pieces of line [x1, y1, x2, y2] in the stored matrix, 0 to 1. */
export function trace(heat, level) {
  const step = Math.max(1, Math.floor(Math.max(heat.rows, heat.columns) / COARSE));
  const [rows, columns] = [Math.floor(heat.rows / step), Math.floor(heat.columns / step)];
  // A frame of nothing around it closes lines at the picture's edge.
  const value = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : heat.values[row * step * heat.columns + column * step]);
  const found = [];
  for (let row = -1; row < rows; row++) {
    for (let column = -1; column < columns; column++) {
      const [p, q, r, s] = [value(row, column), value(row, column + 1), value(row + 1, column + 1), value(row + 1, column)];
      const kind = (p > level) * 8 + (q > level) * 4 + (r > level) * 2 + (s > level);
      if (kind === 0 || kind === 15) continue;
      const part = (one, other) => (level - one) / (other - one);
      const top = [column + part(p, q), row];
      const right = [column + 1, row + part(q, r)];
      const bottom = [column + part(s, r), row + 1];
      const left = [column, row + part(p, s)];
      const lines = {
        1: [[left, bottom]], 2: [[bottom, right]], 3: [[left, right]], 4: [[top, right]], 5: [[left, top], [bottom, right]], 6: [[top, bottom]],
        7: [[left, top]], 8: [[left, top]], 9: [[top, bottom]], 10: [[left, bottom], [top, right]], 11: [[top, right]], 12: [[left, right]],
        13: [[bottom, right]], 14: [[left, bottom]],
      }[kind];
      for (const [[x1, y1], [x2, y2]] of lines) found.push([(x1 + 0.5) / columns, (y1 + 0.5) / rows, (x2 + 0.5) / columns, (y2 + 0.5) / rows]);
    }
  }
  return found;
}
