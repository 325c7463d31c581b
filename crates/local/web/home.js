// The views of posts: home, one post with its replies, search.

import { act } from "./actions.js";
import { request } from "./api.js";
import { isPast } from "./clock.js";
import { announce, button, fill, h, icon } from "./dom.js";
import { composer, postCard } from "./post.js";
import { currentUser, rename } from "./session.js";
import { empty, List, loading } from "./states.js";

/** @import { Icon } from "./dom.js" */
/** @import { View } from "./main.js" */
/** @import { Reason } from "./post.js" */
/** @import { Post, Thread } from "./types.js" */

const NO_COUNTS = { replies_count: 0, reposts_count: 0, likes_count: 0 };

/** @returns {View} */
export function home() {
  const list = new List({
    label: "Posts",
    load: (action, query, signal) => request(action, "GET", "/api/activities/home", { query, signal }),
    /** @param {Post} post */
    render: (post) => postCard(post),
    empty: () => empty("home", "No posts", "All posts have expired. Write the first one."),
  });
  const write = currentUser() ? composer({
    id: "new-post", label: "New post", hint: "Write a post", most: 280, submit: "Post", lifetime: true,
    async send(message, ttl, key) {
      const { data } = await act({ name: "post", label: "Post" }, (action) => request(action, "POST", "/api/activities", { body: { message, ttl }, key }));
      known(data);
      list.prepend({ ...NO_COUNTS, ...data });
      announce("Posted.");
    },
  }) : h("div", { class: "welcome" },
    h("p", {}, h("strong", {}, "Every post expires,"), " at the latest after 30 days."),
    h("a", { class: "button primary", href: "#/sign-in" }, "Sign in to post"));
  return { title: "Home", element: h("div", {}, heading("Home"), write, list.element), load: (action, signal) => list.load(action, signal) };
}

/** @param {string} uuid @param {boolean} wantsReply @returns {View} */
export function thread(uuid, wantsReply) {
  const body = h("div", {}, loading());
  const path = { activity_uuid: uuid };
  /** @type {Post | null} */
  let post = null;
  const list = new List({
    label: "Replies",
    async load(action, query, signal) {
      const answer = await request(action, "GET", "/api/activities/{activity_uuid}", { path, query, signal });
      const { activity, replies } = /** @type {Thread} */ (answer.data);
      post = activity;
      return { ...answer, data: replies };
    },
    /** @param {Post} reply */
    render: (reply) => postCard(reply, { expires_at: post?.expires_at }),
    empty: () => empty("reply", "No replies", currentUser() ? "Write the first one." : "Sign in to write the first one."),
  });
  return {
    title: "Post",
    element: h("div", {}, heading("Post", true), body),
    async load(action, signal) {
      await list.load(action, signal);
      const shown = /** @type {Post} */ (/** @type {unknown} */ (post));
      if (shown.expires_at && isPast(shown.expires_at)) {
        close("expired");
        return;
      }
      const write = currentUser() && composer({
        id: "new-reply", label: `Reply to ${shown.display_name}`, hint: "Write a reply", most: 1024, submit: "Reply",
        async send(message, _ttl, key) {
          const { data } = await act({ name: "reply", label: "Reply" }, (each) => request(each, "POST", "/api/activities/{activity_uuid}/reply", { path, body: { message }, key }));
          known(data);
          const reply = postCard({ ...NO_COUNTS, ...data }, { expires_at: shown.expires_at });
          reply.classList.add("arrived");
          list.items.append(reply);
          list.checkEmpty();
          announce("Replied.");
        },
      });
      const parent = shown.reply_to_activity_uuid && h("a", { class: "parent", href: `#/post/${shown.reply_to_activity_uuid}` }, icon("reply"), "Show the post that this replies to");
      fill(body, parent, postCard(shown, { heading: true, onGone: close }), write, list.element);
      if (wantsReply) body.querySelector("textarea")?.focus();
    },
  };

  /** Replaces the post with its replies and the form. @param {Reason} reason */
  function close(reason) {
    const hadFocus = body.contains(document.activeElement);
    const [name, title, text] = CLOSED[reason];
    fill(body, empty(name, title, text, h("a", { class: "button", href: "#/" }, "Show all posts")));
    const head = /** @type {HTMLElement} */ (body.querySelector("h2"));
    head.tabIndex = -1;
    if (hadFocus) head.focus();
    announce(`${title}.`);
  }
}

/** @type {Record<Reason, [Icon, string, string]>} */
const CLOSED = {
  expired: ["clock", "This post has expired", "Its replies have expired with it."],
  deleted: ["trash", "You have deleted this post", "Its replies are deleted with it."],
};

/** @param {string} term @returns {View} */
export function search(term) {
  const input = h("input", { id: "term", class: "input", type: "search", value: term, placeholder: "Words in posts", autocomplete: "off" });
  const form = h("form", { class: "search", role: "search", on: { submit: start } }, h("label", { class: "offscreen", for: "term" }, "Search for posts"), icon("search"), input,
    h("button", { type: "submit", class: "button" }, "Search"));
  const list = new List({
    label: "Found posts",
    load: (action, query, signal) => {
      query.set("term", term);
      return request(action, "GET", "/api/activities/search", { query, signal });
    },
    /** @param {Post} post */
    render: (post) => postCard(post),
    empty: () => empty("search", "Nothing found", "No post contains all of these words. New posts can be found a moment after they are written."),
  });
  const hint = empty("search", "Search for posts", "A post is found if it contains all words.");
  return {
    title: "Search",
    element: h("div", {}, heading("Search"), form, term ? list.element : hint),
    async load(action, signal) {
      if (term) await list.load(action, signal);
      else input.focus();
    },
  };

  /** @param {SubmitEvent} event */
  function start(event) {
    event.preventDefault();
    const words = input.value.trim();
    if (words) location.hash = `#/search?${new URLSearchParams({ q: words })}`;
  }
}

/** The head of a view. @param {string} title @param {boolean} [back] @param {...Node} more */
export function heading(title, back = false, ...more) {
  return h("div", { class: "heading" },
    back && h("button", { type: "button", class: "button only-icon", "aria-label": "Back", on: { click: () => (history.length > 1 ? history.back() : (location.hash = "#/")) } }, icon("back")),
    h("h1", {}, title), h("span", { class: "space" }), ...more);
}

/** Changes the text of a heading. @param {HTMLElement} element @param {string} title */
export function setHeading(element, title) {
  fill(/** @type {Element} */ (element.querySelector("h1")), title);
}

/** The API knows the names of the user. @param {{ handle: string, display_name: string }} author */
function known(author) {
  const user = currentUser();
  if (user && (user.handle !== author.handle || user.display_name !== author.display_name)) rename(author);
}

/** @param {string} label @param {() => void} act */
export function smallButton(label, act) {
  return button(null, label, act, { class: "button small" });
}
