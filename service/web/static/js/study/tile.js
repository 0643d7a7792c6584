// One image in its place: what it shows, where it lies, and how it is drawn.

import { h } from "../dom.js";
import { score as hundred } from "../format.js";
import { levels, trace } from "./contour.js";
import { findContent, fitScale, fromHung, apply, fromTile, hungSize, invert, place, widen } from "./geometry.js";
import { exactly, fetchFrame, fetchHeat, fetchPreview, shade } from "./pixels.js";

const WALLS = { R: "right", L: "left" };
const SMALL = "1536";

const inUnits = (value) => (Math.abs(value) < 100 && value % 1 ? value.toFixed(1) : Math.round(value));

export const startLook = () => ({ zoom: 1, away: 0, down: 0, shift: 0, stretch: 1, preset: 0, invert: false });

export class Tile {
  /**
   * hung: an image as the hanging API names it, or null for a slot that no image fills. image: the same image in the study's detail.
   * title: "R CC"; note: a line below it ("prior", "repeated view", ...).
   */
  constructor(viewer, { title, note = "", hung = null, image = null }) {
    Object.assign(this, { viewer, title, hung, image, look: viewer.look, frame: null, full: null, heat: null, fullAsked: false });
    this.wall = WALLS[hung ? hung.laterality : title[0]] || null;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d", { alpha: false });
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

  #describe(note) {
    if (!this.hung) return `${this.title}: no image`;
    const said = this.image && this.image.cancer ? `, score ${hundred(this.image.cancer.score)} of 100` : "";
    return `${this.title}${note ? `, ${note}` : ""}${said}`;
  }

