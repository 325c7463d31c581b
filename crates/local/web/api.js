// Requests to the API. Each is a client span of the action that sends it.

import { synchronize } from "./clock.js";
import { accessToken, expire } from "./session.js";
import { settings } from "./settings.js";
import { fetchTraced } from "./tracing.js";

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

/** Texts for the codes of broken rules and of a reused key. Other rules are shown by their code. @type {Record<string, string>} */
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
  user_reciever_handle_blank: "Enter the handle of the receiver.",
  user_receiver_is_sender: "You cannot send a message to yourself.",
  idempotency_key_reused: "An earlier version of this text was sent, although its response was lost. Send again to send this version, too.",
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
  const token = isApi ? accessToken() : null;
  const headers = {
    accept: "application/json, application/problem+json",
    ...(body && { "content-type": "application/json" }),
    ...(token && { authorization: `Bearer ${token}` }),
    ...(key && { "idempotency-key": key }),
  };
  // A request that fails before it reaches the API has only the page's own trace.
  const begun = () => (action.span.sends ? action.trace : null);
  let response, text;
  try {
    // A cached response would belong to the trace of an earlier request.
    const options = /** @type {const} */ ({ method, headers, body: body && JSON.stringify(body), signal, cache: "no-store", credentials: "omit" });
    ({ response, text } = await fetchTraced(action.span, template, url, options, true));
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure({ title: "The API does not answer", detail: "Check the connection, and that the server runs. Then try again.", trace: begun() });
  }
  synchronize(response.headers.get("date"));
  const trace = response.headers.get("x-trace-id");
  if (trace) action.answered(trace);
  if (!response.ok) {
    const found = failure(response, text, token);
    found.trace ??= trace ?? begun();
    throw found;
  }
  return { data: text ? JSON.parse(text) : null, next: nextPage(response.headers), headers: response.headers };
}

/** @param {Response} response @param {string} text @param {string | null} token */
function failure(response, text, token) {
  /** @type {any} */
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Not of the API: a proxy in between, for example.
  }
  const { status } = response;
  const values = { status, trace: problem.trace_id ?? ofGateway(problem.xray_trace_id) };
  if (status === 401) {
    if (token) expire(token);
    return new Failure({ ...values, title: "Sign in first", detail: token ? "Your session has expired." : "You are not signed in." });
  }
  const codes = Array.isArray(problem.codes) ? problem.codes : problem.code in CODES ? [problem.code] : [];
  if (codes.length) {
    return new Failure({ ...values, codes, title: "This was not accepted", detail: codes.map((/** @type {string} */ code) => CODES[code] ?? code).join(" ") });
  }
  const title = { 403: "This is not allowed", 404: "This does not exist", 503: "The server is busy" }[status];
  return new Failure({ ...values, title: title ?? problem.title ?? `Status ${status}`, detail: problem.detail ?? "The server sent no reason. Try again." });
}

/** The trace id of an error of the gateway, which writes it in X-Ray's form. @param {unknown} id @returns {string | null} */
function ofGateway(id) {
  return typeof id === "string" && /^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(id) ? id.slice(2).replace("-", "") : null;
}

/** @param {Headers} headers */
function nextPage(headers) {
  const match = /<[^>?]*\?([^>]*)>\s*;\s*rel="next"/.exec(headers.get("link") ?? "");
  return match ? new URLSearchParams(match[1]) : null;
}
