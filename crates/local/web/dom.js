// Builds elements. Text of users only becomes text nodes and attribute values, never markup.

import { mentions } from "./mentions.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | false | undefined} Child */
/**
 * `on` has listeners by event; all others are attributes. `null`, `undefined` and `false` leave an attribute out.
 * @typedef {{ on?: Record<string, (event: any) => void>, [name: string]: any }} Properties
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, properties);
  append(element, children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, properties);
  append(element, children);
  return element;
}

/** @param {Element} element @param {Properties} properties */
function apply(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, /** @type {any} */ (listener));
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/** @param {Element} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
}

/** @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

// Strokes on a grid of 20 × 20.
const ICONS = {
  alert: "M10 3 18 16.5H2zM10 8v4M10 14.2v.01",
  back: "M12 4 6 10l6 6",
  bell: "M5 8.5a5 5 0 0 1 10 0c0 4 1.5 5 1.5 5h-13S5 12.5 5 8.5M8.3 16.5a2 2 0 0 0 3.4 0",
  check: "M4 10.5 8 14.5 16 6",
  clock: "M10 6v4.2l2.8 1.7M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15",
  half: "M10 2.5a7.5 7.5 0 1 0 0 15zM10 2.5a7.5 7.5 0 0 1 0 15",
  heart: "M10 16.5S3 12.6 3 7.7A3.7 3.7 0 0 1 10 6a3.7 3.7 0 0 1 7 1.7c0 4.9-7 8.8-7 8.8",
  home: "M3 9.2 10 3l7 6.2V17h-4.5v-4.5h-5V17H3z",
  mail: "M2.8 4.8h14.4v10.4H2.8zM3 5.2l7 5.6 7-5.6",
  mention: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0v1a2.2 2.2 0 0 0 4.4 0v-1A7.4 7.4 0 1 0 14 16.2",
  moon: "M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5",
  out: "M8 3H4v14h4M9 10h8M13.5 6.5 17 10l-3.5 3.5",
  repeat: "M4 9V7.5A1.5 1.5 0 0 1 5.5 6H15M12.5 3.5 15 6l-2.5 2.5M16 11v1.5a1.5 1.5 0 0 1-1.5 1.5H5M7.5 16.5 5 14l2.5-2.5",
  reply: "M3 9.5C3 6 6 3.5 10 3.5s7 2.5 7 6-3 6-7 6a8.6 8.6 0 0 1-2.5-.4L4 16.8l.7-3.2A5.6 5.6 0 0 1 3 9.5",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11M13 13l4 4",
  sun: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M10 1.8v1.7M10 16.5v1.7M1.8 10h1.7M16.5 10h1.7M4.2 4.2l1.2 1.2M14.6 14.6l1.2 1.2M4.2 15.8l1.2-1.2M14.6 5.4l1.2-1.2",
  trace: "M2.5 5h15M5 10h7M9 15h6",
  trash: "M3.5 5.5h13M8 5.5V3.5h4v2M5.3 5.5l.7 11h8l.7-11",
  user: "M10 10a3.3 3.3 0 1 0 0-6.6A3.3 3.3 0 0 0 10 10M3.5 17a6.5 6.5 0 0 1 13 0",
};

/** @typedef {keyof typeof ICONS} Icon */

/** @param {Icon} name */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** A button with text, and an icon if it has one. @param {Icon | null} name @param {string} label @param {(event: MouseEvent) => void} act @param {Properties} [properties] */
export function button(name, label, act, properties = {}) {
  return h("button", { type: "button", class: "button", ...properties, on: { click: act } }, name && icon(name), h("span", {}, label));
}

/** Focuses `element` if the focus was lost with a removed element. @param {HTMLElement | undefined} element */
export function focusIfLost(element) {
  if (document.activeElement === document.body) element?.focus();
}

let timer = 0;

/** Shows a short message, and reads it out. @param {string} text */
export function announce(text) {
  const toast = /** @type {HTMLElement} */ (document.getElementById("toast"));
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => toast.classList.remove("shown"), 3000);
}

/** A circle with the first letter of a name. The name itself is next to it. @param {{ handle: string, display_name: string }} user @param {string} [size] */
export function avatar(user, size = "") {
  let hash = 0;
  for (const character of user.handle) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  const [letter = "?"] = user.display_name.trim() || user.handle;
  return h("span", { class: `avatar c${hash % 8} ${size}`, "aria-hidden": "true" }, letter.toUpperCase());
}

/** Text with links to the users that it mentions. @param {string} text @returns {Node[]} */
export function linked(text) {
  /** @type {Node[]} */
  const parts = [];
  let end = 0;
  for (const mention of mentions(text)) {
    parts.push(document.createTextNode(text.slice(end, mention.start)));
    parts.push(h("a", { href: `#/@${mention.handle}` }, text.slice(mention.start, mention.end)));
    end = mention.end;
  }
  parts.push(document.createTextNode(text.slice(end)));
  return parts;
}
