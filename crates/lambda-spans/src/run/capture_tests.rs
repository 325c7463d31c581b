//! The spans that a subscriber with this crate's layer records.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use tracing::{Span, error, error_span, field, info, info_span, instrument, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use super::settings::Settings;
use super::spans::Spans;
use super::spans::tests::init_spans;

/// The settings of a function.
fn settings(variable: &'static str, value: &str) -> Settings {
    Settings::from_lookup(|name| match name {
        "AWS_XRAY_DAEMON_ADDRESS" | "AWS_LAMBDA_RUNTIME_API" => Some("127.0.0.1:1".to_owned()),
        _ => (name == variable).then(|| value.to_owned()),
    })
}

/// Returns the spans that `work` creates, without the init phase's own.
fn recorded(messages: &str, work: impl FnOnce()) -> Vec<SpanData> {
    let spans = Spans::new(&settings("LAMBDA_SPANS_EXCEPTION_MESSAGE", messages));
    // An optional layer, because some functions of a layer are not called in an `Option`.
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Some(spans.tracing_layer())), work);
    taken(&spans)
}

/// Returns the spans that `work` creates with this filter.
fn selected(filter: &str, work: impl FnOnce()) -> Vec<SpanData> {
    let spans = Spans::new(&settings("LAMBDA_SPANS_FILTER", filter));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.tracing_layer()), work);
    taken(&spans)
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_ref()).collect()
}

/// Takes the recorded spans, without the init phase's own.
fn taken(spans: &Spans) -> Vec<SpanData> {
    let mut recorded = init_spans(spans);
    recorded.retain(|span| span.name != "init");
    recorded
}

fn attributes(span: &SpanData) -> BTreeMap<&str, opentelemetry::Value> {
    span.attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.value.clone())).collect()
}

/// The exceptions of a span: type and message.
fn exceptions(span: &SpanData) -> Vec<(String, Option<String>)> {
    let failed = matches!(span.status, Status::Error { .. });
    assert_eq!(failed, !span.events.is_empty(), "{span:?}");
    let described = span.events.iter().map(|event| {
        let text = |key| {
            let attribute = event.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
            Some(attribute.value.to_string())
        };
        assert_eq!(event.name, "exception");
        (text("exception.type").expect("a type"), text("exception.message"))
    });
    described.collect()
}

#[test]
fn unsigned_integers_are_numbers() {
    let spans = recorded("none", || {
        let span = info_span!("x", a = 9_usize, b = 8_u64, late = field::Empty, text = %7_u64, wide = -6_i128);
        span.in_scope(|| ());
        span.record("late", 5_u32);
    });
    let expected = [("a", 9.into()), ("b", 8.into()), ("late", 5.into()), ("text", "7".into()), ("wide", (-6).into())];
    assert_eq!(attributes(&spans[0]), BTreeMap::from(expected));
}

#[test]
fn integers_beyond_64_bits_are_floats() {
    let spans = recorded("none", || {
        info_span!("x", i64_max = i64::MAX as u64, u64_max = u64::MAX, u128_max = u128::MAX, i128_min = i128::MIN);
    });
    let expected = [
        ("i64_max", i64::MAX.into()),
        ("u64_max", (u64::MAX as f64).into()),
        ("u128_max", (u128::MAX as f64).into()),
        ("i128_min", (i128::MIN as f64).into()),
    ];
    assert_eq!(attributes(&spans[0]), BTreeMap::from(expected));
}

#[test]
fn unsigned_field_does_not_start_the_span() {
    let spans = recorded("none", || {
        let parent = info_span!("parent");
        let context = parent.context();
        let child = info_span!(parent: None, "child", count = 3_u64);
        child.record("count", 4_u64);
        child.set_parent(context).expect("not started");
        child.set_attribute("more", 1);
    });
    let child = spans.iter().find(|span| span.name == "child").expect("recorded");
    let parent = spans.iter().find(|span| span.name == "parent").expect("recorded");
    assert_eq!(child.parent_span_id, parent.span_context.span_id());
    assert_eq!(attributes(child), BTreeMap::from([("count", 4.into()), ("more", 1.into())]));
}

