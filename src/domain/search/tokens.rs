//! Splits a text into what can be searched.

use icu_properties::props::{ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, RegionalIndicator, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_segmentation::UnicodeSegmentation;

use super::normalize::normalize;
use crate::domain::text::{is_mark, is_of_run_script};

/// Joins the parts of an emoji, such as 👩 and 💻.
const JOINER: char = '\u{200d}';
/// The flags of regions consist of this character and invisible letters.
const BLACK_FLAG: char = '🏴';
/// Apostrophes of all keyboards and orthographies. The first one is also the closing quotation mark of many languages.
const APOSTROPHES: &str = "’'‘‛ʼʻ`´՚׳ꞌ";
/// Hebrew acronyms have one of these before their last letter.
const QUOTATION_MARKS: &str = "\"״”“„";

/// The smallest unit of search. Its text contains no space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// A word of a script with spaces between words.
    Word(String),
    /// Consecutive characters of a script in which a search can begin and end within a word.
    Run(String),
    /// An emoji, without skin tone.
    Emoji(String),
}

/// Returns the tokens of a text in their order, with duplicates.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut between = String::new();
    for cluster in text.graphemes(true) {
        match emoji(cluster) {
            Some(emoji) => {
                found.extend(words(&std::mem::take(&mut between)));
                found.push(Token::Emoji(emoji));
            }
            None => between.push_str(cluster),
        }
    }
    found.extend(words(&between));
    found
}

/// Returns the emoji of a grapheme cluster, without skin tones and variation selectors.
fn emoji(cluster: &str) -> Option<String> {
    let is_pictographic = |c: char| {
        CodePointSetData::new::<ExtendedPictographic>().contains(c)
            || CodePointSetData::new::<RegionalIndicator>().contains(c)
    };
    if !cluster.contains(is_pictographic) {
        return None;
    }
    let is_flag = cluster.starts_with(BLACK_FLAG);
    let is_tag = |c: char| is_flag && matches!(c, '\u{e0020}'..='\u{e007f}');
    let kept: String = cluster.chars().filter(|c| is_pictographic(*c) || *c == JOINER || is_tag(*c)).collect();
    Some(kept.trim_matches(JOINER).to_owned())
}

/// Splits a text without emoji.
fn words(text: &str) -> Vec<Token> {
    let mut splitter = Splitter::default();
    let text = normalize(text);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        splitter.push(c, rest.peek().copied());
    }
    splitter.end_token();
    splitter.tokens
}

#[derive(Default)]
struct Splitter {
    tokens: Vec<Token>,
    /// The unfinished token.
    text: String,
    is_run: bool,
}

impl Splitter {
    fn push(&mut self, c: char, next: Option<char>) {
        if is_mark(c) {
            // A mark without a letter is no word.
            if !self.text.is_empty() {
                self.text.push(c);
            }
        } else if APOSTROPHES.contains(c) || QUOTATION_MARKS.contains(c) {
            if !self.is_within_word(c, next) {
                self.end_token();
            }
        } else if is_alphanumeric(c) {
            let is_run = is_of_run(c);
            if is_run != self.is_run {
                self.end_token();
            }
            self.is_run = is_run;
            self.text.push(c);
        } else if self.continues_word(c, next) {
            self.text.push(c);
        } else {
            self.end_token();
        }
    }

    /// Returns whether an apostrophe or quotation mark is a part of the spelling, as in `м'який` and `צה"ל`. In the Latin
    /// script it separates two words, as in `l'eau`.
    fn is_within_word(&self, mark: char, next: Option<char>) -> bool {
        let (Some(last), Some(next)) = (self.text.chars().last(), next) else { return false };
        let script = |c| CodePointMapData::<Script>::new().get(c);
        let joins =
            |script| if QUOTATION_MARKS.contains(mark) { script == Script::Hebrew } else { script != Script::Latin };
        [last, next].into_iter().all(|c| is_letter(c) && !APOSTROPHES.contains(c) && !is_of_run(c) && joins(script(c)))
    }

    /// Returns whether the word continues after `c`, as in `3.14` and `snake_case`.
    fn continues_word(&self, c: char, next: Option<char>) -> bool {
        match c {
            '.' | ',' => !self.is_run && self.text.ends_with(is_digit) && next.is_some_and(is_digit),
            '_' => !self.is_run && !self.text.is_empty(),
            _ => false,
        }
    }

    fn end_token(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = text.trim_end_matches('_');
        if !text.is_empty() {
            self.tokens.push(if self.is_run { Token::Run(text.to_owned()) } else { Token::Word(text.to_owned()) });
        }
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_letter(c: char) -> bool {
    GeneralCategoryGroup::Letter.contains(category(c))
}

fn is_digit(c: char) -> bool {
    category(c) == GeneralCategory::DecimalNumber
}

fn is_alphanumeric(c: char) -> bool {
    is_letter(c) || GeneralCategoryGroup::Number.contains(category(c))
}

/// Returns whether this letter belongs to a [`Token::Run`]. Digits are words in all scripts.
fn is_of_run(c: char) -> bool {
    !is_digit(c) && is_of_run_script(c)
}
