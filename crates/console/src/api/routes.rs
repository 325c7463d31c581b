//! Every route of the API.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post, put};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use super::events::events;
use super::explore::{self, Chart};
use super::list::Query;
use super::problem::problem;
use crate::analysis::bill::Bill;
use crate::analysis::comparison::Comparison;
use crate::analysis::honeycomb::HoneycombView;
use crate::analysis::otlp_export;
use crate::analysis::route_costs::RouteCosts;
use crate::analysis::side_by_side::SideBySide;
use crate::analysis::trace_view::{Context, TraceView};
use crate::analysis::xray::XrayView;
use crate::clock::Nanos;
use crate::health::Health;
use crate::model::ids::{SpanId, TraceId};
use crate::model::prices::prices;
use crate::model::span::Segment;
use crate::model::summary::Decimal;
use crate::model::trace::{Sides, Trace};
use crate::receive::import::import;
use crate::receive::intake::DecodeError;
use crate::receive::receiver::Receiver;
use crate::store::{Absent, Kept, Store};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const DESCRIPTION: &str = include_str!("openapi.json");

/// What the API answers from.
#[derive(Debug)]
pub(crate) struct Api {
    /// The traces.
    pub(crate) store: Arc<Store>,
    /// The counts.
    pub(crate) health: Arc<Health>,
    /// Imports files.
    pub(crate) receiver: Arc<Receiver>,
    /// The address of the page.
    pub(crate) http: SocketAddr,
    /// The address of the receiver of X-Ray documents.
    pub(crate) xray: Option<SocketAddr>,
    /// The address at which gRPC is refused.
    pub(crate) grpc: Option<SocketAddr>,
    /// Becomes true when the server stops.
    pub(crate) stopped: watch::Receiver<bool>,
}

type Shared = State<Arc<Api>>;

/// Returns the routes.
pub(crate) fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/info", get(info))
        .route("/api/traces", get(list).delete(clear))
        .route("/api/traces/{id}", get(trace).delete(delete))
        .route("/api/traces/{id}/pin", put(pin).delete(unpin))
        .route("/api/traces/{id}/xray", get(xray))
        .route("/api/traces/{id}/honeycomb", get(honeycomb))
        .route("/api/traces/{id}/cost", get(cost))
        .route("/api/traces/{id}/spans/{span}", get(span))
        .route("/api/traces/{id}/otlp", get(export_otlp))
        .route("/api/traces/{id}/documents", get(export_documents))
        .route("/api/explore/groups", get(groups))
        .route("/api/explore/heat-map", get(heat_map))
        .route("/api/explore/explanation", get(explanation))
        .route("/api/explore/keys", get(keys))
        .route("/api/comparison", get(comparison))
        .route("/api/costs", get(route_costs))
        .route("/api/import", post(import_file))
        .route("/api/events", get(stream))
        .route("/api/health", get(health))
        .route("/api/openapi.json", get(description))
        .route("/api/{*path}", axum::routing::any(unknown))
        .with_state(api)
}

async fn unknown() -> Response<Body> {
    problem(StatusCode::NOT_FOUND, "unknown_path", "see /api/openapi.json for the paths of this API")
}

async fn info(State(api): Shared) -> Response<Body> {
    let totals = api.store.totals();
    answer(&json!({
        "version": VERSION,
        "started_at": Decimal(api.store.started_at()),
        "http": api.http.to_string(),
        "xray": api.xray.map(|address| address.to_string()),
        "grpc": api.grpc.map(|address| address.to_string()),
        "traces": totals.traces,
        "spans": totals.spans,
        "bytes": totals.bytes,
        "max_bytes": api.store.max_bytes(),
        "evicted_traces": totals.evicted,
        "prices": prices(),
    }))
}

async fn list(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    let query = match Query::parse(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_parameter", &detail),
    };
    // Filters read every span.
    blocking(move || {
        let evicted = api.store.totals().evicted;
        answer(&query.page(&api.store.all(), evicted))
    })
    .await
}

