//! One trace as the page shows it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::critical_path::{self, critical_path};
use super::span_names::{Measured, NameRow, rows};
use super::tree::Tree;
use super::{clock_skew, telling};
use crate::clock::Nanos;
use crate::model::ids::{SpanId, TraceId};
use crate::model::span::{Kind, Log, Resource, Scope, Span};
use crate::model::status::{Outcome, outcome};
use crate::model::summary::{Decimal, Summary};
use crate::model::trace::{Sides, Trace};
use crate::model::value::{Attribute, Value};
use crate::store::IncomingLink;

/// A later start than the arrival of the trace by more than this is in the future.
const FUTURE: Nanos = 10_000_000_000;

/// What the store knows about other traces.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// The links of other traces to spans of this one.
    pub(crate) incoming: Vec<IncomingLink>,
    /// The targets of links that are kept.
    pub(crate) known: std::collections::HashSet<(TraceId, SpanId)>,
}

/// One trace.
#[derive(Debug, Serialize)]
pub(crate) struct TraceView {
    summary: Arc<Summary>,
    resources: Vec<ResourceView>,
    scopes: Vec<ScopeView>,
    spans: Vec<SpanView>,
    logs: Vec<LogView>,
    critical_path: Vec<PathSegment>,
    names: Vec<NameRow>,
    marks: Vec<Mark>,
}

#[derive(Debug, Serialize)]
struct ResourceView {
    service: String,
    #[serde(serialize_with = "resource_attributes")]
    attributes: Arc<Resource>,
}

#[derive(Debug, Serialize)]
struct ScopeView {
    name: String,
    version: String,
}

/// One row of the waterfall.
#[derive(Debug, Serialize)]
pub(crate) struct SpanView {
    id: SpanId,
    index: usize,
    parent: Option<usize>,
    depth: usize,
    children: Vec<usize>,
    placeholder: bool,
    service: String,
    name: Arc<str>,
    telling: Option<String>,
    kind: Kind,
    start: Decimal,
    end: Decimal,
    duration: Decimal,
    #[serde(rename = "self")]
    self_time: Decimal,
    critical: Decimal,
    status: Outcome,
    status_message: Option<String>,
    resource: Option<usize>,
    scope: Option<usize>,
    attributes: Content,
    trace_state: String,
    events: Events,
    links: Vec<LinkView>,
    #[serde(rename = "in")]
    arrived: Vec<&'static str>,
    marks: Vec<&'static str>,
    skew: Option<String>,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
}

/// The attributes of a span, without a copy.
#[derive(Debug)]
struct Content(Option<Arc<Span>>);

/// The events of a span, without a copy.
#[derive(Debug)]
struct Events(Option<Arc<Span>>);

#[derive(Debug, Serialize)]
struct LinkView {
    trace: TraceId,
    span: SpanId,
    attributes: Vec<Attribute>,
    known: bool,
    direction: &'static str,
}

#[derive(Debug, Serialize)]
struct LogView {
    time: Decimal,
    severity: String,
    severity_number: u8,
    body: String,
    body_value: Value,
    span: Option<SpanId>,
    resource: usize,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Serialize)]
struct PathSegment {
    span: usize,
    start: Decimal,
    end: Decimal,
}

#[derive(Debug, Serialize)]
struct Mark {
    code: &'static str,
    spans: Vec<usize>,
}

fn resource_attributes<S: Serializer>(resource: &Arc<Resource>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(&resource.attributes)
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flat_map(|span| &span.attributes))
    }
}

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct EventView<'a> {
            time: Decimal,
            name: &'a str,
            attributes: &'a [Attribute],
        }
        let events = self.0.iter().flat_map(|span| &span.events);
        serializer.collect_seq(events.map(|event| EventView {
            time: Decimal(event.time),
            name: &event.name,
            attributes: &event.attributes,
        }))
    }
}

/// Gives equal values one number each.
struct Numbers<T> {
    values: Vec<Arc<T>>,
    by_address: HashMap<usize, usize>,
}

impl<T: PartialEq> Numbers<T> {
    fn new() -> Self {
        Self { values: Vec::new(), by_address: HashMap::new() }
    }

