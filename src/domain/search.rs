use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::{Code, Invalid, Message};

/// Longer words are truncated, in the index and in search terms. NFKC can expand one character to twenty.
const MAX_WORD: usize = 64;

/// Splits a text into the words of the search index: Unicode word segmentation, NFKC, lowercase, no duplicates, in the
/// order of first appearance.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    distinct(tokens(text))
}

fn tokens(text: &str) -> Vec<String> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    text.unicode_words().map(|word| word.chars().take(MAX_WORD).collect()).collect()
}

fn distinct(tokens: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    tokens.into_iter().filter(|token| seen.insert(token.clone())).collect()
}

/// A search term: all words must match. The last one is a prefix, since the user may still be typing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerm {
    exact: Vec<String>,
    prefix: String,
}

impl SearchTerm {
    /// The maximum length, in Unicode code points after trimming: that of a post.
    pub const MAX: usize = Message::MAX_POST;

    /// Splits a search term into words.
    ///
    /// # Errors
    /// [`Code::SearchTermBlank`] if `text` contains no word, [`Code::SearchTermExceedMaxChars`] if it is too long.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.chars().count() > Self::MAX {
            return Err(Invalid::new(Code::SearchTermExceedMaxChars));
        }
        let mut tokens = tokens(text);
        let prefix = tokens.pop().ok_or_else(|| Invalid::new(Code::SearchTermBlank))?;
        Ok(Self { exact: distinct(tokens), prefix })
    }

    /// Returns the words that a post must contain.
    #[must_use]
    pub fn exact(&self) -> &[String] {
        &self.exact
    }

    /// Returns the prefix that a word of the post must have.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}