#[derive(Debug)]
struct NotFound;

impl std::fmt::Display for NotFound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("canary")
    }
}

impl Error for NotFound {}

#[instrument(err)]
fn instrumented() -> Result<(), NotFound> {
    Err(NotFound)
}

#[test]
fn instrumented_error_fails_its_span() {
    let outer = || info_span!("outer").in_scope(|| assert!(instrumented().is_err()));
    for (messages, message) in [("none", None), ("log", None), ("all", Some("canary".to_owned()))] {
        let spans = recorded(messages, outer);
        let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["instrumented", "outer"]);
        assert_eq!(exceptions(&spans[0]), [("_OTHER".to_owned(), message)]);
        assert_eq!(exceptions(&spans[1]), []);
    }
}

#[test]
fn error_value_has_its_type_and_sources() {
    let spans = recorded("all", || {
        let _inside = info_span!("x").entered();
        error!(reason = &NotFound as &dyn Error, "failed");
        error!(err = ?io::ErrorKind::NotFound);
    });
    let expected = [("NotFound", "canary"), ("_OTHER", "NotFound")];
    assert_eq!(exceptions(&spans[0]), expected.map(|(kind, message)| (kind.to_owned(), Some(message.to_owned()))));
}

#[test]
fn other_events_stay_log_lines() {
    let spans = recorded("all", || {
        let _inside = info_span!("x").entered();
        error!(code = 7, "failed");
        error!(error = false);
        warn!(error = "retried");
        info!("fine");
        error!(target: "hyper::proto", error = "of a library below");
        error!(parent: None, error = "of no span");
    });
    assert_eq!(exceptions(&spans[0]), []);
}

#[test]
fn error_event_finds_its_span() {
    let spans = recorded("none", || {
        let _inside = info_span!("current").entered();
        // A level that is not recorded as a span.
        tracing::debug_span!("hidden").in_scope(|| error!(error = "y"));
        error_span!("other").in_scope(|| ());
        Span::current().record("absent", 1_u64);
    });
    let counts: BTreeMap<_, _> = spans.iter().map(|span| (span.name.as_ref(), exceptions(span).len())).collect();
    assert_eq!(counts, BTreeMap::from([("current", 1), ("other", 0)]));
}

#[test]
fn filter_selects_spans_by_target_and_level() {
    let work = || {
        tracing::trace_span!(target: "shop", "too fine").in_scope(|| ());
        tracing::debug_span!(target: "shop::cart", "fine").in_scope(|| ());
        info_span!(target: "warehouse", "other").in_scope(|| ());
        info_span!("library").in_scope(|| ());
        info_span!(target: "hyper::proto", "internal").in_scope(|| ());
    };
    assert_eq!(names(&selected("", work)), ["other", "library"]);
    assert_eq!(names(&selected("shop=debug", work)), ["fine", "library"]);
    assert_eq!(names(&selected("info, shop=debug", work)), ["fine", "other", "library"]);
    assert_eq!(names(&selected("trace", work)), ["too fine", "fine", "other", "library"]);
    assert_eq!(names(&selected("off,hyper=trace", work)), ["library"]);
}

#[test]
fn filter_selects_spans_inside_of_a_span_with_a_value() {
    let spans = selected("off,[request{tenant=acme}]=debug", || {
        for tenant in ["acme", "other"] {
            info_span!(target: "shop", "request", tenant).in_scope(|| {
                tracing::debug_span!(target: "shop", "query", of = tenant).in_scope(|| ());
            });
        }
        tracing::debug_span!(target: "shop", "query", of = "none").in_scope(|| ());
    });
    let queries = spans.iter().filter(|span| span.name == "query").map(|span| attributes(span)["of"].to_string());
    assert_eq!(queries.collect::<Vec<_>>(), ["acme"]);
}

