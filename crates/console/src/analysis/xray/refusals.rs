//! What AWS X-Ray would refuse or ignore in a document, by its schema and its documented limits.

use serde::Serialize;

use crate::clock::Nanos;
use crate::json::{self, Value};
use crate::model::ids::{SpanId, TraceId};

/// X-Ray's limit for a document.
const MAX_DOCUMENT: usize = 64 * 1024;
const MAX_NAME: usize = 200;
const MAX_TEXT: usize = 250;
const MAX_ANNOTATION: usize = 1000;
const MAX_ANNOTATION_KEY: usize = 500;
const MAX_ANNOTATIONS: usize = 50;
const DAY: Nanos = 24 * 3600 * 1_000_000_000;
/// X-Ray keeps traces for 30 days.
const MAX_AGE: Nanos = 30 * DAY;
/// A document with many faults is described by the first of them.
const MAX_LISTED: usize = 100;

/// A part of a document that X-Ray would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) code: &'static str,
    /// Where it is, as a JSON pointer.
    pub(crate) path: String,
}

struct Found(Vec<Refusal>);

impl Found {
    fn add(&mut self, code: &'static str, path: impl Into<String>) {
        if self.0.len() < MAX_LISTED {
            self.0.push(Refusal { code, path: path.into() });
        }
    }
}

/// Returns what X-Ray would refuse.
pub(crate) fn refusals(document: Value<'_, '_>, received_at: Nanos) -> Vec<Refusal> {
    let mut found = Found(Vec::new());
    if document.raw().len() > MAX_DOCUMENT {
        found.add("too_large", "");
    }
    trace_id(document, received_at, &mut found);
    let mut annotations = 0;
    let mut open = vec![(document, String::new())];
    while let Some((segment, path)) = open.pop() {
        annotations += self::segment(segment, &path, received_at, &mut found);
        let nested = segment.get(&["subsegments"]);
        if nested.is_some_and(|nested| !nested.is_array()) {
            found.add("bad_type", format!("{path}/subsegments"));
        }
        let nested: Vec<_> = nested.into_iter().flat_map(|nested| nested.children()).enumerate().collect();
        open.extend(nested.into_iter().rev().map(|(index, nested)| (nested, format!("{path}/subsegments/{index}"))));
    }
    if annotations > MAX_ANNOTATIONS {
        found.add("too_many_annotations", "/annotations");
    }
    found.0
}

fn trace_id(document: Value<'_, '_>, received_at: Nanos, found: &mut Found) {
    let id = document.get(&["trace_id"]).and_then(|id| id.str()).unwrap_or_default();
    let Some(trace) = TraceId::parse(id).filter(|_| id.contains('-')) else {
        found.add("bad_trace_id", "/trace_id");
        return;
    };
    if trace.epoch() + MAX_AGE < received_at {
        found.add("too_old", "/trace_id");
    } else if trace.epoch() > received_at + DAY {
        found.add("in_the_future", "/trace_id");
    }
}

