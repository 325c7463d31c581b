//! The row of a trace in the list.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::cost::Cost;
use super::ids::{SpanId, TraceId};
use super::keys;
use super::span::{Kind, Span};
use super::status::{self, Outcome};
use super::trace::{Sides, Trace};
use super::value::Value;
use crate::clock::Nanos;

/// A 64-bit number, which the API writes as a decimal string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Decimal(pub u64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Whether all spans of a trace have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Every parent is known.
    Complete,
    /// A span has not ended.
    InProgress,
    /// Every span has a parent, and the topmost parents are unknown.
    RootMissing,
    /// The root is known, but the parents of other spans are not.
    ParentsMissing,
}

/// The root of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Root {
    /// The service.
    pub(crate) service: Box<str>,
    /// The name.
    pub(crate) name: Box<str>,
    /// The kind.
    pub(crate) kind: Kind,
    /// The id.
    pub(crate) span: SpanId,
}

/// The row of a trace in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// The id.
    pub(crate) id: TraceId,
    /// X-Ray's form of the id, as it was sent.
    pub(crate) xray_id: String,
    /// When the first span arrived.
    pub(crate) received_at: Decimal,
    /// When the root started, or else the first span.
    pub(crate) start: Decimal,
    /// How long the root took, or else the time from the first start to the last end.
    pub(crate) duration: Decimal,
    /// The root. Without a root, the first span whose parent is unknown.
    pub(crate) root: Option<Root>,
    /// The method of the root's HTTP request.
    pub(crate) method: Option<Box<str>>,
    /// The route of the root's HTTP request.
    pub(crate) route: Option<Box<str>>,
    /// The path of the root's HTTP request.
    pub(crate) path: Option<Box<str>>,
    /// The status of the root's HTTP response.
    pub(crate) status_code: Option<i64>,
    /// The outcome of the root.
    pub(crate) status: Outcome,
    /// How many spans failed.
    pub(crate) error_spans: usize,
    /// The number of spans.
    pub(crate) spans: usize,
    /// The names of all services.
    pub(crate) services: Vec<Box<str>>,
    /// The user.
    pub(crate) user: Option<Box<str>>,
    /// Whether the invocation was a cold start.
    pub(crate) cold_start: Option<bool>,
    /// The cost.
    pub(crate) cost: Option<Cost>,
    /// How many spans arrived over OTLP.
    pub(crate) otlp_spans: usize,
    /// How many spans X-Ray got.
    pub(crate) xray_spans: usize,
    /// The number of log lines.
    pub(crate) logs: usize,
    /// Whether all spans have arrived.
    pub(crate) state: State,
    /// Whether it is never evicted.
    pub(crate) pinned: bool,
}

