// The states of a view: loading, empty and failed. Also the list that loads page by page.

import { button, fill, focusIfLost, h, icon } from "./dom.js";
import { act, errorType } from "./actions.js";
import { Failure } from "./api.js";
import { traceAddress } from "./settings.js";

/** @import { Action } from "./actions.js" */
/** @import { Answer } from "./api.js" */
/** @import { Icon } from "./dom.js" */

export function loading() {
  const card = () => h("div", { class: "skeleton" }, h("i", { class: "round" }), h("i", { class: "line" }), h("i", { class: "line long" }));
  return h("div", { class: "loading", role: "status" }, h("span", { class: "offscreen" }, "Loading …"), card(), card(), card());
}

/** @param {Icon} name @param {string} title @param {string} text @param {...Node} more */
export function empty(name, title, text, ...more) {
  return h("div", { class: "message" }, icon(name), h("h2", {}, title), h("p", {}, text), ...more);
}

/** A link to the trace in the console, or its id where there is no console. @param {string} id @param {string} label */
export function traceLink(id, label) {
  const address = traceAddress(id);
  if (!address) return h("code", { class: "trace-id", title: "Trace id" }, id);
  return h("a", { class: "trace-link", href: address, target: "_blank", rel: "noopener", "aria-label": label }, icon("trace"), h("span", {}, "Trace"));
}

/** @param {unknown} error @returns {{ title: string, detail: string, trace: string | null, status: number }} */
export function described(error) {
  if (error instanceof Failure) return { title: error.title, detail: error.message, trace: error.trace, status: error.status };
  return { title: "The page failed", detail: `An error of the page (${errorType(error)}). Reload the page.`, trace: null, status: 0 };
}

/** @param {unknown} error @param {() => void} retry */
export function failed(error, retry) {
  const { title, detail, trace, status } = described(error);
  return h("div", { class: "message failed", role: "alert" }, icon("alert"), h("h2", {}, title), h("p", {}, detail),
    h("div", { class: "group" },
      status === 401 ? h("a", { class: "button primary", href: "#/sign-in" }, "Sign in") : button(null, "Try again", retry),
      trace && traceLink(trace, "Trace of the failed request")));
}

/** The same on one line, next to the control that failed. The sign-in is in a new tab, so that the user's text stays. @param {unknown} error */
export function failedLine(error) {
  const { title, detail, trace, status } = described(error);
  return h("p", { class: "failed-line", role: "alert" }, icon("alert"), h("span", {}, h("strong", {}, title), ": ", detail),
    status === 401 && h("a", { href: "#/sign-in", target: "_blank" }, "Sign in (new tab)"),
    trace && traceLink(trace, "Trace of the failed request"));
}

/**
 * A list that loads its pages one after the other.
 * @template T
 */
export class List {
  element = h("div", { class: "list-box" }, loading());
  /** @type {HTMLElement} */
  items;
  #foot = h("div", { class: "foot" });
  #signal = /** @type {AbortSignal | undefined} */ (undefined);

  /** @param {{ label: string, load: (action: Action, query: URLSearchParams, signal?: AbortSignal) => Promise<Answer<T[]>>, render: (item: T) => HTMLElement, empty: () => HTMLElement }} options */
  constructor(options) {
    this.options = options;
    this.items = h("div", { class: "items", role: "group", "aria-label": options.label });
  }

  /** @param {Action} action @param {AbortSignal} [signal] */
  async load(action, signal) {
    this.#signal = signal;
    const { data, next } = await this.options.load(action, new URLSearchParams(), signal);
    fill(this.element, this.items, this.#foot);
    fill(this.items, ...data.map(this.options.render));
    this.#follow(next);
    this.checkEmpty();
  }

  checkEmpty() {
    this.element.querySelector(":scope > .message")?.remove();
    if (!this.items.childElementCount) this.element.prepend(this.options.empty());
  }

  /** @param {T} item */
  prepend(item) {
    const element = this.options.render(item);
    element.classList.add("arrived");
    this.items.prepend(element);
    this.checkEmpty();
    return element;
  }

  /** @param {URLSearchParams | null} query */
  #follow(query) {
    fill(this.#foot, query && button(null, "Show more", () => this.#more(query), { class: "button more" }));
  }

  /** @param {URLSearchParams} query */
  async #more(query) {
    fill(this.#foot, h("span", { class: "muted", role: "status" }, "Loading …"));
    try {
      const { data, next } = await act({ name: "show more", label: `More: ${this.options.label.toLowerCase()}` }, (action) => this.options.load(action, query, this.#signal));
      const added = data.map(this.options.render);
      this.items.append(...added);
      this.#follow(next);
      focusIfLost(added[0]);
    } catch (error) {
      fill(this.#foot, failedLine(error), button(null, "Try again", () => this.#more(query)));
    }
  }
}
