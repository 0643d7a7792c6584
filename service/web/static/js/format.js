// How values read to people. Times are the reader's local ones.

export const score = (value) => (value === null || value === undefined ? "–" : String(Math.round(100 * value)));
export const density = (value) => (!value || value === "UNKNOWN" ? "–" : value);
export const personName = (value) => (value || "").split("=")[0].replace(/\^+/g, ", ").replace(/(, )+$/, "").replace(/(, ){2,}/g, ", ") || "–";
export const day = (da) => (/^\d{8}$/.test(da || "") ? `${da.slice(0, 4)}-${da.slice(4, 6)}-${da.slice(6)}` : "–");
export const moment = (iso) => (iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : "–");

export function ago(iso, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(iso)) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}
