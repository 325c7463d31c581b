//! What the view *Explore* counts: requests, which are traces with the fields of all their spans, or single spans.

use std::borrow::Cow;

use super::filter::Filter;
use crate::clock::Nanos;
use crate::model::keys;
use crate::model::status::outcome;
use crate::model::summary::Summary;
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};

/// The maximum number of bytes of a value that is compared.
const MAX_TEXT: usize = 256;
/// The maximum number of items of a list that are compared one by one.
const MAX_ITEMS: usize = 32;

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Traces, by their roots.
    #[default]
    Requests,
    /// Spans.
    Spans,
}

/// Which events are explored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Population {
    /// What is counted.
    pub(crate) unit: Unit,
    /// Of requests, a condition on the trace; of spans, on the span alone.
    pub(crate) filter: Filter,
    /// The first start.
    pub(crate) from: Option<Nanos>,
    /// The end of the starts.
    pub(crate) to: Option<Nanos>,
}

/// A request or a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// What it is.
    pub(crate) unit: Unit,
    /// The trace.
    pub(crate) trace: &'a Trace,
    /// The trace's row in the list.
    pub(crate) summary: &'a Summary,
    /// The span, or the root of the request.
    pub(crate) sides: &'a Sides,
    /// The start.
    pub(crate) start: Nanos,
    /// The duration.
    pub(crate) duration: Nanos,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// How many it stands for: the sample rate.
    pub(crate) weight: f64,
}

/// A value that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Term<'a> {
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// The bits of a floating point number.
    Double(u64),
    /// Text, and everything else as text.
    Text(Cow<'a, str>),
}

/// A condition on a field that selects some events.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    /// The key of the field.
    pub(crate) key: String,
    /// The test.
    pub(crate) test: Test,
}

/// A test of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// The field has this text.
    Is(String),
    /// The event has no such field.
    Absent,
    /// The number is greater.
    Above(f64),
    /// The number is less.
    Below(f64),
}

impl Population {
    /// Returns the events of these traces that fulfill the conditions. Without a time, an event is in no chart.
    pub(crate) fn events<'a>(&self, traces: &'a [(&'a Trace, &'a Summary)]) -> Vec<Event<'a>> {
        let mut events = Vec::new();
        for (trace, summary) in traces {
            match self.unit {
                Unit::Requests => {
                    if self.filter.matches(trace, summary)
                        && let Some(root) = summary.root.as_ref().and_then(|root| trace.span(root.span))
                    {
                        events.push(Event {
                            unit: self.unit,
                            trace,
                            summary,
                            sides: root,
                            start: summary.start.0,
                            duration: summary.duration.0,
                            failed: summary.status.is_failure(),
                            weight: weight(root),
                        });
                    }
                }
                Unit::Spans => events.extend(trace.spans.iter().filter_map(|sides| {
                    let start = sides.main().start;
                    // A span in progress has no duration yet.
                    let duration = sides.end()?.saturating_sub(start);
                    let failed = outcome(sides).is_failure();
                    self.filter.matches_span(sides, duration, failed).then(|| Event {
                        unit: self.unit,
                        trace,
                        summary,
                        sides,
                        start,
                        duration,
                        failed,
                        weight: weight(sides),
                    })
                })),
            }
        }
        events.retain(|event| {
            event.start != 0
                && self.from.is_none_or(|from| event.start >= from)
                && self.to.is_none_or(|to| event.start < to)
        });
        events
    }
}

fn weight(sides: &Sides) -> f64 {
    let rate = sides.main().attribute_or_resource(keys::SAMPLE_RATE).and_then(Value::integer);
    rate.map_or(1.0, |rate| rate.clamp(1, 1 << 32) as f64)
}

