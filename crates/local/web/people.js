// The views of users: profile, notifications, conversations, sign-in.

import { act } from "./actions.js";
import { request } from "./api.js";
import { age, whenPast } from "./clock.js";
import { leaveForSignIn } from "./cognito.js";
import { announce, avatar, button, fill, focusIfLost, h, icon, linked } from "./dom.js";
import { heading, setHeading, smallButton } from "./home.js";
import { composer, postCard, replaceByLine } from "./post.js";
import { currentUser, rename, setUnread, signIn } from "./session.js";
import { settings } from "./settings.js";
import { empty, failedLine, List, loading, traceLink } from "./states.js";

/** @import { View } from "./main.js" */
/** @import { Message, Notification, Post, Profile } from "./types.js" */
/** @import { User } from "./settings.js" */
/** @import { Icon } from "./dom.js" */

/** @param {string} handle @returns {View} */
export function profile(handle) {
  const top = heading(`@${handle}`, true);
  const body = h("div", {}, loading());
  const head = h("div", { class: "profile" });
  /** @type {Profile | null} */
  let shown = null;
  const list = new List({
    label: "Posts",
    async load(action, query, signal) {
      const answer = await request(action, "GET", "/api/activities/@{handle}", { path: { handle }, query, signal });
      shown = answer.data.profile;
      return { ...answer, data: answer.data.activities };
    },
    /** @param {Post} post */
    render: (post) => postCard(post),
    empty: () => empty("home", "No posts", `${title()} has no posts that are still visible.`),
  });
  return {
    get title() { return title(); },
    element: h("div", {}, top, body),
    async load(action, signal) {
      await list.load(action, signal);
      setHeading(top, title());
      fill(body, head, list.element);
      draw();
    },
  };

  /** The handle as the user chose it. The address may have another case. */
  function title() {
    return `@${shown?.handle ?? handle}`;
  }

  function draw() {
    const found = /** @type {Profile} */ (shown);
    const isOwn = currentUser()?.handle === found.handle;
    fill(head, avatar(found, "huge"),
      h("div", { class: "post-body" },
        h("h2", {}, found.display_name),
        h("p", { class: "muted" }, `@${found.handle} · ${found.cruds_count} ${found.cruds_count === 1 ? "post" : "posts"}`),
        found.bio && h("p", { class: "text bio", dir: "auto" }, ...linked(found.bio))),
      isOwn ? button(null, "Edit profile", edit, { id: "edit-profile" }) : currentUser() && h("a", { class: "button", href: `#/messages/new/${found.handle}` }, icon("mail"), "Message"));
  }

  function edit() {
    const found = /** @type {Profile} */ (shown);
    const name = h("input", { id: "display-name", class: "input", value: found.display_name, maxlength: 50, required: true, autocomplete: "off" });
    const bio = h("textarea", { id: "bio", class: "input", rows: 3, maxlength: 500 }, found.bio);
    const faults = h("div", {});
    const form = h("form", { class: "edit", novalidate: true, on: { submit: save } },
      h("label", { for: "display-name" }, "Display name"), name, h("label", { for: "bio" }, "Bio"), bio, faults,
      h("div", { class: "group" }, h("button", { type: "submit", class: "button primary" }, "Save"), button(null, "Cancel", close)));
    fill(head, form);
    name.focus();

    function close() {
      const hadFocus = form.contains(document.activeElement);
      draw();
      if (hadFocus) document.getElementById("edit-profile")?.focus();
    }

    /** @param {SubmitEvent} event */
    async function save(event) {
      event.preventDefault();
      name.readOnly = bio.readOnly = true;
      try {
        const { data } = await act({ name: "update profile", label: "Update profile" }, (action) =>
          request(action, "PUT", "/api/profile/update", { body: { display_name: name.value, bio: bio.value } }));
        shown = { ...found, display_name: data.display_name, bio: bio.value };
        rename(data);
        close();
        announce("Saved.");
      } catch (error) {
        name.readOnly = bio.readOnly = false;
        fill(faults, failedLine(error));
      }
    }
  }
}

/** @type {Record<Notification["kind"], [Icon, string]>} */
const KINDS = { reply: ["reply", "replied to you"], like: ["heart", "likes your post"], mention: ["mention", "mentioned you"], conversation: ["mail", "wrote to you"] };

