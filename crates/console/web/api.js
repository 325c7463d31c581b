// Requests to the JSON API, and the stream of new traces.

/** @import { Problem } from "./types.js" */

// The page is at the root of the console, below any path.
const BASE = new URL(".", document.baseURI);

/** An answer of the console that is an error. */
export class Refused extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

/** The console does not answer. */
export class Unreachable extends Error {}

/** @param {string} path */
export function url(path) {
  return new URL(path, BASE).href;
}

/**
 * @param {string} path relative, such as `api/info`
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function request(path, options) {
  let response;
  try {
    response = await fetch(url(path), options);
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new Unreachable("The console does not answer.");
  }
  const text = await response.text();
  if (!response.ok) {
    let problem = { title: response.statusText || `Status ${response.status}`, status: response.status };
    try {
      problem = { ...problem, ...JSON.parse(text) };
    } catch {
      // Not of the console: a proxy in between, for example.
    }
    throw new Refused(problem);
  }
  return text ? JSON.parse(text) : null;
}

/** @typedef {{ type: "trace" | "deleted" | "cleared" | "evicted" | "lagged" | "state", data: any }} StreamEvent */

const KINDS = /** @type {const} */ (["trace", "deleted", "cleared", "evicted", "lagged"]);

/** @type {Set<(event: StreamEvent) => void>} */
const listeners = new Set();
/** @type {"connecting" | "live" | "lost"} */
export let streamState = "connecting";

/** @param {(event: StreamEvent) => void} listener @returns {() => void} which ends it */
export function onStream(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {StreamEvent} event */
function deliver(event) {
  if (event.type === "state") streamState = event.data;
  listeners.forEach((listener) => listener(event));
}

/**
 * Opens the stream of events. A browser has six connections to a server, so all tabs share one stream: the tab that holds
 * the lock reads it and passes on its events. Where a page has no locks, each tab reads its own.
 */
export function openStream() {
  if (!("locks" in navigator) || !("BroadcastChannel" in globalThis)) {
    read(deliver);
    return;
  }
  const name = `lambda-console ${BASE.pathname}`;
  const channel = new BroadcastChannel(name);
  let reads = false;
  channel.onmessage = ({ data }) => {
    if (data.type !== "hello") deliver(data);
    else if (reads) channel.postMessage({ type: "state", data: streamState });
  };
  channel.postMessage({ type: "hello" });
  navigator.locks.request(name, () => {
    reads = true;
    read((event) => {
      deliver(event);
      channel.postMessage(event);
    });
    return new Promise(() => {});
  });
}

/** @param {(event: StreamEvent) => void} receive */
function read(receive) {
  let source = new EventSource(url("api/events"));
  /** @param {EventSource} from */
  const follow = (from) => {
    from.onopen = () => receive({ type: "state", data: "live" });
    from.onerror = () => {
      receive({ type: "state", data: "lost" });
      // A browser gives up after an answer that is not a stream, such as that of another program on the port.
      if (from.readyState === EventSource.CLOSED) {
        setTimeout(() => follow((source = new EventSource(url("api/events")))), 2000);
      }
    };
    for (const type of KINDS) {
      from.addEventListener(type, ({ data }) => receive({ type, data: data ? JSON.parse(data) : null }));
    }
  };
  follow(source);
}
