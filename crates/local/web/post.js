// Posts, with the time that they have left, their actions and the form for texts.

import { act } from "./actions.js";
import { Failure, request } from "./api.js";
import { age, eachSecond, fullDate, inWords, short, urgency, whenPast } from "./clock.js";
import { announce, avatar, fill, h, icon, linked, s } from "./dom.js";
import { currentUser } from "./session.js";
import { failedLine } from "./states.js";

/** @import { Post, Reactions } from "./types.js" */
/** @import { Icon } from "./dom.js" */

const CIRCUMFERENCE = 2 * Math.PI * 7;

/** Why a post is gone. @typedef {"expired" | "deleted"} Reason */

/** @type {Record<Reason, [Icon, string]>} */
const GONE = { expired: ["clock", "This post has expired."], deleted: ["trash", "You have deleted this post."] };

/**
 * `expires_at` is that of the parent for a reply. `heading` makes the post the subject of its view. `onGone` replaces the
 * post by something other than a line.
 * @param {Post} post
 * @param {{ expires_at?: string, heading?: boolean, onGone?: (reason: Reason) => void }} [options]
 */
export function postCard(post, { expires_at = post.expires_at, heading = false, onGone } = {}) {
  const who = h("a", { class: "who", href: `#/@${post.handle}` }, h("strong", {}, post.display_name), " ", h("span", { class: "muted" }, `@${post.handle}`));
  const permalink = h("a", { class: "permalink", href: `#/post/${post.uuid}` }, h("span", { class: "offscreen" }, `Post of ${post.display_name}, `), age(post.created_at));
  const faults = h("div", {});
  const card = h("article", { class: `post${heading ? " subject" : ""}`, tabindex: "-1", "data-id": post.uuid, "aria-label": `${post.display_name}: ${post.message.slice(0, 80)}` },
    avatar(post, heading ? "large" : ""),
    h("div", { class: "post-body" },
      h("header", {}, who, h("span", { class: "dot", "aria-hidden": "true" }), permalink, h("span", { class: "space" }), expires_at && timeLeft(post.created_at, expires_at)),
      h("p", { class: "text", dir: "auto" }, ...linked(post.message)),
      h("footer", {},
        h("a", { class: "act", href: `#/post/${post.uuid}?reply` }, icon("reply"), h("span", { class: "offscreen" }, "Reply "), h("span", {}, count(post.replies_count))),
        reaction(post, faults, { kind: "repost", path: "repost", name: "Repost", icon: "repeat", number: (reactions) => [reactions.reposted, reactions.reposts_count], count: post.reposts_count }),
        reaction(post, faults, { kind: "like", path: "like", name: "Like", icon: "heart", pressed: post.liked, number: (reactions) => [reactions.liked, reactions.likes_count], count: post.likes_count }),
        post.handle === currentUser()?.handle && deleteButton(post, faults, () => gone("deleted")),
      ),
      faults,
    ));
  const gone = onGone ?? ((/** @type {Reason} */ reason) => replaceByLine(card, ...GONE[reason]));
  if (expires_at) whenPast(card, expires_at, () => gone("expired"));
  return card;
}

/** Replaces the content of a card that is gone, and keeps the focus. @param {HTMLElement} card @param {Icon} name @param {string} text */
export function replaceByLine(card, name, text) {
  if (card.classList.contains("gone")) return;
  const hadFocus = card.contains(document.activeElement);
  fill(card, h("p", {}, icon(name), h("span", {}, text)));
  card.classList.add("gone");
  card.setAttribute("aria-label", text);
  if (hadFocus) card.focus();
}

/** A ring that empties, and the time in its largest unit. @param {string} from @param {string} to */
function timeLeft(from, to) {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const arc = s("circle", { class: "arc", cx: 10, cy: 10, r: 7, transform: "rotate(-90 10 10)" });
  const text = h("span", {});
  const words = h("span", { class: "offscreen" });
  const element = h("span", { class: "left", title: `Expires ${fullDate(to)}` },
    s("svg", { class: "ring", viewBox: "0 0 20 20", "aria-hidden": "true" }, s("circle", { cx: 10, cy: 10, r: 7 }), arc), text, words);
  text.setAttribute("aria-hidden", "true");
  eachSecond(element, (time) => {
    const left = Math.max(0, end - time);
    const shown = `${short(left)} left`;
    if (text.textContent === shown) return;
    text.textContent = shown;
    words.textContent = `Expires in ${inWords(left)}`;
    const part = Math.min(1, left / Math.max(1, end - start));
    arc.setAttribute("stroke-dasharray", `${(part * CIRCUMFERENCE).toFixed(2)} ${CIRCUMFERENCE.toFixed(2)}`);
    element.dataset.urgency = urgency(left);
  });
  return element;
}

/** @param {number} value */
function count(value) {
  return value ? value.toLocaleString("en-US", { notation: value > 9999 ? "compact" : "standard" }) : "";
}

/**
 * A button that is pressed or not. It changes at once, and back if the request fails. If the response did not say whether it
 * is pressed, the first press sets it, and only the answer changes the count.
 * @param {Post} post @param {HTMLElement} faults
 * @param {{ kind: string, path: string, name: string, icon: Icon, pressed?: boolean | null, count: number, number: (reactions: Reactions) => [boolean, number] }} options
 */
