//! Which traces a list contains.

use crate::clock::Nanos;
use crate::model::keys;
use crate::model::span::Span;
use crate::model::summary::Summary;
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

/// A condition on an attribute, such as `http.route=/users` or `!app.user`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Absent,
    Equal(String),
    Different(String),
    Greater(f64),
    Less(f64),
}

/// What a trace must fulfill.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// A text in lower case that a name, id, attribute, resource, event or log line contains.
    pub(crate) text: Option<String>,
    /// Conditions on attributes.
    pub(crate) conditions: Vec<Condition>,
    /// Whether a span failed.
    pub(crate) failed: Option<bool>,
    /// The shortest duration.
    pub(crate) min_duration: Option<Nanos>,
    /// The longest duration.
    pub(crate) max_duration: Option<Nanos>,
}

impl Condition {
    /// Parses `key=value`, `key!=value`, `key>5`, `key<5`, `key` or `!key`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let of = |key: &str, test| {
            let key = key.trim();
            (!key.is_empty()).then(|| Self { key: key.to_owned(), test })
        };
        if let Some(key) = text.strip_prefix('!') {
            return of(key, Test::Absent);
        }
        let Some(at) = text.find(['=', '!', '<', '>']) else { return of(text, Test::Exists) };
        let (key, rest) = text.split_at(at);
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        if let Some(value) = rest.strip_prefix("!=") {
            of(key, Test::Different(value.trim().to_owned()))
        } else if let Some(value) = rest.strip_prefix('=') {
            of(key, Test::Equal(value.trim().to_owned()))
        } else if let Some(value) = rest.strip_prefix('>') {
            of(key, Test::Greater(number(value)?))
        } else {
            of(key, Test::Less(number(rest.strip_prefix('<')?)?))
        }
    }

    /// A trace matches if any span matches; a negative condition, if no span does.
    fn matches(&self, spans: &[Sides]) -> bool {
        let any = |test: &dyn Fn(&Value) -> bool| spans.iter().any(|sides| self.any_value(sides, test));
        match &self.test {
            Test::Exists => any(&|_| true),
            Test::Absent => !any(&|_| true),
            Test::Equal(text) => any(&|value| equals(value, text)),
            Test::Different(text) => !any(&|value| equals(value, text)),
            Test::Greater(number) => any(&|value| value.number().is_some_and(|value| value > *number)),
            Test::Less(number) => any(&|value| value.number().is_some_and(|value| value < *number)),
        }
    }

    fn any_value(&self, sides: &Sides, test: &dyn Fn(&Value) -> bool) -> bool {
        let of_span = |span: &Span| {
            let builtin = match self.key.as_str() {
                "name" => Some(Value::from(&*span.name)),
                "kind" => Some(Value::from(span.kind.name())),
                "service" | keys::SERVICE_NAME => Some(Value::from(&*span.resource.service)),
                "user" => span.attribute_or_resource(keys::USER).cloned(),
                _ => None,
            };
            let attributes = span.attributes.iter().chain(&span.resource.attributes);
            let events = span.events.iter().flat_map(|event| &event.attributes);
            builtin.as_ref().is_some_and(test)
                || attributes.chain(events).any(|attribute| *attribute.key == *self.key && test(&attribute.value))
        };
        [sides.otlp(), sides.xray()].into_iter().flatten().any(|span| of_span(span))
    }
}

/// Numbers are compared as numbers.
fn equals(value: &Value, text: &str) -> bool {
    if value.text() == text {
        return true;
    }
    let is_number = matches!(value, Value::Int(_) | Value::Double(_));
    #[expect(clippy::float_cmp, reason = "the user names the exact value")]
    let same = || value.number().zip(text.parse::<f64>().ok()).is_some_and(|(one, other)| one == other);
    if let Value::Array(items) = value { items.iter().any(|item| item.text() == text) } else { is_number && same() }
}

impl Filter {
    /// Returns whether the list contains a trace.
    pub(crate) fn matches(&self, trace: &Trace, summary: &Summary) -> bool {
        self.matches_result(summary.duration.0, summary.error_spans > 0)
            && self.conditions.iter().all(|condition| condition.matches(&trace.spans))
            && self.text.as_deref().is_none_or(|text| contains(trace, summary, text))
    }