impl Summary {
    /// Returns the summary of a trace.
    pub(crate) fn of(trace: &Trace) -> Self {
        let roots = Roots::of(trace);
        let top = roots.root.or(roots.orphan).or_else(|| trace.spans.iter().min_by_key(|sides| sides.main().start));
        let root_span = top.map(|sides| &**sides.main());
        let attribute = |keys: &[&str]| top.and_then(|sides| attribute(sides, keys));
        let any = |keys: &[&str]| attribute(keys).or_else(|| trace.spans.iter().find_map(|sides| find(sides, keys)));
        let first = trace.spans.iter().map(|sides| sides.main().start).min().unwrap_or(trace.received_at);
        let last = trace.spans.iter().map(|sides| sides.end().unwrap_or(sides.main().start)).max().unwrap_or(first);
        let finished = roots.root.and_then(|sides| Some((sides.main().start, sides.end()?)));
        let (start, end) = finished.unwrap_or((first, last));
        let in_progress = trace.spans.iter().any(|sides| sides.end().is_none());
        let services: BTreeSet<&str> = trace.spans.iter().map(|sides| &*sides.main().resource.service).collect();
        Self {
            id: trace.id,
            xray_id: trace.invalid_id.as_deref().map_or_else(|| trace.id.xray(), str::to_owned),
            received_at: Decimal(trace.received_at),
            start: Decimal(start),
            duration: Decimal(end.saturating_sub(start)),
            root: root_span.map(|span| Root {
                service: span.resource.service.clone(),
                name: (&*span.name).into(),
                kind: span.kind,
                span: span.id,
            }),
            method: text(attribute(keys::HTTP_METHOD)),
            route: text(attribute(keys::HTTP_ROUTE)),
            path: text(attribute(keys::URL_PATH))
                .map(|path| path.split('?').next().unwrap_or_default().into())
                .or_else(|| path_of(text(attribute(keys::URL_FULL))?.as_ref())),
            status_code: attribute(keys::HTTP_STATUS).and_then(Value::integer),
            status: top.map_or(Outcome::Unset, status::outcome),
            error_spans: trace.spans.iter().filter(|sides| status::outcome(sides).is_failure()).count(),
            spans: trace.spans.len(),
            services: services.into_iter().filter(|service| !service.is_empty()).map(Into::into).collect(),
            user: text(any(keys::USER)),
            cold_start: any(keys::COLD_START).and_then(|value| match &*value.text() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }),
            cost: Cost::of(trace),
            otlp_spans: trace.spans.iter().filter(|sides| sides.otlp().is_some()).count(),
            xray_spans: trace.spans.iter().filter(|sides| sides.xray().is_some()).count(),
            logs: trace.logs.len(),
            state: if in_progress {
                State::InProgress
            } else if roots.root.is_none() {
                State::RootMissing
            } else if roots.orphan.is_some() {
                State::ParentsMissing
            } else {
                State::Complete
            },
            pinned: trace.is_pinned,
        }
    }
}

/// The topmost spans of a trace.
struct Roots<'a> {
    /// The first span without a parent.
    root: Option<&'a Sides>,
    /// The first span whose parent is unknown.
    orphan: Option<&'a Sides>,
}

impl<'a> Roots<'a> {
    fn of(trace: &'a Trace) -> Self {
        let mut roots = Self { root: None, orphan: None };
        for sides in &trace.spans {
            let slot = match parent(trace, sides) {
                Parent::None => &mut roots.root,
                Parent::Unknown(_) => &mut roots.orphan,
                Parent::Known(_) => continue,
            };
            if slot.is_none_or(|known| sides.main().start < known.main().start) {
                *slot = Some(sides);
            }
        }
        roots
    }
}

/// The parent of a span in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// It is a root.
    None,
    /// The position of the parent.
    Known(usize),
    /// The parent has not arrived.
    Unknown(SpanId),
}

/// Returns the parent of a span. Over OTLP, an invocation is a root; in X-Ray, it is below a segment that only Lambda
/// sends. A span that is its own parent is a root.
pub(crate) fn parent(trace: &Trace, sides: &Sides) -> Parent {
    let span = sides.main();
    let is_invocation = |span: &Span| span.segment.as_ref().is_some_and(|segment| segment.is_invocation);
    match span.parent.filter(|parent| *parent != span.id) {
        None => Parent::None,
        Some(id) => match trace.position(id) {
            Some(position) => Parent::Known(position),
            None if is_invocation(span) => Parent::None,
            None => Parent::Unknown(id),
        },
    }
}

/// Returns an attribute of either side.
pub(crate) fn attribute<'a>(sides: &'a Sides, keys: &[&str]) -> Option<&'a Value> {
    sides.main().attribute(keys).or_else(|| sides.xray()?.attribute(keys))
}

/// Returns an attribute of either side or of its resource.
fn find<'a>(sides: &'a Sides, keys: &[&str]) -> Option<&'a Value> {
    attribute(sides, keys).or_else(|| sides.main().attribute_or_resource(keys))
}

fn text(value: Option<&Value>) -> Option<Box<str>> {
    value.map(Value::text).filter(|text| !text.is_empty()).map(Into::into)
}

fn path_of(url: &str) -> Option<Box<str>> {
    let (_, rest) = url.split_once("://")?;
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    Some(path.split(['?', '#']).next().unwrap_or_default().into())
}

/// Returns when the trace's last span ended.
pub(crate) fn last_end(trace: &Trace) -> Nanos {
    trace.spans.iter().map(|sides| sides.end().unwrap_or(sides.main().start)).max().unwrap_or_default()
}
