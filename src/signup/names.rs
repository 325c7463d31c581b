use std::iter;

use sha2::{Digest, Sha256};

use crate::domain::{Handle, ProfileEdit};

/// How many digits are put behind a handle that is taken, one number after the other.
const DIGITS: [usize; 4] = [4, 6, 8, 12];
/// For whoever has no name that could be a handle.
const ANYBODY: &str = "user";

/// What the user may be called, the best first; always the same for the same user.
pub(super) fn handles(preferred: Option<&str>, sub: &str) -> impl Iterator<Item = Handle> {
    let wish = preferred.and_then(cleaned);
    let number = number(sub);
    let stem = wish.clone().unwrap_or_else(|| ANYBODY.to_owned());
    let numbered = DIGITS.into_iter().map(move |digits| {
        // Handles and digits are ASCII: a byte is a character.
        let stem: String = stem.chars().take(Handle::MAX - digits - 1).collect();
        let number = number.get(..digits).unwrap_or_default();
        format!("{stem}_{number}")
    });
    iter::chain(wish, numbered).filter_map(|text| Handle::parse(&text).ok())
}

/// The name as shown; the handle where there is none that can be shown.
pub(super) fn display_name(name: Option<&str>, handle: &Handle) -> String {
    let name = name.filter(|name| !is_address(name));
    let edit = name.and_then(|name| ProfileEdit::parse(name, "").ok());
    edit.map_or_else(|| handle.as_str().to_owned(), |edit| edit.display_name)
}

/// A wish with everything that no handle may have replaced; none of an e-mail address, which stays in the pool.
fn cleaned(preferred: &str) -> Option<String> {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let text: String = preferred.trim().chars().map(allowed).take(Handle::MAX).collect();
    let says_something = text.bytes().any(|b| b.is_ascii_alphanumeric());
    (says_something && !is_address(preferred)).then_some(text)
}

fn is_address(text: &str) -> bool {
    text.contains('@')
}

/// Sixteen or more decimal digits that tell nothing of the identity.
fn number(sub: &str) -> String {
    let hash = Sha256::digest(sub);
    hash.iter().take(16).map(|byte| char::from(b'0' + byte % 10)).collect()
}
