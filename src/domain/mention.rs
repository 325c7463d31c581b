use super::Handle;

/// Limits the notifications that one post can cause.
const MAX_MENTIONS: usize = 10;

/// Returns the handles that `text` mentions as `@handle`, without duplicates, the first ten.
///
/// Uppercase letters are folded. An `@` inside a word, as in an e-mail address, is not a mention.
#[must_use]
pub fn mentions(text: &str) -> Vec<Handle> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let (before, rest) = text.split_at(at);
        let rest = rest.trim_start_matches('@');
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let inside = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '@');
        let Some(name) = rest.get(..end).filter(|_| !inside) else { continue };
        if let Ok(handle) = Handle::parse(&name.to_ascii_lowercase())
            && !found.contains(&handle)
        {
            found.push(handle);
        }
    }
    found.truncate(MAX_MENTIONS);
    found
}

/// Letters of other scripts belong to the word too, so that `@worfé` does not mention `@worf`.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
