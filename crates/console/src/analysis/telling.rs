//! The attribute that distinguishes a span from others of its name.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Tree;
use crate::model::keys;
use crate::model::span::{Kind, Span};
use crate::model::trace::Trace;
use crate::model::value::Value;

/// Parts of keys whose values are results or random, not what the caller asked for.
const RESULTS: [&str; 11] =
    ["capacity", "count", "size", "bytes", "duration", "attempts", "request_id", "limit", "status", "time", "thread"];
/// The maximum number of bytes.
const MAX: usize = 120;
/// The maximum number of attributes that are compared.
const MAX_KEYS: usize = 32;

/// Returns the telling text of each node: what the span works on and, among siblings that share it, the value that
/// differs.
pub(crate) fn texts(trace: &Trace, tree: &Tree) -> Vec<Option<String>> {
    let span = |position: usize| Some(&**trace.spans.get(tree.nodes.get(position)?.span?)?.main());
    let mut texts: Vec<Option<String>> = (0..tree.nodes.len()).map(|position| span(position).and_then(own)).collect();
    for node in &tree.nodes {
        let mut groups: BTreeMap<(&str, Option<String>), Vec<usize>> = BTreeMap::new();
        for child in &node.children {
            if let Some(of) = span(*child) {
                groups.entry((&of.name, texts.get(*child).cloned().flatten())).or_default().push(*child);
            }
        }
        for ((_, shared), group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
            let spans: Vec<&Span> = group.iter().filter_map(|child| span(*child)).collect();
            let Some(key) = differing_key(&spans) else { continue };
            for (child, span) in group.iter().zip(&spans) {
                let Some(value) = span.attribute(&[key]).map(|value| value.text()) else { continue };
                let text = shared.iter().map(String::as_str).chain([&*value]).collect::<Vec<_>>().join(" ");
                if let Some(slot) = texts.get_mut(*child) {
                    *slot = Some(bounded(&text));
                }
            }
        }
    }
    texts
}

/// Returns what a span works on.
pub(crate) fn own(span: &Span) -> Option<String> {
    let text = |keys: &[&str]| span.attribute(keys).map(plain).filter(|text| !text.is_empty());
    let system = text(&["db.system.name", "db.system"]).unwrap_or_default();
    let table = text(keys::TABLES).or_else(|| text(&["db.collection.name", "db.sql.table"]));
    let found = if let Some(table) = table {
        match text(keys::INDEX) {
            Some(index) => Some(format!("{table} {index}")),
            None => Some(table),
        }
    } else if let Some(destination) = text(&["messaging.destination.name", "aws.sqs.queue.url"]) {
        Some(destination.rsplit('/').next().map(str::to_owned).unwrap_or(destination))
    } else if !system.is_empty() {
        text(&["db.query.summary", "db.namespace", "db.name"])
    } else if span.kind == Kind::Client {
        text(keys::URL_FULL).or_else(|| text(&["server.address"]))
    } else {
        text(keys::URL_PATH)
    };
    found.filter(|text| !span.name.contains(text.as_str())).map(|text| bounded(&text))
}

/// Returns the value as text; of a list, its items.
fn plain(value: &Value) -> String {
    if let Value::Array(items) = value {
        items.iter().map(Value::text).collect::<Vec<_>>().join(", ")
    } else {
        value.text().into_owned()
    }
}

/// Returns the key of the attribute that all spans have and with the most different values.
fn differing_key<'a>(spans: &[&'a Span]) -> Option<&'a str> {
    let first = spans.first()?;
    let keys = first.attributes.iter().map(|attribute| &*attribute.key).take(MAX_KEYS);
    let asked = keys.filter(|key| !RESULTS.iter().any(|result| key.contains(result)));
    let different = asked.filter_map(|key| {
        let values: Option<BTreeSet<String>> =
            spans.iter().map(|span| span.attribute(&[key]).map(|value| value.text().into_owned())).collect();
        values.map(|values| (values.len(), key)).filter(|(count, _)| *count > 1)
    });
    // Of several, the first one in the order of the attributes.
    different.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, key)| key)
}

fn bounded(text: &str) -> String {
    let end = (0..=MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::value::Attribute;

    fn with(id: u64, attributes: &[(&str, &str)]) -> Span {
        let attributes = attributes.iter().map(|(key, value)| Attribute::new(*key, Value::from(*value))).collect();
        Span { name: "DynamoDB.Query".into(), kind: Kind::Client, attributes, ..span(id, 1, id, id + 1) }
    }

    fn texts_of(spans: impl IntoIterator<Item = Span>) -> Vec<Option<String>> {
        let trace = trace([span(1, 0, 0, 100)].into_iter().chain(spans));
        texts(&trace, &Tree::of(&trace))
    }

    #[test]
    fn table_and_index_tell_dynamodb_calls_apart() {
        let table = ("aws.dynamodb.table_names", "posts");
        let texts = texts_of([with(2, &[table]), with(3, &[table, ("aws.dynamodb.index_name", "by-user")])]);
        assert_eq!(texts, [None, Some("posts".to_owned()), Some("posts by-user".to_owned())]);
    }

    #[test]
    fn equal_siblings_show_the_value_that_differs() {
        let table = ("aws.dynamodb.table_names", "posts");
        let texts = texts_of((2..5).map(|id| {
            let shard = id.to_string();
            with(id, &[table, ("aws.request_id", &id.to_string()), ("app.shard", &shard)])
        }));
        assert_eq!(texts[1..], ["posts 2", "posts 3", "posts 4"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn path_in_the_name_is_not_repeated() {
        let path = [Attribute::new("url.path", Value::from("/api/home"))];
        let server = Span { name: "GET /api/home".into(), attributes: Box::new(path.clone()), ..span(1, 0, 0, 1) };
        assert_eq!(own(&server), None);
        let server = Span { name: "GET".into(), attributes: Box::new(path), ..server };
        assert_eq!(own(&server).as_deref(), Some("/api/home"));
    }
}
