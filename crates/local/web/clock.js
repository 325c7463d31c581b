// The server's time, and the texts that change with it.

import { h } from "./dom.js";

/** @typedef {{ element: Element, update: (now: number) => void, shown: boolean }} Entry */

/** @type {Set<Entry>} */
const entries = new Set();

/** Below this difference, the clocks agree: `Date` has whole seconds, and the response takes its time. */
const PRECISION = 5000;
/** The time by which this browser's clock is behind the server's. */
let behind = 0;

/** The server's time, by which posts expire. */
function now() {
  return Date.now() + behind;
}

/** Notes the time of a response. @param {string | null} date its header `Date`, if the page may read that */
export function synchronize(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  if (!Number.isNaN(difference)) behind = Math.abs(difference) < PRECISION ? 0 : difference;
}

/** @param {string} time */
export function isPast(time) {
  return now() >= Date.parse(time);
}

/**
 * Calls `run` once, within a second after `time`, if `element` is in the document then. Never calls `run` synchronously.
 * @param {Element} element @param {string} time @param {() => void} run
 */
export function whenPast(element, time, run) {
  /** @type {Entry} */
  const entry = {
    element,
    shown: false,
    update() {
      if (!isPast(time)) return;
      entries.delete(entry);
      run();
    },
  };
  entries.add(entry);
}

/**
 * Calls `update` at once, and every second while `element` is in the document.
 * @param {Element} element @param {(now: number) => void} update
 */
export function eachSecond(element, update) {
  update(now());
  entries.add({ element, update, shown: false });
}

function tick() {
  const time = now();
  for (const entry of [...entries]) {
    if (entry.element.isConnected) {
      entry.shown = true;
      entry.update(time);
    } else if (entry.shown) {
      entries.delete(entry);
    }
  }
}

setInterval(tick, 1000);
// A browser stops the timers of a page in the background.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") tick();
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = /** @type {const} */ ([
  [DAY, "d", "day"],
  [HOUR, "h", "hour"],
  [MINUTE, "min", "minute"],
  [SECOND, "s", "second"],
]);

/** A span of time in its largest unit, such as `5 d`. @param {number} milliseconds */
export function short(milliseconds) {
  const [size, unit] = UNITS.find(([size]) => milliseconds >= size) ?? UNITS[3];
  return `${Math.max(0, Math.floor(milliseconds / size))} ${unit}`;
}

/** The same in words, such as `5 days`. @param {number} milliseconds */
export function inWords(milliseconds) {
  const [size, , unit] = UNITS.find(([size]) => milliseconds >= size) ?? UNITS[3];
  const count = Math.max(0, Math.floor(milliseconds / size));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** @param {number} left */
export function urgency(left) {
  if (left < 5 * MINUTE) return "urgent";
  return left < HOUR ? "soon" : "later";
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** @param {string} time */
export function fullDate(time) {
  return DATE.format(new Date(time));
}

/** The age of something, which grows while it is shown. @param {string} time */
export function age(time) {
  const element = h("time", { datetime: time, title: fullDate(time) });
  eachSecond(element, (at) => {
    const text = at - Date.parse(time) < 5 * SECOND ? "now" : short(at - Date.parse(time));
    if (element.textContent !== text) element.textContent = text;
  });
  return element;
}

/** A duration such as `12.4 ms`. @param {number} milliseconds */
export function took(milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 9.95 ? 1 : 0)} ms`;
}
