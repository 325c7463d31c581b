//! Metrics of the telemetry itself, as log lines in CloudWatch's embedded metric format.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::clock::Moment;
use crate::trace::accounting::{Counts, Destination, Destinations, Forwarded, Ledger};

/// CloudWatch's standard resolution.
const EVERY: Duration = Duration::from_secs(60);

/// Writes the changes of the span counts, at most once a minute.
#[derive(Debug)]
pub(crate) struct Health {
    namespace: Option<String>,
    service: String,
    destinations: Destinations,
    last: Mutex<LastReport>,
}

#[derive(Debug, Default)]
struct LastReport {
    at: Option<Moment>,
    ledger: Ledger,
}

impl Health {
    /// Writes nothing without a namespace. The second OTLP destination has metrics only if it is configured.
    pub(crate) fn new(namespace: Option<String>, service: String, configured: Destinations) -> Self {
        let second = configured.contains(Destination::SecondOtlp);
        let destinations = Destinations::ALL.without(Destinations::default().with(Destination::SecondOtlp, !second));
        Self { namespace, service, destinations, last: Mutex::default() }
    }

    pub(crate) fn report(&self, ledger: Ledger, now: Moment, at_the_end: bool) {
        let Some(namespace) = &self.namespace else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.at.is_none_or(|at| now.since(at) >= EVERY);
        if ledger == last.ledger || !(due || at_the_end) {
            return;
        }
        let timestamp = now.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = line(namespace, &self.service, self.destinations, timestamp, &last.ledger, &ledger);
        *last = LastReport { at: Some(now), ledger };
        // Without a standard output there is no log.
        writeln!(std::io::stdout(), "{line}").ok();
    }
}

fn line(
    namespace: &str,
    service: &str,
    destinations: Destinations,
    timestamp: Duration,
    before: &Ledger,
    now: &Ledger,
) -> Value {
    let mut values = Map::new();
    values.insert("SpansCreated".to_owned(), json!(now.created - before.created));
    for destination in destinations.iter() {
        let (name, before, now) = (destination.name(), before.counts(destination), now.counts(destination));
        let since = |of: fn(&Counts) -> u64| json!(of(&now) - of(&before));
        values.insert(format!("{name}Exported"), since(|counts| counts.exported));
        values.insert(format!("{name}SampledOut"), since(|counts| counts.sampled_out));
        values.insert(format!("{name}Dropped"), since(|counts| counts.dropped.total()));
        values.insert(format!("{name}Carried"), json!(now.carried));
    }
    // A process that forwards nothing has no such metrics.
    if now.forwarded != Forwarded::default() {
        let since = |of: fn(&Forwarded) -> u64| json!(of(&now.forwarded) - of(&before.forwarded));
        values.insert("ForwardedAccepted".to_owned(), since(|forwarded| forwarded.accepted));
        values.insert("ForwardedRejected".to_owned(), since(|forwarded| forwarded.rejected));
        values.insert("ForwardedDropped".to_owned(), since(|forwarded| forwarded.dropped));
    }
    let metrics: Vec<Value> = values.keys().map(|name| json!({ "Name": name, "Unit": "Count" })).collect();
    // The reasons are fields of the line for its readers; as metrics they would only add cost.
    for destination in destinations.iter() {
        let (name, before, now) = (destination.name(), before.counts(destination), now.counts(destination));
        let since = |of: fn(&Counts) -> u64| json!(of(&now) - of(&before));
        values.insert(format!("{name}Refused"), since(|counts| counts.dropped.refused));
        values.insert(format!("{name}Overflowed"), since(|counts| counts.dropped.overflowed));
        values.insert(format!("{name}Unsent"), since(|counts| counts.dropped.unsent));
        values.insert(format!("{name}Orphaned"), since(|counts| counts.orphaned));
    }
    let directive = json!({ "Namespace": namespace, "Dimensions": [["service"]], "Metrics": metrics });
    values.insert("service".to_owned(), json!(service));
    values.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": timestamp.as_millis() as u64, "CloudWatchMetrics": [directive] }),
    );
    Value::Object(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::accounting::{Accounts, DropReason, SpanCount};

    #[test]
    fn line_has_the_changes_since_the_previous_one() {
        let accounts = Accounts::default();
        let (xray, otlp) = (accounts.account(Destination::Xray), accounts.account(Destination::Otlp));
        accounts.created(10);
        xray.entered(10);
        xray.exported(10);
        otlp.entered(10);
        otlp.exported(4);
        otlp.sampled_out(2);
        let before = accounts.ledger();
        accounts.created(15);
        xray.entered(15);
        xray.exported(14);
        xray.dropped(DropReason::Refused, 1);
        otlp.entered(15);
        otlp.exported(5);
        otlp.sampled_out(5);
        otlp.dropped(DropReason::Refused, 3);
        let now = accounts.ledger();
        let destinations = Health::new(None, String::new(), Destinations::default()).destinations;
        let line = line("Cruddur", "api", destinations, Duration::from_millis(1_700_000_000_123), &before, &now);
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123_u64);
        assert_eq!(metrics["Namespace"], "Cruddur");
        assert_eq!(metrics["Dimensions"], json!([["service"]]));
        // `tests/tools/test_template_watch.py` compares the dashboard with the same list.
        let names = metrics["Metrics"].as_array().unwrap().iter();
        let mut names: Vec<_> = names.filter_map(|metric| metric["Name"].as_str()).collect();
        names.sort_unstable();
        let counts = ["Carried", "Dropped", "Exported", "SampledOut"];
        let mut expected: Vec<_> =
            ["XRay", "Otlp"].iter().flat_map(|one| counts.map(|count| format!("{one}{count}"))).collect();
        expected.push("SpansCreated".to_owned());
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(line["service"], "api");
        let expected = [
            ("SpansCreated", 15),
            ("XRayExported", 14),
            ("XRaySampledOut", 0),
            ("XRayDropped", 1),
            ("XRayCarried", 0),
            ("OtlpExported", 5),
            ("OtlpSampledOut", 5),
            ("OtlpDropped", 3),
            ("OtlpRefused", 3),
            ("OtlpUnsent", 0),
            ("OtlpCarried", 6),
        ];
        for (name, value) in expected {
            assert_eq!(line[name], value, "{name}");
        }
    }

    #[test]
    fn forwarded_spans_have_metrics_if_there_were_any() {
        let accounts = Accounts::default();
        accounts.forwarded(5, 2);
        let before = accounts.ledger();
        accounts.forwarded(4, 1);
        accounts.dropped(Destination::Otlp, DropReason::Refused, SpanCount::new(3, true));
        accounts.dropped(Destination::Otlp, DropReason::Refused, SpanCount::new(7, false));
        let line = line("n", "s", Destinations::default(), Duration::ZERO, &before, &accounts.ledger());
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 4);
        for (name, value) in
            [("SpansCreated", 4), ("ForwardedAccepted", 4), ("ForwardedRejected", 1), ("ForwardedDropped", 3)]
        {
            assert_eq!(line[name], value, "{name}");
        }
    }

    #[test]
    fn configured_second_destination_has_metrics() {
        let accounts = Accounts::default();
        accounts.account(Destination::SecondOtlp).entered(3);
        let second = Destinations::default().with(Destination::SecondOtlp, true);
        let destinations = Health::new(None, String::new(), second).destinations;
        let line = line("n", "s", destinations, Duration::ZERO, &Ledger::default(), &accounts.ledger());
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 13);
        assert_eq!((&line["SecondOtlpCarried"], &line["SecondOtlpExported"]), (&json!(3), &json!(0)));
    }
}
