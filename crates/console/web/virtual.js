// A long list of rows of equal height. Only visible rows are in the document.

import { h } from "./dom.js";

const BEYOND = 6;

export class VirtualRows {
  /** @type {Map<number, HTMLElement>} */
  #drawn = new Map();
  #count = 0;
  #height = 28;
  #frame = 0;
  /** Contains the rows. */
  body = h("div", { class: "virtual", role: "presentation" });

  /** @param {HTMLElement} scroller @param {(index: number) => HTMLElement} draw */
  constructor(scroller, draw) {
    this.scroller = scroller;
    this.draw = draw;
    scroller.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.observer = new ResizeObserver(() => this.#measure());
    this.observer.observe(scroller);
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  #measure() {
    const height = Number.parseFloat(getComputedStyle(this.scroller).getPropertyValue("--row")) || 28;
    if (height !== this.#height) {
      this.#height = height;
      this.set(this.#count);
    } else this.#place();
  }

  /** Draws all rows again. @param {number} count */
  set(count) {
    this.#count = count;
    this.body.style.blockSize = `${count * this.#height}px`;
    this.#drawn.clear();
    this.body.replaceChildren();
    this.#place();
  }

  #schedule() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#place();
    });
  }

  #place() {
    const before = this.body.offsetTop;
    const top = Math.max(0, this.scroller.scrollTop - before);
    const first = Math.max(0, Math.floor(top / this.#height) - BEYOND);
    const last = Math.min(this.#count, Math.ceil((top + this.scroller.clientHeight) / this.#height) + BEYOND);
    for (const [index, row] of this.#drawn) {
      if (index >= first && index < last) continue;
      row.remove();
      this.#drawn.delete(index);
    }
    const least = Math.min(...this.#drawn.keys());
    const fresh = document.createDocumentFragment();
    for (let index = first; index < last; index++) {
      if (this.#drawn.has(index)) continue;
      const row = this.draw(index);
      row.style.insetBlockStart = `${index * this.#height}px`;
      this.#drawn.set(index, row);
      fresh.append(row);
    }
    // The order in the document is the order that assistive technology reads.
    if (first < least) this.body.prepend(fresh);
    else this.body.append(fresh);
  }

  /** @param {number} index */
  row(index) {
    return this.#drawn.get(index) ?? null;
  }

  /** Draws one row again if it is visible. @param {number} index */
  redraw(index) {
    const old = this.#drawn.get(index);
    if (!old) return;
    const row = this.draw(index);
    row.style.insetBlockStart = old.style.insetBlockStart;
    old.replaceWith(row);
    this.#drawn.set(index, row);
  }

  /** Scrolls so that a row is visible. @param {number} index @param {number} [margin] rows around it */
  reveal(index, margin = 2) {
    const head = this.body.offsetTop;
    const top = index * this.#height;
    const room = this.scroller.clientHeight - head;
    const space = Math.min(margin, Math.max(0, Math.floor(room / this.#height / 2) - 1)) * this.#height;
    if (top - space < this.scroller.scrollTop) this.scroller.scrollTop = top - space;
    else if (top + this.#height + space > this.scroller.scrollTop + room) this.scroller.scrollTop = top + this.#height + space - room;
    this.#place();
  }

  /** Rows on one screen. */
  get page() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.#height) - 2);
  }
}