    fn of(&mut self, value: &Arc<T>) -> usize {
        let address = Arc::as_ptr(value).addr();
        if let Some(number) = self.by_address.get(&address) {
            return *number;
        }
        // Equal ones of several requests. A trace with many different ones is not searched.
        let number = self.values.iter().take(64).position(|known| known == value).unwrap_or_else(|| {
            self.values.push(value.clone());
            self.values.len() - 1
        });
        self.by_address.insert(address, number);
        number
    }
}

impl TraceView {
    /// Returns the view of a trace.
    pub(crate) fn new(trace: &Trace, summary: Arc<Summary>, context: &Context) -> Self {
        let tree = Tree::of(trace);
        let path = tree.main_root().map(|root| critical_path(&tree, root)).unwrap_or_default();
        let critical = critical_path::times(&path, tree.nodes.len());
        let self_times = tree.self_times();
        let shifts = clock_skew::shifts(trace, &tree);
        let telling = telling::texts(trace, &tree);
        let (mut resources, mut scopes) = (Numbers::new(), Numbers::new());
        let mut marks = Marks::of(trace, &tree, &shifts);
        let mut incoming: HashMap<SpanId, Vec<&IncomingLink>> = HashMap::new();
        for link in &context.incoming {
            incoming.entry(link.target).or_default().push(link);
        }
        let mut spans: Vec<SpanView> = Vec::with_capacity(tree.nodes.len());
        let rows = tree.nodes.iter().zip(critical).zip(self_times).zip(&shifts).zip(telling);
        for (index, ((((node, critical), self_time), shift), telling)) in rows.enumerate() {
            let sides = node.span.and_then(|span| trace.spans.get(span));
            let span = sides.map(Sides::main);
            let above = node.parent.and_then(|parent| spans.get(parent)).map(|parent| parent.service.clone());
            let own = span.map(|span| &*span.resource.service).filter(|service| !service.is_empty());
            let times = span
                .map_or((node.start, node.end), |span| (span.start, sides.and_then(Sides::end).unwrap_or(node.end)));
            let mut links: Vec<LinkView> = span.iter().flat_map(|span| outgoing(span, context)).collect();
            links.extend(incoming.remove(&node.id).into_iter().flatten().map(|link| LinkView {
                trace: link.trace,
                span: link.span,
                attributes: Vec::new(),
                known: true,
                direction: "in",
            }));
            let [dropped_attributes, dropped_events, dropped_links] = span.map(|span| span.dropped).unwrap_or_default();
            spans.push(SpanView {
                id: node.id,
                index,
                parent: node.parent,
                depth: node.depth,
                children: node.children.clone(),
                placeholder: span.is_none(),
                service: own.map(str::to_owned).or(above).unwrap_or_default(),
                name: span.map_or_else(|| "(missing parent)".into(), |span| span.name.clone()),
                telling,
                kind: node.kind,
                start: Decimal(times.0),
                end: Decimal(times.1),
                duration: Decimal(node.duration()),
                self_time: Decimal(if span.is_some() { self_time } else { 0 }),
                critical: Decimal(critical),
                status: sides.map_or(Outcome::Unset, outcome),
                status_message: span.map(|span| span.status_message.to_string()).filter(|text| !text.is_empty()),
                resource: span.map(|span| resources.of(&span.resource)),
                scope: span.map(|span| scopes.of(&span.scope)),
                attributes: Content(span.cloned()),
                trace_state: span.map(|span| span.trace_state.to_string()).unwrap_or_default(),
                events: Events(span.cloned()),
                links,
                arrived: arrived(sides),
                marks: marks.by_span.remove(&node.id).unwrap_or_default(),
                skew: (*shift != 0).then(|| shift.to_string()),
                dropped_attributes,
                dropped_events,
                dropped_links,
            });
        }
        let logs = trace.logs.iter().map(|log| log_view(log, &mut resources)).collect();
        let mut view = Self {
            summary,
            names: names(&spans),
            marks: marks.listed(&spans, trace),
            critical_path: path
                .iter()
                .map(|segment| PathSegment {
                    span: segment.node,
                    start: Decimal(segment.start),
                    end: Decimal(segment.end),
                })
                .collect(),
            resources: resources
                .values
                .iter()
                .map(|resource| ResourceView { service: resource.service.to_string(), attributes: resource.clone() })
                .collect(),
            scopes: scopes.values.iter().map(|scope| scope_view(scope)).collect(),
            spans,
            logs,
        };
        view.logs.sort_by_key(|log| log.time);
        view
    }
}