  /** What a reader must know before they trust the picture's place. */
  #warning() {
    if (this.image && this.image.state !== "analysed") return h("span", { class: "warn note" }, this.image.reason ? `not analysed: ${this.image.reason.text}` : "in work");
    const agreement = this.image && this.image.agreement;
    if (!agreement || !["contradict", "missing"].some((word) => [agreement.view, agreement.laterality].includes(word))) return null;
    const declared = [this.image.declared.laterality, this.image.declared.view].filter((word) => word !== "UNKNOWN").join(" ");
    return h("span", { class: "warn note" }, declared && [agreement.view, agreement.laterality].includes("contradict") ? `header says ${declared}` : "header lacks a label");
  }

  get uid() { return this.hung?.sop_instance_uid; }

  /** known: the same image as it was fetched before. */
  async load(signal, known = null) {
    if (!this.hung) return;
    const drawn = Boolean(this.image?.links);
    if (drawn && !known) fetchPreview(this.image, signal).then((preview) => { if (!this.frame) this.#show(preview); }, () => {});
    try {
      this.#show(known || (await fetchFrame(this.uid, SMALL, signal)));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.message.textContent = error.message;
      this.figure.classList.add("failed");
      return;
    }
    if (drawn) fetchHeat(this.uid, signal).then((heat) => { this.heat = heat; this.figure.dataset.heat = 1; this.viewer.redraw(); }, () => {});
  }

  #show(frame) {
    this.viewer.painter.forget(this.frame);
    this.frame = frame;
    this.message.textContent = "";
    this.size = hungSize(frame, this.hung);
    this.content = widen(findContent(this.#greyAt()), this.wall);
    this.viewer.redraw();
    this.viewer.onchange?.();
  }

  #greyAt() {
    const map = fromHung(this.hung);
    const shading = this.shading(startLook());
    const { rows, columns, values } = this.frame;
    return (x, y) => {
      const [u, v] = apply(map, x, y);
      return shade(values[Math.min(rows - 1, Math.floor(v * rows)) * columns + Math.min(columns - 1, Math.floor(u * columns))], shading);
    };
  }

  /** The window that this image is seen through: its own, moved and stretched as the reader did. */
  window(look = this.look) {
    const own = this.frame.windows[Math.min(look.preset, this.frame.windows.length - 1)];
    return { centre: own.centre + look.shift * own.width, width: own.width * look.stretch };
  }

  /** What becomes of a value on the screen. */
  shading(look = this.look) {
    return { ...exactly(this.window(look), this.frame), white: this.frame.inverse !== look.invert };
  }

  bounds() { return { width: this.canvas.clientWidth, height: this.canvas.clientHeight }; }

  visible() { return this.canvas.clientWidth > 0 && this.canvas.clientHeight > 0; }

  ownScale() { return fitScale(this.size, this.content, this.bounds()); }

  rectangle(look = this.look) {
    return place(this.size, this.content, this.wall, this.viewer.scaleOf(this), this.bounds(), look);
  }

  /** Where the middle of the breast is seen. */
  middle(look = this.look) {
    const { left, top, width, height } = this.rectangle(look);
    return { x: left + (width * (this.content.left + this.content.right)) / 2, y: top + (height * (this.content.top + this.content.bottom)) / 2 };
  }

  bringToMiddle(look) {
    const { width, height } = this.bounds();
    const { x, y } = this.middle(look);
    look.away += ((this.wall === "right" ? -1 : 1) * (width / 2 - x)) / width;
    look.down += (height / 2 - y) / height;
  }

  /** Zoom at which a pixel of the source is a pixel of the screen. */
  fullZoom() {
    const width = this.rectangle({ ...this.look, zoom: 1, away: 0, down: 0 }).width * devicePixelRatio;
    const turned = (this.hung.image_rotation || 0) % 180;
    return (turned ? this.frame.source_rows : this.frame.source_columns) / width;
  }

  draw() {
    if (!this.frame || !this.visible()) return;
    const ratio = devicePixelRatio || 1;
    const { width, height } = this.bounds();
    const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== t) Object.assign(this.canvas, { width: w, height: t });
    const rectangle = this.rectangle();
    const scaled = { left: rectangle.left * ratio, top: rectangle.top * ratio, width: rectangle.width * ratio, height: rectangle.height * ratio };
    const map = fromTile(scaled, this.hung);
    const { mode, opacity } = this.viewer.overlay;
    const window = this.window();
    const across = Math.hypot(map[0] * this.frame.columns, map[3] * this.frame.rows);
    if (across < 0.95 && !this.frame.isPreview) this.viewer.wantFull(this);
    const frame = this.full && across < 1 ? this.full : this.frame;
    this.viewer.painter.paint(this.context, { frame, heat: mode === "colour" ? this.heat : null, map, window: this.shading(), opacity });
    if (mode === "contour" && this.heat) this.#drawLines(invert(map), ratio, opacity);
    if (frame.isPreview) { this.numbers.textContent = "preview, loading"; return; }
    const { slope, intercept } = this.frame;
    const percent = Math.round((100 * scaled.width) / ((this.hung.image_rotation || 0) % 180 ? this.frame.source_rows : this.frame.source_columns));
    this.numbers.textContent = `${frame === this.full ? "full · " : ""}${percent} %  W ${inUnits(window.width * slope)}  L ${inUnits(window.centre * slope + intercept)}`;
    this.figure.dataset.ready = "1";
    this.figure.dataset.resolution = frame === this.full ? "full" : SMALL;
  }

  #drawLines(toTile, ratio, opacity) {
    this.lines ||= levels(this.heat).map((level) => trace(this.heat, level));
    const { context } = this;
    for (const [place, pieces] of this.lines.entries()) {
      const path = new Path2D();
      for (const [x1, y1, x2, y2] of pieces) {
        path.moveTo(...apply(toTile, x1, y1));
        path.lineTo(...apply(toTile, x2, y2));
      }
      context.lineCap = "round";
      // A dark rim keeps the line visible on white tissue.
      for (const [colour, thick] of [["#000", 3.6], [place ? "#ff9d3c" : "#ffe08a", place ? 2 : 1.3]]) {
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

  async fetchFull(signal) {
    this.full = await fetchFrame(this.uid, "full", signal);
  }
}
