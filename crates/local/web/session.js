// The signed-in user and the access token, which all tabs share.

import { settings, store, stored } from "./settings.js";

/** @import { User } from "./settings.js" */

/** @typedef {{ token: string, user: User, expires_at: number }} Session */

/**
 * `user` after a sign-in or sign-out, `other tab` after any change there, `expired` after the API has rejected the token, and
 * `details` after a change of the names or the count.
 * @typedef {"user" | "other tab" | "expired" | "details"} Change
 */

const NAME = "cruddur-session";
/** Replaces an expired session in the store. Another tab ignores it, and so keeps its view, which may contain a text. */
const EXPIRED = "expired";

/** @type {Session | null} */
let session = null;
/** The notifications that the user has not read. */
let unread = 0;
/** @type {Set<(change: Change) => void>} */
const listeners = new Set();

export function restoreSession() {
  session = null;
  try {
    const found = JSON.parse(stored(NAME) ?? "null");
    if (typeof found?.token === "string" && typeof found?.user?.handle === "string" && found.expires_at > Date.now()) session = found;
  } catch {
    // It has expired, or another version has stored it.
  }
}

/** @param {string} token @param {number} seconds until it expires @param {User} user */
export function signIn(token, seconds, user) {
  session = { token, user: { handle: user.handle, display_name: user.display_name }, expires_at: Date.now() + seconds * 1000 };
  store(NAME, JSON.stringify(session));
  changed("user");
}

export function signOut() {
  end(null);
  changed("user");
}

/** Ends the session if the API has rejected its token, and not that of an earlier session. @param {string} token */
export function expire(token) {
  if (session?.token !== token) return;
  end(EXPIRED);
  changed("expired");
}

/** @param {string | null} left in the store */
function end(left) {
  session = null;
  unread = 0;
  store(NAME, left);
}

addEventListener("storage", ({ key, newValue }) => {
  if (key !== NAME || newValue === EXPIRED) return;
  restoreSession();
  changed("other tab");
});

/** @returns {User | null} */
export function currentUser() {
  if (settings.sign_in.kind === "fixed") return settings.sign_in.user;
  return session?.user ?? null;
}

export function accessToken() {
  return session?.token ?? null;
}

/** The API knows the names of the user better than the token. @param {User} user */
export function rename(user) {
  if (!session) return;
  session.user = { handle: user.handle, display_name: user.display_name };
  store(NAME, JSON.stringify(session));
  changed("details");
}

export function unreadCount() {
  return unread;
}

/** @param {number} count */
export function setUnread(count) {
  if (unread === count) return;
  unread = count;
  changed("details");
}

/** @param {(change: Change) => void} listener */
export function onSession(listener) {
  listeners.add(listener);
}

/** @param {Change} change */
function changed(change) {
  listeners.forEach((listener) => listener(change));
}
