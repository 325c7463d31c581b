use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use super::items::{self, Item, string};
use super::keys::{self, MAX_PREFIX};
use super::{Store, StoreError};
use crate::domain::{Activity, words};

/// All words of a post, each between two spaces, so that a filter finds whole words and beginnings.
pub(super) const WORDS: &str = "words";

impl Store {
    /// Puts a post under its words and their beginnings. To do it again changes nothing.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn index_words(&self, activity: &Activity) -> Result<(), StoreError> {
        let words = words(activity.message().as_str());
        let mut entry = Item::from([(WORDS.to_owned(), string(format!(" {} ", words.join(" "))))]);
        entry.extend(items::expiry_attributes(activity.expires_at()));
        let puts = lists(&words).into_iter().map(|list| {
            let mut item = items::of_key(keys::word(&list, activity.id()));
            item.extend(entry.clone());
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        self.write_all(puts.collect::<Result<_, StoreError>>()?).await
    }

    /// Takes a post away from under its words.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn remove_words(&self, activity: &Activity) -> Result<(), StoreError> {
        let deletes = lists(&words(activity.message().as_str())).into_iter().map(|list| {
            let key = items::of_key(keys::word(&list, activity.id()));
            Ok(WriteRequest::builder().delete_request(DeleteRequest::builder().set_key(Some(key)).build()?).build())
        });
        self.write_all(deletes.collect::<Result<_, StoreError>>()?).await
    }
}

/// The lists that a post with these words is in.
fn lists(words: &[String]) -> BTreeSet<String> {
    let beginnings = words.iter().flat_map(|word| {
        let longest = word.chars().count().min(MAX_PREFIX);
        (1..=longest).map(|characters| keys::word_prefix(word, characters))
    });
    words.iter().cloned().chain(beginnings).collect()
}
