//! Arbitrary programs: every span of a failed invocation arrives, each invocation has one root, and the counts add up.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lambda_harness::{OtlpReceiver, XrayDaemon};
use lambda_runtime::{Context as LambdaContext, Error, LambdaInvocation};
use opentelemetry::Context;
use opentelemetry::trace::{
    FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tower::{Layer as _, Service as _, service_fn};
use tracing::{Instrument as _, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::settings::Settings;
use super::spans::Spans;
use crate::trace::accounting::{Counts, Ledger};

const PARENT: &str = "53995c3f42cd8ad8";
const ALWAYS: &str = "1";
const RARELY: &str = "1000000";

#[derive(Clone, Debug)]
enum Step {
    Span { parent: ParentOf, held: bool, below: Vec<Step> },
    Yield,
    Fail,
    Panic,
}

/// The parent that the program sets for a span.
#[derive(Clone, Copy, Debug)]
enum ParentOf {
    Surroundings,
    Nothing,
    FreshContext,
    RemoteCaller,
    RemoteCallerInFreshContext,
    HeldSpan,
    SpawnedTask,
    OpenTelemetryApi,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let parents = prop::sample::select(vec![
        ParentOf::Surroundings,
        ParentOf::Nothing,
        ParentOf::FreshContext,
        ParentOf::RemoteCaller,
        ParentOf::RemoteCallerInFreshContext,
        ParentOf::HeldSpan,
        ParentOf::SpawnedTask,
        ParentOf::OpenTelemetryApi,
    ]);
    let leaf = prop_oneof![4 => Just(Step::Yield), 1 => Just(Step::Fail), 1 => Just(Step::Panic)];
    let step = leaf.prop_recursive(4, 24, 4, move |below| {
        (parents.clone(), any::<bool>(), prop::collection::vec(below, 0..4))
            .prop_map(|(parent, held, below)| Step::Span { parent, held, below })
    });
    prop::collection::vec(step, 0..5)
}

/// The spans of one invocation.
#[derive(Debug, Default)]
struct Program {
    spans: Mutex<BTreeSet<String>>,
    /// Spans that end after the invocation, and whether each is assigned to it.
    held: Mutex<Vec<(Span, bool)>>,
    failed: Mutex<bool>,
}

/// The state that all invocations share.
#[derive(Debug)]
struct Process {
    spans: Spans,
    count: AtomicUsize,
    /// Whether one invocation runs at a time.
    is_alone: bool,
}

impl Process {
    /// `is_assigned`: whether the library can know the invocation of the spans.
    fn run(
        self: Arc<Self>,
        program: Arc<Program>,
        steps: Vec<Step>,
        is_assigned: bool,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for step in steps {
                match step {
                    Step::Yield => tokio::task::yield_now().await,
                    Step::Fail => *program.failed.lock().unwrap() = true,
                    Step::Panic => {
                        *program.failed.lock().unwrap() = true;
                        std::panic::resume_unwind(Box::new("on request"));
                    }
                    Step::Span { parent, held, below } => {
                        let name = format!("span-{}", self.count.fetch_add(1, Relaxed));
                        let is_assigned = is_assigned && (self.is_alone || !matches!(parent, ParentOf::SpawnedTask));
                        if is_assigned {
                            program.spans.lock().unwrap().insert(name.clone());
                        }
                        let below = self.clone().run(program.clone(), below, is_assigned);
                        self.span(&program, parent, name, held, is_assigned, below).await;
                    }
                }
            }
        })
    }

    async fn span(
        &self,
        program: &Program,
        parent: ParentOf,
        name: String,
        held: bool,
        is_assigned: bool,
        below: impl Future<Output = ()> + Send + 'static,
    ) {
        let span = match parent {
            ParentOf::OpenTelemetryApi => {
                let tracer = self.spans.tracer_provider().tracer("a library");
                let context = Context::current_with_span(tracer.start(name));
                return below.with_context(context).await;
            }
            ParentOf::Nothing | ParentOf::SpawnedTask => info_span!(parent: None, "span", otel.name = name),
            ParentOf::HeldSpan => {
                let known = program.held.lock().unwrap().iter().find(|(_, is_assigned)| *is_assigned).cloned();
                let known = known.map_or_else(Span::current, |(span, _)| span);
                info_span!(parent: &known, "span", otel.name = name)
            }
            ParentOf::Surroundings
            | ParentOf::FreshContext
            | ParentOf::RemoteCaller
            | ParentOf::RemoteCallerInFreshContext => info_span!("span", otel.name = name),
        };
        let asked = match parent {
            ParentOf::FreshContext => Some(Context::new()),
            ParentOf::RemoteCaller => Some(Context::current().with_remote_span_context(caller())),
            ParentOf::RemoteCallerInFreshContext => Some(Context::new().with_remote_span_context(caller())),
            ParentOf::Surroundings
            | ParentOf::Nothing
            | ParentOf::HeldSpan
            | ParentOf::SpawnedTask
            | ParentOf::OpenTelemetryApi => None,
        };
        if let Some(asked) = asked {
            span.set_parent(asked).unwrap();
        }
        if held {
            program.held.lock().unwrap().push((span.clone(), is_assigned));
        }
        let below = below.instrument(span);
        if let ParentOf::SpawnedTask = parent {
            if let Err(error) = tokio::spawn(below).await {
                std::panic::resume_unwind(error.into_panic());
            }
        } else {
            below.await;
        }
    }
}

