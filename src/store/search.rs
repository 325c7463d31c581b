use std::collections::HashMap;

use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::batch::{delete_request, put_request};
use super::items::{self, Item, string};
use super::keys;
use super::pages::{Page, ReadLimits};
use super::sharded::{Filter, ShardedQuery};
use super::{Store, StoreError};
use crate::domain::{Id, Lookup, Post, SearchTerm, SearchText, WordList};

/// The searchable content of a post. A filter matches the parts of a term that the list does not decide.
const WORDS: &str = "words";
/// The `Limit` of the first `Query` of a partition, most of whose items may not match the filter.
const FIRST_QUERY: usize = 100;
/// The maximum number of `Query` calls for a partition, which then reads up to 300 items.
const MAX_QUERIES: usize = 3;

impl Store {
    /// Returns the newest `limit` posts without a parent that match `term`, are live at `now` and older than `before`.
    ///
    /// Eventually consistent; the stream consumer updates the index after a post is written. The number of items read is
    /// bounded.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn search(
        &self,
        term: &SearchTerm,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<Post>, StoreError> {
        let lookups = term.lookups();
        let read = lookups.iter().map(|lookup| self.read_list(lookup, term, now, limit, before));
        let Page { rows, next } = merged(try_join_all(read).await?, limit);
        let mut found = self.items(&rows.iter().map(|id| self.schedule.activity(*id)).collect::<Vec<_>>()).await?;
        let posts = rows.iter().filter_map(|id| found.remove(&self.schedule.activity(*id)));
        let posts = posts.map(|item| items::read_post(&item)).collect::<Result<Vec<_>, _>>()?;
        Ok(Page { rows: posts.into_iter().filter(|post| post.is_live(now)).collect(), next })
    }

    async fn read_list(
        &self,
        Lookup { list, is_exact }: &Lookup,
        term: &SearchTerm,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<Id>, StoreError> {
        let word = word_key(list);
        let (filter, limits) = if *is_exact {
            (Filter::default(), ReadLimits::showing(limit))
        } else {
            let limits = ReadLimits { rows: usize::from(limit), first_query: FIRST_QUERY, queries: MAX_QUERIES };
            (contains_all(&term.patterns()), limits)
        };
        let partition = |bucket, shard| keys::posts_with_word(&word, bucket, shard);
        let found = self.newest(&ShardedQuery { partition: &partition, filter, now, limits, before }).await?;
        found.try_map(|item| items::read_position(&item))
    }

    /// Adds a post to the search index. Idempotent.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn index_words(&self, post: &Post) -> Result<(), StoreError> {
        let text = SearchText::new(post.message.as_str());
        let mut entry = Item::from([(WORDS.to_owned(), string(text.stored()))]);
        entry.extend(items::expiry_attributes(post.expires_at));
        let puts = text.lists().into_iter().map(|list| {
            let mut item = items::key_item(self.schedule.word(&word_key(&list), post.id));
            item.extend(entry.clone());
            put_request(item)
        });
        self.write_all(puts.collect::<Result<_, _>>()?).await
    }

    /// Removes a post from the search index. Idempotent.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn remove_words(&self, post: &Post) -> Result<(), StoreError> {
        let lists = SearchText::new(post.message.as_str()).lists().into_iter();
        let deletes = lists.map(|list| delete_request(items::key_item(self.schedule.word(&word_key(&list), post.id))));
        self.write_all(deletes.collect::<Result<_, _>>()?).await
    }
}

/// Returns the part of the partition key that names the list.
fn word_key(list: &WordList) -> String {
    match list {
        WordList::Prefix(prefix) => keys::word_prefix(prefix),
        WordList::Whole(word) => word.clone(),
        WordList::Shared(number) => keys::shared_words(*number),
    }
}

/// Merges the pages of lists that may contain the same posts.
fn merged(pages: Vec<Page<Id>>, limit: u16) -> Page<Id> {
    let stopped_at = pages.iter().filter_map(|page| page.next).max();
    let rows = pages.into_iter().flat_map(|page| page.rows).map(|id| (id, id)).collect();
    Page::newest(rows, stopped_at, usize::from(limit))
}

fn contains_all(patterns: &[String]) -> Filter {
    let names: Vec<_> = (0..patterns.len()).map(|at| format!(":w{at}")).collect();
    let expression = names.iter().map(|name| format!(" AND contains(#w, {name})")).collect();
    let values = names.into_iter().zip(patterns.iter().map(string)).collect();
    Filter { expression, names: HashMap::from([("#w".to_owned(), WORDS.to_owned())]), values }
}