function reaction(post, faults, options) {
  const number = h("span", {});
  const element = h("button", { type: "button", class: `act ${options.kind}`, on: { click: toggle } }, icon(options.icon), h("span", { class: "offscreen" }, `${options.name} `), number);
  let value = options.count;
  /** Whether it is pressed, if known. @type {boolean | null} */
  let pressed = value === 0 ? false : options.pressed ?? null;
  let busy = false;
  /** @param {boolean | null} next @param {number} total */
  const draw = (next, total) => {
    pressed = next;
    value = total;
    if (pressed === null) element.removeAttribute("aria-pressed");
    else element.setAttribute("aria-pressed", String(pressed));
    number.textContent = count(value);
  };
  draw(pressed, value);
  return element;

  async function toggle() {
    if (!currentUser()) {
      location.hash = "#/sign-in";
      return;
    }
    if (busy) return;
    busy = true;
    const before = /** @type {const} */ ([pressed, value]);
    const method = pressed ? "DELETE" : "PUT";
    const label = pressed ? `Undo ${options.kind}` : options.name;
    const change = pressed === null ? 0 : pressed ? -1 : 1;
    draw(!pressed, Math.max(0, value + change));
    fill(faults);
    try {
      const { data } = await act({ name: label.toLowerCase(), label }, (action) =>
        request(action, method, `/api/activities/{activity_uuid}/${options.path}`, { path: { activity_uuid: post.uuid } }));
      draw(...options.number(data));
    } catch (error) {
      draw(...before);
      fill(faults, failedLine(error));
    } finally {
      busy = false;
    }
  }
}

/** @param {Post} post @param {HTMLElement} faults @param {() => void} done */
function deleteButton(post, faults, done) {
  let sure = false;
  const element = h("button", { type: "button", class: "act delete", title: "Delete this post", "aria-label": "Delete this post", on: { click: remove, blur: () => ask(false) } }, icon("trash"), h("span", {}));
  /** @param {boolean} next */
  const ask = (next) => {
    sure = next;
    /** @type {Element} */ (element.lastElementChild).textContent = sure ? "Delete for good?" : "";
    element.setAttribute("aria-label", sure ? "Delete for good?" : "Delete this post");
  };
  return element;

  async function remove() {
    if (!sure) {
      ask(true);
      return;
    }
    try {
      await act({ name: "delete", label: "Delete" }, (action) => request(action, "DELETE", "/api/activities/{activity_uuid}", { path: { activity_uuid: post.uuid } }));
      done();
      announce("Deleted.");
    } catch (error) {
      fill(faults, failedLine(error));
    }
  }
}

const TTLS = /** @type {const} */ ([
  ["30-days", "30 days"], ["7-days", "7 days"], ["3-days", "3 days"], ["1-day", "1 day"], ["12-hours", "12 hours"], ["3-hours", "3 hours"], ["1-hour", "1 hour"],
]);

/**
 * A form with a text. `send` gets the text, the lifetime, and a key by which the API recognizes a repeated request.
 * @param {{ label: string, hint: string, most: number, submit: string, lifetime?: boolean, rows?: number, id: string, send: (text: string, ttl: string, key: string) => Promise<void> }} options
 */
export function composer({ label, hint, most, submit, lifetime = false, rows = 2, id, send }) {
  const user = currentUser();
  const area = h("textarea", { id, rows, placeholder: hint, "aria-describedby": `${id}-count`, on: { input: changed, keydown: submitByKey } });
  const counter = h("span", { class: "counter", id: `${id}-count` });
  const ttl = lifetime && h("select", { id: `${id}-ttl`, class: "input", "aria-label": "Expires after" }, ...TTLS.map(([value, text]) => h("option", { value, selected: value === "7-days" }, text)));
  const ready = h("button", { type: "submit", class: "button primary" }, submit);
  const faults = h("div", {});
  const form = h("form", { class: "composer", novalidate: true, on: { submit: submitted } },
    user && avatar(user),
    h("div", { class: "post-body" },
      h("label", { class: "offscreen", for: id }, label), area,
      h("div", { class: "composer-foot" },
        ttl && h("span", { class: "labeled" }, icon("clock"), ttl), h("span", { class: "space" }), counter, ready),
      faults));
  let key = crypto.randomUUID();
  let busy = false;
  changed();
  return form;

  function changed() {
    // The API counts code points.
    const left = most - [...area.value].length;
    fill(counter, left <= most / 4 && h("span", {}, left), left <= most / 4 && h("span", { class: "offscreen" }, " characters left"));
    counter.classList.toggle("over", left < 0);
    area.style.height = "auto";
    if (area.scrollHeight) area.style.height = `${area.scrollHeight + 2}px`;
  }

  /** @param {KeyboardEvent} event */
  function submitByKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  }

  /** @param {SubmitEvent} event */
  async function submitted(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    fill(faults);
    area.removeAttribute("aria-invalid");
    try {
      await send(area.value, ttl ? ttl.value : "", key);
      area.value = "";
      key = crypto.randomUUID();
    } catch (error) {
      // A failed request may have arrived, and its retry needs the same key. Nothing else is stored under it.
      if (error instanceof Failure && error.codes.includes("idempotency_key_reused")) key = crypto.randomUUID();
      fill(faults, failedLine(error));
      area.setAttribute("aria-invalid", "true");
    } finally {
      setBusy(false);
      changed();
      if (form.contains(document.activeElement)) area.focus();
    }
  }

  /** Locks the form. A disabled button would lose the focus. @param {boolean} next */
  function setBusy(next) {
    busy = next;
    area.readOnly = next;
    ready.setAttribute("aria-disabled", String(next));
  }
}
