//! Writes likes, replies and names as the API does.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use cruddur::domain::{Id, Post, Profile};
use cruddur::store::keys::{self, Key};
use jiff::Timestamp;

use super::{TABLE, TestApp};

pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

type Item = HashMap<String, AttributeValue>;

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(key: Key) -> Item {
    HashMap::from([("pk".to_owned(), text(key.pk)), ("sk".to_owned(), text(key.sk))])
}

impl TestApp {
    pub(crate) async fn put_item(&self, item: Item) {
        self.client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }

    /// The key of a post without a parent.
    pub(crate) fn key(&self, post: Id) -> Key {
        self.state.store.schedule().activity(post)
    }

    /// Stores items that contain only their keys.
    pub(crate) async fn put_keys(&self, keys: &[Key]) {
        for keys in keys.chunks(25) {
            let puts = keys.iter().map(|of| {
                let put = PutRequest::builder().set_item(Some(key(of.clone()))).build().unwrap();
                WriteRequest::builder().put_request(put).build()
            });
            self.client.batch_write_item().request_items(TABLE, puts.collect()).send().await.unwrap();
        }
    }

    pub(crate) async fn delete_item(&self, of: Key) {
        self.client.delete_item().table_name(TABLE).set_key(Some(key(of))).send().await.unwrap();
    }

    pub(crate) async fn has_item(&self, of: Key) -> bool {
        let found = self.client.get_item().table_name(TABLE).set_key(Some(key(of))).consistent_read(true);
        found.send().await.unwrap().item.is_some()
    }

    /// Every item as text, to compare the results of two sequences.
    pub(crate) async fn contents(&self) -> Vec<String> {
        let scan = self.client.scan().table_name(TABLE).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await.unwrap();
        let mut lines: Vec<String> = items
            .into_iter()
            .map(|item| {
                let mut attributes: Vec<_> = item.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                attributes.sort_unstable();
                attributes.join(" ")
            })
            .collect();
        lines.sort_unstable();
        lines
    }

    pub(crate) async fn like(&self, activity: &Post, owner_sub: &str, liker: &Profile, at: Timestamp) {
        self.put_item(like(activity, owner_sub, liker, at)).await;
    }

    /// Renames a user as the profile update does.
    pub(crate) async fn rename(&self, profile: &Profile, display_name: &str) {
        for of in [keys::profile(&profile.sub), keys::handle(&profile.author.handle)] {
            let update = self.client.update_item().table_name(TABLE).set_key(Some(key(of)));
            let update = update.update_expression("SET display_name = :name, named_at = :at");
            let update = update.expression_attribute_values(":name", text(display_name));
            let update = update.expression_attribute_values(":at", number(self.now().as_millisecond()));
            update.send().await.unwrap();
        }
    }

    pub(crate) async fn unlike(&self, activity: Id, liker: &Profile) {
        self.delete_item(keys::like(&liker.sub, activity)).await;
    }

    pub(crate) async fn reply(&self, parent: &Post, parent_sub: &str, id: Id, author_: &Profile, message: &str) {
        let mut item = key(keys::reply(parent.id, id));
        item.extend(author(author_));
        item.extend(expiry(parent));
        item.extend([
            ("message".to_owned(), text(message)),
            ("replies_count".to_owned(), number(0)),
            ("reposts_count".to_owned(), number(0)),
            ("likes_count".to_owned(), number(0)),
            ("author_sub".to_owned(), text(&author_.sub)),
            ("parent_sub".to_owned(), text(parent_sub)),
            ("named_at".to_owned(), number(author_.named_at.as_millisecond())),
            ("reply_to_activity_uuid".to_owned(), text(parent.id)),
            ("list".to_owned(), text(keys::replies_of(author_.author.user_uuid))),
            ("list_sk".to_owned(), text(keys::reply(parent.id, id).sk)),
            ("trace_context".to_owned(), text(TRACEPARENT)),
        ]);
        self.put_item(item).await;
        let mut locator = key(keys::reply_locator(id));
        locator.extend([("reply_to_activity_uuid".to_owned(), text(parent.id))]);
        locator.extend(expiry(parent));
        self.put_item(locator).await;
    }
}

fn like(activity: &Post, owner_sub: &str, liker: &Profile, at: Timestamp) -> Item {
    let mut item = key(keys::like(&liker.sub, activity.id));
    item.extend(expiry(activity));
    item.extend([
        ("user_uuid".to_owned(), text(liker.author.user_uuid)),
        ("handle".to_owned(), text(liker.author.handle.as_str())),
        ("owner_sub".to_owned(), text(owner_sub)),
        ("created_at_ms".to_owned(), number(at.as_millisecond())),
        ("trace_context".to_owned(), text(TRACEPARENT)),
    ]);
    item.extend(activity.parent.map(|parent| ("reply_to_activity_uuid".to_owned(), text(parent))));
    item
}

fn author(profile: &Profile) -> Item {
    HashMap::from([
        ("user_uuid".to_owned(), text(profile.author.user_uuid)),
        ("handle".to_owned(), text(profile.author.handle.as_str())),
        ("display_name".to_owned(), text(&profile.author.display_name)),
    ])
}

fn expiry(activity: &Post) -> Item {
    let ms = activity.expires_at.as_millisecond();
    HashMap::from([
        ("expires_at_ms".to_owned(), number(ms)),
        ("expires_at".to_owned(), number(ms.div_euclid(1000) + 1)),
    ])
}

/// Replaces the table's layout by that of another version of the program.
pub(crate) async fn change_layout(app: &TestApp) {
    let mut item = key(keys::layout());
    item.extend([("version".to_owned(), number(999)), ("created_at_ms".to_owned(), number(0))]);
    app.put_item(item).await;
}