/** @returns {View} */
export function notifications() {
  const mark = smallButton("Mark all as read", markRead);
  mark.hidden = true;
  const list = new List({
    label: "Notifications",
    async load(action, query, signal) {
      const answer = await request(action, "GET", "/api/activities/notifications", { query, signal });
      const unread = Number(answer.headers.get("x-unread-count") ?? 0);
      setUnread(unread);
      mark.hidden = unread === 0;
      return answer;
    },
    render: notification,
    empty: () => empty("bell", "Nothing new", "Replies, likes, mentions and new conversations appear here."),
  });
  return { title: "Notifications", signedIn: true, element: h("div", {}, heading("Notifications", false, mark), list.element), load: (action, signal) => list.load(action, signal) };

  async function markRead() {
    try {
      const { data } = await act({ name: "mark as read", label: "Mark as read" }, (action) => request(action, "PUT", "/api/activities/notifications"));
      setUnread(data.unread_count);
      mark.hidden = true;
      list.items.querySelectorAll(".unread").forEach((element) => {
        element.classList.remove("unread");
        element.querySelector(".unread-mark")?.remove();
      });
      announce("All notifications are read.");
    } catch (error) {
      list.element.prepend(failedLine(error));
    }
  }
}

/** @param {Notification} it */
function notification(it) {
  const [name, did] = KINDS[it.kind];
  const target = it.kind === "conversation" && it.message_group_uuid ? `#/messages/${it.message_group_uuid}` : `#/post/${it.uuid}`;
  const element = h("article", { class: `notification ${it.kind}${it.unread ? " unread" : ""}`, tabindex: "-1", "aria-label": `${it.display_name} ${did}` },
    icon(name), avatar(it, "small"),
    h("div", { class: "post-body" },
      h("p", {}, it.unread && h("span", { class: "unread-mark" }, h("span", { class: "offscreen" }, "Unread: ")),
        h("a", { class: "permalink", href: target }, h("strong", {}, it.display_name), ` ${did}`), " ", h("span", { class: "muted" }, age(it.created_at))),
      it.message && h("p", { class: "text muted excerpt", dir: "auto" }, it.message)),
    it.trace_id && traceLink(it.trace_id, `Trace of the request: ${it.display_name} ${did}`));
  whenPast(element, it.expires_at, () => {
    element.classList.remove("unread");
    replaceByLine(element, "clock", "This notification has expired.");
  });
  return element;
}

/** @returns {View} */
export function conversations() {
  const list = new List({
    label: "Conversations",
    load: (action, query, signal) => request(action, "GET", "/api/message_groups", { query, signal }),
    /** @param {Message} it */
    render: (it) => h("article", { class: "conversation", tabindex: "-1", "aria-label": `Conversation with ${it.display_name}` }, avatar(it),
      h("div", { class: "post-body" },
        h("header", {}, h("a", { class: "permalink who", href: `#/messages/${it.uuid}` }, h("strong", {}, it.display_name), " ", h("span", { class: "muted" }, `@${it.handle}`)),
          h("span", { class: "space" }), h("span", { class: "muted" }, age(it.created_at))),
        h("p", { class: "text muted excerpt", dir: "auto" }, it.message))),
    empty: () => empty("mail", "No conversations", "Write to a user by their handle."),
  });
  const handle = h("input", { id: "receiver", class: "input", placeholder: "Handle, such as worf", autocomplete: "off", autocapitalize: "none", maxlength: 31, required: true });
  const form = h("form", { class: "search", on: { submit: start } }, h("label", { class: "offscreen", for: "receiver" }, "Handle of the user to write to"), icon("mail"), handle,
    h("button", { type: "submit", class: "button" }, "Write"));
  return { title: "Messages", signedIn: true, element: h("div", {}, heading("Messages"), form, list.element), load: (action, signal) => list.load(action, signal) };

  /** @param {SubmitEvent} event */
  function start(event) {
    event.preventDefault();
    const name = handle.value.trim().replace(/^@/, "");
    if (name) location.hash = `#/messages/new/${encodeURIComponent(name)}`;
  }
}

