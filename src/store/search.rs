use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::batch::{delete_request, put_request};
use super::items::{self, Item, string};
use super::keys::{self, MAX_WORD_PREFIX};
use super::pages::{Page, ReadLimits};
use super::sharded::{Filter, ShardedQuery};
use super::{Store, StoreError};
use crate::domain::{Id, Post, SearchTerm, words};

/// All words of a post, each between two spaces, so that a filter can match words and prefixes.
const WORDS: &str = "words";
/// The `Limit` of the first `Query` of a partition, most of whose items may not contain the other words.
const FIRST_QUERY: usize = 100;
/// The maximum number of `Query` calls for a partition. The two partitions of the default schedule then read 600 items.
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
        let word = selective_word(term);
        let query = ShardedQuery {
            partition: &|start, shard| keys::posts_with_word(&word, start, shard),
            filter: all_words(term),
            now,
            limits: ReadLimits { rows: usize::from(limit), first_query: FIRST_QUERY, queries: MAX_QUERIES },
            before,
        };
        let Page { rows, next } = self.newest(&query).await?.try_map(|item| items::read_position(&item))?;
        let mut found = self.items(&rows.iter().map(|id| self.schedule.activity(*id)).collect::<Vec<_>>()).await?;
        let posts = rows.iter().filter_map(|id| found.remove(&self.schedule.activity(*id)));
        let posts = posts.map(|item| items::read_post(&item)).collect::<Result<Vec<_>, _>>()?;
        Ok(Page { rows: posts.into_iter().filter(|post| post.is_live(now)).collect(), next })
    }

    /// Adds a post to the search index. Idempotent.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn index_words(&self, post: &Post) -> Result<(), StoreError> {
        let words = words(post.message.as_str());
        let mut entry = Item::from([(WORDS.to_owned(), string(format!(" {} ", words.join(" "))))]);
        entry.extend(items::expiry_attributes(post.expires_at));
        let puts = with_prefixes(&words).into_iter().map(|word| {
            let mut item = items::key_item(self.schedule.word(&word, post.id));
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
        let words = with_prefixes(&words(post.message.as_str())).into_iter();
        let deletes = words.map(|word| delete_request(items::key_item(self.schedule.word(&word, post.id))));
        self.write_all(deletes.collect::<Result<_, _>>()?).await
    }
}

/// Returns the words and their prefixes of one to three characters.
fn with_prefixes(words: &[String]) -> BTreeSet<String> {
    let prefixes = words.iter().flat_map(|word| {
        let longest = word.chars().count().min(MAX_WORD_PREFIX);
        (1..=longest).map(|characters| keys::word_prefix(word, characters))
    });
    words.iter().cloned().chain(prefixes).collect()
}

/// Returns the indexed word with presumably the fewest posts: the longest whole word, or the prefix if there is none.
fn selective_word(term: &SearchTerm) -> String {
    let longest = term.exact().iter().max_by_key(|word| word.chars().count());
    longest.cloned().unwrap_or_else(|| keys::word_prefix(term.prefix(), MAX_WORD_PREFIX))
}

fn all_words(term: &SearchTerm) -> Filter {
    let exact = term.exact().iter().map(|word| format!(" {word} "));
    let wanted = exact.chain([format!(" {}", term.prefix())]);
    let values: HashMap<_, _> = wanted.enumerate().map(|(at, word)| (format!(":w{at}"), string(word))).collect();
    let mut names: Vec<&String> = values.keys().collect();
    names.sort_unstable();
    let expression = names.iter().map(|name| format!(" AND contains(#w, {name})")).collect();
    Filter { expression, names: HashMap::from([("#w".to_owned(), WORDS.to_owned())]), values }
}