impl<'a> Event<'a> {
    /// Returns the value of a field, for a group. A request has the value of its root or else of its first span that has
    /// one.
    pub(crate) fn value(&self, key: &str) -> Option<Term<'a>> {
        let is_request = self.unit == Unit::Requests;
        let span = self.sides.main();
        let text = |text: &'a str| (!text.is_empty()).then(|| Term::Text(Cow::Borrowed(cut(text))));
        match key {
            "name" => text(&span.name),
            "service" | keys::SERVICE_NAME => text(&span.resource.service),
            "kind" => text(span.kind.name()),
            "error" => Some(Term::Bool(self.failed)),
            "user" if is_request => self.summary.user.as_deref().and_then(text),
            "user" => span.attribute_or_resource(keys::USER).and_then(Term::of),
            _ => {
                let own = span.attribute_or_resource(&[key]);
                let others = || {
                    let spans = self.trace.spans.iter().map(Sides::main);
                    let with =
                        spans.filter_map(|span| Some((span.start, span.id, span.attribute_or_resource(&[key])?)));
                    with.min_by_key(|(start, id, _)| (*start, *id)).map(|(.., value)| value)
                };
                own.or_else(|| is_request.then(others).flatten()).and_then(Term::of)
            }
        }
    }

    /// Visits the fields. A request has those of all its spans; where its root has a field, only the root's own counts.
    /// `true` is passed for an own field. The own ones come first.
    pub(crate) fn fields(&self, visit: &mut dyn FnMut(&'a str, Term<'a>, bool)) {
        visit("error", Term::Bool(self.failed), true);
        let spans: &[Sides] = match self.unit {
            Unit::Requests => &self.trace.spans,
            Unit::Spans => std::slice::from_ref(self.sides),
        };
        let mut attributes = |attributes: &'a [Attribute], is_own: bool| {
            for attribute in attributes {
                if let Value::Array(items) = &attribute.value {
                    for term in items.iter().take(MAX_ITEMS).filter_map(Term::of) {
                        visit(&attribute.key, term, is_own);
                    }
                } else if let Some(term) = Term::of(&attribute.value) {
                    visit(&attribute.key, term, is_own);
                }
            }
        };
        let own = self.sides.main();
        attributes(&own.attributes, true);
        attributes(&own.resource.attributes, true);
        let mut resource = &own.resource;
        for span in spans.iter().map(Sides::main).filter(|span| span.id != own.id) {
            attributes(&span.attributes, false);
            // The spans of a sender have the same resource.
            if !std::sync::Arc::ptr_eq(resource, &span.resource) {
                resource = &span.resource;
                attributes(&resource.attributes, false);
            }
        }
        if self.unit == Unit::Spans {
            visit("kind", Term::Text(Cow::Borrowed(own.kind.name())), true);
        }
        for span in spans.iter().map(Sides::main) {
            visit("name", Term::Text(Cow::Borrowed(cut(&span.name))), false);
        }
    }
}

impl<'a> Term<'a> {
    /// Returns the value, unless it is empty. A long text is cut.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Empty => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(number) => Self::Int(*number),
            Value::Double(number) => Self::Double(number.to_bits()),
            Value::String(text) => Self::Text(Cow::Borrowed(cut(text))),
            Value::Array(items) if items.len() == 1 => return items.first().and_then(Self::of),
            Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
                let text = value.text();
                Self::Text(Cow::Owned(cut(&text).to_owned()))
            }
        })
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Double(bits) => Cow::Owned(Value::Double(f64::from_bits(*bits)).text().into_owned()),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    /// Returns the number of an integer or a finite floating point number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(bits) => Some(f64::from_bits(*bits)).filter(|number| number.is_finite()),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

impl Condition {
    /// Returns whether an event is selected. Of several numbers, the greatest one counts.
    pub(crate) fn selects(&self, event: &Event<'_>) -> bool {
        let (mut is_known, mut is_own, mut is_equal) = (false, false, false);
        let mut greatest: Option<f64> = None;
        event.fields(&mut |key, term, own| {
            if key != self.key || (is_own && !own) {
                return;
            }
            (is_known, is_own) = (true, own);
            match &self.test {
                Test::Is(text) => is_equal |= term.text() == text.as_str(),
                Test::Above(_) | Test::Below(_) => {
                    greatest = greatest.into_iter().chain(term.number()).reduce(f64::max);
                }
                Test::Absent => {}
            }
        });
        if !is_known && matches!(self.key.as_str(), "user" | "service") {
            // These groups are not attributes.
            let value = event.value(&self.key);
            (is_known, is_equal) =
                (value.is_some(), value.is_some_and(|value| self.test == Test::Is(value.text().into())));
        }
        match self.test {
            Test::Is(_) => is_equal,
            Test::Absent => !is_known,
            Test::Above(number) => greatest.is_some_and(|greatest| greatest > number),
            Test::Below(number) => greatest.is_some_and(|greatest| greatest < number),
        }
    }
}

