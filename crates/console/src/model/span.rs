//! A span as one sender described it, and what belongs to it.

use std::sync::Arc;

use serde::Serialize;

use super::ids::{SpanId, TraceId};
use super::value::{self, ALLOCATION, Attribute, Value};
use crate::clock::Nanos;

/// The kind of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Not set.
    #[default]
    Unspecified,
    /// Work within a process.
    Internal,
    /// The handling of a request.
    Server,
    /// A request to another process.
    Client,
    /// The sending of a message.
    Producer,
    /// The handling of a message.
    Consumer,
}

impl Kind {
    /// All kinds, at the index of their number in OTLP.
    pub(crate) const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// Returns the kind with this number in OTLP.
    pub(crate) fn of_number(number: i128) -> Self {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number)).copied().unwrap_or_default()
    }

    /// Returns the name in lower case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// OpenTelemetry's status of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StatusCode {
    /// Not set.
    #[default]
    Unset,
    /// Successful, as the application says.
    Ok,
    /// Failed.
    Error,
}

/// X-Ray's flags of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// A 4xx status.
    pub(crate) error: bool,
    /// A 5xx status.
    pub(crate) fault: bool,
    /// A 429 status.
    pub(crate) throttle: bool,
}

/// The sender of spans.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Resource {
    /// `service.name`, or an empty text.
    pub(crate) service: Box<str>,
    /// All attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// How many attributes the sender dropped.
    pub(crate) dropped: u32,
    /// The schema of the attributes' names.
    pub(crate) schema_url: Box<str>,
}

/// The library that created spans.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Scope {
    /// The name.
    pub(crate) name: Box<str>,
    /// The version.
    pub(crate) version: Box<str>,
    /// Its attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// How many attributes the sender dropped.
    pub(crate) dropped: u32,
    /// The schema of the names of its spans' attributes.
    pub(crate) schema_url: Box<str>,
}

/// An event on a span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// When it happened.
    pub(crate) time: Nanos,
    /// The name.
    pub(crate) name: Arc<str>,
    /// Its attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// How many attributes the sender dropped.
    pub(crate) dropped: u32,
}

/// A link to another span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    /// The other trace.
    pub(crate) trace: TraceId,
    /// The other span.
    pub(crate) span: SpanId,
    /// Its attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// W3C's `tracestate` of the other span.
    pub(crate) trace_state: Box<str>,
    /// How many attributes the sender dropped.
    pub(crate) dropped: u32,
    /// W3C's flags of the other span, and whether it is remote.
    pub(crate) flags: u32,
}

/// An X-Ray document as it arrived.
#[derive(Debug)]
pub(crate) struct Document {
    /// When it arrived.
    pub(crate) received_at: Nanos,
    /// The text of the document: one segment with its nested subsegments.
    pub(crate) raw: Box<str>,
    /// The text of a trace id that is not hexadecimal.
    pub(crate) invalid_trace_id: Option<Box<str>>,
}

/// The place of a span in X-Ray's documents.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// The document that contains it.
    pub(crate) document: Arc<Document>,
    /// Its position in the parsed document.
    pub(crate) position: u32,
    /// Whether it is a segment, or else a subsegment.
    pub(crate) is_segment: bool,
    /// Whether it is the invocation of a function, below a segment that only Lambda sends.
    pub(crate) is_invocation: bool,
    /// The flags.
    pub(crate) flags: Flags,
}

/// A span as one sender described it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The id.
    pub(crate) id: SpanId,
    /// The parent; `None` for a root.
    pub(crate) parent: Option<SpanId>,
    /// The name.
    pub(crate) name: Arc<str>,
    /// The kind.
    pub(crate) kind: Kind,
    /// When it started.
    pub(crate) start: Nanos,
    /// When it ended; `None` while it is in progress.
    pub(crate) end: Option<Nanos>,
    /// OpenTelemetry's status.
    pub(crate) status: StatusCode,
    /// The description of the status.
    pub(crate) status_message: Box<str>,
    /// The attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// The events.
    pub(crate) events: Box<[Event]>,
    /// The links to other spans.
    pub(crate) links: Box<[Link]>,
    /// W3C's `tracestate`.
    pub(crate) trace_state: Box<str>,
    /// W3C's flags, and whether the parent is remote.
    pub(crate) flags: u32,
    /// How many attributes, events and links the sender dropped.
    pub(crate) dropped: [u32; 3],
    /// The sender.
    pub(crate) resource: Arc<Resource>,
    /// The library that created it.
    pub(crate) scope: Arc<Scope>,
    /// Its place in an X-Ray document; `None` for a span in OTLP.
    pub(crate) segment: Option<Box<Segment>>,
}

impl Span {
    /// Returns the value of the first of these keys that is set.
    pub(crate) fn attribute(&self, keys: &[&str]) -> Option<&Value> {
        value::find(&self.attributes, keys)
    }

    /// Returns the value of the first of these keys on the span or else on its resource.
    pub(crate) fn attribute_or_resource(&self, keys: &[&str]) -> Option<&Value> {
        self.attribute(keys).or_else(|| value::find(&self.resource.attributes, keys))
    }

    /// Returns an estimate of the bytes that the span needs, without what it shares with others.
    pub(crate) fn memory(&self) -> usize {
        let events = self
            .events
            .iter()
            .map(|event| size_of::<Event>() + value::unshared(&event.name) + value::memory(&event.attributes));
        let link = |link: &Link| size_of::<Link>() + link.trace_state.len() + value::memory(&link.attributes);
        // The counters of an `Arc`, and the span's name, which is not always shared.
        size_of::<Self>()
            + 2 * ALLOCATION
            + self.name.len()
            + self.status_message.len()
            + self.trace_state.len()
            + value::memory(&self.attributes)
            + events.sum::<usize>()
            + self.links.iter().map(link).sum::<usize>()
            + self.segment.as_ref().map_or(0, |_| size_of::<Segment>() + ALLOCATION)
    }
}

impl Resource {
    /// Returns a resource whose service is its `service.name`.
    pub(crate) fn new(attributes: Vec<Attribute>) -> Self {
        let service = value::find(&attributes, &[super::keys::SERVICE_NAME]).map(Value::text).unwrap_or_default();
        Self { service: service.into(), attributes: attributes.into(), ..Self::default() }
    }

    /// Returns an estimate of the bytes that the resource needs.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + 2 * ALLOCATION
            + self.service.len()
            + self.schema_url.len()
            + value::memory(&self.attributes)
    }
}

impl Scope {
    /// Returns an estimate of the bytes that the scope needs.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + 2 * ALLOCATION
            + self.name.len()
            + self.version.len()
            + self.schema_url.len()
            + value::memory(&self.attributes)
    }
}

/// A log line with the id of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The span, if the line has one.
    pub(crate) span: Option<SpanId>,
    /// When it was written, or else when it was observed.
    pub(crate) time: Nanos,
    /// The number of the severity; 0 if it is not set.
    pub(crate) severity: u8,
    /// The name of the severity, as the sender wrote it.
    pub(crate) severity_text: Box<str>,
    /// The text, or structured content.
    pub(crate) body: Value,
    /// The attributes.
    pub(crate) attributes: Box<[Attribute]>,
    /// The sender.
    pub(crate) resource: Arc<Resource>,
}

impl Log {
    /// Returns an estimate of the bytes that the line needs, without what it shares with others.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + 2 * ALLOCATION
            + self.severity_text.len()
            + self.body.memory()
            + value::memory(&self.attributes)
    }
}
