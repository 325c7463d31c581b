// Requests to the API. Each is a client span of the action that sends it.

import { accessToken, signOut } from "./session.js";
import { settings } from "./settings.js";

/** @import { Action } from "./actions.js" */

/** A request that failed, with a message for the user. */
export class Failure extends Error {
  /** @param {{ title: string, detail: string, status?: number, codes?: string[], trace?: string | null }} values */
  constructor({ title, detail, status = 0, codes = [], trace = null }) {
    super(detail);
    this.title = title;
    this.status = status;
    this.codes = codes;
    this.trace = trace;
  }
}

/** What a user can do about a broken rule. Codes without a text are shown as they are. @type {Record<string, string>} */
const CODES = {
  message_blank: "Write something first.",
  message_exceed_max_chars: "A post has at most 280 characters.",
  message_exceed_max_chars_1024: "A text has at most 1024 characters.",
  message_control_chars: "The text contains invisible control characters. Remove them.",
  ttl_blank: "Choose when the post expires.",
  search_term_blank: "Type a word to search for.",
  search_term_exceed_max_chars: "The search text is too long.",
  display_name_blank: "A display name is required.",
  display_name_exceed_max_chars: "A display name has at most 50 characters.",
  display_name_control_chars: "The display name contains invisible control characters. Remove them.",
  bio_exceed_max_chars: "A bio has at most 500 characters.",
  bio_control_chars: "The bio contains invisible control characters. Remove them.",
  user_reciever_handle_blank: "Name the user who gets the message.",
  user_receiver_is_sender: "You cannot send a message to yourself.",
};

/**
 * `template` is the path as the API's description has it; `path` has the values of its parameters.
 * @typedef {{ path?: Record<string, string>, query?: URLSearchParams, body?: object, key?: string, signal?: AbortSignal }} Options
 */
/** `next` is the query of the next page. @template T @typedef {{ data: T, next: URLSearchParams | null, headers: Headers }} Answer */

/**
 * @template [T=any]
 * @param {Action} action @param {string} method @param {string} template @param {Options} [options]
 * @returns {Promise<Answer<T>>}
 */
export async function request(action, method, template, { path = {}, query, body, key, signal } = {}) {
  const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name] ?? ""));
  // The sign-in of the local server is the page's own, whichever API the page calls.
  const isApi = template.startsWith("/api/");
  const url = `${isApi ? settings.api : ""}${filled}${query?.size ? `?${query}` : ""}`;
  const span = action.span.child(`${method} ${template}`, "client", {
    "http.request.method": method,
    "url.template": template,
    "server.address": new URL(url, document.baseURI).hostname,
  });
  const token = isApi ? accessToken() : null;
  const headers = {
    accept: "application/json, application/problem+json",
    ...(body && { "content-type": "application/json" }),
    ...(token && { authorization: `Bearer ${token}` }),
    ...(key && { "idempotency-key": key }),
    ...span.headers(),
  };
  try {
    let response, text;
    try {
      // A cached response would belong to the trace of an earlier request.
      response = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store", credentials: "omit" });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      span.fail("network");
      throw new Failure({ title: "The API does not answer", detail: "Check the connection, and that the server runs. Then try again." });
    }
    const trace = response.headers.get("x-trace-id");
    if (trace) action.answered(trace);
    span.set({ "http.response.status_code": response.status });
    if (!response.ok) {
      span.fail(String(response.status));
      throw failure(response, text, trace, token !== null);
    }
    return { data: text ? JSON.parse(text) : null, next: nextPage(response.headers), headers: response.headers };
  } catch (error) {
    if (signal?.aborted) span.fail("canceled");
    throw error;
  } finally {
    span.end();
  }
}

/** @param {Response} response @param {string} text @param {string | null} trace @param {boolean} signedIn */
function failure(response, text, trace, signedIn) {
  /** @type {any} */
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Not of the API: a proxy in between, for example.
  }
  const { status } = response;
  const values = { status, trace: trace ?? problem.trace_id ?? null };
  if (status === 401 && signedIn) {
    signOut();
    return new Failure({ ...values, title: "You are signed out", detail: "Your session has expired. Sign in again." });
  }
  const codes = Array.isArray(problem.codes) ? problem.codes : [];
  if (codes.length) {
    return new Failure({ ...values, codes, title: "This was not accepted", detail: codes.map((/** @type {string} */ code) => CODES[code] ?? code).join(" ") });
  }
  const title = { 401: "Sign in first", 403: "This is not allowed", 404: "This does not exist", 503: "The server is busy" }[status];
  return new Failure({ ...values, title: title ?? problem.title ?? `Status ${status}`, detail: problem.detail ?? "The server sent no reason. Try again." });
}

/** @param {Headers} headers */
function nextPage(headers) {
  const match = /<[^>?]*\?([^>]*)>\s*;\s*rel="next"/.exec(headers.get("link") ?? "");
  return match ? new URLSearchParams(match[1]) : null;
}
