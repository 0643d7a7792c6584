// @ts-check
// A table of any number of rows of one height, of which only the visible ones are in the document.
import { find, h } from "../dom.js";
import { ago } from "../format.js";
import { makeRow } from "./row.js";

/** @import { StudySummary } from "api-types" */
/** @typedef {StudySummary & { gone?: boolean }} Row gone: the study does not fit the filters any more */

const BEYOND = 12;

export class StudyTable {
  /** @param {HTMLElement} scroller @param {(left: number) => void} onScroll is called with the number of loaded rows below the visible ones */
  constructor(scroller, onScroll) {
    this.scroller = scroller;
    /** @type {HTMLTableElement} */
    this.table = find("table", scroller);
    /** @type {HTMLTableSectionElement} */
    this.body = find("tbody", scroller);
    this.head = find("thead", scroller);
    /** @type {Row[]} */
    this.studies = [];
    /** @type {Map<string, HTMLTableRowElement>} */
    this.shown = new Map();
    /** @type {string | null} */
    this.active = null;
    this.complete = false;
    this.lineHeight = 0;
    this.above = h("tr", { class: "space", "aria-hidden": "true" }, h("td"));
    this.below = h("tr", { class: "space", "aria-hidden": "true" }, h("td"));
    let waiting = false;
    const later = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; this.draw(); onScroll(this.left()); });
    };
    scroller.addEventListener("scroll", later, { passive: true });
    new ResizeObserver(later).observe(scroller);
  }

  get index() { return this.studies.findIndex((study) => study.study_instance_uid === this.active); }

  /** @param {string} uid */
  has(uid) { return this.studies.some((study) => study.study_instance_uid === uid); }

  /** Studies whose rows are in the document. */
  drawn() { return this.studies.filter((study) => this.shown.has(study.study_instance_uid)); }

  /** The number of rows below the visible ones. */
  left() {
    const seen = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / (this.lineHeight || 32));
    return Math.max(0, this.studies.length - seen);
  }

  /** Show other studies, from the top. @param {Row[]} studies @param {boolean} complete whether these are all */
  reset(studies, complete) {
    this.studies = studies;
    this.complete = complete;
    this.active = null;
    this.shown.clear();
    this.scroller.scrollTop = 0;
    this.draw();
  }

  /** Put further studies at the end. @param {Row[]} studies @param {boolean} complete whether these are all */
  append(studies, complete) {
    const known = new Set(this.studies.map((study) => study.study_instance_uid));
    this.studies = this.studies.concat(studies.filter((study) => !known.has(study.study_instance_uid)));
    this.complete = complete;
    this.draw();
  }

  /** Show a study anew in its place. @param {StudySummary} study @param {boolean} gone whether it does not fit the filters any more */
  update(study, gone = false) {
    const uid = study.study_instance_uid;
    const at = this.studies.findIndex((each) => each.study_instance_uid === uid);
    const fresh = { ...study, gone };
    if (at < 0 || JSON.stringify(fresh) === JSON.stringify({ ...this.studies[at], gone: this.studies[at].gone ?? false })) return;
    this.studies[at] = fresh;
    const old = this.shown.get(uid);
    if (!old) return;
    const focused = old.contains(document.activeElement);
    const line = this.line(this.studies[at], at);
    line.classList.add("fresh");
    old.replaceWith(line);
    if (focused) find("a", line).focus({ preventScroll: true });
  }

  /** Show the studies in another order: the chosen row, else the first visible one, stays where it is. @param {Row[]} studies */
  rearrange(studies) {
    const height = this.lineHeight || 1;
    const first = Math.floor(this.scroller.scrollTop / height);
    const chosen = this.index;
    const anchor = chosen >= 0 ? this.active : this.scroller.scrollTop > 0 ? this.studies[first]?.study_instance_uid : null;
    const before = this.studies.findIndex((study) => study.study_instance_uid === anchor);
    this.studies = studies;
    const after = this.studies.findIndex((study) => study.study_instance_uid === anchor);
    if (anchor && before >= 0 && after >= 0) this.scroller.scrollTop += (after - before) * height;
    this.draw();
  }

  /** Choose a row and scroll to it. @param {number} index */
  choose(index) {
    const study = this.studies[Math.min(Math.max(index, 0), this.studies.length - 1)];
    if (!study) return;
    this.active = study.study_instance_uid;
    const at = this.index;
    const view = this.scroller.clientHeight - this.head.offsetHeight;
    const top = at * this.lineHeight;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + this.lineHeight > this.scroller.scrollTop + view) this.scroller.scrollTop = top + this.lineHeight - view;
    this.draw();
    find("a", this.shown.get(study.study_instance_uid)).focus({ preventScroll: true });
  }

  /** @param {Row} study @param {number} index */
  line(study, index) {
    const line = makeRow(study);
    line.setAttribute("aria-rowindex", String(index + 2));
    if (study.gone) line.classList.add("gone");
    if (study.study_instance_uid === this.active) line.setAttribute("aria-current", "true");
    this.shown.set(study.study_instance_uid, line);
    return line;
  }

  draw() {
    if (!this.lineHeight && this.studies.length) {
      const line = this.line(this.studies[0], 0);
      this.body.replaceChildren(line);
      this.lineHeight = line.getBoundingClientRect().height;
      this.shown.clear();
    }
    const height = this.lineHeight || 32;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const last = Math.min(this.studies.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + BEYOND);
    const focused = this.body.contains(document.activeElement) ? document.activeElement?.closest("tr")?.dataset.uid : null;
    const old = this.shown;
    this.shown = new Map();
    const lines = this.studies.slice(first, last).map((study, offset) => {
      const uid = study.study_instance_uid;
      const line = old.get(uid);
      if (!line) return this.line(study, first + offset);
      this.shown.set(uid, line);
      line.setAttribute("aria-rowindex", String(first + offset + 2));
      if (uid === this.active) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
      return line;
    });
    this.above.cells[0].style.height = `${first * height}px`;
    this.below.cells[0].style.height = `${(this.studies.length - last) * height}px`;
    const wanted = [first ? this.above : null, ...lines, last < this.studies.length ? this.below : null].filter((line) => line !== null);
    // A row that stays is not moved in the document, because that would take its focus.
    const keep = new Set(/** @type {Element[]} */ (wanted));
    for (const child of [...this.body.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((line, index) => {
      if (this.body.children[index] !== line) this.body.insertBefore(line, this.body.children[index] ?? null);
    });
    if (focused && !this.body.contains(document.activeElement)) {
      const line = this.shown.get(focused);
      (line ? find("a", line) : this.scroller).focus({ preventScroll: true });
    }
    this.table.setAttribute("aria-rowcount", String(this.complete ? this.studies.length + 1 : -1));
  }

  /** Show how long ago each study came, as of now. */
  tick() {
    for (const time of this.body.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }
}
