// The whole trace in little, with the zoomed section as a window.

import { color, party } from "./colors.js";
import { h, s } from "./dom.js";
import { duration, isError } from "./format.js";

/** @import { Trace } from "./model.js" */
/** @import { Interval, Scale } from "./scale.js" */

const HEIGHT = 40;

export class Minimap {
  #svg = s("svg", { class: "mini", viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  #before = h("i", { class: "shade" });
  #after = h("i", { class: "shade" });
  #window = h("i", { class: "window" });
  element = h("div", { class: "minimap", title: "Drag to zoom" }, this.#svg, this.#before, this.#after, this.#window);
  /** @type {Scale | null} */
  #scale = null;
  /** @type {Interval | null} */
  #zoom = null;
  #drawn = "";

  /** @param {Trace} trace @param {(zoom: Interval | null) => void} zoomTo */
  constructor(trace, zoomTo) {
    this.trace = trace;
    this.zoomTo = zoomTo;
    this.element.addEventListener("pointerdown", (event) => this.#drag(event));
    this.element.addEventListener("dblclick", () => zoomTo(null));
  }

  /** @param {Scale} scale @param {Interval | null} zoom @param {boolean} critical */
  update(scale, zoom, critical) {
    this.#scale = scale;
    this.#zoom = zoom;
    const drawn = `${scale.idle.length} ${critical}`;
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#draw(scale, critical);
    }
    this.#place(zoom ? scale.at(zoom.start) : 0, zoom ? scale.at(zoom.end) : 1, zoom !== null);
  }

  /** @param {Scale} scale @param {boolean} critical */
  #draw(scale, critical) {
    /** @type {Map<string, string>} */
    const paths = new Map();
    const { spans, start, end } = this.trace;
    const line = HEIGHT - 6;
    const step = Math.min(4, line / Math.max(1, spans.length));
    for (const span of spans) {
      const tint = isError(span.status) ? "mini-bad" : color(party(span));
      const y = (3 + step * (span.index + 0.5)).toFixed(2);
      const from = scale.at(start[span.index]) * 1000;
      const to = Math.max(from + 1.5, scale.at(end[span.index]) * 1000);
      paths.set(tint, `${paths.get(tint) ?? ""}M${from.toFixed(1)} ${y}H${to.toFixed(1)}`);
    }
    this.#svg.replaceChildren(...[...paths].map(([tint, path]) =>
      s("path", { class: tint, d: path, "stroke-width": Math.max(1, Math.min(2.5, step * 0.7)), "vector-effect": "non-scaling-stroke" })));
    if (critical) {
      const path = this.trace.data.critical_path.map((part) =>
        `M${(scale.at(this.trace.offset(part.start) + this.trace.shift[part.span]) * 1000).toFixed(1)} ${(3 + step * (part.span + 0.5) + 1).toFixed(2)}H${(scale.at(this.trace.offset(part.end) + this.trace.shift[part.span]) * 1000).toFixed(1)}`).join("");
      this.#svg.append(s("path", { class: "mini-critical", d: path, "stroke-width": 1, "vector-effect": "non-scaling-stroke" }));
    }
  }

  /** @param {number} from @param {number} to @param {boolean} zoomed */
  #place(from, to, zoomed) {
    const percent = (/** @type {number} */ value) => `${Math.max(0, Math.min(1, value)) * 100}%`;
    this.element.classList.toggle("zoomed", zoomed);
    this.#before.style.insetInlineStart = "0";
    this.#before.style.inlineSize = percent(from);
    this.#after.style.insetInlineStart = percent(to);
    this.#after.style.inlineSize = percent(1 - to);
    this.#window.style.insetInlineStart = percent(from);
    this.#window.style.inlineSize = percent(to - from);
  }

  /** Draws a new window; from inside the window, moves it. @param {PointerEvent} event */
  #drag(event) {
    const scale = this.#scale;
    if (!scale || event.button !== 0) return;
    const box = this.element.getBoundingClientRect();
    const place = (/** @type {PointerEvent} */ at) => Math.max(0, Math.min(1, (at.clientX - box.left) / box.width));
    const from = place(event);
    const zoom = this.#zoom;
    const [left, right] = zoom ? [scale.at(zoom.start), scale.at(zoom.end)] : [0, 1];
    const moves = zoom !== null && from > left && from < right;
    let [low, high] = [left, right];
    let dragged = false;
    this.element.setPointerCapture(event.pointerId);
    this.element.onpointermove = (move) => {
      const to = place(move);
      if (Math.abs(to - from) * box.width > 4) dragged = true;
      if (!dragged) return;
      if (moves) {
        const shift = Math.max(-left, Math.min(1 - right, to - from));
        [low, high] = [left + shift, right + shift];
      } else [low, high] = from < to ? [from, to] : [to, from];
      this.#place(low, high, true);
      this.element.title = duration(scale.time(high) - scale.time(low));
    };
    this.element.onpointerup = this.element.onpointercancel = () => {
      this.element.onpointermove = null;
      this.element.onpointerup = null;
      if (dragged) this.zoomTo({ start: scale.time(low), end: scale.time(high) });
    };
  }
}
