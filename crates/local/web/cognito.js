// Sign-in with Cognito's hosted pages: the authorization code flow with PKCE, which needs no secret in the page.

import { signIn } from "./session.js";
import { fetchTraced } from "./tracing.js";

/** @import { Span } from "./tracing.js" */

/** @typedef {{ domain: string, client_id: string }} Pool */

const STATE = "cruddur-sign-in";
/** The API accepts tokens of the first scope. The others name the user in the ID token. */
const SCOPE = "aws.cognito.signin.user.admin openid profile";

function redirectUri() {
  return new URL(".", document.baseURI).href;
}

/** Leaves the page for the sign-in of the pool. @param {Pool} pool */
export async function leaveForSignIn(pool) {
  const [state, verifier] = [random(), random()];
  sessionStorage.setItem(STATE, JSON.stringify({ state, verifier }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(address(pool, "oauth2/authorize", {
    response_type: "code",
    client_id: pool.client_id,
    redirect_uri: redirectUri(),
    scope: SCOPE,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  }));
}

/**
 * Exchanges the code in the address for tokens, if the pool has sent the user back. Returns a message for the user, or null.
 * @param {Pool} pool @param {Span} pageLoad @returns {Promise<string | null>}
 */
export async function returnFromSignIn(pool, pageLoad) {
  const params = new URLSearchParams(location.search);
  const [code, returned] = [params.get("code"), params.get("state")];
  if (!returned || (!code && !params.has("error"))) return null;
  const { state, verifier } = JSON.parse(sessionStorage.getItem(STATE) ?? "{}");
  sessionStorage.removeItem(STATE);
  // Remove the code and the state from the address. The user was on the view of the sign-in.
  history.replaceState(null, "", `${location.pathname}#/`);
  if (!code) return "The user pool did not sign you in.";
  if (state !== returned) return "The sign-in belongs to another page. Sign in again.";
  const body = new URLSearchParams({
    grant_type: "authorization_code", client_id: pool.client_id, redirect_uri: redirectUri(), code, code_verifier: verifier,
  });
  try {
    const { response, text } = await fetchTraced(pageLoad, "/oauth2/token", address(pool, "oauth2/token"), { method: "POST", body });
    if (!response.ok) return "The user pool rejected the sign-in. Sign in again.";
    const { access_token, id_token, expires_in } = JSON.parse(text);
    const claims = JSON.parse(new TextDecoder().decode(fromBase64url(id_token.split(".")[1])));
    const handle = claims.preferred_username ?? "";
    signIn(access_token, expires_in, { handle, display_name: claims.name ?? handle });
    return null;
  } catch {
    return "The user pool does not answer. Sign in again.";
  }
}

/** Ends the session of the pool's pages. @param {Pool} pool */
export function leaveForSignOut(pool) {
  location.assign(address(pool, "logout", { client_id: pool.client_id, logout_uri: redirectUri() }));
}

/** @param {Pool} pool @param {string} path @param {Record<string, string>} [query] */
function address(pool, path, query = {}) {
  const url = new URL(path, `${pool.domain.replace(/\/$/, "")}/`);
  url.search = new URLSearchParams(query).toString();
  return url.href;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {string} text */
function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
