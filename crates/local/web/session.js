// The signed-in user and the access token.

import { now } from "./clock.js";
import { settings, store, stored } from "./settings.js";

/** @import { User } from "./settings.js" */

/** @typedef {{ token: string, user: User, expires_at: number }} Session */

const NAME = "cruddur-session";

/** @type {Session | null} */
let session = null;
/** The notifications that the user has not read. */
let unread = 0;
/** @type {Set<() => void>} */
const listeners = new Set();

export function restoreSession() {
  try {
    const found = JSON.parse(stored(NAME) ?? "null");
    if (typeof found?.token === "string" && typeof found?.user?.handle === "string" && found.expires_at > now()) session = found;
  } catch {
    // Another version has stored it.
  }
}

/** @param {string} token @param {number} seconds until it expires @param {User} user */
export function signIn(token, seconds, user) {
  session = { token, user: { handle: user.handle, display_name: user.display_name }, expires_at: now() + seconds * 1000 };
  store(NAME, JSON.stringify(session));
  changed();
}

export function signOut() {
  session = null;
  unread = 0;
  store(NAME, null);
  changed();
}

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
  changed();
}

export function unreadCount() {
  return unread;
}

/** @param {number} count */
export function setUnread(count) {
  if (unread === count) return;
  unread = count;
  changed();
}

/** @param {() => void} listener */
export function onSession(listener) {
  listeners.add(listener);
}

function changed() {
  listeners.forEach((listener) => listener());
}
