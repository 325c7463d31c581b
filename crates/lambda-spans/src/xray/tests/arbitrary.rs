//! Spans of every shape, with more of the difficult ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// The keys to choose from.
const KEYS: [&str; 57] = [
    "",
    "annotation.http.url",
    "app.a.b",
    "app.a_b",
    "app.a_b_",
    "app.",
    "aws.dynamodb.table_names",
    "aws.http.traced",
    "aws.lambda.invoked_arn",
    "aws.log.group.names",
    "aws.queue.url",
    "aws.region",
    "aws.request_id",
    "aws.sdk.attempts",
    "aws.service",
    "aws.table_name",
    "client.address",
    "client.port",
    "cloud.account.id",
    "cloud.platform",
    "cloud.region",
    "cloud.resource_id",
    "db.namespace",
    "db.query.text",
    "db.service",
    "db.system",
    "db.system.name",
    "db.user",
    "enduser.id",
    "error.type",
    "exception.message",
    "exception.stacktrace",
    "exception.type",
    "faas.invocation_id",
    "http.method",
    "http.request.method",
    "http.response.body.size",
    "http.response.status_code",
    "http.status_code",
    "http.url",
    "lambda_spans.truncated",
    "metadata.http.url",
    "peer.service",
    "service.peer.name",
    "rpc.message.type",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    "rpc.system.name",
    "server.address",
    "server.port",
    "service.version",
    "telemetry.sdk.language",
    "url.full",
    "url.path",
    "url.scheme",
    "user_agent.original",
];

const TEXTS: [&str; 16] = [
    "",
    " ",
    "aws-api",
    "aws.dynamodb",
    "postgresql",
    "DynamoDB/Query",
    "/",
    "ThrottlingException",
    "429",
    "-1",
    "https://user@example.com/?q",
    "\",\"end_time\":1,\"aws\":{\"x_forwarded_for\":true}\\",
    "\u{0}\u{1f}\u{2028}\u{feff}",
    "RECEIVED",
    "  0: a\n     at b:99999999999:1\n  1: c\n",
    "٣: ٣\n at x:٣:٣",
];

pub(super) fn span() -> impl Strategy<Value = SpanData> {
    let place = (context(), id(), any::<bool>(), kind());
    let times = (time(), time(), status());
    // More than a span keeps, for spans that another library created.
    let attributes = prop_oneof![30 => attributes(20), 1 => vec(attribute(), 100..300)];
    let rest = (attributes, events(), links(), any::<u32>());
    (place, text(), times, rest).prop_map(|(place, name, times, rest)| {
        let (span_context, parent_span_id, parent_span_is_remote, span_kind) = place;
        let (start_time, end_time, status) = times;
        let (attributes, events, links, dropped_attributes_count) = rest;
        SpanData {
            span_context,
            parent_span_id,
            parent_span_is_remote,
            span_kind,
            name: name.into(),
            start_time,
            end_time,
            attributes,
            dropped_attributes_count,
            events,
            links,
            status,
            instrumentation_scope: InstrumentationScope::default(),
        }
    })
}

pub(super) fn parent() -> impl Strategy<Value = Option<SpanId>> {
    option::of(id())
}

/// Names of attributes that become annotations, as in the setting.
pub(super) fn annotate() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![Just(vec!["app.".to_owned()]), Just(vec!["*".to_owned()]), vec(key(), 0..4)]
}

/// The service's name.
pub(super) fn service() -> impl Strategy<Value = String> {
    prop_oneof![Just("cruddur-api".to_owned()), text()]
}

fn context() -> impl Strategy<Value = SpanContext> {
    let trace = prop_oneof![1 => Just(0), 8 => any::<u128>(), 1 => Just(1)];
    (trace, id(), any::<bool>()).prop_map(|(trace, span, sampled)| {
        let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        SpanContext::new(TraceId::from(trace), span, flags, !sampled, TraceState::NONE)
    })
}

fn id() -> impl Strategy<Value = SpanId> {
    prop_oneof![1 => Just(0), 8 => any::<u64>(), 1 => Just(u64::MAX)].prop_map(SpanId::from)
}

fn kind() -> impl Strategy<Value = SpanKind> {
    let kinds = [SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal];
    prop::sample::select(kinds.to_vec())
}

fn time() -> impl Strategy<Value = SystemTime> {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let after = |start: SystemTime, nanoseconds: u64| start + Duration::from_nanos(nanoseconds);
    prop_oneof![
        8 => any::<u64>().prop_map(move |nanoseconds| after(now, nanoseconds % 1_000_000_000)),
        1 => any::<u64>().prop_map(move |nanoseconds| after(UNIX_EPOCH, nanoseconds)),
        1 => any::<u64>().prop_map(|nanoseconds| UNIX_EPOCH - Duration::from_nanos(nanoseconds)),
        1 => (0..1_u64 << 40).prop_map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        40 => prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned),
        20 => ".{0,20}",
        20 => "[a-zA-Z{}/: .ÀßΣж一가]{0,30}",
        // Slightly or far too long, of characters with one, two and six bytes in JSON.
        10 => (1..300_usize, prop::sample::select(vec!["a", "é", "\u{1}"])).prop_map(|(n, unit)| unit.repeat(n)),
        1 => (300..80_000_usize, prop::sample::select(vec!["a", "é", "\u{1}"])).prop_map(|(n, unit)| unit.repeat(n)),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned),
        2 => "[a-c._é\"\\\\]{0,4}",
        2 => "app\\.[a-c._é]{0,4}",
        1 => (1..1500_usize).prop_map(|n| format!("app.{}", "k".repeat(n))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let float = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-0.0)];
    let integer = prop_oneof![any::<i64>(), 0..700_i64];
    prop_oneof![
        6 => text().prop_map(Value::from),
        3 => integer.clone().prop_map(Value::I64),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => float.clone().prop_map(Value::F64),
        1 => vec(text().prop_map(StringValue::from), 0..5).prop_map(|texts| Value::Array(Array::String(texts))),
        1 => vec(float, 0..50).prop_map(|numbers| Value::Array(Array::F64(numbers))),
        1 => vec(integer, 0..50).prop_map(|numbers| Value::Array(Array::I64(numbers))),
        1 => vec(any::<bool>(), 0..9).prop_map(|values| Value::Array(Array::Bool(values))),
    ]
}

fn attribute() -> impl Strategy<Value = KeyValue> {
    (key(), value()).prop_map(|(key, value)| KeyValue::new(key, value))
}

fn attributes(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec(attribute(), 0..most)
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let name =
        prop_oneof![2 => Just("exception".to_owned()), 1 => Just("HTTP request failure".to_owned()), 1 => text()];
    let event = (name, time(), attributes(6), any::<u32>());
    let event = event.prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped));
    (vec(event, 0..5), any::<u32>()).prop_map(|(events, dropped)| {
        let mut all = SpanEvents::default();
        (all.events, all.dropped_count) = (events, dropped);
        all
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), attributes(4)).prop_map(|(context, attributes)| Link::new(context, attributes, 0));
    vec(link, 0..4).prop_map(|links| {
        let mut all = SpanLinks::default();
        all.links = links;
        all
    })
}