fn caller() -> SpanContext {
    let (trace, span) = (TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736), SpanId::from(0x00f0_67aa_0ba9_02b7));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}

fn invocation(n: usize) -> LambdaInvocation {
    let mut context = LambdaContext::default();
    context.request_id = format!("request-{n}");
    context.xray_trace_id = Some(format!("Root=1-6925a400-{n:024x};Parent={PARENT};Sampled=1"));
    let (parts, ()) = http::Response::new(()).into_parts();
    LambdaInvocation { parts, body: Bytes::new(), context }
}

/// Runs the programs, `concurrency` at a time, and one more between the invocations.
async fn check(programs: Vec<Vec<Step>>, between: Vec<Step>, concurrency: usize, one_in: &str) {
    let (xray, otlp) = (XrayDaemon::start().await, OtlpReceiver::start().await);
    let settings = Settings::from_lookup(|name| match name {
        "AWS_XRAY_DAEMON_ADDRESS" => Some(xray.address()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(otlp.endpoint()),
        "LAMBDA_SPANS_SAMPLE_RATE" => Some(one_in.to_owned()),
        _ => None,
    });
    let spans = Spans::new(&settings);
    let _recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let process = Arc::new(Process { spans: spans.clone(), count: AtomicUsize::new(0), is_alone: concurrency == 1 });
    let mut results = Vec::new();
    for (batch, programs) in programs.chunks(concurrency).enumerate() {
        let invocations = programs.iter().enumerate().map(|(n, steps)| {
            let (process, program, steps) = (process.clone(), Arc::<Program>::default(), steps.clone());
            results.push((batch * concurrency + n, program.clone()));
            let mut service = spans.started_layer().layer(service_fn(move |_: LambdaInvocation| {
                let work = process.clone().run(program.clone(), steps.clone(), true);
                let program = program.clone();
                async move {
                    std::panic::AssertUnwindSafe(work).catch_unwind().await.ok();
                    if *program.failed.lock().unwrap() { Err(Error::from("failed")) } else { Ok(()) }
                }
            }));
            service.call(invocation(batch * concurrency + n))
        });
        join_all(invocations).await;
        let background = process.clone().run(Arc::default(), between.clone(), false);
        std::panic::AssertUnwindSafe(background).catch_unwind().await.ok();
    }
    for (_, program) in &results {
        program.held.lock().unwrap().clear();
    }
    spans.shutdown(Duration::from_secs(10)).await;

    let ledger = spans.ledger();
    let created = process.count.load(Relaxed) + results.len();
    assert_eq!(ledger.created, created as u64);
    assert_balanced(&ledger);
    let mut traces = BTreeMap::<String, Vec<_>>::new();
    for (_, span) in otlp.collected().spans {
        traces.entry(hex(&span.trace_id)).or_default().push(span);
    }
    for spans in traces.values() {
        let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
        assert_eq!(ids.len(), spans.len());
        let roots = spans.iter().filter(|span| span.parent_span_id.is_empty()).count();
        assert_eq!(roots, 1, "{spans:?}");
        assert!(spans.iter().all(|span| span.parent_span_id.is_empty() || ids.contains(&span.parent_span_id)));
    }
    let documents = xray.take().await;
    assert_eq!(documents.len() as u64, ledger.xray.exported);
    for (n, program) in results {
        let root = format!("1-6925a400-{n:024x}");
        let mine = documents.iter().filter(|document| document["trace_id"] == root);
        assert_eq!(mine.clone().filter(|document| document["parent_id"] == PARENT).count(), 1);
        let expected = program.spans.lock().unwrap().clone();
        let names: BTreeSet<_> = mine.map(|document| document["name"].as_str().unwrap().to_owned()).collect();
        assert!(names.is_superset(&expected), "{expected:?} {names:?}");
        if one_in == ALWAYS || *program.failed.lock().unwrap() {
            let spans = traces.get(&format!("6925a400{n:024x}")).unwrap();
            let names: BTreeSet<_> = spans.iter().map(|span| span.name.clone()).collect();
            assert!(names.is_superset(&expected), "{expected:?} {names:?}");
        }
    }
}

fn assert_balanced(ledger: &Ledger) {
    let sum = |counts: Counts| {
        counts.exported + counts.sampled_out + counts.carried + counts.dropped.total() + counts.orphaned
    };
    assert_eq!((sum(ledger.xray), sum(ledger.otlp)), (ledger.created, ledger.created), "{ledger:?}");
    assert_eq!((ledger.xray.dropped.total(), ledger.otlp.dropped.total()), (0, 0), "{ledger:?}");
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_span_of_an_arbitrary_program_arrives() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let programs = prop::collection::vec(steps(), 1..10);
    let modes = (prop::sample::select(vec![1, 8]), prop::sample::select(vec![ALWAYS, RARELY]));
    let mut runner = TestRunner::new(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() });
    let result = runner.run(&(programs, steps(), modes), |(programs, between, (concurrency, one_in))| {
        runtime.block_on(check(programs, between, concurrency, one_in));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
