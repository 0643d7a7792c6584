// @ts-check
// Values as text for people. Times are in the browser's time zone.

/** @typedef {string | null | undefined} Text */

/** A score of 0 to 1 as 0 to 100. @param {number | null | undefined} value */
export const score = (value) => (value === null || value === undefined ? "–" : String(Math.round(100 * value)));
/** @param {Text} value */
export const density = (value) => (!value || value === "UNKNOWN" ? "–" : value);
/** A DICOM person name (VR PN), its first component group only. @param {Text} value */
export const personName = (value) => (value || "").split("=")[0].replace(/\^+/g, ", ").replace(/(, )+$/, "").replace(/(, ){2,}/g, ", ") || "–";
/** A DICOM date (VR DA), YYYYMMDD. @param {Text} value */
export const day = (value) => (value && /^\d{8}$/.test(value) ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : "–");
/** A point in time (ISO 8601). @param {Text} iso */
export const moment = (iso) => (iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : "–");

/** How long ago a point in time was. @param {string} iso @param {number} now milliseconds since 1970 */
export function ago(iso, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}
