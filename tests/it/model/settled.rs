//! The side effects of the stream consumer: names, notifications, conversation summaries, the search index, and the
//! removal of items whose post was deleted.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Check, Model, Pages, USERS};
use crate::support::{TestApp, hours};

pub(super) const TERMS: [&str; 4] = ["post", "2", "new", "for%20wor"];

#[derive(Debug, PartialEq)]
struct Notification {
    kind: &'static str,
    uuid: String,
    actor: usize,
    message: String,
    at: Timestamp,
    expires_at: Timestamp,
}

pub(super) async fn settle(app: &mut TestApp, model: &mut Model) {
    app.settle().await;
    loop {
        let is_gone =
            |post: &super::Made| !post.deleted && post.parent.is_some_and(|parent| model.posts[parent].deleted);
        let Some(gone) = model.posts.iter().position(is_gone) else { break };
        model.posts[gone].deleted = true;
    }
    for post in 0..model.posts.len() {
        model.posts[post].name = model.name(model.posts[post].author);
    }
}

impl Model {
    /// A user's notifications of existing posts, newest first, including expired ones.
    fn notifications(&self, user: usize) -> Vec<Notification> {
        let mut notifications = Vec::new();
        for post in self.posts.iter().filter(|post| !post.deleted) {
            let notification = |kind, actor, at| Notification {
                kind,
                uuid: post.uuid.clone(),
                actor,
                message: post.message.clone(),
                at,
                expires_at: post.expires_at,
            };
            let replied = post.parent.is_some_and(|parent| self.posts[parent].author == user);
            let mentioned = post.message.to_lowercase().contains(&format!("@{}", USERS[user].1));
            if post.author != user && (replied || mentioned) {
                notifications.push(notification(if replied { "reply" } else { "mention" }, post.author, post.at));
            }
            if post.author == user {
                notifications.extend(
                    post.likes
                        .iter()
                        .filter(|(liker, _)| **liker != user)
                        .map(|(liker, at)| notification("like", *liker, *at)),
                );
            }
        }
        let opened = self
            .conversations
            .iter()
            .filter(|((one, other), conversation)| [*one, *other].contains(&user) && conversation.opener != user);
        notifications.extend(opened.map(|(_, conversation)| Notification {
            kind: "conversation",
            uuid: conversation.uuid.clone(),
            actor: conversation.opener,
            message: String::new(),
            at: conversation.opened_at,
            expires_at: conversation.opened_at + hours(30 * 24),
        }));
        notifications.sort_by_key(|notification| Reverse(notification.at));
        notifications
    }

    pub(super) fn mark_read(&mut self, user: usize, now: Timestamp) {
        if let Some(newest) = self.notifications(user).first().filter(|newest| now < newest.expires_at) {
            let read = self.read.entry(user).or_insert(newest.at);
            *read = newest.at.max(*read);
        }
    }
}

/// Compares the state after the consumer has processed all changes.
pub(super) async fn compare(app: &TestApp, model: &Model, check: &Check) {
    assert_eq!(app.items().await.faults(), Vec::<String>::new());
    match check.pages {
        Pages::User => {}
        Pages::Notifications => compare_notifications(app, model, check.user).await,
        Pages::Conversations => conversations(app, model, check.user).await,
        Pages::Search(term) => search(app, model, check, TERMS[term]).await,
    }
}

async fn compare_notifications(app: &TestApp, model: &Model, user: usize) {
    let now = app.now();
    let read = model.read.get(&user).copied().unwrap_or(Timestamp::UNIX_EPOCH);
    let notifications: Vec<_> =
        model.notifications(user).into_iter().filter(|notification| now < notification.expires_at).collect();
    let expected: Vec<Value> = notifications
        .iter()
        .map(|Notification { kind, uuid, actor, message, at, .. }| {
            json!([kind, uuid, USERS[*actor].1, model.name(*actor), message, *at > read])
        })
        .collect();
    let answer = app.get_as(USERS[user].0, "/api/activities/notifications?limit=100").await;
    let fields = ["kind", "uuid", "handle", "display_name", "message", "unread"];
    assert_eq!(rows(&answer.body, &fields), expected);
    let unread = notifications.iter().filter(|notification| notification.at > read).count();
    assert_eq!(answer.header("x-unread-count"), Some(unread.to_string().as_str()));
}

async fn search(app: &TestApp, model: &Model, check: &Check, term: &str) {
    let words: Vec<String> = term.split("%20").map(str::to_owned).collect();
    let has = |message: &str| {
        let message = message.to_lowercase();
        let found: Vec<&str> = message.split(|c: char| !c.is_alphanumeric()).collect();
        let (last, exact) = words.split_last().unwrap();
        let ends = |word: &&str| if last.len() < 3 { word == last } else { word.starts_with(last) };
        exact.iter().all(|word| found.contains(&word.as_str())) && found.iter().any(ends)
    };
    let posts = model.home(app.now()).into_iter().filter(|post| has(&model.posts[*post].message));
    let expected: Vec<Value> = posts.map(|post| json!([model.posts[post].uuid, model.posts[post].name])).collect();
    let Some(limit) = check.limit(expected.len()) else { return };
    let found = app.get(&format!("/api/activities/search?limit={limit}&term={term}")).await;
    assert_eq!(rows(&found.body, &["uuid", "display_name"]), expected[..limit.min(expected.len())], "{term}");
}

async fn conversations(app: &TestApp, model: &Model, user: usize) {
    let sub = USERS[user].0;
    let mut mine: Vec<_> = model
        .conversations
        .iter()
        .filter(|((one, other), _)| [*one, *other].contains(&user))
        .map(|((one, other), conversation)| (one + other - user, conversation))
        .collect();
    mine.sort_by_key(|(_, conversation)| Reverse(conversation.messages.last().unwrap().2));
    let expected: Vec<Value> = mine
        .iter()
        .map(|(other, conversation)| {
            let (_, last, _) = conversation.messages.last().unwrap();
            json!([conversation.uuid, USERS[*other].1, model.name(*other), last])
        })
        .collect();
    let groups = app.get_as(sub, "/api/message_groups?limit=100").await.body;
    assert_eq!(rows(&groups, &["uuid", "handle", "display_name", "message"]), expected);
    for (other, conversation) in mine {
        let expected: Vec<Value> =
            conversation.messages.iter().map(|(who, text, _)| json!([USERS[*who].1, model.name(*who), text])).collect();
        let messages = app.get_as(sub, &format!("/api/messages/@{}?limit=100", USERS[other].1)).await.body;
        assert_eq!(rows(&messages, &["handle", "display_name", "message"]), expected);
    }
}

fn rows(body: &Value, fields: &[&str]) -> Vec<Value> {
    let rows = body.as_array().unwrap().iter();
    rows.map(|row| fields.iter().map(|field| row[field].clone()).collect()).collect()
}
