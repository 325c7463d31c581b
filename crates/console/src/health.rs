//! What arrived, from which senders, and what was refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock::Nanos;
use crate::model::summary::Decimal;

/// The maximum number of senders and of kinds of refusals. Later ones are counted together.
const MAX_ROWS: usize = 256;
/// The maximum number of bytes of a detail.
const MAX_DETAIL: usize = 200;

/// How spans arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signal {
    /// OTLP over HTTP, in protobuf.
    OtlpHttp,
    /// OTLP over HTTP, in JSON.
    OtlpJson,
    /// OTLP over UDP, in base64.
    OtlpUdp,
    /// X-Ray documents over UDP.
    XrayUdp,
    /// A file.
    Import,
}

/// Why input was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// A browser sent it from a page of another origin.
    ForeignOrigin,
    /// The `Host` is not one of the console's.
    BadHost,
    /// A body, a decompressed body or a trace exceeded its limit.
    TooLarge,
    /// It could not be decoded.
    Malformed,
    /// A datagram was cut at the limit of UDP.
    Truncated,
    /// The compression is unknown.
    UnsupportedEncoding,
    /// The content type is unknown.
    UnsupportedType,
    /// A span's id was zero or of the wrong length.
    BadId,
    /// A gRPC client connected.
    Grpc,
    /// Too many requests arrived at once.
    Overload,
    /// Metrics, which the console does not keep.
    MetricsNotKept,
    /// Log lines without a trace id, which the console does not keep.
    LogsNotKept,
    /// Parts of a span beyond the limits.
    Cut,
}

/// A sender in the API.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sender {
    service: Box<str>,
    signal: Signal,
    spans: u64,
    last: Decimal,
}

/// A kind of refused input in the API.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refused {
    code: Refusal,
    count: u64,
    last: Decimal,
    detail: Box<str>,
    flag: Option<Box<str>>,
}

/// A number of spans that a sender says it dropped.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeclaredDrops {
    service: Box<str>,
    destination: Box<str>,
    reason: Box<str>,
    count: u64,
}

/// All counts, as the API writes them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    senders: Vec<Sender>,
    refused: Vec<Refused>,
    declared_drops: Vec<DeclaredDrops>,
}

/// Counts what arrives.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Counts>);

/// The number of spans or refusals, and when the last one arrived.
#[derive(Debug, Default)]
struct Count {
    count: u64,
    last: Nanos,
    detail: Box<str>,
}

/// A service, a destination and a reason.
type Drops = (Box<str>, Box<str>, Box<str>);

#[derive(Debug, Default)]
struct Counts {
    senders: BTreeMap<(Box<str>, Signal), Count>,
    /// By the option that would admit the input.
    refused: BTreeMap<(Refusal, Option<Box<str>>), Count>,
    drops: BTreeMap<Drops, u64>,
}

impl Health {
    /// Counts spans of a service.
    pub(crate) fn received(&self, service: &str, signal: Signal, spans: usize, now: Nanos) {
        let mut counts = self.counts();
        let service = beginning(service);
        let is_new = !counts.senders.contains_key(&(service.into(), signal));
        let service = if is_new && counts.senders.len() >= MAX_ROWS { "(others)" } else { service };
        let sender = counts.senders.entry((service.into(), signal)).or_default();
        sender.count += spans as u64;
        sender.last = now;
    }

    /// Counts refused input. `flag` is the option that would admit it.
    pub(crate) fn refused(&self, code: Refusal, count: usize, detail: &str, flag: Option<String>, now: Nanos) {
        if count == 0 {
            return;
        }
        let mut counts = self.counts();
        let flag: Option<Box<str>> = flag.as_deref().map(|flag| beginning(flag).into());
        let is_new = !counts.refused.contains_key(&(code, flag.clone()));
        let flag = if is_new && counts.refused.len() >= MAX_ROWS { None } else { flag };
        let refused = counts.refused.entry((code, flag)).or_default();
        refused.count += count as u64;
        refused.last = now;
        refused.detail = beginning(detail).into();
    }

    /// Adds spans that a sender says it dropped.
    pub(crate) fn declared(&self, service: &str, destination: &str, reason: &str, count: u64) {
        let mut counts = self.counts();
        let key = (beginning(service).into(), beginning(destination).into(), beginning(reason).into());
        if counts.drops.contains_key(&key) || counts.drops.len() < MAX_ROWS {
            let total = counts.drops.entry(key).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Returns all counts.
    pub(crate) fn report(&self) -> Report {
        let counts = self.counts();
        let senders = counts.senders.iter().map(|((service, signal), sender)| Sender {
            service: service.clone(),
            signal: *signal,
            spans: sender.count,
            last: Decimal(sender.last),
        });
        let refused = counts.refused.iter().map(|((code, flag), refused)| Refused {
            code: *code,
            count: refused.count,
            last: Decimal(refused.last),
            detail: refused.detail.clone(),
            flag: flag.clone(),
        });
        let drops = counts.drops.iter().map(|((service, destination, reason), count)| DeclaredDrops {
            service: service.clone(),
            destination: destination.clone(),
            reason: reason.clone(),
            count: *count,
        });
        Report { senders: senders.collect(), refused: refused.collect(), declared_drops: drops.collect() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn beginning(text: &str) -> &str {
    let end = (0..=MAX_DETAIL.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}
