// Keyboard shortcuts, and the dialog that lists them.

import { button, h } from "./dom.js";

/**
 * `keys` are values of `KeyboardEvent.key`. `typing`: also while the focus is in a text field. `control`: with Ctrl or ⌘.
 * @typedef {{ keys: string[], label: string, act: (event: KeyboardEvent) => void | false, typing?: boolean, control?: boolean }} Key
 */

/** @type {() => Key[]} */
let current = () => [];
/** What may be typed into the search of a view, with its meaning. @type {() => [string, string][]} */
let syntax = () => [];

/** @param {() => Key[]} keys @param {() => [string, string][]} typed */
export function listenToKeys(keys, typed) {
  current = keys;
  syntax = typed;
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = isTyping(event.target);
    const control = event.ctrlKey || event.metaKey;
    for (const key of current()) {
      if (!key.keys.includes(event.key) || Boolean(key.control) !== control || (typing && !key.typing)) continue;
      if (key.act(event) !== false) event.preventDefault();
      return;
    }
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && target.type !== "checkbox");
}

const NAMES = /** @type {Record<string, string>} */ ({
  ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Enter: "Enter", Escape: "Esc", " ": "Space", Home: "Home", End: "End",
});

export function showKeys() {
  const rows = current().filter((key) => key.label).map((key) =>
    h("div", { class: "key-row" },
      h("dt", {}, ...key.keys.flatMap((one, index) => [
        index > 0 && " ",
        h("kbd", {}, `${key.control ? "Ctrl " : ""}${NAMES[one] ?? one}`),
      ])),
      h("dd", {}, key.label)));
  const typed = syntax().map(([text, meaning]) => h("div", { class: "key-row" }, h("dt", {}, h("code", {}, text)), h("dd", {}, meaning)));
  openDialog("Keyboard", h("div", {}, h("dl", { class: "keys" }, ...rows),
    typed.length > 0 && h("h3", { class: "keys-title" }, "In the search"), typed.length > 0 && h("dl", { class: "keys" }, ...typed)));
}

/**
 * @param {string} title @param {Node} content
 * @param {{ confirm?: string, act?: () => void }} [options] a button that acts, and one that cancels
 */
export function openDialog(title, content, { confirm, act } = {}) {
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", on: { close: () => dialog.remove() } });
  dialog.append(
    h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, title), button("close", "Close", () => dialog.close())),
    content,
  );
  if (confirm) {
    dialog.append(h("div", { class: "dialog-actions" },
      button(null, "Cancel", () => dialog.close(), { text: true }),
      button(null, confirm, () => {
        dialog.close();
        act?.();
      }, { text: true, class: "button danger" })));
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}
