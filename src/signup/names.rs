use std::iter;

use sha2::{Digest, Sha256};

use crate::domain::{Handle, ProfileEdit};

/// Lengths of the number that is appended to a taken handle, in this order.
const DIGITS: [usize; 4] = [4, 6, 8, 12];
/// The stem if the preferred name cannot become a handle.
const DEFAULT_STEM: &str = "user";

/// Returns candidate handles, best first. They are always the same for the same user.
pub(super) fn handles(preferred: Option<&str>, sub: &str) -> impl Iterator<Item = Handle> {
    let base = preferred.and_then(normalize);
    let number = number(sub);
    let stem = base.clone().unwrap_or_else(|| DEFAULT_STEM.to_owned());
    let numbered = DIGITS.into_iter().map(move |digits| {
        // Handles and digits are ASCII, so bytes and characters are the same.
        let stem: String = stem.chars().take(Handle::MAX - digits - 1).collect();
        let number = number.get(..digits).unwrap_or_default();
        format!("{stem}_{number}")
    });
    iter::chain(base, numbered).filter_map(|text| Handle::parse(&text).ok())
}

/// Returns the display name, or the handle if the name is invalid.
pub(super) fn display_name(name: Option<&str>, handle: &Handle) -> String {
    let name = name.filter(|name| !is_address(name));
    let edit = name.and_then(|name| ProfileEdit::parse(name, "").ok());
    edit.map_or_else(|| handle.as_str().to_owned(), |edit| edit.display_name)
}

/// Replaces the characters that are invalid in a handle. Returns `None` for an e-mail address, which must stay private.
fn normalize(preferred: &str) -> Option<String> {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let text: String = preferred.trim().chars().map(allowed).take(Handle::MAX).collect();
    let has_alphanumeric = text.bytes().any(|b| b.is_ascii_alphanumeric());
    (has_alphanumeric && !is_address(preferred)).then_some(text)
}

fn is_address(text: &str) -> bool {
    text.contains('@')
}

/// Returns 16 decimal digits that do not reveal the `sub`.
fn number(sub: &str) -> String {
    let hash = Sha256::digest(sub);
    hash.iter().take(16).map(|byte| char::from(b'0' + byte % 10)).collect()
}
