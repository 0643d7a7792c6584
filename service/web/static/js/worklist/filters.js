// @ts-check
// The filters: a form whose values are in the URL's fragment, which no server sees. The search text is not: it may name a patient.
import { h } from "../dom.js";

/** @import { StudySearch } from "api-types" */
/** @typedef {Partial<StudySearch>} Query */

const KEPT = ["order", "flag", "agreement", "density", "state", "priority", "station", "received", "study_date", "held"];
/** @type {Record<string, string>} */
const DEFAULTS = { order: "triage" };

/** @param {HTMLFormElement} form @param {string} name @returns {any} the form's field of this name */
const fieldOf = (form, name) => form.elements.namedItem(name);

/** Put a fragment's values into the form. @param {HTMLFormElement} form @param {string} fragment */
export function restore(form, fragment) {
  const values = new URLSearchParams(fragment.replace(/^#/, ""));
  for (const name of KEPT) {
    const field = fieldOf(form, name);
    const value = values.get(name) ?? DEFAULTS[name] ?? "";
    if (field.type === "checkbox") field.checked = value === field.value;
    else {
      // The list of stations may not be loaded yet.
      if (name === "station" && value && ![...field.options].some((option) => option.value === value)) field.append(h("option", {}, value));
      field.value = value;
      if (field.value !== value) field.value = DEFAULTS[name] ?? "";
    }
  }
}

/** The form's values as a fragment, without defaults. @param {HTMLFormElement} form */
export function fragmentOf(form) {
  const values = new URLSearchParams();
  for (const name of KEPT) {
    const field = fieldOf(form, name);
    const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value;
    if (value && value !== DEFAULTS[name]) values.set(name, value);
  }
  return values.toString();
}

/** The form as the body of the API's search. @param {HTMLFormElement} form */
export function queryOf(form) {
  /** @type {Record<string, any> & Query} */
  const query = { order: fieldOf(form, "order").value };
  for (const name of ["flag", "agreement", "density", "state", "priority", "station", "study_date"]) {
    const { value } = fieldOf(form, name);
    if (value) query[name] = value;
  }
  if (fieldOf(form, "held").checked) query.held = true;
  const hours = fieldOf(form, "received").value;
  if (hours) query.since = new Date(Date.now() - 3600_000 * hours).toISOString();
  const text = fieldOf(form, "text").value.trim();
  if (text) query.text = text;
  return query;
}

/** Whether the query leaves studies out. @param {Query} query */
export const isNarrowed = (query) => Object.keys(query).some((name) => name !== "order");

/** Offer the stations that sent studies. @param {HTMLFormElement} form @param {string[]} names */
export function offerStations(form, names) {
  const station = fieldOf(form, "station");
  const chosen = station.value;
  const all = [...new Set([...names, ...(chosen ? [chosen] : [])])].sort();
  station.replaceChildren(h("option", { value: "" }, "any"), ...all.map((name) => h("option", { value: name }, name)));
  station.value = chosen;
}
