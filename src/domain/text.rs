//! Normalizes texts, and distinguishes visible from other characters.

use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData};

/// The scripts without spaces between words, and Korean, which joins particles to nouns.
const RUN_SCRIPTS: [Script; 15] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Hangul,
    Script::Bopomofo,
    Script::Yi,
    Script::Thai,
    Script::Lao,
    Script::Khmer,
    Script::Myanmar,
    Script::TaiLe,
    Script::NewTaiLue,
    Script::TaiTham,
    Script::TaiViet,
    Script::Ahom,
];

/// Returns `text` without white space at both ends, with line feeds for other line ends and spaces for tabs.
pub(super) fn normalize(text: &str) -> String {
    text.trim().replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n").replace('\t', " ")
}

/// Returns whether a reader can see nothing of `text`. Control characters do not count as blank, because they are invalid
/// by another rule.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c) || is_mark(c) || is_empty(c))
}

/// Returns whether a text of several lines must not contain `c`: a control character other than a line feed, or a character
/// that changes the writing direction of the text after it.
pub(super) fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n') || (is_bidi_control(c) && !is_bidi_mark(c))
}

/// Returns whether `c` affects the writing direction.
pub(super) fn is_bidi_control(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Returns whether `c` acts like an invisible letter of one direction, whose effect ends at the next letter. Keyboards for
/// Arabic and Hebrew have these characters.
fn is_bidi_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

/// Returns whether `c` is displayed as nothing: joiners, variation selectors, fillers, soft hyphens, bidi controls.
/// White space and control characters are not included.
pub(super) fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Returns whether `c` has no glyph, although Unicode does not define it as ignorable: the Braille pattern without dots,
/// marks of interlinear annotations, format controls and blanks of hieroglyphs, and the musical notehead without a head.
fn is_empty(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{13441}' | '\u{13442}' | '\u{1d159}')
}

/// Returns whether `c` combines with the character before it.
pub(super) fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// Returns whether `c` belongs to a script in which a word can begin or end within a run of letters.
pub(super) fn is_of_run_script(c: char) -> bool {
    // ー belongs to two scripts.
    let scripts = ScriptWithExtensions::new();
    RUN_SCRIPTS.iter().any(|script| scripts.has_script(c, *script))
}
