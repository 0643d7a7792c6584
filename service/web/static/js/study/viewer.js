// @ts-check
// The viewer: studies hung as tiles that are viewed together, by mouse, touch and keys.

import { h } from "../dom.js";
import { WebGlPainter } from "./webgl-painter.js";
import { CanvasPainter } from "./canvas-painter.js";
import { zoomAt } from "./geometry.js";
import { startLook, Tile } from "./tile.js";

/** @import { Hanging, HungImage, Instance } from "api-types" */
/** @import { Point } from "./geometry.js" */
/** @import { Frame } from "./pixels.js" */
/** @import { View } from "./tile.js" */
/** @typedef {{ element: HTMLElement, grid: HTMLElement, slots: Tile[], more: Tile[], stop: AbortController }} Hang a hung study */
/** @typedef {{ mode: "off" | "colour" | "contour", opacity: number }} Overlay */

/** @type {Record<string, string[]>} */
export const ORDER = { row: ["R-MLO", "L-MLO", "R-CC", "L-CC"], square: ["R-CC", "L-CC", "R-MLO", "L-MLO"] };
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const MOST_FULL = 6;
const FULL_DELAY_MS = 180;

export class Viewer {
  /**
   * @param {HTMLElement} stage holds the hung studies @param {HTMLElement} below holds extra views
   * @param {() => void} onchange called when something that controls show has changed
   */
  constructor(stage, below, onchange) {
    this.stage = stage;
    this.below = below;
    this.onchange = onchange;
    this.look = startLook();
    this.linked = true;
    this.tool = "window";
    /** @type {string | null} the slot that is shown alone */
    this.focused = null;
    this.layout = "auto";
    /** @type {Overlay} */
    this.overlay = { mode: "off", opacity: 0.6 };
    this.painter = WebGlPainter.make() || new CanvasPainter();
    stage.dataset.painter = this.painter.name;
    this.painter.onrestored = () => this.redraw();
    /** @type {Tile[]} */
    this.tiles = [];
    /** @type {Tile | undefined} the tile that a reader used last */
    this.chosen = undefined;
    /** @type {Map<string, Hang>} */
    this.hangs = new Map();
    /** @type {Tile[]} whose source is loaded in full, the one used last at the end */
    this.fulls = [];
    /** @type {Map<boolean, number> | null} */
    this.scales = null;
    this.asked = 0;
    new ResizeObserver(() => this.arrange()).observe(stage);
    this.#listen();
  }