/// Returns the number of annotations.
fn segment(segment: Value<'_, '_>, path: &str, received_at: Nanos, found: &mut Found) -> usize {
    if !segment.is_object() {
        found.add("bad_type", path);
        return 0;
    }
    let at = |key: &str| format!("{path}/{key}");
    match segment.get(&["name"]).map(|name| name.str()) {
        Some(Some("")) => found.add("name_missing", at("name")),
        Some(Some(name)) => {
            if name.chars().count() > MAX_NAME {
                found.add("name_too_long", at("name"));
            }
            if !name.chars().all(is_allowed) {
                found.add("bad_name", at("name"));
            }
        }
        Some(None) => found.add("bad_type", at("name")),
        None => found.add("name_missing", at("name")),
    }
    for key in ["id", "parent_id"] {
        let id = segment.get(&[key]);
        let is_valid = id.is_some_and(|id| id.str().is_some_and(|id| SpanId::parse(id).is_some()));
        if !is_valid && (key == "id" || id.is_some()) {
            found.add("bad_id", at(key));
        }
    }
    times(segment, &at, received_at, found);
    for key in ["error", "fault", "throttle", "in_progress"] {
        if segment.get(&[key]).is_some_and(|flag| flag.bool().is_none()) {
            found.add("bad_type", at(key));
        }
    }
    let is_long = |value: Value<'_, '_>| value.str().is_some_and(|text| text.chars().count() > MAX_TEXT);
    if segment.get(&["user"]).is_some_and(is_long) {
        found.add("text_too_long", at("user"));
    }
    for value in segment.at(&["http", "request"]).into_iter().flat_map(|request| request.children()) {
        if is_long(value) {
            found.add("text_too_long", at(&format!("http/request/{}", pointer(value.key()))));
        }
    }
    for key in ["status", "content_length"] {
        if segment.at(&["http", "response", key]).is_some_and(|number| number.number().is_none()) {
            found.add("bad_type", at(&format!("http/response/{key}")));
        }
    }
    if let Some(cause) = segment.get(&["cause"])
        && !cause.is_object()
        && cause.str().is_none_or(|id| id.len() != 16)
    {
        found.add("bad_type", at("cause"));
    }
    metadata(segment, &at, found);
    annotations(segment, &at, found)
}

fn times(segment: Value<'_, '_>, at: &dyn Fn(&str) -> String, received_at: Nanos, found: &mut Found) {
    let time = |key: &str| {
        let value = segment.get(&[key])?;
        Some((value.number().is_some(), json::decimal(value.numeric()?, 9)))
    };
    let nanos = |time: Option<(bool, Option<i128>)>| time.and_then(|(_, time)| Nanos::try_from(time?).ok());
    let (start, end) = (time("start_time"), time("end_time"));
    match start {
        Some((true, Some(_))) if nanos(start).is_some_and(|start| start > received_at + DAY) => {
            found.add("in_the_future", at("start_time"));
        }
        Some((true, Some(0..))) => {}
        Some(_) | None => found.add("bad_time", at("start_time")),
    }
    let in_progress = segment.get(&["in_progress"]).and_then(|flag| flag.bool()) == Some(true);
    match end {
        None if !in_progress => found.add("end_missing", at("end_time")),
        Some(_) if in_progress => found.add("end_in_progress", at("end_time")),
        Some((true, Some(_))) if nanos(start).zip(nanos(end)).is_some_and(|(start, end)| end < start) => {
            found.add("bad_time", at("end_time"));
        }
        Some((false, _) | (_, None)) => found.add("bad_time", at("end_time")),
        Some(_) | None => {}
    }
}

/// Namespaces that contain objects.
fn metadata(segment: Value<'_, '_>, at: &dyn Fn(&str) -> String, found: &mut Found) {
    let Some(metadata) = segment.get(&["metadata"]) else { return };
    if !metadata.is_object() {
        found.add("metadata_not_map_of_maps", at("metadata"));
        return;
    }
    for namespace in metadata.children().filter(|namespace| !namespace.is_object()) {
        found.add("metadata_not_map_of_maps", at(&format!("metadata/{}", pointer(namespace.key()))));
    }
}

fn annotations(segment: Value<'_, '_>, at: &dyn Fn(&str) -> String, found: &mut Found) -> usize {
    let Some(annotations) = segment.get(&["annotations"]) else { return 0 };
    if !annotations.is_object() {
        found.add("bad_type", at("annotations"));
    }
    let mut count = 0;
    for value in annotations.children() {
        count += 1;
        let key = value.key();
        let path = || at(&format!("annotations/{}", pointer(key)));
        let is_key = (1..=MAX_ANNOTATION_KEY).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_key {
            found.add("bad_annotation_key", path());
        }
        match value.str() {
            Some(text) if text.chars().count() > MAX_ANNOTATION => found.add("text_too_long", path()),
            None if value.number().is_none() && value.bool().is_none() => found.add("bad_annotation_value", path()),
            Some(_) | None => {}
        }
    }
    count
}

/// Letters, numbers, blanks and some symbols.
fn is_allowed(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_.:/%&#=+-@\\".contains(letter)
}

fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    const NOW: Nanos = 0x6000_0000 * 1_000_000_000;

    fn found(members: &str) -> Vec<(&'static str, String)> {
        let document = format!(
            r#"{{"name":"s","id":"00f067aa0ba902b7","trace_id":"1-60000000-bd862e3fe1be46a994272793","start_time":1610612736,"end_time":1610612736.5{members}}}"#
        );
        let json = Json::parse(&document).unwrap();
        refusals(json.root(), NOW).into_iter().map(|refusal| (refusal.code, refusal.path)).collect()
    }

    #[test]
    fn valid_document_is_not_refused() {
        let members = r#","annotations":{"a_1":"x","b":1,"c":true},"metadata":{"default":{"any":[1]}},"cause":{},"http":{"response":{"status":200}},"subsegments":[{"id":"00f067aa0ba902b8","name":"DynamoDB","start_time":1,"end_time":2}]"#;
        assert_eq!(found(members), Vec::new());
    }

    #[test]
    fn each_violation_is_found_at_its_place() {
        let long = "x".repeat(251);
        for (members, code, path) in [
            (format!(r#","name":"{long}""#), "name_too_long", "/name"),
            (r#","name":"a{b}""#.to_owned(), "bad_name", "/name"),
            (r#","name":"""#.to_owned(), "name_missing", "/name"),
            (r#","id":"xyz""#.to_owned(), "bad_id", "/id"),
            (r#","parent_id":"1""#.to_owned(), "bad_id", "/parent_id"),
            (r#","trace_id":"1-60000000-xyz""#.to_owned(), "bad_trace_id", "/trace_id"),
            (r#","trace_id":"1-50000000-bd862e3fe1be46a994272793""#.to_owned(), "too_old", "/trace_id"),
            (r#","trace_id":"1-70000000-bd862e3fe1be46a994272793""#.to_owned(), "in_the_future", "/trace_id"),
            (r#","start_time":"1610612736""#.to_owned(), "bad_time", "/start_time"),
            (r#","end_time":1610612735"#.to_owned(), "bad_time", "/end_time"),
            (r#","end_time":null"#.to_owned(), "end_missing", "/end_time"),
            (r#","in_progress":true"#.to_owned(), "end_in_progress", "/end_time"),
            (r#","fault":"true""#.to_owned(), "bad_type", "/fault"),
            (format!(r#","user":"{long}""#), "text_too_long", "/user"),
            (format!(r#","http":{{"request":{{"url":"{long}"}}}}"#), "text_too_long", "/http/request/url"),
            (r#","http":{"response":{"status":"200"}}"#.to_owned(), "bad_type", "/http/response/status"),
            (r#","cause":"short""#.to_owned(), "bad_type", "/cause"),
            (r#","metadata":[]"#.to_owned(), "metadata_not_map_of_maps", "/metadata"),
            (r#","metadata":{"a/b":1}"#.to_owned(), "metadata_not_map_of_maps", "/metadata/a~1b"),
            (r#","annotations":{"a.b":1}"#.to_owned(), "bad_annotation_key", "/annotations/a.b"),
            (r#","annotations":{"a":{}}"#.to_owned(), "bad_annotation_value", "/annotations/a"),
            (
                r#","subsegments":[{"id":"00f067aa0ba902b8","start_time":1,"end_time":2}]"#.to_owned(),
                "name_missing",
                "/subsegments/0/name",
            ),
            (format!(r#","metadata":{{"a":{{"b":"{}"}}}}"#, "x".repeat(66_000)), "too_large", ""),
        ] {
            assert_eq!(found(&members), [(code, path.to_owned())], "{members:.80}");
        }
    }

    #[test]
    fn more_than_50_annotations_are_refused() {
        let annotations: Vec<_> = (0..51).map(|number| format!("\"a{number}\":1")).collect();
        let members = format!(r#","annotations":{{{}}}"#, annotations.join(","));
        assert_eq!(found(&members), [("too_many_annotations", "/annotations".to_owned())]);
    }
}
