use std::collections::HashMap;

use jiff::Timestamp;

use super::items::{self, string};
use super::keys::{self, MAX_PREFIX};
use super::newest::{Filter, Newest};
use super::pages::Limits;
use super::words::WORDS;
use super::{HomePage, Store, StoreError};
use crate::domain::{Id, SearchTerm};

/// What a partition reads at first: most of it may lack the other words.
const FIRST_PAGE: usize = 100;
/// Pages of one partition that a request reads at most: 24 partitions then read 7,200 items.
const MAX_PAGES: usize = 3;

impl Store {
    /// The newest `limit` posts with these words that are live at `now`, of those that are older than `before` if it
    /// is given.
    ///
    /// Reads are eventually consistent, and the index follows a post by the time that its consumer takes. The number
    /// of items read is bounded, so a page with a next one may be short, even empty.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn search(
        &self,
        term: &SearchTerm,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<HomePage, StoreError> {
        let list = driver(term);
        let newest = Newest {
            partition: &|bucket, shard| keys::posts_with_word(&list, bucket, shard),
            filter: all_words(term),
            now,
            limits: Limits { rows: usize::from(limit), first_page: FIRST_PAGE, pages: MAX_PAGES },
            before,
        };
        let (found, next) = self.newest(&newest).await?;
        let ids = found.iter().map(items::to_position).collect::<Result<Vec<_>, _>>()?;
        let mut posts = self.items(&ids.iter().map(|id| keys::activity(*id)).collect::<Vec<_>>()).await?;
        let activities = ids.iter().filter_map(|id| posts.remove(&keys::activity(*id)));
        let activities = activities.map(|item| items::to_activity(&item)).collect::<Result<Vec<_>, _>>()?;
        Ok(HomePage { activities: activities.into_iter().filter(|post| post.is_live(now)).collect(), next })
    }
}

/// The list that is read: the longest whole word, as the rarest; or all words that begin as the last one does.
fn driver(term: &SearchTerm) -> String {
    let longest = term.exact().iter().max_by_key(|word| word.chars().count());
    longest.cloned().unwrap_or_else(|| keys::word_prefix(term.prefix(), MAX_PREFIX))
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