#[test]
fn filtered_span_fails_by_an_error_event() {
    let spans = selected("shop=debug", || {
        tracing::debug_span!(target: "shop", "fine", count = 3_u64).in_scope(|| {
            info_span!(target: "warehouse", "hidden").in_scope(|| error!(error = &NotFound as &dyn Error, "failed"));
        });
    });
    assert_eq!((names(&spans), exceptions(&spans[0]).len()), (vec!["fine"], 1));
    assert_eq!(attributes(&spans[0])["count"], 3.into());
}

#[test]
fn level_hint_follows_the_filter() {
    let hint = |filter| {
        let spans = Spans::new(&settings("LAMBDA_SPANS_FILTER", filter));
        Layer::<Registry>::max_level_hint(&spans.tracing_layer())
    };
    assert_eq!(hint(""), Some(LevelFilter::INFO));
    assert_eq!(hint("off"), Some(LevelFilter::INFO));
    assert_eq!(hint("shop=debug"), Some(LevelFilter::DEBUG));
    assert_eq!(hint("[{tenant=acme}]=info"), Some(LevelFilter::TRACE));
}

/// Counts the spans and events that it receives, as Sentry's layer would.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<(Vec<&'static str>, usize)>>);

impl<S: tracing::Subscriber> Layer<S> for Counts {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, _: &tracing::span::Id, _: Context<'_, S>) {
        self.0.lock().unwrap().0.push(attributes.metadata().name());
    }

    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().1 += 1;
    }
}

#[test]
fn filters_of_layers_are_independent() {
    type Boxed = Box<dyn Layer<Registry> + Send + Sync>;
    let work = || {
        tracing::debug_span!(target: "shop", "fine").in_scope(|| error!(target: "shop", "failed"));
        info_span!(target: "warehouse", "other").in_scope(|| info!(target: "shop", "done"));
    };
    for (filter, recorded) in [("", vec!["other"]), ("shop=debug", vec!["fine"]), ("off", vec![])] {
        let (errors, all, none) = (Counts::default(), Counts::default(), Counts::default());
        let layers: Vec<Boxed> = vec![
            Box::new(errors.clone().with_filter(LevelFilter::ERROR)),
            Box::new(all.clone().with_filter(Targets::new().with_target("shop", LevelFilter::TRACE))),
            Box::new(none.clone().with_filter(LevelFilter::OFF)),
        ];
        let settings = settings("LAMBDA_SPANS_FILTER", filter).without_logs();
        let spans = Spans::new(&settings);
        let subscriber = spans.subscriber(tracing_subscriber::registry().with(layers), &settings);
        tracing::subscriber::with_default(subscriber, work);
        assert_eq!(names(&taken(&spans)), recorded);
        let counted = [errors, all, none].map(|counts| counts.0.lock().unwrap().clone());
        assert_eq!(counted, [(vec![], 1), (vec!["fine"], 2), (vec![], 0)]);
    }
}

#[test]
fn spans_and_absent_layers_need_no_log_lines() {
    for is_list in [false, true] {
        let settings = settings("RUST_LOG", "off").without_logs();
        let spans = Spans::new(&settings);
        let work = || info_span!("work").in_scope(|| ());
        if is_list {
            let counts = Counts::default();
            let subscriber = tracing_subscriber::registry().with(vec![counts.clone()]);
            tracing::subscriber::with_default(spans.subscriber(subscriber, &settings), work);
            assert_eq!(counts.0.lock().unwrap().0, ["work"]);
        } else {
            let subscriber = tracing_subscriber::registry().with(None::<Counts>);
            tracing::subscriber::with_default(spans.subscriber(subscriber, &settings), work);
        }
        assert_eq!(names(&taken(&spans)), ["work"]);
    }
}

#[test]
fn second_opentelemetry_layer_panics() {
    let (spans, other) = (Spans::new(&settings("", "")), Spans::new(&settings("", "")));
    let subscriber = tracing_subscriber::registry().with(spans.tracing_layer()).with(other.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        assert!(std::panic::catch_unwind(|| info_span!("x")).is_err());
    });
}
