mod normalize;
mod tokens;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;

use icu_properties::CodePointMapData;
use icu_properties::props::Script;

use super::{Code, Invalid, Message, text};
use tokens::Token;

/// Words of at least this length are found by their beginning.
const PREFIX: usize = 3;
/// The number of short words, characters and emoji of a post that have a list of their own.
const OWN_LISTS: usize = 32;
/// The number of lists for the others. More would make them shorter and a long post more expensive.
const SHARED_LISTS: u32 = 8;
/// The maximum number of texts compared: a longer expression exceeds DynamoDB's limit of 4 KB. A post of the maximum
/// length contains at most so many words.
const MAX_PATTERNS: usize = Message::MAX_POST / 2;

/// A list of posts in the search index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WordList {
    /// Posts with a word that begins with these three characters.
    Prefix(String),
    /// Posts with this word of one or two characters, this character of a script without spaces, or this emoji.
    Whole(String),
    /// Posts with any of many short words, characters and emoji.
    Shared(u32),
}

/// The searchable content of a post: its distinct words, runs of characters and emoji, in the order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText(Vec<Token>);

impl SearchText {
    /// The maximum number of lists with the short words, characters and emoji of one post.
    pub const MAX_SHORT_LISTS: usize = OWN_LISTS + SHARED_LISTS as usize;

    /// Analyses a text. [`SearchTerm::parse`] analyses a term in the same way.
    ///
    /// - Case, compatibility forms and invisible characters make no difference.
    /// - Diacritics make no difference in the Latin, Greek, Coptic, Cyrillic, Arabic, Hebrew and Syriac scripts, except the
    ///   breve of й and ў. In other scripts, marks are vowels or consonants.
    /// - Apostrophes separate Latin words and are ignored within words of other scripts.
    /// - A script without spaces, and Korean, is a run of characters. Other words are separated by everything that is no
    ///   letter, digit or mark.
    /// - An emoji is one unit, including sequences and flags. Skin tones make no difference.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(distinct(tokens::tokens(text)))
    }

    /// Returns the text that the patterns of [`SearchTerm::patterns`] are compared with: each unit between spaces. Its
    /// analysis has the same result.
    #[must_use]
    pub fn stored(&self) -> String {
        self.0.iter().flat_map(|token| [" ", token.text()]).chain([" "]).collect()
    }

    /// Returns the lists that contain the post: one for each word, but at most [`SearchText::MAX_SHORT_LISTS`] for all
    /// short words, characters and emoji together.
    #[must_use]
    pub fn lists(&self) -> BTreeSet<WordList> {
        let lists = distinct(self.0.iter().flat_map(Token::lists).map(|(list, _)| list).collect());
        let (prefixes, short): (Vec<_>, Vec<_>) =
            lists.into_iter().partition(|list| matches!(list, WordList::Prefix(_)));
        let short = short.into_iter().enumerate();
        let short = short.map(|(at, list)| if at < OWN_LISTS { list } else { list.shared().unwrap_or(list) });
        prefixes.into_iter().chain(short).collect()
    }
}

impl WordList {
    /// Returns the list that contains the posts for which this one has no room. Prefixes always have room.
    fn shared(&self) -> Option<Self> {
        let Self::Whole(text) = self else { return None };
        Some(Self::Shared(hash(text) % SHARED_LISTS))
    }
}

/// FNV-1a. Stored keys depend on it: it must never change.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn distinct<T: Clone + Eq + Hash>(values: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}

fn is_long(word: &str) -> bool {
    word.chars().nth(PREFIX - 1).is_some()
}

/// A search term: a post must contain all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerm {
    /// Distinct.
    tokens: Vec<Token>,
    /// Whether the last token is the beginning of a word, since the user may still be typing it.
    ends_in_prefix: bool,
}

/// A list that a search reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The list.
    pub list: WordList,
    /// Whether all posts of the list match the term.
    pub is_exact: bool,
}

impl SearchTerm {
    /// The maximum length, counted like that of a post.
    pub const MAX: usize = Message::MAX_POST;

