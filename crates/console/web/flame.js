// A flame graph: spans with the same path of names are one box, as wide as their self times and those below.

import { update } from "./address.js";
import { color, party } from "./colors.js";
import { h } from "./dom.js";
import { duration, isError, number } from "./format.js";

/** @import { Trace } from "./model.js" */
/** @import { Key } from "./keys.js" */
/** @import { State } from "./trace.js" */

/** @typedef {{ key: string, name: string, tint: string, service: string, total: number, self: number, count: number, errors: number, span: number, children: Map<string, Node_> }} Node_ */

const ROW = 26;
const MOST_LEVELS = 200;
// Boxes narrower than this part of the width are left out.
const NARROW = 0.001;

export class Flame {
  element = h("div", { class: "flame-view" });
  /** @type {Key[]} */
  keys = [{ keys: ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"], label: "Move between boxes", act: (event) => this.#move(event) }];
  /** @type {HTMLElement[][]} */
  #levels = [];

  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace;
    const root = this.#tree();
    const box = h("div", { class: "flame", role: "group", "aria-label": "Flame graph" });
    this.#draw(box, root);
    box.style.blockSize = `${this.#levels.length * ROW}px`;
    this.element.append(
      h("p", { class: "pad muted" }, "Spans with equal paths are one box. Its width is the sum of self times in it, so concurrent work adds up. Select a box to find its spans."),
      h("div", { class: "scroller", role: "group", "aria-label": "Boxes", tabindex: "0" }, box));
  }

  /** @param {State} _state */
  update(_state) {}
  dispose() {}

  #tree() {
    const { spans } = this.trace;
    /** @type {Node_} */
    const root = { key: "", name: "", tint: "", service: "", total: 0, self: 0, count: 0, errors: 0, span: -1, children: new Map() };
    /** @type {Node_[]} */
    const nodes = [];
    for (const span of spans) {
      const parent = span.parent === null ? root : nodes[span.parent];
      const key = `${span.service}\n${span.name}\n${span.kind}`;
      let node = parent.children.get(key);
      if (!node) {
        node = { key, name: span.placeholder ? "Span not received" : span.name, tint: color(party(span)), service: span.service, total: 0, self: 0, count: 0, errors: 0, span: span.index, children: new Map() };
        parent.children.set(key, node);
      }
      node.count++;
      node.self += Math.max(0, Number(span.self));
      if (isError(span.status)) node.errors++;
      nodes[span.index] = node;
    }
    // Parents come before their children, so totals are added from the end. A node counts once.
    for (const span of spans.toReversed()) {
      const node = nodes[span.index];
      if (node.span !== span.index) continue;
      node.total = node.self + [...node.children.values()].reduce((sum, child) => sum + child.total, 0);
    }
    root.total = [...root.children.values()].reduce((sum, child) => sum + child.total, 0);
    return root;
  }

  /** @param {HTMLElement} box @param {Node_} root */
  #draw(box, root) {
    const whole = root.total || 1;
    /** @type {{ node: Node_, at: number, level: number }[]} */
    const stack = [{ node: root, at: 0, level: -1 }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { node, at, level } = next;
      if (level >= 0) {
        const width = node.total / whole;
        if (width < NARROW) continue;
        const text = `${node.count > 1 ? `${number(node.count)} × ` : ""}${node.name}`;
        const title = `${text}\n${node.service}\nTotal ${duration(node.total)}, self ${duration(node.self)}${node.errors ? `\n${node.errors} with errors` : ""}`;
        const element = h("button", {
          type: "button", class: `flame-box ${node.tint}${node.errors ? " bad" : ""}`, title, tabindex: this.#levels.length ? "-1" : "0",
          on: { click: () => update({ tab: null, span: this.trace.spans[node.span].id, find: node.name }) },
        }, h("span", {}, text), width > 0.08 && h("small", {}, duration(node.total)));
        element.style.insetInlineStart = `${(at / whole) * 100}%`;
        element.style.inlineSize = `calc(${width * 100}% - 1px)`;
        element.style.insetBlockStart = `${level * ROW}px`;
        (this.#levels[level] ??= []).push(element);
        box.append(element);
      }
      if (level + 1 >= MOST_LEVELS) continue;
      let from = at;
      const children = [...node.children.values()].map((child) => {
        const place = { node: child, at: from, level: level + 1 };
        from += child.total;
        return place;
      });
      stack.push(...children.reverse());
    }
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const current = /** @type {HTMLElement} */ (document.activeElement);
    const level = this.#levels.findIndex((boxes) => boxes.includes(current));
    if (level < 0) {
      this.#levels[0]?.[0]?.focus();
      return;
    }
    const at = this.#levels[level].indexOf(current);
    const nearest = (/** @type {HTMLElement[] | undefined} */ boxes) => {
      const center = current.offsetLeft + current.offsetWidth / 2;
      return boxes?.toSorted((a, b) => Math.abs(a.offsetLeft + a.offsetWidth / 2 - center) - Math.abs(b.offsetLeft + b.offsetWidth / 2 - center))[0];
    };
    const next = { ArrowLeft: this.#levels[level][at - 1], ArrowRight: this.#levels[level][at + 1], ArrowUp: nearest(this.#levels[level - 1]), ArrowDown: nearest(this.#levels[level + 1]) }[event.key];
    next?.focus();
  }
}
