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
