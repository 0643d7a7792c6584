// The filters: a form, kept in the URL's fragment (which no server sees), the search text left out, which nothing keeps.
import { h } from "../dom.js";

const KEPT = ["order", "flag", "agreement", "density", "state", "priority", "station", "received", "study_date", "held"];
const DEFAULTS = { order: "triage" };

/** Put a fragment's values into the form. */
export function restore(form, fragment) {
  const told = new URLSearchParams(fragment.replace(/^#/, ""));
  for (const name of KEPT) {
    const field = form.elements[name];
    const value = told.get(name) ?? DEFAULTS[name] ?? "";
    if (field.type === "checkbox") field.checked = value === field.value;
    else {
      // A station that the list does not hold yet.
      if (name === "station" && value && ![...field.options].some((option) => option.value === value)) field.append(h("option", {}, value));
      field.value = value;
      if (field.value !== value) field.value = DEFAULTS[name] ?? "";
    }
  }
}

/** The form's values as a fragment, without what is the default. */
export function fragmentOf(form) {
  const told = new URLSearchParams();
  for (const name of KEPT) {
    const field = form.elements[name];
    const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value;
    if (value && value !== DEFAULTS[name]) told.set(name, value);
  }
  return told.toString();
}

/** The form as the API's search takes it. */
export function queryOf(form) {
  const values = form.elements;
  const query = { order: values.order.value };
  for (const name of ["flag", "agreement", "density", "state", "priority", "station", "study_date"]) if (values[name].value) query[name] = values[name].value;
  if (values.held.checked) query.held = true;
  if (values.received.value) query.since = new Date(Date.now() - 3600_000 * values.received.value).toISOString();
  const text = values.text.value.trim();
  if (text) query.text = text;
  return query;
}

/** Does anything narrow the list? */
export const isNarrowed = (query) => Object.keys(query).some((name) => name !== "order");

/** Offer the stations that sent studies. */
export function offerStations(form, names) {
  const { station } = form.elements;
  const chosen = station.value;
  const all = [...new Set([...names, ...(chosen ? [chosen] : [])])].sort();
  station.replaceChildren(h("option", { value: "" }, "any"), ...all.map((name) => h("option", { value: name }, name)));
  station.value = chosen;
}
