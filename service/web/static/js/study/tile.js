// @ts-check
// One image in its place: what it shows, where, and how it is drawn.

import { h, messageOf } from "../dom.js";
import { score as hundred } from "../format.js";
import { levels, trace } from "./contour.js";
import { findContent, fitScale, fromHung, apply, fromTile, hungSize, invert, place, widen } from "./geometry.js";
import { exactly, fetchFrame, fetchHeat, fetchPreview, shade } from "./pixels.js";

/** @import { HungImage, Instance } from "api-types" */
/** @import { Box, Look, Point, Rectangle, Size, Wall } from "./geometry.js" */
/** @import { Frame, Shading, Window } from "./pixels.js" */
/** @import { Heat } from "./contour.js" */
/**
 * @typedef {Look & { shift: number, stretch: number, preset: number, invert: boolean }} View what a reader changes: position and zoom; the
 *   window's shift, in widths of it, and stretch; which of the header's windows; inversion
 */

/** @type {Record<string, Wall>} */
const WALLS = { R: "right", L: "left" };
const SMALL = "1536";

/** @param {number} value */
const inUnits = (value) => (Math.abs(value) < 100 && value % 1 ? value.toFixed(1) : Math.round(value));

/** @returns {View} */
export const startLook = () => ({ zoom: 1, away: 0, down: 0, shift: 0, stretch: 1, preset: 0, invert: false });

