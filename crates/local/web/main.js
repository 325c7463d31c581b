// The frame of the page: navigation, the views by address, and the traces of the last actions.

import { act, actions, errorType, onActions, useTracer } from "./actions.js";
import { request } from "./api.js";
import { took } from "./clock.js";
import { leaveForSignOut, returnFromSignIn } from "./cognito.js";
import { announce, avatar, fill, h, icon } from "./dom.js";
import { home, search, thread } from "./home.js";
import { conversation, conversations, newConversation, notifications, profile, signInView } from "./people.js";
import { currentUser, onSession, restoreSession, setUnread, signOut, unreadCount } from "./session.js";
import { applyTheme, loadSettings, setTheme, settings, theme } from "./settings.js";
import { empty, failed, traceLink } from "./states.js";
import { browserEnvironment, navigationTiming, receiver, Tracer, WebVitals } from "./tracing.js";

/** @import { Action } from "./actions.js" */
/** @import { Icon } from "./dom.js" */
/** @import { Span } from "./tracing.js" */

/** @typedef {{ title: string, element: HTMLElement, signedIn?: boolean, load: (action: Action, signal: AbortSignal) => Promise<void> }} View */
/** `name` is the same for all users. @typedef {{ name: string, create: () => View }} Route */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const side = /** @type {HTMLElement} */ (document.getElementById("side"));
const aside = /** @type {HTMLElement} */ (document.getElementById("aside"));

/** @type {string | null} */
let signInFault = null;

/** @returns {Route} */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const params = new URLSearchParams(query);
  const [first = "", second = "", third = ""] = path.split("/").map(decoded);
  if (first === "") return { name: "home", create: home };
  if (first.startsWith("@") && first.length > 1) return { name: "profile", create: () => profile(first.slice(1)) };
  if (first === "post" && second) return { name: "post", create: () => thread(second, params.has("reply")) };
  if (first === "search") return { name: "search", create: () => search(params.get("q") ?? "") };
  if (first === "notifications") return { name: "notifications", create: notifications };
  if (first === "messages" && second === "new" && third) return { name: "new message", create: () => newConversation(third) };
  if (first === "messages" && second) return { name: "conversation", create: () => conversation(second) };
  if (first === "messages") return { name: "messages", create: conversations };
  if (first === "sign-in") return { name: "sign-in", create: () => signInView(signInFault) };
  return { name: "unknown view", create: unknown };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @returns {View} */
function unknown() {
  const link = h("a", { class: "button", href: "#/" }, "Go to all posts");
  return { title: "Not found", element: h("div", {}, h("h1", { class: "offscreen" }, "Not found"), empty("search", "This page does not exist", "Check the address.", link)), load: async () => {} };
}

/** @returns {View} */
function signedOut() {
  const link = h("a", { class: "button primary", href: "#/sign-in" }, "Sign in");
  return { title: "Sign in", element: h("div", {}, h("h1", { class: "offscreen" }, "Sign in"), empty("user", "Sign in first", "Only signed-in users see this page.", link)), load: async () => {} };
}

/** A browser that does not measure the paint must not delay the trace for longer. */
const LONGEST_PAINT = 1000;

let abort = new AbortController();
/** The signed-in user when the view was created. @type {string | undefined} */
let viewer;
/** The user whose count of notifications is known. @type {string | null} */
let counted = null;

/** Shows the view of the address as a separate action, or as part of the page load. @param {Span} [pageLoad] */
async function show(pageLoad) {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  const { name, create } = route();
  viewer = currentUser()?.handle;
  let view = create();
  if (view.signedIn && !currentUser()) view = signedOut();
  document.title = `${view.title} · Cruddur`;
  fill(main, view.element);
  drawSide();
  if (!pageLoad) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  const attributes = { "app.page": name };
  const what = pageLoad
    ? { name: "page load", label: "Page load", attributes, span: pageLoad, signal }
    : { name: `open ${name}`, label: `Open ${name}`, attributes, signal };
  try {
    await act(what, async (action) => {
      await Promise.all([view.load(action, signal), countUnread(action, name)]);
      // The title may have a name that was loaded.
      if (!signal.aborted) document.title = `${view.title} · Cruddur`;
      if (pageLoad) await measured(pageLoad);
    });
  } catch (error) {
    if (signal.aborted) return;
    const head = view.element.querySelector(".heading");
    fill(view.element, head, failed(error, () => show()));
  }
}