async fn trace(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    let trace = match find(&api, &id) {
        Ok(trace) => trace,
        Err(absent) => return absent,
    };
    blocking(move || answer(&TraceView::new(&trace, trace.summary(), &context(&api.store, &trace)))).await
}

fn context(store: &Store, trace: &Trace) -> Context {
    let spans = trace.spans.iter().flat_map(|sides| [sides.otlp(), sides.xray()]).flatten();
    let targets: HashSet<_> = spans.flat_map(|span| &span.links).map(|link| (link.trace, link.span)).collect();
    let known = targets.into_iter().filter(|(trace, span)| store.contains(*trace, *span)).collect();
    Context { incoming: store.incoming_links(trace.id), known }
}

async fn xray(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => blocking(move || answer(&XrayView::new(&trace))).await,
        Err(absent) => absent,
    }
}

async fn honeycomb(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => blocking(move || answer(&HoneycombView::new(&trace))).await,
        Err(absent) => absent,
    }
}

async fn cost(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => blocking(move || answer(&Bill::of(&trace))).await,
        Err(absent) => absent,
    }
}

async fn route_costs(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    let query = match Query::parse(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_parameter", &detail),
    };
    blocking(move || answer(&RouteCosts::of(query.matching(&api.store.all())))).await
}

async fn span(State(api): Shared, Path((id, span)): Path<(String, String)>) -> Response<Body> {
    let trace = match find(&api, &id) {
        Ok(trace) => trace,
        Err(absent) => return absent,
    };
    blocking(move || match SpanId::parse(&span).and_then(|span| SideBySide::new(&trace, span)) {
        Some(view) => answer(&view),
        None => problem(StatusCode::NOT_FOUND, "unknown_span", "the trace has no span with this id"),
    })
    .await
}

async fn groups(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    explore(api, query, Chart::Groups, |query, traces| answer(&query.groups(traces))).await
}

async fn heat_map(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    explore(api, query, Chart::HeatMap, |query, traces| answer(&query.heat_map(traces))).await
}

async fn explanation(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    explore(api, query, Chart::Explanation, |query, traces| answer(&query.explanation(traces))).await
}

async fn keys(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    let keys = |query: &explore::Query, traces: &[Arc<Kept>]| query.keys(traces, |keys| answer(&json!({"keys": keys})));
    explore(api, query, Chart::Keys, keys).await
}

async fn explore(
    api: Arc<Api>,
    query: Option<String>,
    chart: Chart,
    compute: impl FnOnce(&explore::Query, &[Arc<Kept>]) -> Response<Body> + Send + 'static,
) -> Response<Body> {
    match explore::Query::parse(query.as_deref().unwrap_or_default(), chart) {
        Ok(query) => blocking(move || compute(&query, &api.store.all())).await,
        Err(detail) => problem(StatusCode::BAD_REQUEST, "bad_parameter", &detail),
    }
}

async fn comparison(State(api): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    let (mut a, mut b) = (None, None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "a" => a = Some(value.into_owned()),
            "b" => b = Some(value.into_owned()),
            _ => {
                let detail = format!("`{name}` is not a parameter of this comparison");
                return problem(StatusCode::BAD_REQUEST, "bad_parameter", &detail);
            }
        }
    }
    let Some((a, b)) = a.zip(b) else {
        return problem(StatusCode::BAD_REQUEST, "bad_parameter", "`a` and `b` must be ids of traces");
    };
    match (find(&api, &a), find(&api, &b)) {
        (Ok(a), Ok(b)) => blocking(move || answer(&Comparison::new((&a, a.summary()), (&b, b.summary())))).await,
        (Err(absent), _) | (_, Err(absent)) => absent,
    }
}

async fn delete(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => {
            api.store.delete(trace.id);
            empty()
        }
        Err(absent) => absent,
    }
}

async fn clear(State(api): Shared) -> Response<Body> {
    api.store.clear();
    empty()
}

async fn pin(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    set_pinned(&api, &id, true)
}

async fn unpin(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    set_pinned(&api, &id, false)
}