    /// Analyses a search term.
    ///
    /// # Errors
    /// [`Code::SearchTermBlank`] if `text` contains no word and no emoji, [`Code::SearchTermExceedMaxChars`] if it is too
    /// long.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text::normalize(text);
        if text.chars().count() > Self::MAX {
            return Err(Invalid::new(Code::SearchTermExceedMaxChars));
        }
        // Some letters are invisible.
        if text::is_blank(&text) {
            return Err(Invalid::new(Code::SearchTermBlank));
        }
        let mut tokens = tokens::tokens(&text);
        let last = tokens.pop().ok_or_else(|| Invalid::new(Code::SearchTermBlank))?;
        let mut tokens = distinct(tokens);
        let is_new = !tokens.contains(&last);
        let ends_in_prefix = is_new && matches!(&last, Token::Word(word) if is_long(word));
        tokens.extend(is_new.then_some(last));
        Ok(Self { tokens, ends_in_prefix })
    }

    /// Returns the number of distinct words, runs of characters and emoji.
    #[must_use]
    pub fn words(&self) -> usize {
        self.tokens.len()
    }

    /// Returns the texts that [`SearchText::stored`] must contain, at most 140.
    #[must_use]
    pub fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<_> = self.tokens.iter().map(Token::pattern).collect();
        if let Some(last) = patterns.last_mut().filter(|_| self.ends_in_prefix) {
            last.truncate(last.trim_end().len());
        }
        patterns.truncate(MAX_PATTERNS);
        patterns
    }

    /// Returns the lists to read, at most two: each matching post is in at least one of them.
    ///
    /// The lists are those of the part of the term with presumably the fewest posts. In this order: the longest word of at
    /// least three characters, a character of a script with many characters, an emoji, another character, a short word.
    #[must_use]
    pub fn lookups(&self) -> Vec<Lookup> {
        let lists = self.tokens.iter().flat_map(Token::lists);
        let Some((list, _)) = lists.min_by_key(|(_, rank)| *rank) else { return Vec::new() };
        let is_exact = matches!((&*self.tokens, &list), ([token], WordList::Prefix(text) | WordList::Whole(text)) if token.text() == text);
        let shared = list.shared().map(|list| Lookup { list, is_exact: false });
        [Lookup { list, is_exact }].into_iter().chain(shared).collect()
    }
}

/// How few posts contain something, presumably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A word with its length.
    Word(Reverse<usize>),
    /// One of thousands of characters.
    Ideograph,
    Emoji,
    /// One of less than a hundred characters.
    Letter,
    ShortWord,
}

impl Token {
    fn text(&self) -> &str {
        let (Self::Word(text) | Self::Run(text) | Self::Emoji(text)) = self;
        text
    }

    /// Returns the text that a post with this token contains in [`SearchText::stored`].
    fn pattern(&self) -> String {
        match self {
            Self::Word(text) | Self::Emoji(text) => format!(" {text} "),
            Self::Run(text) => text.clone(),
        }
    }

    /// Returns the lists of posts with this token.
    fn lists(&self) -> Vec<(WordList, Rank)> {
        match self {
            Self::Word(word) if is_long(word) => {
                let list = WordList::Prefix(word.chars().take(PREFIX).collect());
                vec![(list, Rank::Word(Reverse(word.chars().count())))]
            }
            Self::Word(word) => vec![(WordList::Whole(word.clone()), Rank::ShortWord)],
            Self::Emoji(emoji) => vec![(WordList::Whole(emoji.clone()), Rank::Emoji)],
            Self::Run(run) => {
                let characters = run.chars().filter(|c| !text::is_mark(*c));
                characters.map(|c| (WordList::Whole(c.to_string()), rank(c))).collect()
            }
        }
    }
}

fn rank(c: char) -> Rank {
    match CodePointMapData::<Script>::new().get(c) {
        Script::Han | Script::Hangul | Script::Yi => Rank::Ideograph,
        _ => Rank::Letter,
    }
}
