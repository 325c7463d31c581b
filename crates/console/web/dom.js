// Builds elements. Text from traces only becomes text nodes and attribute values, never markup.

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

// Strokes on a grid of 16 × 16.
const ICONS = {
  alert: "M8 2.2 14.4 13.4H1.6zM8 6.6v3M8 11.6v.01",
  back: "M9.5 3.5 5 8l4.5 4.5",
  ban: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M3.8 3.8l8.4 8.4",
  check: "M3 8.5 6.5 12 13 4.5",
  compare: "M2.5 5h9M9 2.5 11.5 5 9 7.5M13.5 11h-9M7 8.5 4.5 11 7 13.5",
  close: "M4 4l8 8M12 4l-8 8",
  cold: "M8 1.8v12.4M2.6 4.9l10.8 6.2M13.4 4.9 2.6 11.1M6.3 2.6 8 4.2l1.7-1.6M6.3 13.4 8 11.8l1.7 1.6",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  down: "M3.5 6 8 10.5 12.5 6",
  download: "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10",
  expand: "M6 3 11 8 6 13",
  filter: "M2 3.5h12L9.5 8.6v4.2l-3-1.6V8.6z",
  fold: "M3 5.5h10M5 8.5h6M7 11.5h2",
  half: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  keyboard: "M1.8 4h12.4v8H1.8zM4.4 6.6v.01M7 6.6v.01M9.4 6.6v.01M11.8 6.6v.01M5 9.6h6",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9a2.6 2.6 0 0 0 3.7 3.7l.8-.8",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  pin: "M10 2 14 6l-2.6.8-2.6 2.6-.4 3L3.6 7.6l3-.4 2.6-2.6zM5.8 10.2 2.4 13.6",
  play: "M5 3.2 12.5 8 5 12.8z",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M10.3 10.3 14 14",
  slow: "M8 4.5V8l2.5 1.5M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
  target: "M8 13A5 5 0 1 0 8 3a5 5 0 0 0 0 10M8 1v4M8 11v4M1 8h4M11 8h4",
  trash: "M2.8 4.3h10.4M6.3 4.3V2.6h3.4v1.7M4.2 4.3l.6 9.2h6.4l.6-9.2",
  up: "M3.5 10 8 5.5 12.5 10",
  upload: "M8 11V3M4.5 6 8 2.5 11.5 6M3 13.5h10",
};

/** @typedef {keyof typeof ICONS} Icon */

/** @param {Icon} name */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/**
 * A button with an icon, and with text unless it is only for assistive technology.
 * @param {Icon | null} name @param {string} label @param {(event: MouseEvent) => void} act
 * @param {Properties & { text?: boolean }} [properties]
 */
export function button(name, label, act, { text = false, ...properties } = {}) {
  const shown = text ? { title: properties.title } : { title: label, "aria-label": label };
  return h(
    "button",
    { type: "button", class: text ? "button" : "button only-icon", ...shown, ...properties, on: { click: act } },
    name && icon(name),
    text && h("span", {}, label),
  );
}

/** @type {HTMLElement | null} */
let announcer = null;
let timer = 0;

/** Shows a short message, and reads it out. @param {string} text */
export function announce(text) {
  announcer ??= /** @type {HTMLElement} */ (document.getElementById("toast"));
  announcer.textContent = text;
  announcer.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => announcer?.classList.remove("shown"), 2500);
}

/** @param {string} text @param {string} [what] */
export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard needs a secure context, which a page at another address than loopback is not.
    const area = h("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(what);
}

/** @param {string} text @param {string} label @param {string} [what] */
export function copyButton(text, label, what) {
  return button("copy", label, (event) => {
    event.stopPropagation();
    copy(text, what);
  }, { class: "button only-icon small" });
}
