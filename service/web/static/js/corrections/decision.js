// The form under which a person decides: a reason is needed, the name is that of who is signed in.
import { may, post } from "../api.js";
import { find, h, notice } from "../dom.js";

const form = find("#decision");
const signs = find(".corrections").dataset.signs;
const ASKED = { approve: "Why is it right to write these labels?", reject: "Why do the labels stay as they are?", undo: "Why are the former labels written back?", release: "Why may corrections of this study go?" };
const NAMES = { approve: ["Approve", "a"], reject: ["Reject", "x"], undo: ["Undo", "u"], release: ["Release the study", "a"] };
const REASONS = ["seen in the picture", "compared with the prior", "the marker shows it", "the technologist confirmed it"];
const RELEASES = ["every picture was looked at", "compared with the prior", "the technologist confirmed it"];
const UNDECIDED = ["proposed", "reported"], FOLLOWED = ["approved", "applied", "verified", "mismatch"];

let subject = null, meant = null, busy = false;
let whenDone = () => {};

/** What a person may do with a correction in its state. */
export function actionsFor(correction) {
  if (UNDECIDED.includes(correction.state)) return correction.blocked_reason ? ["reject"] : ["approve", "reject"];
  return FOLLOWED.includes(correction.state) ? ["undo"] : [];
}

/** Offer actions on a subject { key, path, name }; onDone(action, answer) follows. A reason that is being typed survives a refresh. */
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
  meant = null;
  const buttons = actions.map((action) => h("button", { type: "button", "data-action": action, class: action === "approve" || action === "release" ? "" : "danger", onclick: () => choose(action) }, NAMES[action][0], h("kbd", {}, NAMES[action][1])));
  form.replaceChildren(
    h("div", { class: "fields" },
      !signs && h("label", {}, "Your name", h("input", { id: "actor", maxlength: "64", autocomplete: "name", required: true })),
      h("label", { class: "why" }, "Reason", h("input", { id: "reason", maxlength: "1000", autocomplete: "off", required: true })), buttons),
    h("div", { class: "chips" }, h("span", { class: "faint" }, "Often:"), (actions.includes("release") ? RELEASES : REASONS).map((text) => h("button", { type: "button", class: "quiet", onclick: () => suggest(text) }, text))),
    h("p", { class: "hint faint", id: "hint" }, signs ? `Signed as ${signs}. Name and reason are kept for good.` : "Name and reason are kept for good."));
  form.hidden = false;
}

/** As if the button had been pressed: asks for the reason, or decides where there is one. */
export function choose(action) {
  if (!subject?.actions.includes(action)) return;
  meant = action;
  for (const button of form.querySelectorAll("[data-action]")) button.setAttribute("aria-pressed", String(button.dataset.action === action));
  const empty = [find("#actor"), find("#reason")].find((field) => field && field.value.trim().length < 2);
  if (!empty) {
    decide();
    return;
  }
  find("#hint").textContent = empty.id === "actor" ? "Your name, then Enter." : `${ASKED[action]} Write it down, then Enter.`;
  empty.focus();
}

function suggest(text) {
  const field = find("#reason");
  field.value = text;
  field.focus();
}

async function decide() {
  if (busy) return;
  busy = true;
  const { path, name } = subject, action = meant;
  const body = { reason: find("#reason").value.trim() };
  if (!signs) body.actor = find("#actor").value.trim();
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await post(`${path}/${action}`, body);
    subject = null;
    whenDone(action, answer, name);
  } catch (problem) {
    notice(problem.message);
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  } finally {
    busy = false;
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
// A form with two fields and no submit button is not submitted by Enter.
form.addEventListener("keydown", (event) => {
  if (!event.target.matches("input")) return;
  if (event.key === "Escape") event.target.blur();
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (meant) choose(meant);
  else find("#hint").textContent = `Choose what is to be done: ${subject.actions.map((action) => NAMES[action][0]).join(" or ")}.`;
});