/** @param {string} group @returns {View} */
export function conversation(group) {
  const body = h("div", { class: "messages" }, loading());
  const path = { message_group_uuid: group };
  const older = h("div", { class: "foot" });
  const items = h("ol", { class: "plain" });
  const log = h("div", { role: "log", "aria-label": "Messages" }, items);
  const title = heading("Conversation", true);
  return {
    title: "Conversation",
    signedIn: true,
    element: h("div", {}, title, body),
    async load(action, signal) {
      const { data, next } = await request(action, "GET", "/api/messages/{message_group_uuid}", { path, signal });
      const other = data.find((/** @type {Message} */ one) => one.handle !== currentUser()?.handle);
      if (other) setHeading(title, other.display_name);
      fill(items, ...data.map(bubble));
      follow(next);
      fill(body, older, log, composer({
        id: "new-message", label: "Message", hint: "Write a message", most: 1024, submit: "Send",
        async send(message, _ttl, key) {
          const answer = await act({ name: "message", label: "Message" }, (each) => request(each, "POST", "/api/messages", { body: { message, message_group_uuid: group }, key }));
          items.append(bubble(answer.data));
          items.lastElementChild?.scrollIntoView({ block: "nearest" });
        },
      }));
      items.lastElementChild?.scrollIntoView({ block: "nearest" });
    },
  };

  /** @param {URLSearchParams | null} query */
  function follow(query) {
    fill(older, query && button(null, "Older messages", () => more(query), { class: "button more" }));
  }

  /** @param {URLSearchParams} query */
  async function more(query) {
    fill(older, h("span", { class: "muted", role: "status" }, "Loading …"));
    try {
      const { data, next } = await act({ name: "show more", label: "Older messages" }, (action) => request(action, "GET", "/api/messages/{message_group_uuid}", { path, query }));
      const added = data.map(bubble);
      // A screen reader announces items that are added to a log, unless it is busy.
      log.setAttribute("aria-busy", "true");
      items.prepend(...added);
      follow(next);
      focusIfLost(added[0]);
      requestAnimationFrame(() => log.setAttribute("aria-busy", "false"));
    } catch (error) {
      fill(older, failedLine(error), button(null, "Try again", () => more(query)));
    }
  }
}

/** @param {Message} it */
function bubble(it) {
  const isOwn = it.handle === currentUser()?.handle;
  return h("li", { class: isOwn ? "bubble own" : "bubble", tabindex: "-1" }, h("span", { class: "offscreen" }, `${it.display_name}: `), h("p", { class: "text", dir: "auto" }, ...linked(it.message)), h("span", { class: "muted" }, age(it.created_at)));
}

/** @param {string} handle @returns {View} */
export function newConversation(handle) {
  let title = `Message to @${handle}`;
  const head = heading(title, true);
  const body = h("div", {}, loading());
  return {
    get title() { return title; },
    signedIn: true,
    element: h("div", {}, head, body),
    async load(action, signal) {
      const { data: receiver } = await request(action, "GET", "/api/users/@{handle}/short", { path: { handle }, signal });
      title = `Message to @${receiver.handle}`;
      setHeading(head, title);
      const write = composer({
        id: "new-message", label: title, hint: title, most: 1024, submit: "Send",
        async send(message, _ttl, key) {
          const { data } = await act({ name: "message", label: "Message" }, (each) => request(each, "POST", "/api/messages", { body: { message, handle: receiver.handle }, key }));
          if (write.isConnected) location.replace(`#/messages/${data.message_group_uuid}`);
        },
      });
      fill(body, write);
      write.querySelector("textarea")?.focus();
    },
  };
}

/** @param {string | null} fault @returns {View} */
export function signInView(fault) {
  const choice = settings.sign_in;
  const faults = h("div", {}, fault && h("p", { class: "failed-line", role: "alert" }, icon("alert"), h("span", {}, fault)));
  const body = choice.kind === "local"
    ? h("ul", { class: "plain users" }, ...choice.users.map((user) => h("li", {},
      h("button", { type: "button", class: "user", on: { click: () => choose(choice.path, user) } }, avatar(user),
        h("span", {}, h("strong", {}, user.display_name), h("span", { class: "muted" }, `@${user.handle}`))))))
    : choice.kind === "cognito" ? button(null, "Continue to sign in", () => leaveForSignIn(choice), { class: "button primary" })
      : h("p", {}, `Every request acts as @${choice.user.handle}.`);
  const text = choice.kind === "local" ? "Choose a demo user. No password is needed on this machine." : "Your password stays with the user pool.";
  return { title: "Sign in", element: h("div", {}, heading("Sign in", true), h("div", { class: "sign-in" }, h("p", { class: "muted" }, text), faults, body)), load: async () => {} };

  /** @param {string} path @param {User} user */
  async function choose(path, user) {
    try {
      const { data } = await act({ name: "sign in", label: "Sign in" }, (action) => request(action, "POST", path, { body: { handle: user.handle } }));
      // The new session shows the view of the address.
      if (faults.isConnected) history.pushState(null, "", "#/");
      signIn(data.access_token, data.expires_in, user);
      announce(`Signed in as ${user.display_name}.`);
    } catch (error) {
      fill(faults, failedLine(error));
    }
  }
}
