// A table of any number of equally high lines, of which only those in sight are in the document.
import { find, h } from "../dom.js";
import { ago } from "../format.js";
import { makeRow } from "./row.js";

const BEYOND = 12;

export class StudyTable {
  /** onScroll is called with how many loaded lines lie below those in sight. */
  constructor(scroller, onScroll) {
    this.scroller = scroller;
    this.table = find("table", scroller);
    this.body = find("tbody", scroller);
    this.head = find("thead", scroller);
    this.studies = [];
    this.shown = new Map();
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

  has(uid) { return this.studies.some((study) => study.study_instance_uid === uid); }

  /** Studies whose lines are in the document. */
  drawn() { return this.studies.filter((study) => this.shown.has(study.study_instance_uid)); }

  /** Lines below those in sight. */
  left() {
    const seen = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / (this.lineHeight || 32));
    return Math.max(0, this.studies.length - seen);
  }

  /** Show other studies, from the top. */
  reset(studies, complete) {
    this.studies = studies;
    this.complete = complete;
    this.active = null;
    this.shown.clear();
    this.scroller.scrollTop = 0;
    this.draw();
  }

  /** Put further studies at the end. */
  append(studies, complete) {
    const known = new Set(this.studies.map((study) => study.study_instance_uid));
    this.studies = this.studies.concat(studies.filter((study) => !known.has(study.study_instance_uid)));
    this.complete = complete;
    this.draw();
  }

  /** Show a study anew where it stands. */
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

  /** Put lines into other places, or in and out: the line that is chosen, else the first in sight, stays where it is. */
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

  /** Choose a line and bring it into sight. */
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
    find("a", this.shown.get(this.active)).focus({ preventScroll: true });
  }

  line(study, index) {
    const line = makeRow(study);
    line.setAttribute("aria-rowindex", index + 2);
    if (study.gone) line.classList.add("gone");
    if (study.study_instance_uid === this.active) line.setAttribute("aria-current", "true");
    this.shown.set(study.study_instance_uid, line);
    return line;
  }

  draw() {
    if (!this.lineHeight && this.studies.length) {
      this.body.replaceChildren(this.line(this.studies[0], 0));
      this.lineHeight = this.body.firstElementChild.getBoundingClientRect().height;
      this.shown.clear();
    }
    const height = this.lineHeight || 32;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const last = Math.min(this.studies.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + BEYOND);
    const focused = this.body.contains(document.activeElement) ? document.activeElement.closest("tr").dataset.uid : null;
    const old = this.shown;
    this.shown = new Map();
    const lines = this.studies.slice(first, last).map((study, offset) => {
      const uid = study.study_instance_uid;
      const line = old.get(uid);
      if (!line) return this.line(study, first + offset);
      this.shown.set(uid, line);
      line.setAttribute("aria-rowindex", first + offset + 2);
      if (uid === this.active) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
      return line;
    });
    this.above.firstElementChild.style.height = `${first * height}px`;
    this.below.firstElementChild.style.height = `${(this.studies.length - last) * height}px`;
    const wanted = [first ? this.above : null, ...lines, last < this.studies.length ? this.below : null].filter(Boolean);
    // Lines that stay are not touched: moving one in the document would take its focus.
    const keep = new Set(wanted);
    for (const child of [...this.body.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((line, index) => {
      if (this.body.children[index] !== line) this.body.insertBefore(line, this.body.children[index] ?? null);
    });
    if (focused && !this.body.contains(document.activeElement)) {
      const line = this.shown.get(focused);
      (line ? find("a", line) : this.scroller).focus({ preventScroll: true });
    }
    this.table.setAttribute("aria-rowcount", this.complete ? this.studies.length + 1 : -1);
  }

  /** Times go on. */
  tick() {
    for (const time of this.body.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }
}