    /// Returns whether a span alone fulfills all conditions.
    pub(crate) fn matches_span(&self, sides: &Sides, duration: Nanos, failed: bool) -> bool {
        self.matches_result(duration, failed)
            && self.conditions.iter().all(|condition| condition.matches(std::slice::from_ref(sides)))
            && self.text.as_deref().is_none_or(|text| span_contains(sides, text))
    }

    fn matches_result(&self, duration: Nanos, failed: bool) -> bool {
        self.failed.is_none_or(|wanted| wanted == failed)
            && self.min_duration.is_none_or(|min| duration >= min)
            && self.max_duration.is_none_or(|max| duration <= max)
    }
}

fn contains(trace: &Trace, summary: &Summary, text: &str) -> bool {
    let has = |other: &str| contains_text(other, text);
    has(&summary.id.to_string())
        || has(&summary.xray_id)
        || trace.spans.iter().any(|sides| span_contains(sides, text))
        || trace.logs.iter().any(|log| {
            has(&log.body.text()) || log.attributes.iter().any(|attribute| attribute_contains(attribute, text))
        })
}

fn span_contains(sides: &Sides, text: &str) -> bool {
    let has = |other: &str| contains_text(other, text);
    let any = |attributes: &[Attribute]| attributes.iter().any(|attribute| attribute_contains(attribute, text));
    [sides.otlp(), sides.xray()].into_iter().flatten().any(|span| {
        has(&span.name)
            || has(&span.id.to_string())
            || has(&span.status_message)
            || any(&span.attributes)
            || any(&span.resource.attributes)
            || span.events.iter().any(|event| has(&event.name) || any(&event.attributes))
    })
}

fn attribute_contains(attribute: &Attribute, text: &str) -> bool {
    contains_text(&attribute.key, text) || contains_text(&attribute.value.text(), text)
}

/// Compares without regard to case. `text` is in lower case.
fn contains_text(other: &str, text: &str) -> bool {
    if other.is_ascii() && text.is_ascii() {
        let (other, text) = (other.as_bytes(), text.as_bytes());
        return text.is_empty() || other.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text));
    }
    other.to_lowercase().contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tree::tests::{span, trace};

    fn two() -> Trace {
        let with = |id, attributes: Vec<Attribute>| Span { attributes: attributes.into(), ..span(id, id - 1, 0, 10) };
        trace([
            with(1, vec![Attribute::new("status", Value::Int(200)), Attribute::new("user", Value::from("Zoë"))]),
            with(2, vec![Attribute::new("status", Value::Int(90)), Attribute::new("rate", Value::Double(1.5))]),
        ])
    }

    #[test]
    fn condition_matches_if_any_span_does() {
        let trace = two();
        for (text, expected) in [
            ("status=200", true),
            ("status=200.0", true),
            ("status=201", false),
            ("status>100", true),
            ("status<100", true),
            ("status>1000", false),
            ("rate>1.4", true),
            ("user", true),
            ("nothing", false),
            ("!user", false),
            ("!nothing", true),
            ("user!=Zoë", false),
            ("user!=other", true),
            ("status!=90", false),
            ("name=span 2", true),
            ("user>5", false),
        ] {
            assert_eq!(Condition::parse(text).unwrap().matches(&trace.spans), expected, "{text}");
        }
    }

    #[test]
    fn unreadable_conditions_are_rejected() {
        for text in ["", "!", "=1", "status>", "status<x", "a!b"] {
            assert_eq!(Condition::parse(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_found_without_regard_to_case() {
        let trace = two();
        let summary = Summary::of(&trace);
        for (text, expected) in
            [("zoë", true), ("span 2", true), ("user", true), ("0000000000000002", true), ("x", false)]
        {
            assert_eq!(contains(&trace, &summary, text), expected, "{text}");
        }
    }

    #[test]
    fn duration_and_failure_are_compared() {
        let trace = two();
        let matches = |filter: Filter| filter.matches(&trace, &Summary::of(&trace));
        assert!(matches(Filter { min_duration: Some(10), max_duration: Some(10), ..Filter::default() }));
        assert!(!matches(Filter { min_duration: Some(11), ..Filter::default() }));
        assert!(!matches(Filter { max_duration: Some(9), ..Filter::default() }));
        assert!(!matches(Filter { failed: Some(true), ..Filter::default() }));
        assert!(matches(Filter { failed: Some(false), ..Filter::default() }));
    }
}
