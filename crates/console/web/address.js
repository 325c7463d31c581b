// The state of the page in its address: `#/trace/ID?tab=…&span=…`. Works below any path.

/** @typedef {{ path: string[], params: URLSearchParams }} Address */
/** @typedef {Record<string, string | string[] | boolean | null | undefined>} Changes */

/** @type {Set<() => void>} */
const listeners = new Set();
let last = location.hash;

/** @returns {Address} */
export function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decoded), params: new URLSearchParams(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string[]} path @param {Changes | URLSearchParams} [params] */
export function href(path, params = {}) {
  const query = (params instanceof URLSearchParams ? params : merged(new URLSearchParams(), params)).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${query && `?${query}`}`;
}

/** @param {URLSearchParams} params @param {Changes} changes */
function merged(params, changes) {
  const result = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    result.delete(name);
    if (Array.isArray(value)) value.forEach((one) => result.append(name, one));
    else if (value === true) result.set(name, "1");
    else if (value !== null && value !== undefined && value !== false && value !== "") result.set(name, value);
  }
  return result;
}

/** @param {string} target */
export function go(target, { replace = false } = {}) {
  if (target === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  notify();
}

/**
 * Changes parameters of the address. Back undoes it, unless it replaces.
 * @param {Changes} changes
 */
export function update(changes, { replace = false } = {}) {
  const { path, params } = address();
  go(href(path, merged(params, changes)), { replace });
}

/** @param {() => void} listener */
export function onAddress(listener) {
  listeners.add(listener);
}

function notify() {
  if (location.hash === last) return;
  last = location.hash;
  listeners.forEach((listener) => listener());
}

addEventListener("popstate", notify);
addEventListener("hashchange", notify);
