//! Decodes requests of every kind and adds them to the store.

use std::sync::Arc;

use super::intake::{DecodeError, Intake};
use super::limits::Limits;
use super::names::Names;
use super::response::Format;
use super::{datagram, otlp_json, otlp_protobuf};
use crate::clock::{Clock, Nanos};
use crate::health::{Health, Refusal, Signal};
use crate::model::span::Span;
use crate::model::trace::Side;
use crate::store::Store;

/// The beginning of the keys with which a root span says how many spans were dropped since the previous one, followed
/// by the destination and the reason.
const DECLARED: &str = "lambda_spans.dropped.";

/// What a request contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Spans.
    Spans,
    /// Log lines.
    Logs,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The spans or log lines that were kept.
    pub(crate) kept: usize,
    /// Those that were rejected.
    pub(crate) rejected: usize,
}

/// Adds what arrives to the store.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// The store.
    pub(crate) store: Arc<Store>,
    /// The counts of what arrived and of what was refused.
    pub(crate) health: Arc<Health>,
    /// The limits of a request.
    pub(crate) limits: Limits,
    /// The clock.
    pub(crate) clock: Clock,
    names: Names,
}

impl Receiver {
    /// Returns a receiver.
    pub(crate) fn new(store: Arc<Store>, health: Arc<Health>, limits: Limits, clock: Clock) -> Self {
        Self { store, health, limits, clock, names: Names::default() }
    }

    /// Reads an OTLP request.
    ///
    /// # Errors
    /// If nothing can be decoded, or a limit is exceeded.
    pub(crate) fn otlp(&self, body: &[u8], format: Format, contents: Contents) -> Result<Accepted, DecodeError> {
        let mut intake = Intake::new(&self.names, &self.limits);
        let now = self.clock.now();
        match (format, contents) {
            // An exporter may send an empty request to check the connection.
            (Format::Json, _) if body.trim_ascii().is_empty() => {}
            (Format::Protobuf, Contents::Spans) => otlp_protobuf::spans(body, Side::Otlp, &mut intake)?,
            (Format::Protobuf, Contents::Logs) => otlp_protobuf::logs(body, now, &mut intake)?,
            (Format::Json, contents) => {
                let text = String::from_utf8_lossy(body);
                match contents {
                    Contents::Spans => otlp_json::spans(&text, Side::Otlp, &mut intake)?,
                    Contents::Logs => otlp_json::logs(&text, now, &mut intake)?,
                }
            }
        }
        let signal = if format == Format::Json { Signal::OtlpJson } else { Signal::OtlpHttp };
        Ok(self.keep(intake, signal, now))
    }

    /// Reads a datagram. What cannot be read is counted.
    pub(crate) fn datagram(&self, bytes: &[u8]) {
        let mut intake = Intake::new(&self.names, &self.limits);
        let now = self.clock.now();
        match datagram::read(bytes, now, &mut intake) {
            Ok(signal) => {
                self.keep(intake, signal, now);
            }
            Err(error) => self.refuse(&error, now),
        }
    }