export class Tile {
  /**
   * @param {import("./viewer.js").Viewer} viewer
   * @param {{ title: string, note?: string, hung?: HungImage | null, image?: Instance | null, slot?: string }} options title: "R CC";
   *   note: a line below it ("prior", "repeated view"); hung: null for a slot that no image fills; image: the same image in the study's
   *   detail; slot: the place in the hanging, none for an extra view
   */
  constructor(viewer, { title, note = "", hung = null, image = null, slot = "" }) {
    this.viewer = viewer;
    this.title = title;
    this.hung = hung;
    this.image = image;
    this.slot = slot;
    this.look = viewer.look;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {Frame | null} */
    this.full = null;
    /** @type {Heat | null} */
    this.heat = null;
    /** @type {[number, number, number, number][][] | null} */
    this.lines = null;
    this.fullAsked = false;
    /** @type {Point | null} where the pointer is */
    this.pointer = null;
    /** @type {Size} */
    this.size = { width: 1, height: 1 };
    /** @type {Box} */
    this.content = { left: 0, right: 1, top: 0, bottom: 1 };
    this.wall = WALLS[hung ? hung.laterality : title[0]] || null;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { alpha: false }));
    this.numbers = h("span", { class: "numbers" });
    this.message = h("span", { class: "message" }, hung ? "loading" : "no image");
    const score = image && image.cancer ? h("span", { class: "score" }, hundred(image.cancer.score)) : null;
    this.figure = h(
      "figure",
      { class: `tile wall-${this.wall || "unknown"}`, tabindex: hung ? 0 : null, role: "group", "aria-label": this.#describe(note), "data-sop": hung?.sop_instance_uid },
      this.canvas,
      h("figcaption", {}, h("span", { class: "title" }, title), score, note && h("span", { class: "note" }, note), this.#warning()),
      this.numbers,
      this.message,
    );
    if (!hung) this.figure.classList.add("empty");
  }

  /** @param {string} note */
  #describe(note) {
    if (!this.hung) return `${this.title}: no image`;
    const score = this.image && this.image.cancer ? `, score ${hundred(this.image.cancer.score)} of 100` : "";
    return `${this.title}${note ? `, ${note}` : ""}${score}`;
  }

  /** What a reader must know before they trust the image's place. */
  #warning() {
    if (!this.image) return null;
    if (this.image.state !== "analysed") return h("span", { class: "warn note" }, this.image.reason ? `not analysed: ${this.image.reason.text}` : "in work");
    const { agreement } = this.image;
    const words = [agreement?.view, agreement?.laterality];
    if (!words.includes("contradict") && !words.includes("missing")) return null;
    const declared = [this.image.declared.laterality, this.image.declared.view].filter((word) => word !== "UNKNOWN").join(" ");
    return h("span", { class: "warn note" }, declared && words.includes("contradict") ? `header says ${declared}` : "header lacks a label");
  }

  get uid() { return this.hung?.sop_instance_uid; }

  /** @param {AbortSignal} signal @param {Frame | null} known the same image as it was fetched before */
  async load(signal, known = null) {
    if (!this.hung) return;
    const { sop_instance_uid: uid } = this.hung;
    const drawn = this.image?.links ? this.image : null;
    if (drawn && !known) fetchPreview(drawn, signal).then((preview) => { if (!this.frame) this.#show(preview); }, () => {});
    try {
      this.#show(known || (await fetchFrame(uid, SMALL, signal)));
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") return;
      this.message.textContent = messageOf(error);
      this.figure.classList.add("failed");
      return;
    }
    if (drawn) fetchHeat(uid, signal).then((heat) => { this.heat = heat; this.figure.dataset.heat = "1"; this.viewer.redraw(); }, () => {});
  }

  /** How the hanging API turns the image. @returns {import("./geometry.js").Orientation} */
  get orientation() { return this.hung ?? {}; }

  /** @param {Frame} frame */
  #show(frame) {
    this.viewer.painter.forget(this.frame);
    this.frame = frame;
    this.message.textContent = "";
    this.size = hungSize(frame, this.orientation);
    this.content = widen(findContent(this.#greyAt(frame)), this.wall);
    this.viewer.redraw();
    this.viewer.onchange?.();
  }

  /** @param {Frame} frame @returns {(x: number, y: number) => number} */
  #greyAt(frame) {
    const map = fromHung(this.orientation);
    const shading = this.shading(frame, startLook());
    const { rows, columns, values } = frame;
    return (x, y) => {
      const [u, v] = apply(map, x, y);
      return shade(values[Math.min(rows - 1, Math.floor(v * rows)) * columns + Math.min(columns - 1, Math.floor(u * columns))], shading);
    };
  }

  /** The image's window, shifted and stretched by the reader. @param {Frame} frame @param {View} look @returns {Window} */
  window(frame, look = this.look) {
    const own = frame.windows[Math.min(look.preset, frame.windows.length - 1)];
    return { centre: own.centre + look.shift * own.width, width: own.width * look.stretch };
  }

  /** How values become grey. @param {Frame} frame @param {View} look @returns {Shading} */
  shading(frame, look = this.look) {
    return { ...exactly(this.window(frame, look), frame), white: frame.inverse !== look.invert };
  }

  bounds() { return { width: this.canvas.clientWidth, height: this.canvas.clientHeight }; }

  visible() { return this.canvas.clientWidth > 0 && this.canvas.clientHeight > 0; }

  ownScale() { return fitScale(this.size, this.content, this.bounds()); }

  /** @param {Look} look @returns {Rectangle} */
  rectangle(look = this.look) {
    return place(this.size, this.content, this.wall, this.viewer.scaleOf(this), this.bounds(), look);
  }

  /** Where the middle of the breast is in the tile. @param {Look} look @returns {Point} */
  middle(look = this.look) {
    const { left, top, width, height } = this.rectangle(look);
    return { x: left + (width * (this.content.left + this.content.right)) / 2, y: top + (height * (this.content.top + this.content.bottom)) / 2 };
  }

  /** @param {Look} look is changed */
  bringToMiddle(look) {
    const { width, height } = this.bounds();
    const { x, y } = this.middle(look);
    look.away += ((this.wall === "right" ? -1 : 1) * (width / 2 - x)) / width;
    look.down += (height / 2 - y) / height;
  }

  /** Zoom at which a pixel of the source is a pixel of the screen. @param {Frame} frame */
  fullZoom(frame) {
    const width = this.rectangle({ ...this.look, zoom: 1, away: 0, down: 0 }).width * devicePixelRatio;
    return this.#columns(frame) / width;
  }

  /** Columns of the hung source. @param {Frame} frame */
  #columns(frame) { return (this.orientation.image_rotation || 0) % 180 ? frame.source_rows : frame.source_columns; }

  draw() {
    const known = this.frame;
    if (!known || !this.visible()) return;
    const ratio = devicePixelRatio || 1;
    const { width, height } = this.bounds();
    const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== t) Object.assign(this.canvas, { width: w, height: t });
    const rectangle = this.rectangle();
    const scaled = { left: rectangle.left * ratio, top: rectangle.top * ratio, width: rectangle.width * ratio, height: rectangle.height * ratio };
    const map = fromTile(scaled, this.orientation);
    const { mode, opacity } = this.viewer.overlay;
    const window = this.window(known);
    const across = Math.hypot(map[0] * known.columns, map[3] * known.rows);
    if (across < 0.95 && !known.isPreview) this.viewer.wantFull(this, known);
    const frame = this.full && across < 1 ? this.full : known;
    this.viewer.painter.paint(this.context, { frame, heat: mode === "colour" ? this.heat : null, map, shading: this.shading(known), opacity });
    if (mode === "contour" && this.heat) this.#drawLines(this.heat, invert(map), ratio, opacity);
    if (frame.isPreview) { this.numbers.textContent = "preview, loading"; return; }
    const { slope, intercept } = known;
    const percent = Math.round((100 * scaled.width) / this.#columns(known));
    this.numbers.textContent = `${frame === this.full ? "full · " : ""}${percent} %  W ${inUnits(window.width * slope)}  L ${inUnits(window.centre * slope + intercept)}`;
    this.figure.dataset.ready = "1";
    this.figure.dataset.resolution = frame === this.full ? "full" : SMALL;
  }

  /** @param {Heat} heat @param {import("./geometry.js").Affine} toTile @param {number} ratio @param {number} opacity */
  #drawLines(heat, toTile, ratio, opacity) {
    this.lines ||= levels(heat).map((each) => trace(heat, each));
    const { context } = this;
    for (const [level, pieces] of this.lines.entries()) {
      const path = new Path2D();
      for (const [x1, y1, x2, y2] of pieces) {
        path.moveTo(...apply(toTile, x1, y1));
        path.lineTo(...apply(toTile, x2, y2));
      }
      context.lineCap = "round";
      // A dark rim keeps the line visible on white tissue.
      for (const { colour, thick } of [{ colour: "#000", thick: 3.6 }, level ? { colour: "#ff9d3c", thick: 2 } : { colour: "#ffe08a", thick: 1.3 }]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: thick * ratio, globalAlpha: 0.35 + 0.65 * opacity });
        context.stroke(path);
      }
    }
    context.globalAlpha = 1;
  }

  forgetFull() {
    this.viewer.painter.forget(this.full);
    this.full = null;
    this.fullAsked = false;
  }

  forget() {
    this.forgetFull();
    for (const image of [this.frame, this.heat]) this.viewer.painter.forget(image);
  }

  /** @param {AbortSignal} signal */
  async fetchFull(signal) {
    if (this.hung) this.full = await fetchFrame(this.hung.sop_instance_uid, "full", signal);
  }
}
