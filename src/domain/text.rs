//! Characters that a reader cannot see.

use icu_properties::CodePointSetData;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint};

/// Returns whether `c` changes the writing direction, which would affect the text displayed after it.
pub(super) fn is_bidi_control(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Returns whether `c` is displayed as nothing: joiners, variation selectors, fillers, soft hyphens, bidi controls.
/// White space and control characters are not included.
pub(super) fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}
