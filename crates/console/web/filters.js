// The filters in the address: as parameters of the API, and as text.

import { parseDuration } from "./format.js";

// Names of health checks in the route or the path.
const HEALTH = ["http.route!=/health", "http.route!=/healthz", "http.route!=/api/health-check", "http.route!=/health-check"];

/** What the search field accepts, for the help. @type {[string, string][]} */
export const FILTER_SYNTAX = [
  ["text", "in any name, id, attribute, event or log line"],
  ["key=value", "a span has this value"],
  ["key!=value", "no span has this value"],
  ["key>5, key<5", "compared as numbers"],
  ["key=*", "a span has the attribute"],
  ["!key", "no span has the attribute"],
];

/** The parameters of the address that filter. */
export const FILTERS = ["q", "filter", "error", "min", "max", "hide"];

/** The filters of an address as parameters of the API. @param {URLSearchParams} params */
export function filterQuery(params) {
  const query = new URLSearchParams();
  const set = (/** @type {string} */ name, /** @type {string | null | undefined} */ value) => value && query.set(name, value);
  set("q", params.get("q"));
  set("error", params.has("error") ? "true" : null);
  set("min_duration", parseDuration(params.get("min") ?? "")?.toString());
  set("max_duration", parseDuration(params.get("max") ?? "")?.toString());
  for (const filter of params.getAll("filter")) query.append("filter", filter);
  if (params.get("hide") === "health") HEALTH.forEach((filter) => query.append("filter", filter));
  return query;
}

/** A filter of the API, or null. `key=*` means that the attribute exists. @param {string} text @returns {string | null} */
export function parseFilter(text) {
  const match = /^([A-Za-z_][\w.\-/]*)\s*(!=|=|>|<)\s*(.+)$/.exec(text);
  if (match) {
    const [, key, operator, value] = match;
    if (value === "*" && operator === "=") return key;
    if (value === "*" && operator === "!=") return `!${key}`;
    return `${key}${operator}${value}`;
  }
  return /^![A-Za-z_][\w.\-/]*$/.test(text) ? text : null;
}

/** A filter on a field, or null if its key or value cannot be written as one. @param {string} key @param {"=" | "!=" | ">" | "<" | "absent"} operator @param {string | null} value */
export function fieldFilter(key, operator, value) {
  if (/[=!<>]/.test(key) || key.trim() !== key || key === "error") return null;
  if (operator === "absent") return `!${key}`;
  if (value === null || value === "" || value.trim() !== value || value.length > 200) return null;
  return `${key}${operator}${value}`;
}
