// @ts-check
// A reader's feedback on the labels: agree, or wrong and which value is right. The last answer of each reader counts.

import { get, may, post } from "../api.js";
import { find, h, messageOf, notice } from "../dom.js";

/** @import { Feedback as Answer, FeedbackLabel, FeedbackVerdict, Instance } from "api-types" */

/** @type {Record<FeedbackLabel, string[]>} */
const VALUES = {
  view: ["CC", "MLO", "ML", "LM", "LMO", "FB", "SIO", "ISO", "XCCL", "XCCM", "SPECIMEN"],
  laterality: ["R", "L"],
  density: ["A", "B", "C", "D"],
  cancer: ["malignant", "benign", "normal", "negative"],
};
/** @type {Record<FeedbackLabel, string>} */
const NAMES = { view: "view", laterality: "side", density: "density", cancer: "finding" };
const LONGEST_NOTE = 500;

export class Feedback {
  /** @param {string} studyUid @param {string} me the account's name @param {() => void} onchange called after an answer was saved */
  constructor(studyUid, me, onchange) {
    this.studyUid = studyUid;
    this.me = me;
    this.onchange = onchange;
    /** @type {Answer[]} */
    this.answers = [];
    /** @type {string | null} SOP Instance UID and label of the open form */
    this.open = null;
  }

  async load() {
    this.answers = (await get(`/api/v1/feedback?study=${this.studyUid}&limit=500`)).feedback;
  }

  /** What the network found for a label; "" for cancer, whose scores are numbers. @param {Instance} image @param {FeedbackLabel} label */
  static #found(image, label) { return label === "cancer" ? "" : image[label]?.value; }

  /** Buttons for one label of one image, and readers' answers. @param {Instance} image @param {FeedbackLabel} label */
  draw(image, label) {
    const answers = this.answers.filter((each) => each.sop_instance_uid === image.sop_instance_uid && each.label === label);
    const mine = answers.find((each) => each.actor === this.me);
    const others = answers.filter((each) => each !== mine);
    const lines = [...(mine ? [mine] : []), ...others].map((each) =>
      h("span", { class: `said ${each.verdict === "wrong" ? "bad" : "good"}`, title: each.note || null }, `${each === mine ? "you" : each.actor}: ${each.verdict === "wrong" ? `wrong, ${each.corrected_value}` : `agree${each.corrected_value ? `, ${each.corrected_value}` : ""}`}`));
    if (!may("feedback")) return h("div", {}, lines);
    const key = `${image.sop_instance_uid} ${label}`;
    const unsure = Feedback.#found(image, label) === "UNKNOWN";
    return h("div", {},
      unsure ? null : h("button", { type: "button", class: "quiet", "aria-pressed": String(mine?.verdict === "agree"), "aria-label": `${NAMES[label]} is right`, title: "agree", onclick: () => this.#give(image, label, "agree") }, "✓"),
      " ",
      h("button", { type: "button", class: "quiet", "aria-pressed": String(mine?.verdict === "wrong"), "aria-expanded": String(this.open === key), "aria-label": `${NAMES[label]} is wrong`, title: "wrong", onclick: () => this.#ask(key) }, "✗"),
      lines);
  }

  /** The form for the right value; null where none of this image is open. @param {Instance} image */
  form(image) {
    const [uid, label] = /** @type {[string, FeedbackLabel]} */ ((this.open || " ").split(" "));
    return uid === image.sop_instance_uid ? this.#form(image, label) : null;
  }

  /** @param {string | null} key */
  #ask(key) {
    this.open = this.open === key ? null : key;
    this.onchange();
    find(".wrong select")?.focus();
  }

  /** @param {Instance} image @param {FeedbackLabel} label */
  #form(image, label) {
    const found = Feedback.#found(image, label);
    const value = h("select", { "aria-label": `right ${NAMES[label]}` }, VALUES[label].filter((each) => each !== found).map((each) => h("option", {}, each)));
    const note = h("input", { "aria-label": "note", placeholder: "note (nothing of the patient)", maxlength: LONGEST_NOTE });
    const form = h("form", { class: "wrong" }, h("span", {}, `The right ${NAMES[label]}:`), value, note, h("button", { type: "submit" }, "Save"));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#give(image, label, "wrong", value.value, note.value); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") this.#ask(null); });
    return form;
  }

  /** @param {Instance} image @param {FeedbackLabel} label @param {FeedbackVerdict} verdict @param {string} corrected_value @param {string} note */
  async #give(image, label, verdict, corrected_value = "", note = "") {
    try {
      await post("/api/v1/feedback", { sop_instance_uid: image.sop_instance_uid, label, verdict, corrected_value, note });
      this.open = null;
      await this.load();
    } catch (error) { notice(messageOf(error)); }
    this.onchange();
  }
}
