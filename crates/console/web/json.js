// JSON as a tree whose branches fold, with the raw text beside it.

import { copyButton, fill, h } from "./dom.js";

// Branches below this level are folded at first.
const OPEN_LEVELS = 2;
// Longer text shows its beginning.
const LONG = 240;
const MOST_CHILDREN = 200;

/** Parsed JSON, or null if the text is no object and no array. @param {string} text @returns {object | null} */
export function parsed(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** @param {unknown} value @param {{ raw?: string, label: string }} options */
export function jsonBox(value, { raw = JSON.stringify(value, null, 2), label }) {
  const box = h("div", { class: "json-box" });
  let formatted = true;
  const draw = () => fill(
    box,
    h("div", { class: "json-tools" },
      h("button", { type: "button", class: "button ghost small", "aria-pressed": String(!formatted), on: { click: () => {
        formatted = !formatted;
        draw();
        box.querySelector("button")?.focus();
      } } }, "Raw"),
      copyButton(raw, `Copy ${label}`)),
    formatted ? h("div", { class: "json" }, jsonTree(value)) : h("pre", { class: "raw", tabindex: "0", "aria-label": label }, raw));
  draw();
  return box;
}

/** @param {unknown} value @param {string | number} [key] @param {number} [level] @returns {HTMLElement} */
export function jsonTree(value, key, level = 0) {
  const name = key === undefined ? null : h("span", { class: "json-key" }, String(key), h("span", { class: "muted" }, ": "));
  if (value === null || typeof value !== "object") return h("div", { class: "json-line" }, name, leaf(value));
  const entries = Array.isArray(value) ? value.map((one, index) => /** @type {[string | number, unknown]} */ ([index, one])) : Object.entries(value);
  const brackets = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return h("div", { class: "json-line" }, name, h("span", { class: "muted" }, brackets.join("")));
  const children = h("div", { class: "json-children" });
  const details = h("details", { class: "json-branch" },
    h("summary", {}, name, h("span", { class: "muted" }, `${brackets[0]} ${entries.length} ${brackets[1]}`)), children);
  const draw = () => {
    if (children.childElementCount) return;
    for (const [child, one] of entries.slice(0, MOST_CHILDREN)) children.append(jsonTree(one, child, level + 1));
    if (entries.length > MOST_CHILDREN) children.append(h("p", { class: "muted" }, `${entries.length - MOST_CHILDREN} more are in the raw text.`));
  };
  details.addEventListener("toggle", draw);
  if (level < OPEN_LEVELS) {
    draw();
    details.open = true;
  }
  return details;
}

/** @param {unknown} value */
function leaf(value) {
  if (typeof value === "string") return longText(value, "json-string");
  return h("span", { class: `json-${value === null ? "null" : typeof value}` }, String(value));
}

/** Text whose end is hidden until a button shows it. @param {string} text @param {string} [kind] */
export function longText(text, kind = "text") {
  if (text.length <= LONG) return h("span", { class: kind }, text);
  const shown = h("span", {}, `${text.slice(0, LONG)}…`);
  const more = h("button", { type: "button", class: "button ghost small", "aria-expanded": "false", on: { click: () => {
    const open = more.getAttribute("aria-expanded") === "false";
    more.setAttribute("aria-expanded", String(open));
    more.textContent = open ? "Less" : `All ${text.length.toLocaleString("en-US")} characters`;
    shown.textContent = open ? text : `${text.slice(0, LONG)}…`;
  } } }, `All ${text.length.toLocaleString("en-US")} characters`);
  return h("span", { class: kind }, shown, " ", more);
}
