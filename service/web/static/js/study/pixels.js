// @ts-check
// Pixels from the API: values of 16 bits without a window, and the network's map.

import { Problem } from "../api.js";

/** @typedef {{ centre: number, width: number }} Window in stored values */
/** @typedef {Window & { sigmoid: boolean }} ExactWindow black at centre - width / 2, white at centre + width / 2 */
/** @typedef {ExactWindow & { white: boolean }} Shading white: low values are white */
/**
 * @typedef {{
 *   rows: number, columns: number, source_rows: number, source_columns: number, inverse: boolean, curve: "linear" | "linear-exact" | "sigmoid",
 *   windows: (Window & { name: string })[], intercept: number, slope: number, spacing_mm: [number, number] | null,
 *   values: Uint16Array, isPreview?: boolean,
 * }} Frame an image: its layout (the header X-Pixels) and its values, rows x columns
 */

/** @param {string} path @param {AbortSignal} signal */
async function ask(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

/** @param {string} uid @param {string} longest the longest side in pixels, or "full" @param {AbortSignal} signal @returns {Promise<Frame>} */
export async function fetchFrame(uid, longest, signal) {
  const response = await ask(`/api/v1/instances/${uid}/pixels?longest=${longest}`, signal);
  const layout = JSON.parse(response.headers.get("X-Pixels") ?? "");
  return { ...layout, values: new Uint16Array(await response.arrayBuffer()) };
}

/** The red channel of a PNG. @param {string} path @param {AbortSignal} signal @returns {Promise<import("./contour.js").Heat>} */
async function fetchGrey(path, signal) {
  const blob = await (await ask(path, signal)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let place = 0; place < values.length; place++) values[place] = data[4 * place];
  return { rows: bitmap.height, columns: bitmap.width, values };
}

/** The cancer network's map over the whole source. @param {string} uid @param {AbortSignal} signal */
export const fetchHeat = (uid, signal) => fetchGrey(`/api/v1/instances/${uid}/heat.png`, signal);

/**
 * The analysis's preview as a frame: 8 bits that come quickly, until the true values arrive.
 * @param {{ sop_instance_uid: string, rows: number, columns: number }} image @param {AbortSignal} signal @returns {Promise<Frame>}
 */
export async function fetchPreview({ sop_instance_uid: uid, rows, columns }, signal) {
  const grey = await fetchGrey(`/api/v1/instances/${uid}/preview.png`, signal);
  return {
    ...grey, values: Uint16Array.from(grey.values), source_rows: rows, source_columns: columns, inverse: false, curve: "linear-exact",
    windows: [{ centre: 127.5, width: 255, name: "" }], intercept: 0, slope: 1, spacing_mm: null, isPreview: true,
  };
}

/**
 * The window of a frame for one formula: black at centre - width / 2, white at centre + width / 2.
 * A LINEAR window's centre is half a unit lower and its width a unit narrower (PS3.3 C.11.2.1.2.1); LINEAR_EXACT is taken as it is.
 * @param {Window} window @param {Pick<Frame, "curve" | "slope">} frame @returns {ExactWindow}
 */
export function exactly({ centre, width }, { curve, slope }) {
  const unit = curve === "linear" ? 1 / slope : 0;
  return { centre: centre - unit / 2, width: Math.max(width - unit, 1e-3), sigmoid: curve === "sigmoid" };
}

/** Grey of a value, 0 to 1. @param {number} value @param {Shading} shading */
export function shade(value, { centre, width, sigmoid, white }) {
  const part = (value - centre) / width;
  const grey = sigmoid ? 1 / (1 + Math.exp(-4 * part)) : Math.min(1, Math.max(0, part + 0.5));
  return white ? 1 - grey : grey;
}