/** @param {Action} action @param {string} view */
async function countUnread(action, view) {
  const user = currentUser();
  if (!user || counted === user.handle) return;
  counted = user.handle;
  if (view === "notifications") return;
  try {
    const { headers } = await request(action, "GET", "/api/activities/notifications", { query: new URLSearchParams({ limit: "1" }) });
    setUnread(Number(headers.get("x-unread-count") ?? 0));
  } catch {
    // The number is not important enough to disturb the view.
    counted = null;
  }
}

/** Waits for the end of the page load, and adds the measurements of the browser. @param {Span} span */
async function measured(span) {
  if (document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
  span.stop();
  // The measurements are complete after the event, and those of the paint a few frames later.
  const paint = document.visibilityState === "visible" ? vitals.painted : Promise.resolve();
  await Promise.race([paint, new Promise((resolve) => setTimeout(resolve, LONGEST_PAINT))]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  span.set({ ...navigationTiming(), ...vitals.attributes() });
}

/** @type {[string, string, Icon, boolean][]} */
const LINKS = [
  ["", "Home", "home", false],
  ["search", "Search", "search", false],
  ["notifications", "Notifications", "bell", true],
  ["messages", "Messages", "mail", true],
];
const THEMES = /** @type {const} */ ({ system: ["half", "light"], light: ["sun", "dark"], dark: ["moon", "system"] });

function drawSide() {
  const focused = side.contains(document.activeElement) ? document.activeElement?.id : null;
  const user = currentUser();
  const place = decoded(location.hash.replace(/^#\/?/, "").split(/[/?]/)[0]);
  /** @param {string} path @param {string} label @param {Icon} name @param {number} [news] */
  const link = (path, label, name, news = 0) => h("a", { id: `to-${label.toLowerCase()}`, href: `#/${path}`, "aria-current": place === path ? "page" : null },
    h("span", { class: "badge-box" }, icon(name), news > 0 && h("span", { class: "badge", "aria-hidden": "true" }, news > 99 ? "99+" : news)),
    h("span", {}, label), news > 0 && h("span", { class: "offscreen" }, `, ${news} unread`));
  const [themeIcon, next] = THEMES[theme()];
  fill(side,
    h("div", { class: "head" },
      h("a", { class: "brand", href: "#/", id: "to-start" }, h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, "Cruddur")),
      h("button", { type: "button", class: "button only-icon", id: "theme", "aria-label": `Theme: ${theme()}. Switch to ${next}`, title: `Theme: ${theme()}`, on: { click: () => { setTheme(next); drawSide(); } } }, icon(themeIcon))),
    h("nav", { "aria-label": "Views" },
      ...LINKS.filter(([, , , personal]) => user || !personal).map(([path, label, name]) => link(path, label, name, path === "notifications" ? unreadCount() : 0)),
      user?.handle && link(`@${user.handle}`, "Profile", "user")),
    h("div", { class: "account" },
      user ? h("span", { class: "me" }, avatar(user, "small"), h("span", { class: "me-name" }, h("strong", {}, user.display_name), h("span", { class: "muted" }, `@${user.handle}`))) : h("a", { class: "button primary", href: "#/sign-in", id: "to-sign-in" }, "Sign in"),
      user && settings.sign_in.kind !== "fixed" && h("button", { type: "button", class: "button only-icon", id: "sign-out", "aria-label": "Sign out", title: "Sign out", on: { click: leave } }, icon("out"))));
  if (focused) document.getElementById(focused)?.focus();
}

function leave() {
  signOut();
  announce("Signed out.");
  if (settings.sign_in.kind === "cognito") leaveForSignOut(settings.sign_in);
}

const MARKS = /** @type {const} */ ({ running: "Running", done: "Done", failed: "Failed", canceled: "Canceled" });
let isOpen = false;

function drawActions() {
  const focused = aside.contains(document.activeElement) ? document.activeElement?.id : null;
  const rows = actions.map((action) => {
    const duration = action.span.duration;
    const text = duration === null ? "…" : took(duration);
    return h("li", { class: action.state, "data-action": action.span.name, "data-trace": action.trace },
      h("i", { class: "mark", title: MARKS[action.state] }), h("span", { class: "label" }, action.label, action.state !== "done" && h("span", { class: "offscreen" }, ` (${MARKS[action.state].toLowerCase()})`)),
      h("span", { class: "took" }, text), link(action, text));
  });
  fill(aside,
    h("div", { class: "aside-head" }, h("h2", {}, "Your traces"),
      h("button", { type: "button", id: "all-traces", class: "button small", "aria-expanded": String(isOpen), "aria-controls": "traces", on: { click: () => { isOpen = !isOpen; drawActions(); } } }, isOpen ? "Fewer" : "All")),
    h("p", { class: "muted note" }, "Each action is one trace, from this browser to the table."),
    h("ol", { class: "plain", id: "traces" }, ...rows));
  aside.classList.toggle("open", isOpen);
  if (focused) document.getElementById(focused)?.focus();
}

/** @param {Action} action @param {string} text */
function link(action, text) {
  const element = traceLink(action.trace, `Trace of ${action.label}, ${text}`);
  element.id = `trace-${action.id}`;
  return element;
}

const vitals = new WebVitals();

async function start() {
  applyTheme();
  const tracer = new Tracer(browserEnvironment());
  useTracer(tracer);
  const pageLoad = tracer.start("page load", {}, tracer.now() - performance.now());
  observeFaults(tracer, pageLoad);
  try {
    await loadSettings(pageLoad);
  } catch (error) {
    fill(main, h("h1", { class: "offscreen" }, "Cruddur"), failed(error, () => location.reload()));
    return;
  }
  if (settings.traces === null) tracer.disable();
  else tracer.sendTo(receiver(settings.api + settings.traces));
  restoreSession();
  if (settings.sign_in.kind === "cognito") signInFault = await returnFromSignIn(settings.sign_in, pageLoad);
  if (signInFault) history.replaceState(null, "", "#/sign-in");
  onActions(drawActions);
  drawActions();
  onSession((change) => {
    drawSide();
    const user = currentUser()?.handle;
    if (!user) counted = null;
    // The view stays, because the user may have written a text.
    if (change === "expired") announce("Your session has expired.");
    if (change === "user" || (change === "other tab" && user !== viewer)) show();
  });
  addEventListener("hashchange", () => show());
  document.getElementById("skip")?.addEventListener("click", () => main.focus());
  await show(pageLoad);
}

/** Traces errors of the page, and the final web vitals. @param {Tracer} tracer @param {Span} pageLoad */
function observeFaults(tracer, pageLoad) {
  /** @param {unknown} error */
  const report = (error) => {
    const running = actions.find((action) => action.state === "running")?.span;
    const span = running ? running.child("page error", "internal") : tracer.start("page error");
    span.fail(errorType(error));
    span.end();
  };
  addEventListener("error", (event) => report(event.error));
  addEventListener("unhandledrejection", (event) => report(event.reason));
  let sent = "";
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden") return;
    const attributes = vitals.attributes();
    const found = JSON.stringify(attributes);
    if (found !== sent) {
      sent = found;
      const span = pageLoad.child("web vitals", "internal", attributes);
      span.end();
    }
    tracer.flush();
  });
}

start();
