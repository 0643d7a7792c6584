// Pixels from the API: values of 16 bits that no window was laid over, and the network's map.

import { Problem } from "../api.js";

async function ask(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

/** An image: its layout as `X-Pixels` tells it, and `values`, a Uint16Array of rows x columns. */
export async function fetchFrame(uid, longest, signal) {
  const response = await ask(`/api/v1/instances/${uid}/pixels?longest=${longest}`, signal);
  const layout = JSON.parse(response.headers.get("X-Pixels"));
  return { ...layout, longest, values: new Uint16Array(await response.arrayBuffer()) };
}

/** The red channel of a PNG: `values` is a Uint8Array of rows x columns. */
async function fetchGrey(path, signal) {
  const blob = await (await ask(path, signal)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let place = 0; place < values.length; place++) values[place] = data[4 * place];
  return { rows: bitmap.height, columns: bitmap.width, values };
}

/** The cancer network's map over the whole source. */
export const fetchHeat = (uid, signal) => fetchGrey(`/api/v1/instances/${uid}/heat.png`, signal);

/** What the analysis drew of an image, as a frame: 8 bits that are there at once, until the true values come. */
export async function fetchPreview({ sop_instance_uid: uid, rows, columns }, signal) {
  const grey = await fetchGrey(`/api/v1/instances/${uid}/preview.png`, signal);
  return {
    ...grey, values: Uint16Array.from(grey.values), source_rows: rows, source_columns: columns, inverse: false, curve: "linear-exact",
    windows: [{ centre: 127.5, width: 255, name: "" }], intercept: 0, slope: 1, spacing_mm: null, isPreview: true,
  };
}

/**
 * The window of a frame as one formula for all: black at centre - width / 2, white at centre + width / 2.
 * A linear window is half a unit of the header further down and a unit narrower (PS3.3 C.11.2.1.2.1), an exact one is as it says.
 */
export function exactly({ centre, width }, { curve, slope }) {
  const unit = curve === "linear" ? 1 / slope : 0;
  return { centre: centre - unit / 2, width: Math.max(width - unit, 1e-3), sigmoid: curve === "sigmoid" };
}

/** Grey of a value, 0 to 1. */
export function shade(value, { centre, width, sigmoid, white }) {
  const part = (value - centre) / width;
  const grey = sigmoid ? 1 / (1 + Math.exp(-4 * part)) : Math.min(1, Math.max(0, part + 0.5));
  return white ? 1 - grey : grey;
}
