// @ts-check
// From points of the screen to the stored pixels and back: arithmetic on coordinates from 0 to 1 and on sizes; nothing is drawn here.

/** @typedef {[number, number, number, number, number, number]} Affine [a, b, c, d, e, f]: (x, y) -> (a x + b y + c, d x + e y + f) */
/** @typedef {{ image_horizontal_flip?: boolean, image_rotation?: number }} Orientation as the hanging API gives it */
/** @typedef {{ width: number, height: number }} Size */
/** @typedef {{ x: number, y: number }} Point */
/** @typedef {{ left: number, right: number, top: number, bottom: number }} Box */
/** @typedef {Size & { left: number, top: number }} Rectangle */
/** @typedef {"left" | "right" | null} Wall the side of the tile that the chest wall is at */
/**
 * @typedef {{ zoom: number, away: number, down: number }} Look zoom over the fit; how far the image is moved, in tile widths away from the
 *   chest wall and in tile heights
 */

/** @param {Affine} m @param {number} x @param {number} y @returns {[number, number]} */
export const apply = (m, x, y) => [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];

/** The map that applies `inner`, then `outer`. @param {Affine} outer @param {Affine} inner @returns {Affine} */
export function compose(outer, inner) {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f];
}

/** @param {Affine} map @returns {Affine} */
export function invert([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** @type {Record<number, Affine>} */
const UNROTATE = { 0: [1, 0, 0, 0, 1, 0], 90: [0, 1, 0, -1, 0, 1], 180: [-1, 0, 1, 0, -1, 1], 270: [0, -1, 1, 1, 0, 0] };

/**
 * From the hung image (x to the right, y down, 0 to 1) to the stored pixel matrix (the same).
 * DICOM's order (PS3.3 C.10.6) is: first the rotation clockwise, then the horizontal flip. This undoes both.
 * @param {Orientation} orientation
 */
export function fromHung({ image_rotation: degrees = 0, image_horizontal_flip: flip = false } = {}) {
  const unrotate = UNROTATE[degrees];
  return flip ? compose(unrotate, [-1, 0, 1, 0, 1, 0]) : unrotate;
}

/**
 * Width and height of the hung image: in mm where the pixel spacing is known, else in pixels of the source.
 * @param {{ source_rows: number, source_columns: number, spacing_mm?: number[] | null }} layout
 * @param {Orientation} orientation
 * @returns {Size}
 */
export function hungSize(layout, orientation = {}) {
  const [row_mm, column_mm] = layout.spacing_mm || [1, 1];
  const stored = [layout.source_columns * column_mm, layout.source_rows * row_mm];
  const [width, height] = (orientation.image_rotation || 0) % 180 ? [stored[1], stored[0]] : stored;
  return { width, height };
}

/**
 * Rectangle of a hung image in a tile, in pixels of the tile. The content (the breast) is centred vertically; its chest wall is at the tile's edge.
 * @param {Size} size of the hung image @param {Box} content 0 to 1 @param {Wall} wall @param {number} scale pixels of the tile for a unit of size
 * @param {Size} tile @param {Look} look
 * @returns {Rectangle}
 */
export function place(size, content, wall, scale, tile, look) {
  const width = size.width * scale;
  const height = size.height * scale;
  const middle = (content.top + content.bottom) / 2;
  let left = (tile.width - width) / 2;
  if (wall === "right") left = tile.width - content.right * width;
  if (wall === "left") left = -content.left * width;
  // An image that fits is shown as a whole.
  const free = tile.height - height;
  const top = free >= 0 ? free / 2 : Math.min(0, Math.max(free, tile.height / 2 - middle * height));
  const away = wall === "right" ? -1 : 1;
  const [x, y] = [tile.width / 2, tile.height / 2];
  return {
    left: x + (left - x) * look.zoom + away * look.away * tile.width,
    top: y + (top - y) * look.zoom + look.down * tile.height,
    width: width * look.zoom,
    height: height * look.zoom,
  };
}

/** From pixels of the tile to the stored matrix (0 to 1). @param {Rectangle} rectangle @param {Orientation} orientation */
export const fromTile = (rectangle, orientation) =>
  compose(fromHung(orientation), [1 / rectangle.width, 0, -rectangle.left / rectangle.width, 0, 1 / rectangle.height, -rectangle.top / rectangle.height]);

/**
 * Change the zoom so that the point under the cursor stays in its place.
 * @param {Look} look is changed @param {number} factor @param {Point} point in pixels of the tile @param {Size} tile @param {Wall} wall
 * @param {[number, number]} limits of the zoom
 */
export function zoomAt(look, factor, point, tile, wall, limits = [0.5, 40]) {
  const zoom = Math.min(limits[1], Math.max(limits[0], look.zoom * factor));
  const ratio = zoom / look.zoom;
  const sign = wall === "right" ? -1 : 1;
  const x = point.x / tile.width - 0.5;
  const y = point.y / tile.height - 0.5;
  look.away = sign * (x - (x - sign * look.away) * ratio);
  look.down = y - (y - look.down) * ratio;
  look.zoom = zoom;
}

const GRID = 96;
const RIM = 0.03;
const LEAST_SHARE = 0.02;

/**
 * Box around the breast in the hung image (0 to 1): the largest bright region, without the rim, because films have white borders.
 * @param {(x: number, y: number) => number} grey 0 to 1, for a point of the hung image
 * @returns {Box}
 */
export function findContent(grey) {
  /** @type {number[]} */
  const bright = [];
  for (let y = 0; y < GRID; y++) for (let x = 0; x < GRID; x++) bright.push(grey((x + 0.5) / GRID, (y + 0.5) / GRID));
  const sorted = Float32Array.from(bright).sort();
  const ground = sorted[Math.floor(0.1 * sorted.length)];
  const top = sorted[Math.floor(0.98 * sorted.length)];
  const threshold = ground + 0.12 * (top - ground);
  const rim = Math.round(GRID * RIM);
  /** @param {number} x @param {number} y */
  const inside = (x, y) => x >= 0 && x < GRID && y >= rim && y < GRID - rim && bright[y * GRID + x] > threshold;
  const seen = new Uint8Array(GRID * GRID);
  /** @type {number[]} */
  let best = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] || !inside(start % GRID, Math.floor(start / GRID))) continue;
    const region = [];
    const open = [start];
    seen[start] = 1;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      region.push(at);
      const [x, y] = [at % GRID, Math.floor(at / GRID)];
      for (const [i, j] of [[x + 1, y], [x - 1, y], [x, y + 1], [x, y - 1]]) {
        if (inside(i, j) && !seen[j * GRID + i]) { seen[j * GRID + i] = 1; open.push(j * GRID + i); }
      }
    }
    if (region.length > best.length) best = region;
  }
  if (best.length < LEAST_SHARE * GRID * GRID) return { left: 0, right: 1, top: 0, bottom: 1 };
  const box = { left: 1, right: 0, top: 1, bottom: 0 };
  for (const at of best) {
    const [x, y] = [at % GRID, Math.floor(at / GRID)];
    box.left = Math.min(box.left, x / GRID); box.right = Math.max(box.right, (x + 1) / GRID);
    box.top = Math.min(box.top, y / GRID); box.bottom = Math.max(box.bottom, (y + 1) / GRID);
  }
  return box;
}

/** The box with a margin, and up to the edge of the image at its chest wall. @param {Box} box @param {Wall} wall @param {number} margin @returns {Box} */
export function widen(box, wall, margin = 0.03) {
  return {
    left: wall === "left" ? 0 : Math.max(0, box.left - margin),
    right: wall === "right" ? 1 : Math.min(1, box.right + margin),
    top: Math.max(0, box.top - margin),
    bottom: Math.min(1, box.bottom + margin),
  };
}

/** Pixels of the tile for a unit of size, so that the content fits. @param {Size} size @param {Box} content @param {Size} tile */
export const fitScale = (size, content, tile) =>
  Math.min(tile.width / (size.width * (content.right - content.left)), tile.height / (size.height * (content.bottom - content.top)));
