use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::{Code, Invalid, Message};

/// Longer words are cut, in the index and in the term alike: compatibility forms can make one character twenty.
const MAX_WORD: usize = 64;

/// The words of a text as the index has them: by Unicode's rules of segmentation, in compatibility form (NFKC) and
/// lower case, each once, in the order of their first appearance.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    once(tokens(text))
}

fn tokens(text: &str) -> Vec<String> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    text.unicode_words().map(|word| word.chars().take(MAX_WORD).collect()).collect()
}

fn once(tokens: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    tokens.into_iter().filter(|token| seen.insert(token.clone())).collect()
}

/// What is searched for: all of these words, the last of them perhaps not yet typed to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerm {
    exact: Vec<String>,
    prefix: String,
}

impl SearchTerm {
    /// The longest term, in Unicode code points after trimming: no post is longer.
    pub const MAX: usize = Message::MAX_POST;

    /// # Errors
    /// [`Code::SearchTermBlank`] where there is no word in it, [`Code::SearchTermExceedMaxChars`] where it is too long.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.chars().count() > Self::MAX {
            return Err(Invalid::of(Code::SearchTermExceedMaxChars));
        }
        let mut tokens = tokens(text);
        let prefix = tokens.pop().ok_or_else(|| Invalid::of(Code::SearchTermBlank))?;
        Ok(Self { exact: once(tokens), prefix })
    }

    /// The words that a post must have.
    #[must_use]
    pub fn exact(&self) -> &[String] {
        &self.exact
    }

    /// What one of its words must begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}
