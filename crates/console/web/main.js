// The frame of the page: header, views by address, the state of the connection, import by drag and drop.

import { address, go, href, onAddress, update } from "./address.js";
import { onStream, openStream, request, streamState, Unreachable } from "./api.js";
import { CompareView } from "./compare.js";
import { CostsView } from "./costs.js";
import { announce, button, fill, h, icon } from "./dom.js";
import { ExploreView } from "./explore.js";
import { plural } from "./format.js";
import { HealthView } from "./health.js";
import { listenToKeys, showKeys } from "./keys.js";
import { applyTheme, remember, settings } from "./settings.js";
import { TraceView } from "./trace.js";
import { TracesView } from "./traces.js";

/** @import { Key } from "./keys.js" */

/**
 * `update` follows the address. It returns false if the address needs another view.
 * @typedef {{ element: HTMLElement, keys: Key[], update: () => boolean, retry: (restarted: boolean) => void, dispose: () => void, syntax?: [string, string][] }} View
 */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const lost = /** @type {HTMLElement} */ (document.getElementById("lost"));
const top = /** @type {HTMLElement} */ (document.getElementById("top"));

// It stays while a trace is open, so that Back shows the same rows at the same place.
const traces = new TracesView();
/** @type {View | null} */
let view = null;

/** The views beside the list of traces and one trace. @type {{ path: string, label: string, make: () => View }[]} */
const VIEWS = [
  { path: "explore", label: "Explore", make: () => new ExploreView() },
  { path: "compare", label: "Compare", make: () => new CompareView() },
  { path: "costs", label: "Cost", make: () => new CostsView() },
  { path: "health", label: "Health", make: () => new HealthView() },
];

function show() {
  const { path, params } = address();
  const zone = params.get("tz");
  if (zone === "utc" || zone === "local") settings.zone = zone;
  if (!view?.update()) {
    view?.dispose();
    view = path[0] === "trace" ? new TraceView(path[1] ?? "") : VIEWS.find((one) => one.path === path[0])?.make() ?? traces;
    fill(main, view.element);
    view.update();
    if (view === traces) traces.resume();
  }
  drawTop();
}

const ZONES = { local: "Local time", utc: "UTC" };
const THEMES = /** @type {const} */ ({
  system: ["half", "System theme", "light"],
  light: ["sun", "Light theme", "dark"],
  dark: ["moon", "Dark theme", "system"],
});

function drawTop() {
  const place = address().path[0] ?? "";
  /** @param {string} label @param {string} path @param {boolean} current */
  const link = (label, path, current) =>
    h("a", { href: href(path ? [path] : [], zoneParams()), class: "nav", "aria-current": current ? "page" : null }, label);
  const [themeIcon, themeName, nextTheme] = THEMES[settings.theme];
  const focused = top.contains(document.activeElement) ? document.activeElement?.id : null;
  fill(
    top,
    h("a", { href: href([], zoneParams()), class: "brand", "aria-label": "lambda-console: all traces" }, logo(), h("span", {}, "lambda-console")),
    h("nav", { "aria-label": "Views" }, link("Traces", "", !VIEWS.some((one) => one.path === place)), ...VIEWS.map(({ path, label }) => link(label, path, place === path))),
    h("div", { class: "space" }),
    h("span", { class: `stream ${streamState}` }, h("i", {}), { connecting: "Connecting", live: "Live", lost: "Reconnecting" }[streamState]),
    button("slow", ZONES[settings.zone], toggleZone, {
      id: "zone", text: true, class: "button ghost zone", title: `Times are shown in ${settings.zone === "utc" ? "UTC" : "local time"}. Switch.`,
    }),
    button(themeIcon, `${themeName}. Switch to ${THEMES[nextTheme][1].toLowerCase()}`, () => setTheme(nextTheme), {
      id: "theme", class: "button ghost only-icon",
    }),
    button("keyboard", "Keyboard shortcuts (?)", showKeys, { id: "keys", class: "button ghost only-icon" }),
  );
  if (focused) document.getElementById(focused)?.focus();
  // The links scroll on a phone.
  top.querySelector("[aria-current=page]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
}

function logo() {
  return h("span", { class: "logo", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}));
}

function zoneParams() {
  return { tz: address().params.get("tz") };
}

function toggleZone() {
  remember({ zone: settings.zone === "utc" ? "local" : "utc" });
  // An address with times in UTC shows the same to the next reader.
  update({ tz: settings.zone === "utc" ? "utc" : null }, { replace: true });
  drawTop();
  view?.update();
}

/** @param {"system" | "light" | "dark"} theme */
function setTheme(theme) {
  remember({ theme });
  applyTheme();
  drawTop();
}

/** @type {string | null} */
let started = null;

onStream(async ({ type, data }) => {
  if (type !== "state") return;
  drawTop();
  const gone = data === "lost";
  lost.classList.toggle("shown", gone);
  if (gone) {
    fill(lost, icon("alert"), h("span", {}, "The console does not answer. Reconnecting …"));
    return;
  }
  fill(lost);
  try {
    const { started_at } = await request("api/info");
    // Events were lost before, or all traces by a restart.
    const restarted = started !== null && started !== started_at;
    view?.retry(restarted);
    if (restarted) announce("The console was restarted.");
    started = started_at;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
  }
});

/** @param {FileList | File[]} files */
async function importFiles(files) {
  for (const file of files) {
    try {
      const { traces: ids, spans } = await request("api/import", { method: "POST", body: file });
      announce(`Imported ${plural(spans, "span")} of ${plural(ids.length, "trace")}.`);
      if (ids.length === 1) go(href(["trace", ids[0]], zoneParams()));
      else go(href([], zoneParams()));
    } catch (error) {
      announce(`${file.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

traces.onImport = importFiles;
addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  importFiles([...event.dataTransfer.files]);
});

/** @type {Key[]} */
const GLOBAL = [
  { keys: ["?"], label: "Show this list", act: showKeys },
  { keys: ["g"], label: "Go to all traces", act: () => go(href([], zoneParams())) },
];
listenToKeys(() => [...(view?.keys ?? []), ...GLOBAL], () => view?.syntax ?? []);
document.getElementById("skip")?.addEventListener("click", () => main.focus());

applyTheme();
onAddress(show);
show();
openStream();
