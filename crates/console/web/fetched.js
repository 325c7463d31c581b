// Loads the data that the server computes for a tab, draws it again when the address changes, and shows failures.

import { request } from "./api.js";
import { button, fill, h, icon } from "./dom.js";

/** @import { Trace } from "./model.js" */
/** @import { Key } from "./keys.js" */
/** @import { State } from "./trace.js" */

/**
 * A tab that loads its data once.
 * @template T
 */
export class FetchedTab {
  /** @type {Key[]} */
  keys = [];
  /** @type {T | null} */
  data = null;
  /** @type {State | null} */
  state = null;
  #path;
  #abort = new AbortController();

  /** @param {Trace} trace @param {string} name the last part of the data's path @param {HTMLElement} element */
  constructor(trace, name, element) {
    this.trace = trace;
    this.element = element;
    this.#path = `api/traces/${trace.data.summary.id}/${name}`;
    this.#load();
  }

  async #load() {
    try {
      this.data = await request(this.#path, { signal: this.#abort.signal });
      this.#draw();
    } catch (error) {
      if (!this.#abort.signal.aborted) fill(this.element, failure(error, () => this.#load()));
    }
  }

  dispose() {
    this.#abort.abort();
  }

  /** @param {State} state */
  update(state) {
    const before = this.state;
    this.state = state;
    if (before && this.differs(before, state)) this.#draw();
  }

  #draw() {
    if (this.data) this.draw(this.data);
  }

  /** Returns whether the tab looks different. @param {State} _before @param {State} _state @returns {boolean} */
  differs(_before, _state) {
    return false;
  }

  /** @param {T} _data */
  draw(_data) {}
}

/** @param {unknown} error @param {() => void} retry */
export function failure(error, retry) {
  return h("div", { class: "message", role: "alert" }, icon("alert"), h("h2", {}, "This cannot be shown"), h("p", {}, error instanceof Error ? error.message : String(error)),
    button(null, "Try again", retry, { text: true }));
}
