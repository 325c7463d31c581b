//! Receivers behind TLS and round trips, and links that fail: after the failure, every span arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use lambda_harness::{DistantEndpoint, Event, Lambda, Link, OtlpReceiver};

use crate::support::{PARENT, ROOT, built};

const HTTP: &str = include_str!("../data/apigw_http.json");
/// In milliseconds. 90 ms is the distance from Frankfurt to Virginia.
const ROUND_TRIPS: [u64; 4] = [0, 30, 90, 200];
/// The longest pause after a first failure, and some time for a busy machine.
const PAUSE: Duration = Duration::from_millis(2_050);
/// Each invocation creates one span; the first also has the init phase.
const FIRST: usize = 2;

struct Stage {
    lambda: Lambda,
    receiver: OtlpReceiver,
    distant: DistantEndpoint,
    round_trip: Duration,
}

impl Stage {
    async fn new(round_trip: u64, mode: &str) -> Self {
        let round_trip = Duration::from_millis(round_trip);
        let receiver = OtlpReceiver::start().await;
        let distant = DistantEndpoint::start(receiver.endpoint().trim_start_matches("http://"), round_trip).await;
        let environment = [
            ("HANDLER", "http".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", distant.endpoint()),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", DistantEndpoint::certificate().to_owned()),
            ("LAMBDA_SPANS_FLUSH", mode.to_owned()),
        ];
        let lambda = Lambda::start(built("test-function"), &environment).await;
        Self { lambda, receiver, distant, round_trip }
    }

    async fn invoke(&mut self) {
        let event = Event {
            payload: HTTP.to_owned(),
            trace_header: format!("Root={ROOT};Parent={PARENT};Sampled=1"),
            timeout: Duration::from_secs(60),
        };
        assert!(self.lambda.invoke(event).await.success);
        self.lambda.wait_until_frozen().await;
    }

    /// The number of different spans. A span may arrive twice.
    fn arrived(&self) -> usize {
        self.receiver.collected().spans.into_iter().map(|(_, span)| span.span_id).collect::<BTreeSet<_>>().len()
    }
}

/// Runs a test for each distance in parallel.
async fn at_each_distance<F: Future<Output = ()> + Send + 'static>(test: impl Fn(u64) -> F) {
    for running in ROUND_TRIPS.map(|round_trip| tokio::spawn(test(round_trip))) {
        running.await.unwrap();
    }
}

#[tokio::test]
async fn cut_link_delays_spans_until_the_next_probe() {
    at_each_distance(async |round_trip| {
        let mut stage = Stage::new(round_trip, "end").await;
        stage.invoke().await;
        stage.invoke().await;
        assert_eq!(stage.arrived(), FIRST + 1, "{round_trip} ms");
        stage.distant.set_link(Link::Cut);
        stage.invoke().await;
        stage.invoke().await;
        assert_eq!(stage.arrived(), FIRST + 1, "{round_trip} ms");
        stage.distant.set_link(Link::Up);
        stage.lambda.stay_frozen(PAUSE).await;
        // The first one opens a connection and sends what fits into the budget.
        let mut invocations = 0;
        while stage.arrived() < FIRST + 3 + invocations {
            assert!(invocations < 3 && stage.arrived() > invocations, "{round_trip} ms");
            stage.invoke().await;
            invocations += 1;
        }
        let log = stage.lambda.kill().await;
        assert_eq!(log.matches("spans could not be exported by OTLP").count(), 1, "{round_trip} ms: {log}");
    })
    .await;
}

#[tokio::test]
async fn silent_link_is_replaced_in_parallel_to_invocations() {
    at_each_distance(async |round_trip| {
        let mut stage = Stage::new(round_trip, "end").await;
        stage.invoke().await;
        stage.distant.set_link(Link::Silent);
        // Waits without a response; the next ones do not wait.
        stage.invoke().await;
        stage.distant.set_link(Link::Up);
        stage.lambda.stay_frozen(PAUSE).await;
        let mut invocations = 0;
        while stage.arrived() < FIRST + 1 + invocations {
            assert!(invocations < 20, "{round_trip} ms");
            stage.invoke().await;
            invocations += 1;
            // While the function is frozen, the next step of the connection arrives.
            stage.lambda.stay_frozen(stage.round_trip + Duration::from_millis(20)).await;
        }
        // The first one starts a new connection, and all of them have sent everything soon after it is open.
        assert!(invocations <= 8, "{round_trip} ms: {invocations}");
        stage.lambda.kill().await;
    })
    .await;
}

/// Within the 400 ms that SIGTERM leaves.
#[tokio::test]
async fn sigterm_replaces_a_silent_connection() {
    for round_trip in [0, 90] {
        let mut stage = Stage::new(round_trip, "adaptive").await;
        stage.invoke().await;
        stage.distant.set_link(Link::Silent);
        stage.lambda.stay_frozen(Duration::from_millis(500)).await;
        stage.invoke().await;
        stage.lambda.stay_frozen(Duration::from_secs(1)).await;
        stage.distant.set_link(Link::Up);
        let (status, log) = stage.lambda.terminate().await;
        assert!(status.success(), "{log}");
        assert_eq!(stage.receiver.collected().spans.len(), FIRST + 1, "{round_trip} ms");
    }
}

#[tokio::test]
async fn closed_idle_connection_is_replaced_at_once() {
    at_each_distance(async |round_trip| {
        let mut stage = Stage::new(round_trip, "end").await;
        stage.invoke().await;
        let before = stage.distant.connections();
        stage.distant.set_link(Link::Cut);
        stage.lambda.stay_frozen(Duration::from_millis(20)).await;
        stage.distant.set_link(Link::Up);
        stage.invoke().await;
        assert_eq!(stage.arrived(), FIRST + 1, "{round_trip} ms");
        assert_eq!(stage.distant.connections(), before + 1, "{round_trip} ms");
        let log = stage.lambda.kill().await;
        assert!(!log.contains("spans could not be exported by OTLP"), "{round_trip} ms: {log}");
    })
    .await;
}

/// SIGTERM leaves 400 ms, and a new connection 200 ms away takes 600 ms.
#[tokio::test]
async fn burst_holds_no_spans_for_a_far_receiver() {
    for (round_trip, holds) in [(30, true), (200, false)] {
        let mut stage = Stage::new(round_trip, "adaptive").await;
        for _ in 0..3 {
            stage.invoke().await;
        }
        assert_eq!(stage.arrived() < FIRST + 2, holds, "{round_trip} ms");
        stage.lambda.terminate().await;
        assert_eq!(stage.receiver.collected().spans.len(), FIRST + 2, "{round_trip} ms");
    }
}
