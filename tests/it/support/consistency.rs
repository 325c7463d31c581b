//! Invariants of the table at any moment, including after interrupted writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{TABLE, TestApp};

type Item = HashMap<String, AttributeValue>;

/// All items by key.
pub(crate) struct Contents(BTreeMap<(String, String), Item>);

impl TestApp {
    pub(crate) async fn items(&self) -> Contents {
        let scan = self.client.scan().table_name(TABLE).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await.unwrap();
        Contents(items.into_iter().map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect())
    }
}

impl Contents {
    pub(crate) fn keys(&self) -> BTreeSet<(String, String)> {
        self.0.keys().cloned().collect()
    }

    /// A numeric attribute of the item with that key.
    pub(crate) fn attribute(&self, key: &(String, String), name: &str) -> Option<&str> {
        self.0[key].get(name).and_then(|value| value.as_n().ok()).map(String::as_str)
    }

    /// The number of items of each kind.
    pub(crate) fn kinds(&self) -> BTreeMap<String, i64> {
        let mut kinds = BTreeMap::new();
        for (pk, sk) in self.0.keys() {
            let first = |key: &str| key.split('#').next().unwrap().trim_start_matches(char::is_numeric).to_owned();
            *kinds.entry(format!("{} {}", first(pk), first(sk))).or_default() += 1;
        }
        kinds
    }

    /// Violations of the invariants.
    pub(crate) fn faults(&self) -> Vec<String> {
        let posts = self.0.iter().filter(|((pk, sk), _)| pk.starts_with("HOME#") || sk.starts_with("REPLY#"));
        let ids: HashSet<String> = posts.clone().map(|((_, sk), _)| last(sk).to_owned()).collect();
        let mut faults = Vec::new();
        for ((pk, sk), item) in posts {
            let (replies, id) = (format!("ACTIVITY#{}", last(sk)), last(sk));
            let belongs = |prefix: &str, key: &(String, String)| match prefix {
                "REPLY#" => key.0 == replies && key.1.starts_with(prefix),
                _ => key.0.starts_with(prefix) && last(&key.1) == id,
            };
            for (prefix, counter) in
                [("REPLY#", "replies_count"), ("LIKES#", "likes_count"), ("REPOSTS#", "reposts_count")]
            {
                let rows = self.0.keys().filter(|key| belongs(prefix, key)).count();
                if number(item, counter) != rows.to_string() {
                    faults.push(format!("{pk} {sk}: {counter} {} of {rows}", number(item, counter)));
                }
            }
            if sk.starts_with("REPLY#") && !self.has(&format!("REPLY#{}", last(sk)), "REPLY") {
                faults.push(format!("{pk} {sk}: no locator"));
            }
        }
        for ((pk, sk), item) in &self.0 {
            let whole = match (pk.split('#').next().unwrap(), sk.split('#').next().unwrap()) {
                ("REPLY", _) => ids.contains(last(pk)),
                ("PAIR", _) => {
                    let group = format!("GROUP#{}", text(item, "message_group_uuid"));
                    let users = [text(item, "sub"), text(item, "receiver_sub")];
                    users.iter().all(|sub| self.has(&format!("USER#{sub}"), &group))
                        && self.0.keys().any(|(pk, _)| *pk == group)
                }
                ("USER", "GROUP") => self
                    .0
                    .values()
                    .any(|pair| text(pair, "pk").starts_with("PAIR#") && text(pair, "message_group_uuid") == last(sk)),
                ("HANDLE", _) => {
                    let profile = self.0.get(&(format!("USER#{}", text(item, "sub")), "PROFILE".to_owned()));
                    profile.is_some_and(|profile| {
                        text(profile, "handle") == last(pk) && profile.get("display_name") == item.get("display_name")
                    })
                }
                ("USER", "PROFILE") => self.has(&format!("HANDLE#{}", text(item, "handle")), "HANDLE"),
                _ => true,
            };
            if !whole {
                faults.push(format!("{pk} {sk}: alone"));
            }
        }
        faults
    }

    fn has(&self, pk: &str, sk: &str) -> bool {
        self.0.contains_key(&(pk.to_owned(), sk.to_owned()))
    }
}

fn last(key: &str) -> &str {
    key.rsplit('#').next().unwrap()
}

fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

fn number(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_n().ok()).cloned().unwrap_or_default()
}