  /**
   * Hang a study.
   * @param {"current" | "prior"} name @param {Hanging} hanging @param {Map<string, Instance>} images details by SOP Instance UID
   * @param {string} caption
   */
  hang(name, hanging, images, caption = "") {
    // Images that are shown already are not fetched again when a study hangs anew.
    const kept = new Map([...(this.hangs.get(name)?.slots || []), ...(this.hangs.get(name)?.more || [])].map((tile) => [tile.uid, tile.frame?.isPreview ? null : tile.frame]));
    this.take(name);
    const stop = new AbortController();
    /** @param {string} title @param {HungImage | null} hung @param {string} note @param {string} slot */
    const make = (title, hung, note = "", slot = "") => new Tile(this, { title, note, hung, image: hung && images.get(hung.sop_instance_uid), slot });
    const slots = Object.entries(hanging.slots).map(([slot, hung]) => make(slot.replace("-", " "), hung, "", slot));
    const more = [
      ...Object.entries(hanging.repeated).flatMap(([slot, each]) => each.map((hung) => make(slot.replace("-", " "), hung, "repeated view"))),
      ...hanging.extras.map((hung) => make(nameOf(hung), hung, (hung.view_modifiers || []).join(", ") || "extra view")),
    ];
    const element = h("section", { class: "hang", "data-hang": name, "aria-label": caption || "Images" }, caption && h("h2", {}, caption));
    const grid = h("div", { class: "tiles" }, slots.map((tile) => tile.figure));
    element.append(grid);
    this.stage[name === "current" ? "prepend" : "append"](element);
    if (name === "current") this.below.replaceChildren(...more.map((tile) => tile.figure));
    const hung = { element, grid, slots, more: name === "current" ? more : [], stop };
    this.hangs.set(name, hung);
    this.tiles = [...this.hangs.values()].flatMap((each) => [...each.slots, ...each.more]);
    for (const tile of [...hung.slots, ...hung.more]) this.#watch(tile);
    for (const tile of slots) tile.load(stop.signal, kept.get(tile.uid));
    // A study may have dozens of extra views: each is fetched when it becomes visible.
    const sight = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((each) => each.isIntersecting)) {
        sight.unobserve(target);
        const tile = more.find((each) => each.figure === target);
        tile?.load(stop.signal, kept.get(tile.uid));
      }
    });
    for (const tile of hung.more) sight.observe(tile.figure);
    stop.signal.addEventListener("abort", () => sight.disconnect());
    this.arrange();
  }

  /** Take a study down. @param {string} name */
  take(name) {
    const hung = this.hangs.get(name);
    if (!hung) return;
    hung.stop.abort();
    for (const tile of [...hung.slots, ...hung.more]) tile.forget();
    hung.element.remove();
    this.hangs.delete(name);
    this.tiles = [...this.hangs.values()].flatMap((each) => [...each.slots, ...each.more]);
    this.fulls = this.fulls.filter((tile) => this.tiles.includes(tile));
    this.arrange();
  }

  /** Put the tiles into the order of the layout; four in a row where the screen is wide. */
  arrange() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const layout = this.layout === "auto" ? (width > 1.15 * height ? "row" : "square") : this.layout;
    this.stage.dataset.layout = layout;
    this.stage.dataset.hangs = String(this.hangs.size);
    this.stage.toggleAttribute("data-focus", Boolean(this.focused));
    for (const { grid, slots } of this.hangs.values()) {
      const wanted = ORDER[layout].flatMap((slot) => slots.find((tile) => tile.slot === slot) ?? []);
      if (wanted.some((tile, place) => grid.children[place] !== tile.figure)) grid.replaceChildren(...wanted.map((tile) => tile.figure));
      for (const tile of slots) tile.figure.classList.toggle("away", Boolean(this.focused) && tile.slot !== this.focused);
    }
    this.scales = null;
    this.redraw();
    this.onchange();
  }

  /** Slots in the order in which they hang, for keys 1 to 4. */
  order() { return ORDER[this.stage.dataset.layout || "row"]; }

  redraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.scales = null;
      for (const tile of this.tiles) tile.draw();
    });
  }

  /** Images of the four slots share one scale where their scales can be compared; an extra view fills its own tile. @param {Tile} tile */
  scaleOf(tile) {
    if (!tile.slot) return tile.ownScale();
    const hasSpacing = Boolean(tile.frame?.spacing_mm);
    this.scales ||= new Map();
    let scale = this.scales.get(hasSpacing);
    if (scale === undefined) {
      const alike = this.tiles.filter((each) => each.slot && each.frame && each.visible() && Boolean(each.frame.spacing_mm) === hasSpacing);
      scale = Math.min(...alike.map((each) => each.ownScale()));
      this.scales.set(hasSpacing, scale);
    }
    return scale;
  }

  /** @param {{ focused?: string | null, layout?: string, tool?: string }} values */
  set(values) { Object.assign(this, values); this.arrange(); }

  /** Show one slot alone, or all again. @param {string} slot */
  focus(slot) { this.set({ focused: this.focused === slot ? null : slot }); }

  /** @param {Partial<Overlay>} values */
  setOverlay(values) { Object.assign(this.overlay, values); this.redraw(); this.onchange(); }

  /** @param {boolean} linked whether a change applies to all images */
  link(linked) {
    this.linked = linked;
    for (const tile of this.tiles) tile.look = linked ? this.look : { ...tile.look };
    this.redraw();
    this.onchange();
  }

  /** Change the view of all images where they are linked, else of the chosen one. @param {(look: View) => unknown} how @param {Tile} [tile] */
  change(how, tile = this.chosen) {
    how(this.linked ? this.look : (tile || this.tiles[0]).look);
    this.redraw();
    this.onchange();
  }

  reset() {
    Object.assign(this.look, startLook());
    for (const tile of this.tiles) if (!this.linked) Object.assign(tile.look, startLook());
    this.redraw();
    this.onchange();
  }

  /** One pixel of the source for one of the screen, and back to the whole. */
  toggleFull() {
    const tile = this.chosen;
    const shown = tile?.frame && tile.visible() ? tile : this.tiles.find((each) => each.frame && each.visible());
    if (!shown?.frame) return;
    const zoom = shown.fullZoom(shown.frame);
    this.change((look) => {
      if (Math.abs(look.zoom / zoom - 1) < 0.01) { Object.assign(look, { zoom: 1, away: 0, down: 0 }); return; }
      zoomAt(look, zoom / look.zoom, shown.pointer || shown.middle(), shown.bounds(), shown.wall);
      if (!shown.pointer) shown.bringToMiddle(look);
    }, shown);
  }

  /** Fetch the source of a magnified image in full; the one that was used longest ago is freed. @param {Tile} tile @param {Frame} frame */
  wantFull(tile, frame) {
    if (tile.fullAsked || frame.rows === frame.source_rows || !this.painter.canHold(frame)) return;
    tile.fullAsked = true;
    setTimeout(async () => {
      if (!this.tiles.includes(tile)) return;
      this.fulls = [...this.fulls.filter((each) => each !== tile), tile];
      while (this.fulls.length > MOST_FULL) this.fulls.shift()?.forgetFull();
      const stop = [...this.hangs.values()].find((each) => each.slots.includes(tile) || each.more.includes(tile))?.stop;
      if (!stop) return;
      try {
        await tile.fetchFull(stop.signal);
        this.redraw();
      } catch { tile.fullAsked = stop.signal.aborted; }
    }, FULL_DELAY_MS);
  }

  /** @param {Tile} tile */
  #watch(tile) {
    if (!tile.hung) return;
    const { figure } = tile;
    /** @type {{ x: number, y: number, tool: string } | null} */
    let drag = null;
    figure.addEventListener("focus", () => { this.chosen = tile; });
    figure.addEventListener("contextmenu", (event) => event.preventDefault());
    figure.addEventListener("dblclick", () => tile.slot && this.focus(tile.slot));
    figure.addEventListener("pointerdown", (event) => {
      this.chosen = tile;
      figure.focus({ preventScroll: true });
      event.preventDefault();
      figure.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, y: event.clientY, tool: event.button !== 0 || event.shiftKey ? "pan" : this.tool };
    });
    figure.addEventListener("pointermove", (event) => {
      tile.pointer = pointIn(figure, event);
      if (!drag || !tile.frame) return;
      const { tool } = drag;
      const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      this.change((look) => (tool === "pan" ? move(look, tile, x, y) : shift(look, x, y)), tile);
    });
    for (const name of ["pointerup", "pointercancel"]) figure.addEventListener(name, () => { drag = null; });
    figure.addEventListener("pointerleave", () => { tile.pointer = null; });
    figure.addEventListener("wheel", (event) => {
      if (!tile.frame) return;
      event.preventDefault();
      this.change((look) => zoomAt(look, Math.exp(-event.deltaY * 0.0015), pointIn(figure, event), tile.bounds(), tile.wall), tile);
    }, { passive: false });
    figure.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0 : 40;
      const arrow = ARROWS[event.key];
      if (arrow && step) this.change((look) => move(look, tile, arrow[0] * step, arrow[1] * step), tile);
      else if (arrow) this.change((look) => shift(look, -12 * arrow[0], -12 * arrow[1]), tile);
      else if (event.key === "+" || event.key === "=" || event.key === "-") this.zoom(event.key === "-" ? 1 / 1.25 : 1.25, tile);
      else return;
      event.preventDefault();
    });
  }

  /** @param {number} factor @param {Tile} [tile] */
  zoom(factor, tile = this.chosen || this.tiles.find((each) => each.frame)) {
    if (!tile?.frame) return;
    this.change((look) => zoomAt(look, factor, tile.middle(), tile.bounds(), tile.wall), tile);
  }

  #listen() {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => this.redraw());
  }
}

/** @param {HungImage} hung */
const nameOf = (hung) => [hung.laterality, hung.view].filter((word) => word && word !== "UNKNOWN").join(" ") || "?";

/** @param {Element} element @param {MouseEvent} event @returns {Point} */
function pointIn(element, event) {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/** @param {View} look @param {Tile} tile @param {number} x @param {number} y in pixels of the tile */
function move(look, tile, x, y) {
  const { width, height } = tile.bounds();
  look.away += ((tile.wall === "right" ? -1 : 1) * x) / width;
  look.down += y / height;
}

/** Right is softer, up is brighter: a whole window's width takes about 600 pixels. @param {View} look @param {number} x @param {number} y */
function shift(look, x, y) {
  look.stretch = Math.min(20, Math.max(0.01, look.stretch * Math.exp(x / 300)));
  look.shift = Math.min(2, Math.max(-2, look.shift + (y / 600) * Math.max(0.2, look.stretch) * (look.invert ? -1 : 1)));
}
