// @ts-check
// The form for a person's decision: it needs a reason; the name is that of the signed-in account.
import { may, post } from "../api.js";
import { field, find, h, messageOf, notice } from "../dom.js";

/** @import { Correction } from "api-types" */
/** @typedef {"approve" | "reject" | "undo" | "release"} Action */
/** @typedef {{ key: string, path: string, name: string }} Subject what is decided on; path: of the API; name: for messages */

const form = find("#decision");
const signs = find(".corrections").dataset.signs;
/** @type {Record<Action, string>} */
const QUESTIONS = { approve: "Why is it right to write these labels?", reject: "Why do the labels stay as they are?", undo: "Why are the former labels written back?", release: "Why may corrections of this study go?" };
/** @type {Record<Action, [string, string]>} text, key */
const NAMES = { approve: ["Approve", "a"], reject: ["Reject", "x"], undo: ["Undo", "u"], release: ["Release the study", "a"] };
const REASONS = ["seen in the picture", "compared with the prior", "the marker shows it", "the technologist confirmed it"];
const RELEASES = ["every picture was looked at", "compared with the prior", "the technologist confirmed it"];
const UNDECIDED = ["proposed", "reported"], FOLLOWED = ["approved", "applied", "verified", "mismatch"];

/** @type {(Subject & { actions: Action[], signature: string }) | null} */
let subject = null;
/** @type {Action | null} */
let chosen = null;
let busy = false;
/** @typedef {(action: Action, answer: unknown, name: string) => unknown} OnDone */
/** @type {OnDone} */
let whenDone = () => undefined;

/** What a person may do with a correction in its state. @param {Correction} correction @returns {Action[]} */
export function actionsFor(correction) {
  if (UNDECIDED.includes(correction.state)) return correction.blocked_reason ? ["reject"] : ["approve", "reject"];
  return FOLLOWED.includes(correction.state) ? ["undo"] : [];
}

/**
 * Offer actions on a subject. A reason that is being typed survives a refresh.
 * @param {Subject | null} next @param {Action[]} actions @param {OnDone} onDone
 */
export function offer(next, actions, onDone) {
  whenDone = onDone;
  if (!may("decide") || !next || !actions.length) {
    form.hidden = true;
    form.replaceChildren();
    subject = null;
    return;
  }
  const signature = `${next.key} ${actions}`;
  if (subject?.signature === signature) return;
  subject = { ...next, actions, signature };
  chosen = null;
  const buttons = actions.map((action) => h("button", { type: "button", "data-action": action, class: action === "approve" || action === "release" ? "" : "danger", onclick: () => choose(action) }, NAMES[action][0], h("kbd", {}, NAMES[action][1])));
  form.replaceChildren(
    h("div", { class: "fields" },
      !signs && h("label", {}, "Your name", h("input", { id: "actor", maxlength: "64", autocomplete: "name", required: true })),
      h("label", { class: "why" }, "Reason", h("input", { id: "reason", maxlength: "1000", autocomplete: "off", required: true })), buttons),
    h("div", { class: "chips" }, h("span", { class: "faint" }, "Often:"), (actions.includes("release") ? RELEASES : REASONS).map((text) => h("button", { type: "button", class: "quiet", onclick: () => suggest(text) }, text))),
    h("p", { class: "hint faint", id: "hint" }, signs ? `Signed as ${signs}. Name and reason are kept for good.` : "Name and reason are kept for good."));
  form.hidden = false;
}

/** Choose an action, as its button does: ask for the reason, or decide where there is one. @param {Action} action */
export function choose(action) {
  if (!subject?.actions.includes(action)) return;
  chosen = action;
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-action]"));
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.action === action));
  const empty = [field("#actor"), field("#reason")].find((each) => each && each.value.trim().length < 2);
  if (!empty) {
    decide();
    return;
  }
  find("#hint").textContent = empty.id === "actor" ? "Your name, then Enter." : `${QUESTIONS[action]} Write it down, then Enter.`;
  empty.focus();
}

/** @param {string} text */
function suggest(text) {
  const reason = field("#reason");
  reason.value = text;
  reason.focus();
}

async function decide() {
  if (busy || !subject || !chosen) return;
  busy = true;
  const { path, name } = subject, action = chosen;
  const body = { reason: field("#reason").value.trim(), ...(signs ? {} : { actor: field("#actor").value.trim() }) };
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await post(`${path}/${action}`, body);
    subject = null;
    whenDone(action, answer, name);
  } catch (problem) {
    notice(messageOf(problem));
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  } finally {
    busy = false;
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
// A form with two fields and no submit button is not submitted by Enter.
form.addEventListener("keydown", (event) => {
  if (!(event.target instanceof HTMLInputElement)) return;
  if (event.key === "Escape") event.target.blur();
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (chosen) choose(chosen);
  else find("#hint").textContent = `Choose what is to be done: ${subject?.actions.map((action) => NAMES[action][0]).join(" or ")}.`;
});
