// @ts-check
// Changes while the list is open. A row changes in its place; nothing moves while a reader works: new studies and rows that belong
// elsewhere wait for a button, or until the page has been untouched for a while.
import { call } from "../api.js";
import { ORDERS } from "./row.js";
import { isNarrowed } from "./filters.js";

const TOGETHER_MS = 700;
const UNTOUCHED_MS = 10_000;
const AT_ONCE = 500;

/** @import { StudySummary } from "api-types" */
/** @import { Query } from "./filters.js" */

export class Updates {
  /**
   * @param {import("./table.js").StudyTable} table
   * @param {HTMLElement} button
   * @param {() => Query} query what the list shows now
   * @param {() => void} onChange
   */
  constructor(table, button, query, onChange) {
    this.table = table;
    this.button = button;
    this.query = query;
    this.onChange = onChange;
    /** @type {Set<string>} */
    this.waiting = new Set();
    /** @type {Map<string, StudySummary>} */
    this.fresh = new Map();
    this.moved = false;
    /** @type {number | null} */
    this.asking = null;
    this.touchedAt = 0;
    this.list = 0;
    for (const kind of ["pointermove", "keydown", "wheel", "touchstart"]) {
      addEventListener(kind, () => { this.touchedAt = Date.now(); }, { passive: true });
    }
    button.addEventListener("click", () => this.settle(true));
    setInterval(() => { if (Date.now() - this.touchedAt > UNTOUCHED_MS) this.settle(); }, 1000);
  }

  /** Another list is shown: waiting changes belonged to the former one. */
  clear() {
    this.list += 1;
    this.waiting.clear();
    this.fresh.clear();
    this.moved = false;
    this.show();
  }

  /** Something happened to a study. @param {string} uid */
  hear(uid) {
    this.waiting.add(uid);
    this.asking ??= setTimeout(() => this.ask(), TOGETHER_MS);
  }

  async ask() {
    const uids = [...this.waiting].slice(0, AT_ONCE);
    uids.forEach((uid) => this.waiting.delete(uid));
    const [query, list] = [this.query(), this.list];
    try {
      const fitting = await this.search({ ...query, study_instance_uids: uids });
      const fits = new Set(fitting.map((study) => study.study_instance_uid));
      const others = uids.filter((uid) => !fits.has(uid) && this.table.has(uid));
      const gone = others.length && isNarrowed(query) ? await this.search({ study_instance_uids: others }) : [];
      if (list !== this.list) return;
      uids.filter((uid) => !fits.has(uid)).forEach((uid) => this.fresh.delete(uid));
      this.take(fitting, gone);
    } catch {
      // The page asks again in a while; the stream's sign shows that the server is away.
      uids.forEach((uid) => this.waiting.add(uid));
    } finally {
      this.asking = this.waiting.size ? setTimeout(() => this.ask(), 5 * TOGETHER_MS) : null;
    }
  }

  /** @param {Query} query @returns {Promise<StudySummary[]>} */
  async search(query) {
    return (await call("POST", "/api/v1/studies/search", { ...query, limit: AT_ONCE }, { background: true })).studies;
  }

  /** @param {StudySummary[]} fitting @param {StudySummary[]} gone */
  take(fitting, gone) {
    for (const study of fitting) {
      if (this.table.has(study.study_instance_uid)) this.table.update(study);
      else if (this.belongs(study)) this.fresh.set(study.study_instance_uid, study);
    }
    for (const study of gone) this.table.update(study, true);
    this.moved = !this.inOrder();
    if (!this.table.studies.length) this.settle();
    this.show();
    this.onChange();
  }

  /** Whether a study's place is among the loaded rows: one behind the last of them comes with its page. @param {StudySummary} study */
  belongs(study) {
    const { studies, complete } = this.table;
    return complete || !studies.length || this.compare(study, studies[studies.length - 1]) < 0;
  }

  get compare() { return ORDERS[this.query().order ?? "triage"]; }

  inOrder() {
    const { studies } = this.table;
    const { compare } = this;
    return studies.every((study, index) => !study.gone && (index === 0 || compare(studies[index - 1], study) <= 0));
  }

  /** Put every study into its place. @param {boolean} bring whether to choose the first new one */
  settle(bring = false) {
    if (!this.fresh.size && !this.moved) return;
    const first = this.fresh.values().next().value;
    const all = [...this.table.studies.filter((study) => !study.gone && !this.fresh.has(study.study_instance_uid)), ...this.fresh.values()];
    all.sort(this.compare);
    this.fresh.clear();
    this.moved = false;
    this.table.rearrange(all);
    this.show();
    this.onChange();
    if (bring) this.table.choose(first ? all.indexOf(first) : 0);
  }

  show() {
    const { size } = this.fresh;
    this.button.hidden = !size && !this.moved;
    this.button.textContent = size ? `${size} new ${size === 1 ? "study" : "studies"}: show (n)` : "order changed: sort (n)";
  }
}