fn arrived(sides: Option<&Sides>) -> Vec<&'static str> {
    let otlp = sides.and_then(Sides::otlp).map(|_| "otlp");
    let xray = sides.and_then(Sides::xray).map(|_| "xray");
    otlp.into_iter().chain(xray).collect()
}

fn outgoing<'a>(span: &'a Arc<Span>, context: &'a Context) -> impl Iterator<Item = LinkView> + use<'a> {
    span.links.iter().map(|link| LinkView {
        trace: link.trace,
        span: link.span,
        attributes: link.attributes.to_vec(),
        known: context.known.contains(&(link.trace, link.span)),
        direction: "out",
    })
}

fn scope_view(scope: &Scope) -> ScopeView {
    ScopeView { name: scope.name.to_string(), version: scope.version.to_string() }
}

fn log_view(log: &Log, resources: &mut Numbers<Resource>) -> LogView {
    let names = ["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let of_number = names.get(usize::from(log.severity).div_ceil(4)).copied().unwrap_or_default();
    let name = if of_number.is_empty() { &*log.severity_text } else { of_number };
    LogView {
        time: Decimal(log.time),
        severity: name.to_owned(),
        severity_number: log.severity,
        body: log.body.text().into_owned(),
        body_value: log.body.clone(),
        span: log.span,
        resource: resources.of(&log.resource),
        attributes: log.attributes.to_vec(),
    }
}

fn names(spans: &[SpanView]) -> Vec<NameRow> {
    rows(spans.iter().filter(|span| !span.placeholder).map(|span| Measured {
        service: &span.service,
        name: &span.name,
        kind: span.kind,
        duration: span.duration.0,
        self_time: span.self_time.0,
        critical: span.critical.0,
        failed: span.status.is_failure(),
    }))
}

/// What is odd about the spans of a trace.
struct Marks {
    by_span: HashMap<SpanId, Vec<&'static str>>,
    several_roots: Vec<usize>,
}

impl Marks {
    fn of(trace: &Trace, tree: &Tree, shifts: &[i64]) -> Self {
        let mut by_span: HashMap<SpanId, Vec<&'static str>> = HashMap::new();
        let mut mark = |id: SpanId, code| by_span.entry(id).or_default().push(code);
        tree.cycles.iter().for_each(|id| mark(*id, "cycle"));
        tree.self_parents.iter().for_each(|id| mark(*id, "self_parent"));
        tree.orphans.iter().for_each(|id| mark(*id, "parent_missing"));
        for (node, shift) in tree.nodes.iter().zip(shifts) {
            if *shift != 0 {
                mark(node.id, "clock_skew");
            }
        }
        for sides in &trace.spans {
            let span = sides.main();
            if sides.is_repeated {
                mark(span.id, "duplicate");
            }
            match sides.end() {
                None => mark(span.id, "in_progress"),
                Some(end) if end < span.start => mark(span.id, "reversed_time"),
                Some(_) => {}
            }
            if span.start == 0 {
                mark(span.id, "zero_time");
            }
            if span.start > trace.received_at.saturating_add(FUTURE) {
                mark(span.id, "future_time");
            }
        }
        let roots: Vec<usize> = tree.roots().collect();
        Self { by_span, several_roots: if roots.len() > 1 { roots } else { Vec::new() } }
    }

    fn listed(&self, spans: &[SpanView], trace: &Trace) -> Vec<Mark> {
        let mut listed: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for span in spans {
            for code in &span.marks {
                listed.entry(code).or_default().push(span.index);
            }
        }
        if !self.several_roots.is_empty() {
            listed.insert("several_roots", self.several_roots.clone());
        }
        if trace.invalid_id.is_some() {
            listed.insert("bad_trace_id", Vec::new());
        }
        listed.into_iter().map(|(code, spans)| Mark { code, spans }).collect()
    }
}
