// @ts-check
// Corrections and deliveries in words; every colour has a word beside it.
import { h } from "../dom.js";

/** @import { CorrectionKind, CorrectionState, DeliveryState, ObjectKind } from "api-types" */
/** @typedef {{ laterality?: string | null, view?: string | null }} Labels */

/** @type {Record<CorrectionKind, string>} */
export const KINDS = { missing: "label missing", contradicts: "contradiction", mirrored: "mirrored picture", "sides-swapped": "sides swapped", "view-unknown": "unknown label", "header-contradicts-itself": "header contradicts itself" };

/** @type {Record<CorrectionState, [string, string]>} class, text */
const STATES = {
  proposed: ["warn", "waits for a decision"], reported: ["faint", "reported only"], approved: ["warn", "approved, on the way"], applied: ["warn", "sent, not yet proved"],
  verified: ["good", "verified"], mismatch: ["bad", "mismatch"], rejected: ["faint", "rejected"], withdrawn: ["faint", "withdrawn"],
  reverting: ["warn", "being reverted"], reverted: ["faint", "reverted"],
};
/** @type {Record<DeliveryState, [string, string]>} */
const DELIVERIES = {
  pending: ["faint", "waits"], sent: ["warn", "sent, not yet proved"], verified: ["good", "verified"], mismatch: ["bad", "mismatch"],
  rejected: ["bad", "rejected"], failed: ["bad", "failed"], unsupported: ["faint", "unsupported"],
};
/** @type {Record<ObjectKind, string>} */
const OBJECTS = {
  "cad-sr": "CAD report", sr: "report", sc: "heatmap", gsps: "marks", corrected: "corrected image", reverted: "former labels", kos: "rejection note",
};

/** @param {[string, string]} words */
const badge = ([colour, text]) => h("span", { class: `badge ${colour}` }, text);
/** @param {CorrectionState} state */
export const stateBadge = (state) => badge(STATES[state] ?? ["faint", state]);
/** @param {DeliveryState} state */
export const deliveryBadge = (state) => badge(DELIVERIES[state] ?? ["faint", state]);
/** @param {CorrectionState} state */
export const stateName = (state) => (STATES[state] ?? ["", state])[1];
/** @param {ObjectKind} kind */
export const objectName = (kind) => OBJECTS[kind] ?? kind;

/** @param {string | null | undefined} word */
const known = (word) => word && word !== "UNKNOWN";
/** A view or a side; a dash where it is missing. @param {string | null | undefined} word */
export const label = (word) => (word && known(word) ? word : "–");
/** Both labels as radiographers write them: L CC. @param {Labels} labels */
export const labels = ({ laterality, view }) => (known(laterality) || known(view) ? `${label(laterality)} ${label(view)}` : "no labels");
/** @param {number} value 0 to 1 */
export const percent = (value) => `${(100 * value).toFixed(value >= 0.995 ? 1 : 0)} %`;
