use linkify::LinkFinder;

use super::Handle;

/// Limits the notifications that one post can cause.
const MAX_MENTIONS: usize = 10;
/// `@`, and its full-width form of East Asian keyboards.
const AT_SIGNS: [char; 2] = ['@', '＠'];

/// Returns the handles that `text` mentions as `@handle`, without duplicates, the first ten.
///
/// - A mention ends at the first character that no handle contains: `@worf漢字` mentions `worf`. A name of more than 30
///   characters is not a mention.
/// - An `@` after a letter or digit of ASCII, `_`, `/`, `=` or another `@` is not a mention, as in `a@b` and `path/@b`.
///   Other letters may precede it, because some scripts have no spaces between words.
/// - URLs, e-mail addresses and `@user@host` contain no mentions.
#[must_use]
pub fn mentions(text: &str) -> Vec<Handle> {
    let mut found = Vec::new();
    if !text.contains(AT_SIGNS) {
        return found;
    }
    let links: Vec<_> = link_finder().links(text).map(|link| link.start()..link.end()).collect();
    for (at, sign) in text.match_indices(AT_SIGNS) {
        let (before, rest) = text.split_at(at);
        if before.ends_with(continues_word) || links.iter().any(|link| link.contains(&at)) {
            continue;
        }
        let rest = rest.strip_prefix(sign).unwrap_or(rest);
        let end = rest.bytes().position(|byte| !Handle::allows(byte)).unwrap_or(rest.len());
        let Some((name, after)) = rest.split_at_checked(end) else { continue };
        if let Ok(handle) = Handle::parse(name)
            && !begins_with_host(after)
            && !found.contains(&handle)
        {
            found.push(handle);
        }
    }
    found.truncate(MAX_MENTIONS);
    found
}

fn link_finder() -> LinkFinder {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    finder
}

/// Returns whether an `@` after this character belongs to a word, a path or a sequence of `@`.
fn continues_word(c: char) -> bool {
    u8::try_from(c).is_ok_and(Handle::allows) || c == '/' || c == '=' || AT_SIGNS.contains(&c)
}

/// Returns whether the text after a name is that of `@user@host`.
fn begins_with_host(after: &str) -> bool {
    after.strip_prefix(AT_SIGNS).is_some_and(|host| host.starts_with(char::is_alphanumeric))
}
