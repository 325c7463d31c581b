// The actions of the user. Each action is one trace, and the page lists the latest.

import { Failure } from "./api.js";

/** @import { Span, Tracer, Attributes } from "./tracing.js" */

/** @typedef {"running" | "done" | "failed" | "canceled"} State */

const MOST = 20;

/** @type {Action[]} */
export const actions = [];
/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Tracer} */
let tracer;
let lastId = 0;

/** A page load, a visit of a view or a click, with its requests. */
export class Action {
  id = ++lastId;
  /** @type {State} */
  state = "running";
  /** @type {string | null} */
  #answer = null;

  /** @param {string} label @param {Span} span */
  constructor(label, span) {
    this.label = label;
    this.span = span;
  }

  /** Notes the trace id of a response. A server that does not continue the page's trace has another one. @param {string} trace */
  answered(trace) {
    if (this.#answer === null || trace === this.span.trace) this.#answer = trace;
  }

  /** The id to look for in the console. */
  get trace() {
    return this.#answer ?? this.span.trace;
  }
}

/** @param {Tracer} value */
export function useTracer(value) {
  tracer = value;
}

/** @param {() => void} listener */
export function onActions(listener) {
  listeners.add(listener);
}

/**
 * Runs an action of the user as one trace. `name` is the same for all users; `label` is shown.
 * @template T
 * @param {{ name: string, label: string, attributes?: Attributes, span?: Span, signal?: AbortSignal }} what
 * @param {(action: Action) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function act({ name, label, attributes, span, signal }, run) {
  const action = new Action(label, span ?? tracer.start(name));
  action.span.set({ "app.action": name, ...attributes });
  actions.unshift(action);
  actions.splice(MOST);
  changed();
  try {
    const result = await run(action);
    action.state = "done";
    return result;
  } catch (error) {
    action.state = signal?.aborted ? "canceled" : "failed";
    action.span.fail(signal?.aborted ? "canceled" : error instanceof Failure ? String(error.status || "network") : errorType(error));
    throw error;
  } finally {
    action.span.set({ "app.outcome": action.state });
    action.span.end();
    changed();
  }
}

/** The class of an error. Its message may contain what a user wrote. @param {unknown} error */
export function errorType(error) {
  return error instanceof Error ? error.constructor.name : typeof error;
}

function changed() {
  listeners.forEach((listener) => listener());
}