fn set_pinned(api: &Api, id: &str, is_pinned: bool) -> Response<Body> {
    let trace = match find(api, id) {
        Ok(trace) => trace,
        Err(absent) => return absent,
    };
    match api.store.pin(trace.id, is_pinned) {
        Some(false) => {
            let detail = "pinned traces may take half of the memory limit; unpin another one or raise `--max-bytes`";
            problem(StatusCode::CONFLICT, "pin_limit", detail)
        }
        Some(true) | None => empty(),
    }
}

async fn export_otlp(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => {
            blocking(move || {
                let name = format!("{}-otlp.json", trace.id);
                download(otlp_export::spans(&trace).to_string(), &name)
            })
            .await
        }
        Err(absent) => absent,
    }
}

async fn export_documents(State(api): Shared, Path(id): Path<String>) -> Response<Body> {
    match find(&api, &id) {
        Ok(trace) => {
            let documents: Vec<&str> = outermost(&trace).map(|segment| &*segment.document.raw).collect();
            download(format!("[{}]", documents.join(",")), &format!("{}-xray.json", trace.id))
        }
        Err(absent) => absent,
    }
}

/// Returns the outermost segment of each document.
fn outermost(trace: &Trace) -> impl Iterator<Item = &Segment> {
    let segments = trace.spans.iter().filter_map(Sides::xray).filter_map(|span| span.segment.as_deref());
    segments.filter(|segment| segment.position == 0)
}

async fn import_file(State(api): Shared, request: Request) -> Response<Body> {
    let limit = api.receiver.limits.decompressed;
    let body = match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("a file may have at most {limit} bytes");
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &detail);
        }
        Err(_) => return problem(StatusCode::BAD_REQUEST, "malformed", "the body ended early"),
    };
    blocking(move || match import(&api.receiver, &body) {
        Ok(imported) => answer(&json!({"traces": imported.traces, "spans": imported.spans})),
        Err(error @ DecodeError::TooLarge(_)) => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &error.to_string())
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, "malformed", &error.to_string()),
    })
    .await
}

async fn stream(State(api): Shared) -> Response<Body> {
    events(api.store.clone(), api.stopped.clone())
}

async fn description() -> Response<Body> {
    json_text(DESCRIPTION.to_owned())
}

async fn health(State(api): Shared) -> Response<Body> {
    answer(&api.health.report())
}

#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn find(api: &Api, id: &str) -> Result<Arc<Kept>, Response<Body>> {
    // An X-Ray id that is not hexadecimal is addressed by its text or by its hash.
    let id = TraceId::parse(id).unwrap_or_else(|| TraceId::of_invalid(id));
    if let Some(trace) = api.store.get(id) {
        return Ok(trace);
    }
    Err(match api.store.absent(id) {
        Absent::Evicted(when) => {
            let detail = format!("the trace was evicted or deleted at {}", timestamp(when));
            problem(StatusCode::NOT_FOUND, "evicted", &detail)
        }
        Absent::BeforeStart => {
            let detail =
                format!("the trace is older than the start of the console at {}", timestamp(api.store.started_at()));
            problem(StatusCode::NOT_FOUND, "before_start", &detail)
        }
        Absent::NeverReceived => problem(StatusCode::NOT_FOUND, "never_received", "no span of this trace has arrived"),
    })
}

fn timestamp(time: Nanos) -> String {
    jiff::Timestamp::from_nanosecond(time.into()).map(|time| format!("{time:.3}")).unwrap_or_default()
}

fn answer(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => json_text(body),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}

fn json_text(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn download(body: String, name: &str) -> Response<Body> {
    let mut response = json_text(body);
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn empty() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Computes an answer on another thread, so that a large trace does not delay the receivers.
async fn blocking(compute: impl FnOnce() -> Response<Body> + Send + 'static) -> Response<Body> {
    tokio::task::spawn_blocking(compute).await.unwrap_or_else(|_| {
        problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "computing the answer failed; please report a bug")
    })
}
