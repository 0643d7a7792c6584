// Corrections and deliveries in words; each colour has a word beside it.
import { h } from "../dom.js";

export const KINDS = { missing: "label missing", contradicts: "contradiction", mirrored: "mirrored picture", "sides-swapped": "sides swapped", "view-unknown": "unknown view" };

const STATES = {
  proposed: ["warn", "waits for a decision"], reported: ["faint", "reported only"], approved: ["warn", "approved, on the way"], applied: ["warn", "sent, not yet proved"],
  verified: ["good", "verified"], "mismatch": ["bad", "mismatch"], rejected: ["faint", "rejected"], withdrawn: ["faint", "withdrawn"],
  reverting: ["warn", "being reverted"], reverted: ["faint", "reverted"],
};
const DELIVERIES = {
  pending: ["faint", "waits"], sent: ["warn", "sent, not yet proved"], verified: ["good", "verified"], "mismatch": ["bad", "mismatch"],
  rejected: ["bad", "rejected"], failed: ["bad", "failed"], "unsupported": ["faint", "unsupported"],
};
const OBJECTS = {
  "cad-sr": "CAD report", sr: "report", sc: "heatmap", gsps: "marks", corrected: "corrected image", reverted: "former labels", kos: "rejection note",
};

const badge = (words, state) => h("span", { class: `badge ${(words[state] || ["faint"])[0]}` }, (words[state] || ["", state])[1]);
export const stateBadge = (state) => badge(STATES, state);
export const deliveryBadge = (state) => badge(DELIVERIES, state);
export const stateName = (state) => (STATES[state] || ["", state])[1];
export const objectName = (kind) => OBJECTS[kind] || kind;

const known = (word) => word && word !== "UNKNOWN";
/** A view or a side; a dash where nothing is said. */
export const label = (word) => (known(word) ? word : "–");
/** Both labels as mammographers write them: L CC. */
export const labels = ({ laterality, view }) => (known(laterality) || known(view) ? `${label(laterality)} ${label(view)}` : "no labels");
export const percent = (value) => `${(100 * value).toFixed(value >= 0.995 ? 1 : 0)} %`;
