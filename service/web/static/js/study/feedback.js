// A reader's say on the labels: agree, or wrong and what is right. The last word of each reader counts.

import { get, may, post } from "../api.js";
import { h, notice } from "../dom.js";

const VALUES = {
  view: ["CC", "MLO", "ML", "LM", "LMO", "FB", "SIO", "ISO", "XCCL", "XCCM", "SPECIMEN"],
  laterality: ["R", "L"],
  density: ["A", "B", "C", "D"],
  cancer: ["malignant", "benign", "normal", "negative"],
};
const NAMES = { view: "view", laterality: "side", density: "density", cancer: "finding" };
const LONGEST_NOTE = 500;

export class Feedback {
  /** me: the account's name; onchange: called after a word was taken. */
  constructor(studyUid, me, onchange) { Object.assign(this, { studyUid, me, onchange, said: [], open: null }); }

  async load() {
    this.said = (await get(`/api/v1/feedback?study=${this.studyUid}&limit=500`)).feedback;
  }

  /** Buttons for one label of one image, and what readers said of it. */
  draw(image, label) {
    const words = this.said.filter((each) => each.sop_instance_uid === image.sop_instance_uid && each.label === label);
    const mine = words.find((each) => each.actor === this.me);
    const others = words.filter((each) => each !== mine);
    const lines = [mine, ...others].filter(Boolean).map((each) =>
      h("span", { class: `said ${each.verdict === "wrong" ? "bad" : "good"}`, title: each.note || null }, `${each === mine ? "you" : each.actor}: ${each.verdict === "wrong" ? `wrong, ${each.corrected_value}` : `agree${each.corrected_value ? `, ${each.corrected_value}` : ""}`}`));
    if (!may("feedback")) return h("div", {}, lines);
    const key = `${image.sop_instance_uid} ${label}`;
    const unsure = label !== "cancer" && image[label]?.value === "UNKNOWN";
    return h("div", {},
      unsure ? null : h("button", { type: "button", class: "quiet", "aria-pressed": String(mine?.verdict === "agree"), "aria-label": `${NAMES[label]} is right`, title: "agree", onclick: () => this.#give(image, label, "agree") }, "✓"),
      " ",
      h("button", { type: "button", class: "quiet", "aria-pressed": String(mine?.verdict === "wrong"), "aria-expanded": String(this.open === key), "aria-label": `${NAMES[label]} is wrong`, title: "wrong", onclick: () => this.#ask(key) }, "✗"),
      lines);
  }

  /** Where a reader says what is right; null where nothing of this image is open. */
  form(image) {
    const [uid, label] = (this.open || " ").split(" ");
    return uid === image.sop_instance_uid ? this.#form(image, label) : null;
  }

  #ask(key) {
    this.open = this.open === key ? null : key;
    this.onchange();
    document.querySelector(".wrong select")?.focus();
  }

  #form(image, label) {
    const said = label === "cancer" ? "" : image[label]?.value;
    const value = h("select", { "aria-label": `right ${NAMES[label]}` }, VALUES[label].filter((each) => each !== said).map((each) => h("option", {}, each)));
    const note = h("input", { "aria-label": "note", placeholder: "note (nothing of the patient)", maxlength: LONGEST_NOTE });
    const form = h("form", { class: "wrong" }, h("span", {}, `The right ${NAMES[label]}:`), value, note, h("button", { type: "submit" }, "Save"));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#give(image, label, "wrong", value.value, note.value); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") this.#ask(null); });
    return form;
  }

  async #give(image, label, verdict, corrected_value = "", note = "") {
    try {
      await post("/api/v1/feedback", { sop_instance_uid: image.sop_instance_uid, label, verdict, corrected_value, note });
      this.open = null;
      await this.load();
    } catch (error) { notice(error.message); }
    this.onchange();
  }
}
