//! One OTLP receiver: its spans that are not encoded yet, and its exporter.

use std::borrow::Cow;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::clock::Moment;
use crate::otlp::http_stack::HttpStack;
use crate::otlp::settings::OtlpSettings;
use crate::otlp::{self, Otlp};
use crate::trace::accounting::{Accounts, Destination, Destinations};
use crate::trace::finished::{FinishedSpans, Source};
use crate::trace::importance;
use crate::trace::sampling::Decision;
use crate::xray::otlp::OtlpForm;

/// The number of carried spans from which they are sent during an invocation.
const FULL: usize = 256;
/// The age of the oldest carried span from which they are sent. Checked when an invocation starts or ends, because a
/// frozen process has no timers.
const OLD: Duration = Duration::from_millis(200);
/// From this number on, the spans of an invocation may not fit into one request, and the first one gets the most
/// important spans.
const LARGE: usize = 1024;

#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) destination: Destination,
    otlp: Otlp,
    /// The rules of X-Ray, if the receiver is X-Ray's own endpoint.
    xray: Option<OtlpForm>,
    /// All other OTLP receivers.
    others: Destinations,
    /// The maximum length of a string value, in bytes.
    value_length: usize,
    carried: Mutex<CarriedSpans>,
}

/// Spans that are not encoded yet. One request carries the spans of several invocations.
#[derive(Debug, Default)]
struct CarriedSpans {
    spans: Vec<SpanData>,
    /// The spans of other programs.
    forwarded: Vec<(Arc<Source>, Vec<SpanData>)>,
    since: Option<Moment>,
}

impl CarriedSpans {
    fn len(&self) -> usize {
        self.spans.len() + self.forwarded.iter().map(|(_, spans)| spans.len()).sum::<usize>()
    }

    fn forward(&mut self, source: Arc<Source>, spans: Vec<SpanData>) {
        match self.forwarded.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &source)) {
            Some((_, known)) => known.extend(spans),
            None => self.forwarded.push((source, spans)),
        }
    }

    fn is_due(&self) -> bool {
        self.len() >= FULL || self.since.is_some_and(|since| Moment::now().since(since) >= OLD)
    }
}

impl Receiver {
    /// Returns `None` if the exporter cannot be created.
    pub(super) fn new(
        settings: &OtlpSettings,
        annotations: &[String],
        resource: &Resource,
        stack: &HttpStack,
        accounts: &Accounts,
    ) -> Option<Self> {
        let destination = settings.destination;
        Some(Self {
            destination,
            otlp: Otlp::new(settings.clone(), resource, stack.clone(), accounts.clone())?,
            xray: (destination == Destination::Xray).then(|| OtlpForm::new(annotations.to_vec())),
            others: Destinations::default(),
            value_length: settings.value_length,
            carried: Mutex::default(),
        })
    }

    /// X-Ray's endpoint records in the root of a trace why none of `others` gets it.
    pub(super) fn beside(self, others: Destinations) -> Self {
        Self { others, ..self }
    }

    /// See [`Otlp::prepare`].
    pub(super) async fn prepare(&self) {
        self.otlp.prepare().await;
    }

    /// See [`Otlp::connects_within`].
    pub(super) fn connects_within(&self, limit: Duration) -> bool {
        self.otlp.connects_within(limit)
    }

    /// See [`Otlp::try_again`].
    pub(super) async fn try_again(&self) {
        self.otlp.try_again().await;
    }

    /// Carries the spans of this destination that its sampling keeps.
    pub(super) fn carry<'a>(&self, finished: impl Iterator<Item = Cow<'a, FinishedSpans>>, accounts: &Accounts) {
        let mut carried = self.carried();
        for finished in finished.filter(|finished| finished.destinations.contains(self.destination)) {
            match finished.decision(self.destination) {
                Decision::Keep { rate } => {
                    let mut finished = finished.into_owned();
                    let source = finished.source.take();
                    if finished.spans.len() >= LARGE {
                        importance::sort(&mut finished.spans);
                    }
                    let spans = match &self.xray {
                        Some(form) => form.adapted(finished, self.others),
                        None => otlp::spans::adapted(finished, rate, self.value_length),
                    };
                    if let Some(source) = source {
                        carried.forward(source, spans);
                    } else if carried.spans.is_empty() {
                        carried.spans = spans;
                    } else {
                        carried.spans.extend(spans);
                    }
                }
                Decision::SampleOut(_) => accounts.account(self.destination).sampled_out(finished.spans.len()),
            }
        }
        if carried.since.is_none() && carried.len() > 0 {
            carried.since = Some(Moment::now());
        }
    }

    /// Returns whether carried spans must be sent now, in parallel with the current invocation.
    pub(super) fn is_due(&self) -> bool {
        if self.otlp.is_sending() {
            let mut carried = self.carried();
            if carried.len() >= LARGE {
                // Encoded spans take less memory.
                let spans = mem::take(&mut *carried);
                drop(carried);
                self.enqueue(spans);
                self.otlp.trim();
            }
            return false;
        }
        self.carried().is_due()
    }

    /// Sends the carried spans. Takes at most `limit`.
    pub(super) async fn send(&self, limit: Duration) {
        let carried = mem::take(&mut *self.carried());
        self.enqueue(carried);
        self.otlp.send(limit).await;
    }

    fn enqueue(&self, carried: CarriedSpans) {
        self.otlp.enqueue(carried.spans);
        for (source, spans) in carried.forwarded {
            self.otlp.enqueue_forwarded(&source, spans);
        }
    }

    fn carried(&self) -> MutexGuard<'_, CarriedSpans> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
