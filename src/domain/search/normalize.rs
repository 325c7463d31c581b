//! Spellings of the same word become the same text.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, Script};

use crate::domain::text::{is_invisible, is_mark};

/// Stretches Arabic words and has no meaning.
const TATWEEL: char = '\u{640}';
const BREVE: char = '\u{306}';

/// Returns `text` case-folded and in NFKC, without invisible characters and optional diacritics.
pub(super) fn normalize(text: &str) -> String {
    let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let text = DecomposingNormalizerBorrowed::new_nfd().normalize(&text);
    // Folding can produce characters that decompose, and decomposition can produce capital letters. Unicode defines
    // compatibility caseless matching by these two rounds.
    let text = fold_and_decompose(&fold_and_decompose(&text));
    let text = simplify(&text);
    ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned()
}

fn fold_and_decompose(text: &str) -> String {
    let folded = CaseMapper::new().fold_string(text);
    DecomposingNormalizerBorrowed::new_nfkd().normalize(&folded).into_owned()
}

/// Removes what is optional in a decomposed text.
fn simplify(text: &str) -> String {
    let mut simple = String::with_capacity(text.len());
    let mut base = None;
    for c in text.chars().filter(|c| !is_invisible(*c) && *c != TATWEEL) {
        if is_mark(c) {
            if !base.is_some_and(|base| is_optional(c, base)) {
                simple.push(c);
            }
        } else {
            base = Some(c);
            simple.push_str(&without_stroke(c));
        }
    }
    simple
}

/// Returns whether people often omit this mark after this letter. In other scripts, marks are vowels or consonants.
fn is_optional(mark: char, base: char) -> bool {
    let is_spacing = CodePointMapData::<GeneralCategory>::new().get(mark) == GeneralCategory::SpacingMark;
    match CodePointMapData::<Script>::new().get(base) {
        // The breve makes a consonant of a vowel: й, ў.
        Script::Cyrillic => !is_spacing && mark != BREVE,
        Script::Latin
        | Script::Greek
        | Script::Coptic
        | Script::Arabic
        | Script::Hebrew
        | Script::Syriac
        | Script::Common => !is_spacing,
        _ => false,
    }
}

/// Returns the spelling of a letter on keyboards that lack it. Unicode does not decompose these letters.
fn without_stroke(c: char) -> Cow<'static, str> {
    Cow::Borrowed(match c {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' => "d",
        'ħ' => "h",
        'ı' => "i",
        _ => return Cow::Owned(c.to_string()),
    })
}
