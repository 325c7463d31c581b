use super::Handle;

/// Users that one text can call at most, so that no post is a megaphone.
const MAX_MENTIONS: usize = 10;

/// The users whom `text` calls by `@handle`, each once, the first ten.
///
/// Upper case is folded, as in the text of a sentence. What stands in the middle of a word, as in an address of
/// electronic mail, calls nobody.
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

/// A letter of another script goes on the word, so that `@worfé` is not `@worf`.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
