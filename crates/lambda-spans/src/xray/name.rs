//! A document's name: the service for a segment and for nodes of the map, else the span's name.

use std::borrow::Cow;

use super::aws_block;
use super::role::Role;
use super::span_attributes::SpanAttributes;
use crate::attributes::{DB_NAMESPACE, MESSAGING_SYSTEM, SERVER_ADDRESS, SERVICE_PEER_NAME, URL_FULL, former};

/// X-Ray's limit for a segment's name in bytes. A subsegment may have 250.
const MAX: usize = 200;
const NAMELESS: &str = "unnamed";

/// Returns the name if it is not the span's name.
pub(super) fn not_of_span<'a>(role: Role, attributes: &SpanAttributes<'a>, service: &'a str) -> Option<Cow<'a, str>> {
    match role {
        Role::Segment => Some(Cow::Borrowed(service)),
        Role::Aws => aws_block::service(attributes).map(Cow::Borrowed),
        Role::Sql => database(attributes),
        Role::Remote => remote(attributes).map(Cow::Borrowed),
        Role::Invocation | Role::Local => None,
    }
}

/// A remote node is named after its host, so that all calls to the host share one node.
fn remote<'a>(attributes: &SpanAttributes<'a>) -> Option<&'a str> {
    peer(attributes)
        .or_else(|| attributes.text(SERVER_ADDRESS))
        .or_else(|| host_of(attributes.text(URL_FULL)?))
        .or_else(|| attributes.text(MESSAGING_SYSTEM))
}

/// Returns `database@host`, as X-Ray's own SDKs name it.
fn database<'a>(attributes: &SpanAttributes<'a>) -> Option<Cow<'a, str>> {
    let name = peer(attributes).map(Cow::Borrowed);
    name.or_else(|| {
        let host = attributes.text(SERVER_ADDRESS);
        let database = attributes.text(DB_NAMESPACE).or_else(|| attributes.text(former::DB_NAME));
        match (database, host) {
            (Some(database), Some(host)) => Some(Cow::Owned(format!("{database}@{host}"))),
            (one, other) => one.or(other).map(Cow::Borrowed),
        }
    })
}

/// Returns the name of the called service if the application knows it.
fn peer<'a>(attributes: &SpanAttributes<'a>) -> Option<&'a str> {
    attributes.text(SERVICE_PEER_NAME).or_else(|| attributes.text(former::PEER_SERVICE))
}

fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

/// Replaces characters that X-Ray rejects. It allows letters, numbers, blanks and `_.:/%&#=+-@`. A route's `{id}`
/// becomes `:id`.
pub(super) fn clean(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX && !name.trim().is_empty() && name.chars().all(is_allowed) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(replaced(name))
}

fn replaced(name: &str) -> String {
    let mut clean = String::with_capacity(name.len().min(MAX));
    for character in name.chars() {
        let character = match character {
            '{' => ':',
            '}' => continue,
            character if is_allowed(character) => character,
            _ => '_',
        };
        if clean.len() + character.len_utf8() > MAX {
            break;
        }
        clean.push(character);
    }
    if clean.trim().is_empty() { NAMELESS.to_owned() } else { clean }
}

fn is_allowed(character: char) -> bool {
    matches!(character, ' ' | '_' | '.' | ':' | '/' | '%' | '&' | '#' | '=' | '+' | '-' | '@')
        || character.is_ascii_alphanumeric()
        || is_letter(character)
}

/// Letters beyond ASCII that every Unicode version accepts: Latin, Greek, Cyrillic, kana, Chinese, Korean. X-Ray drops
/// a span whose name contains any other.
fn is_letter(character: char) -> bool {
    matches!(
        character,
        'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ɏ' | 'Α'..='Ρ' | 'Σ'..='ώ' | 'Ѐ'..='ҁ' | 'Ҋ'..='ӿ'
            | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='龥' | '가'..='힣'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_name_keeps_its_parameters() {
        assert_eq!(clean("GET /api/activities/{activity_uuid}"), "GET /api/activities/:activity_uuid");
        assert_eq!(clean("what? (a) [b] `c` \"d\", é!"), "what_ _a_ _b_ _c_ _d__ é_");
        assert!(matches!(clean("GET /straße/путь"), Cow::Borrowed(_)));
    }

    #[test]
    fn name_is_never_empty_or_too_long() {
        assert_eq!(clean(""), "unnamed");
        assert_eq!(clean("  "), "unnamed");
        assert_eq!(clean("{}{}"), "::");
        assert_eq!(clean(&"x".repeat(300)).len(), 200);
        assert_eq!(clean(&"é".repeat(300)).len(), 200);
    }

    #[test]
    fn host_of_a_url_has_no_user_and_no_path() {
        assert_eq!(host_of("https://user:secret@example.com:8080/path?query"), Some("example.com:8080"));
        assert_eq!(host_of("https://example.com"), Some("example.com"));
        assert_eq!(host_of("example.com/path"), None);
        assert_eq!(host_of("file:///path"), None);
    }
}
