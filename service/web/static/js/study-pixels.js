// Pixels from the API: values of 16 bits that no window was laid over, and the network's map.

import { Problem } from "./api.js";

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

/** The cancer network's map over the whole source: `values` is a Uint8Array of rows x columns. */
export async function fetchHeat(uid, signal) {
  const blob = await (await ask(`/api/v1/instances/${uid}/heat.png`, signal)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let place = 0; place < values.length; place++) values[place] = data[4 * place];
  return { rows: bitmap.height, columns: bitmap.width, values };
}

const CURVES = { linear: 0, "linear-exact": 1, sigmoid: 2 };
export const curveNumber = (name) => CURVES[name] ?? 0;

/** Grey of a value from 0 to 1 (PS3.3 C.11.2.1.2 and C.11.2.1.3). */
export function shade(value, { centre, width, curve, white }) {
  let grey;
  if (curve === 2) grey = 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  else if (curve === 1) grey = (value - centre) / width + 0.5;
  else grey = (value - (centre - 0.5)) / Math.max(width - 1, 1e-3) + 0.5;
  grey = Math.min(1, Math.max(0, grey));
  return white ? 1 - grey : grey;
}