    /// Reads input with a decoder of the caller.
    ///
    /// # Errors
    /// If the decoder fails.
    pub(crate) fn read(
        &self,
        signal: Signal,
        decode: impl FnOnce(&mut Intake<'_>, Nanos) -> Result<(), DecodeError>,
        seen: impl FnOnce(&Intake<'_>),
    ) -> Result<Accepted, DecodeError> {
        let mut intake = Intake::new(&self.names, &self.limits);
        let now = self.clock.now();
        decode(&mut intake, now)?;
        seen(&intake);
        Ok(self.keep(intake, signal, now))
    }

    /// Counts a request that was refused.
    pub(crate) fn refuse(&self, error: &DecodeError, now: Nanos) {
        let code = match error {
            DecodeError::Malformed(_) => Refusal::Malformed,
            DecodeError::Truncated => Refusal::Truncated,
            DecodeError::TooLarge(_) => Refusal::TooLarge,
        };
        self.health.refused(code, 1, &error.to_string(), None, now);
    }

    fn keep(&self, intake: Intake<'_>, signal: Signal, now: Nanos) -> Accepted {
        let Intake { batch, rejected, without_trace, cut, senders, .. } = intake;
        for (resource, spans) in senders.iter().filter(|(_, spans)| *spans > 0) {
            self.health.received(&resource.service, signal, *spans, now);
        }
        self.health.refused(Refusal::BadId, rejected, "a span has an invalid id or encoding", None, now);
        self.health.refused(Refusal::LogsNotKept, without_trace, "log lines without a trace id", None, now);
        self.health.refused(Refusal::Cut, cut, "a span exceeded a limit", None, now);
        self.count_declared_drops(&batch.spans);
        let count = batch.spans.len() + batch.logs.len();
        if count == 0 {
            return Accepted { kept: 0, rejected };
        }
        let refused = self.store.add(batch);
        self.health.refused(Refusal::TooLarge, refused, "one trace exceeds half of the memory limit", None, now);
        Accepted { kept: count - refused, rejected: rejected + refused }
    }

    /// A root declares the drops on both of its sides. The side that arrives first counts.
    fn count_declared_drops(&self, spans: &[(Arc<Span>, Side)]) {
        for (span, _) in spans {
            for attribute in &span.attributes {
                let Some(declared) = attribute.key.strip_prefix(DECLARED) else { continue };
                let count = attribute.value.integer().and_then(|count| u64::try_from(count).ok());
                if let Some((destination, reason)) = declared.split_once('.')
                    && let Some(count) = count
                    && !self.store.contains(span.trace, span.id)
                {
                    self.health.declared(&span.resource.service, destination, reason, count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::honeycomb::HoneycombView;
    use crate::analysis::otlp_export;
    use crate::analysis::side_by_side::SideBySide;
    use crate::analysis::trace_view::{Context, TraceView};
    use crate::analysis::xray::XrayView;
    use crate::model::ids::TraceId;

    const TRACE: &str = "60000000bd862e3fe1be46a994272793";

    fn receiver() -> Receiver {
        let clock = Clock::new(|| 0x6000_0000 * 1_000_000_000);
        let store = Arc::new(Store::new(1 << 20, clock.clone()));
        Receiver::new(store, Arc::default(), Limits::default(), clock)
    }

    /// Computes every view of the trace.
    fn views(receiver: &Receiver) -> usize {
        let Some(trace) = receiver.store.get(TraceId::parse(TRACE).unwrap()) else { return 0 };
        let view = TraceView::new(&trace, trace.summary(), &Context::default());
        let mut bytes = serde_json::to_vec(&view).unwrap().len();
        bytes += serde_json::to_vec(&XrayView::new(&trace)).unwrap().len();
        bytes += serde_json::to_vec(&HoneycombView::new(&trace)).unwrap().len();
        bytes += otlp_export::spans(&trace).to_string().len();
        for sides in &trace.spans {
            let view = SideBySide::new(&trace, sides.main().id);
            bytes += serde_json::to_vec(&view).unwrap().len();
        }
        bytes
    }

    /// Numbers at the edges, and texts that a sender may write instead.
    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("0".to_owned()),
            Just(u64::MAX.to_string()),
            Just("-1".to_owned()),
            Just("1e30".to_owned()),
            Just("1610612736.123456789".to_owned()),
            Just("\"18446744073709551615\"".to_owned()),
            Just("\"NaN\"".to_owned()),
            Just("null".to_owned()),
            Just("{}".to_owned()),
            (0_u64..2_000_000_000_000_000_000).prop_map(|number| number.to_string()),
        ]
    }

    fn member() -> impl Strategy<Value = String> {
        let keys = prop_oneof![
            Just("kind"),
            Just("status"),
            Just("attributes"),
            Just("events"),
            Just("links"),
            Just("name"),
            Just("annotations"),
            Just("metadata"),
            Just("http"),
            Just("aws"),
            Just("cause"),
            Just("subsegments"),
            Just("namespace"),
            Just("type"),
            Just("in_progress"),
            Just("fault"),
            Just("sql"),
            Just("flags"),
        ];
        let values = prop_oneof![
            number(),
            Just("true".to_owned()),
            Just("[]".to_owned()),
            Just("[{}]".to_owned()),
            Just("[[1],null,\"x\"]".to_owned()),
            Just("\"aws\"".to_owned()),
            Just("{\"code\":2,\"message\":\"m\"}".to_owned()),
            Just(
                "{\"default\":{\"a\":{\"b\":[1]}},\"lambda_spans\":{\"events\":[{\"time\":-5}],\"links\":7}}"
                    .to_owned()
            ),
            Just("{\"response\":{\"status\":\"x\"},\"request\":[]}".to_owned()),
            Just("{\"exceptions\":[{\"stack\":[{\"line\":{}}]}]}".to_owned()),
            Just(
                "[{\"key\":\"k\",\"value\":{\"doubleValue\":\"-Infinity\"}},{\"value\":{\"bytesValue\":\"*\"}}]"
                    .to_owned()
            ),
            Just("[{\"id\":\"000000000000000a\",\"name\":\"nested\",\"subsegments\":[{\"id\":\"zz\"}]}]".to_owned()),
        ];
        (keys, values).prop_map(|(key, value)| format!(",\"{key}\":{value}"))
    }

    fn members() -> impl Strategy<Value = String> {
        proptest::collection::vec(member(), 0..6).prop_map(|members| members.concat())
    }

    proptest! {
        #[test]
        fn odd_input_never_panics(
            spans in proptest::collection::vec((1_u64..8, 0_u64..8, number(), number(), members(), any::<bool>()), 1..12)
        ) {
            let receiver = receiver();
            for (id, parent, start, end, members, is_xray) in spans {
                if is_xray {
                    let document = format!(
                        "{{\"format\":\"json\",\"version\":1}}\n{{\"trace_id\":\"1-60000000-bd862e3fe1be46a994272793\",\"id\":\"{id:016x}\",\"parent_id\":\"{parent:016x}\",\"name\":\"x\",\"start_time\":{start},\"end_time\":{end}{members}}}"
                    );
                    receiver.datagram(document.as_bytes());
                } else {
                    let request = format!(
                        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{TRACE}\",\"spanId\":\"{id:016x}\",\"parentSpanId\":\"{parent:016x}\",\"startTimeUnixNano\":{start},\"endTimeUnixNano\":{end}{members}}}]}}]}}]}}"
                    );
                    receiver.otlp(request.as_bytes(), Format::Json, Contents::Spans).unwrap();
                }
            }
            prop_assert!(views(&receiver) > 0);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let receiver = receiver();
            receiver.datagram(&bytes);
            for contents in [Contents::Spans, Contents::Logs] {
                for format in [Format::Protobuf, Format::Json] {
                    receiver.otlp(&bytes, format, contents).ok();
                }
            }
            prop_assert!(receiver.store.totals().bytes <= receiver.store.max_bytes());
        }
    }
}
