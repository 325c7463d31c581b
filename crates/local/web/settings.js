// The settings of the page's host, in settings.json, and the values that this browser stores.

import { fetchTraced } from "./tracing.js";

/** @import { Span } from "./tracing.js" */

/** @typedef {{ handle: string, display_name: string }} User */
/**
 * `local` lists the demo users of the local server that hosts the page, `cognito` has the hosted sign-in of a user pool, and with `fixed`
 * every request acts as one user.
 * @typedef {{ kind: "local", path: string, users: User[] } | { kind: "cognito", domain: string, client_id: string } | { kind: "fixed", user: User }} SignIn
 */
/**
 * `api` is the URL of the API without `/api`, `traces` the path of its receiver of spans or null, and `console` the URL
 * of the console or null.
 * @typedef {{ api: string, traces: string | null, console: string | null, sign_in: SignIn }} Settings
 */

/** @type {Settings} */
export let settings = { api: "", traces: null, console: null, sign_in: { kind: "local", path: "/local/sign-in", users: [] } };

/** @param {Span} pageLoad */
export async function loadSettings(pageLoad) {
  const { response, text } = await fetchTraced(pageLoad, "/settings.json", new URL("settings.json", document.baseURI).href, { method: "GET" });
  if (!response.ok) throw new Error(`settings.json: status ${response.status}`);
  settings = { ...settings, ...JSON.parse(text) };
  settings.api = settings.api.replace(/\/$/, "");
}

/** The address of a trace in the console, or null. @param {string} id */
export function traceAddress(id) {
  if (!settings.console || !/^https?:\/\//.test(settings.console)) return null;
  return `${settings.console.replace(/\/$/, "")}/#/trace/${id}`;
}

const THEME = "cruddur-theme";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @returns {Theme} */
export function theme() {
  const found = stored(THEME);
  return found === "light" || found === "dark" ? found : "system";
}

/** @param {Theme} value */
export function setTheme(value) {
  store(THEME, value === "system" ? null : value);
  applyTheme(value);
}

export function applyTheme(value = theme()) {
  if (value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
}

/** @param {string} name @returns {string | null} */
export function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} value */
export function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Without storage, the value is lost on reload.
  }
}
