use std::ops::Range;

use linkify::{Link, LinkFinder};

use super::{Handle, text};

/// Limits the notifications that one post can cause.
const MAX_MENTIONS: usize = 10;
/// `@`, and its full-width form of East Asian keyboards.
const AT_SIGNS: [char; 2] = ['@', '＠'];
/// The punctuation that RFC 3986 allows in the user name and host of a URL (`sub-delims`).
const SUB_DELIMITERS: [char; 11] = ['!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '='];

/// Returns the handles that `text` mentions as `@handle`, without duplicates, the first ten.
///
/// - A mention ends at the first character that no handle contains: `@worf漢字` mentions `worf`. A name of more than 30
///   characters is not a mention.
/// - An `@` after a letter or digit of ASCII, `_`, `/`, `=` or another `@` is not a mention, as in `a@b` and `path/@b`.
///   Other letters may precede it, because some scripts have no spaces between words.
/// - URLs, e-mail addresses and `@user@host` contain no mentions.
///
/// `crates/local/web/mentions.js` finds the same mentions, and `tests/mentions.json` has the test cases of both.
#[must_use]
pub fn mentions(text: &str) -> Vec<Handle> {
    let mut found = Vec::new();
    if !text.contains(AT_SIGNS) {
        return found;
    }
    let links = links(text);
    for (at, sign) in text.match_indices(AT_SIGNS) {
        let (before, rest) = text.split_at(at);
        if before.ends_with(continues_word) || links.iter().any(|link| link.contains(&at)) {
            continue;
        }
        let rest = rest.strip_prefix(sign).unwrap_or(rest);
        let end = rest.bytes().position(|byte| !Handle::allows(byte)).unwrap_or(rest.len());
        let Some((name, after)) = rest.split_at_checked(end) else { continue };
        if let Ok(handle) = Handle::parse(name)
            && !names_host(after)
            && !found.contains(&handle)
        {
            found.push(handle);
        }
    }
    found.truncate(MAX_MENTIONS);
    found
}

/// Returns the ranges of URLs and e-mail addresses.
fn links(text: &str) -> Vec<Range<usize>> {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    let mut found = Vec::new();
    let mut start = 0;
    for piece in text.split_inclusive(ends_link) {
        let mut at = start;
        let mut rest = piece.trim_end_matches(ends_link);
        while let Some(link) = finder.links(rest).next() {
            let end = end_of(&link);
            found.push(at + link.start()..at + end);
            at += end;
            rest = rest.split_at(end).1;
        }
        start += piece.len();
    }
    found
}

/// Returns whether `c` ends a URL or address: white space, punctuation and symbols outside ASCII, and letters of scripts
/// without spaces. `linkify` would continue, but the next word may follow such a character, as in `「https://x.y」@worf`.
fn ends_link(c: char) -> bool {
    !c.is_ascii() && !text::is_mark(c) && (!c.is_alphanumeric() || text::is_of_run_script(c))
}

/// Returns the end of a link. A URL ends before punctuation in its authority: `linkify` would read `https://x.y)@worf` as
/// the host `worf` with the user name `x.y)`.
fn end_of(link: &Link<'_>) -> usize {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let Some(rest) = link.as_str().trim_start_matches(is_of_scheme).strip_prefix("://") else {
        return link.end();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.find(SUB_DELIMITERS).map_or(link.end(), |at| link.end() - rest.len() + at)
}

/// Returns whether an `@` after this character belongs to a word, a path or a sequence of `@`.
fn continues_word(c: char) -> bool {
    u8::try_from(c).is_ok_and(Handle::allows) || c == '/' || c == '=' || AT_SIGNS.contains(&c)
}

/// Returns whether `after`, the text after a handle, makes it a name of another server: `@user@host`. Such a name may
/// also contain `.` and `-`, but does not end with them.
fn names_host(after: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host = after.trim_start_matches(is_of_name);
    let name = after.strip_suffix(host).unwrap_or_default();
    !name.ends_with(['.', '-'])
        && host.strip_prefix(AT_SIGNS).is_some_and(|host| host.starts_with(char::is_alphanumeric))
}