/// Returns the text of a number as it is shown and compared.
pub(crate) fn number_text(number: f64) -> String {
    Value::Double(number).text().into_owned()
}

fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::tree::tests::{span, trace};
    use crate::model::span::Span;

    /// Returns a trace of one root with these attributes.
    pub(crate) fn request(start: Nanos, duration: Nanos, attributes: Vec<Attribute>) -> Trace {
        trace([Span { attributes: attributes.into(), ..span(1, 0, start, start + duration) }])
    }

    /// Calls `check` with the events of traces.
    pub(crate) fn with_events<T>(
        traces: &[Trace],
        population: &Population,
        check: impl FnOnce(&[Event<'_>]) -> T,
    ) -> T {
        let summaries: Vec<Summary> = traces.iter().map(Summary::of).collect();
        let pairs: Vec<_> = traces.iter().zip(&summaries).collect();
        check(&population.events(&pairs))
    }

    fn attribute(key: &str, value: impl Into<Value>) -> Attribute {
        Attribute::new(key, value.into())
    }

    fn two_spans() -> Trace {
        let root = vec![attribute("http.status_code", 500_i64), attribute("sampleRate", 4_i64)];
        let child = vec![attribute("http.status_code", 200_i64), attribute("rows", 7_i64), attribute("user.id", "zoe")];
        trace([
            Span { attributes: root.into(), ..span(1, 0, 10, 100) },
            Span { attributes: child.into(), ..span(2, 1, 20, 50) },
            Span { attributes: Box::new([attribute("rows", 9_i64)]), ..span(3, 1, 30, 40) },
        ])
    }

    #[test]
    fn request_has_the_fields_of_all_spans_but_its_own_count() {
        let population = Population::default();
        with_events(&[two_spans()], &population, |events| {
            let [event] = events else { panic!("{}", events.len()) };
            assert_eq!((event.start, event.duration, event.weight, event.failed), (10, 90, 4.0, true));
            assert_eq!(event.value("rows"), Some(Term::Int(7)));
            assert_eq!(event.value("http.status_code"), Some(Term::Int(500)));
            assert_eq!(event.value("user"), Some(Term::Text("zoe".into())));
            assert_eq!(event.value("name"), Some(Term::Text("span 1".into())));
            assert_eq!(event.value("none"), None);
            let selects = |key: &str, test| Condition { key: key.to_owned(), test }.selects(event);
            let is = |text: &str| Test::Is(text.to_owned());
            assert!(selects("http.status_code", is("500")) && !selects("http.status_code", is("200")));
            assert!(selects("name", is("span 3")) && selects("rows", is("9")));
            assert!(selects("rows", Test::Above(8.0)) && !selects("rows", Test::Below(8.0)));
            assert!(selects("none", Test::Absent) && !selects("rows", Test::Absent));
            assert!(selects("error", is("true")));
            assert!(selects("user", is("zoe")) && !selects("user", Test::Absent) && selects("service", Test::Absent));
        });
    }

    #[test]
    fn span_has_its_own_fields_and_is_filtered_alone() {
        let conditions = vec![crate::analysis::filter::Condition::parse("rows>8").unwrap()];
        let filter = Filter { conditions, ..Filter::default() };
        let population = Population { unit: Unit::Spans, filter, ..Population::default() };
        with_events(&[two_spans()], &population, |events| {
            let [event] = events else { panic!("{}", events.len()) };
            assert_eq!((event.start, event.duration, event.weight), (30, 10, 1.0));
            assert_eq!((event.value("rows"), event.value("http.status_code")), (Some(Term::Int(9)), None));
        });
    }

    #[test]
    fn events_without_time_and_outside_the_range_are_left_out() {
        let traces = [request(0, 5, vec![]), request(5, 5, vec![]), request(9, 5, vec![]), request(10, 5, vec![])];
        let population = Population { from: Some(6), to: Some(10), ..Population::default() };
        with_events(&traces, &population, |events| {
            assert_eq!(events.iter().map(|event| event.start).collect::<Vec<_>>(), [9]);
        });
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = "é".repeat(300);
        let value = Value::from(&*text);
        assert_eq!(Term::of(&value).unwrap().text(), "é".repeat(128));
    }
}
