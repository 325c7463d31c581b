use lambda_runtime::{Error, service_fn};
use opentelemetry::trace::SpanKind;
use serde_json::{Value, json};
use tracing::{Instrument as _, info_span, instrument};

use super::*;

#[instrument(skip_all, fields(sku = %sku))]
async fn price(sku: String) -> Result<f64, Error> {
    info_span!("query", rows = 1, ratio = 0.5, cached = false).in_scope(|| ());
    if sku == "unknown" { Err("no such sku".into()) } else { Ok(2.5) }
}

async fn order(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["sku"].as_str() {
        Some("panic") => std::panic::resume_unwind(Box::new("on request".to_owned())),
        Some(sku) => Ok(json!(price(sku.to_owned()).await?)),
        None => Ok(json!({ "batchItemFailures": [] })),
    }
}

#[tokio::test]
async fn spans_of_an_event_form_a_tree() {
    let invocation = event(service_fn(order), json!({ "sku": "a" })).await;
    assert_eq!((invocation.result(), invocation.response()), (Ok(&json!(2.5)), &json!(2.5)));
    let names: Vec<_> = invocation.spans().iter().map(RecordedSpan::name).collect();
    assert_eq!(names, ["query", "price", "function"]);
    let [price] = invocation.children(invocation.root())[..] else { panic!("one child") };
    assert_eq!((price.name(), price.text("sku"), price.kind()), ("price", Some("a"), SpanKind::Internal));
    let query = invocation.span("query");
    assert!(!query.is_root() && !query.is_error() && query.duration() < TIME_LIMIT);
    assert_eq!(
        (query.integer("rows"), query.float("ratio"), query.boolean("cached")),
        (Some(1), Some(0.5), Some(false))
    );
    assert_eq!((query.text("rows"), query.integer("ratio"), query.float("cached")), (None, None, None));
    assert_eq!(invocation.root().text("faas.trigger"), Some("other"));
    assert_eq!(invocation.root().boolean("faas.coldstart"), Some(true));
}

#[tokio::test]
async fn failed_handler_has_a_failed_root() {
    let invocation = event(service_fn(order), json!({ "sku": "unknown" })).await;
    assert!(invocation.root().is_error() && invocation.root().error_type().is_some());
    assert_eq!(invocation.root().events()[0].name, "exception");
    let Err(Failure::Error(diagnostic)) = invocation.into_result() else { panic!("an error") };
    assert_eq!(diagnostic.error_message, "no such sku");
}

#[tokio::test]
async fn panic_of_the_handler_is_contained() {
    let invocation = event(service_fn(order), json!({ "sku": "panic" })).await;
    assert_eq!(invocation.root().error_type(), Some("panic"));
    assert_eq!(invocation.result(), Err(&Failure::Panic("on request".to_owned())));
}

#[tokio::test]
async fn unreadable_event_never_reaches_the_handler() {
    let handler = service_fn(|_: LambdaEvent<u8>| async { Ok::<_, Error>(()) });
    let invocation = event(handler, "a text").await;
    assert_eq!(invocation.root().error_type(), Some("event_refused"));
    assert!(matches!(invocation.result(), Err(Failure::Unreadable(_))));
}

#[tokio::test]
async fn trigger_is_on_the_root_with_its_links() {
    let sqs: Value = serde_json::from_str(include_str!("../../tests/data/sqs.json")).unwrap();
    let invocation = event(service_fn(order), sqs).await;
    let root = invocation.root();
    assert_eq!((root.kind(), root.text("faas.trigger")), (SpanKind::Consumer, Some("pubsub")));
    assert!(!root.links().is_empty());
}

async fn spawns(event: LambdaEvent<i32>) -> Result<i32, Error> {
    let inside = tokio::task::yield_now().instrument(info_span!("inside", n = event.payload));
    tokio::spawn(inside.with_current_subscriber()).await?;
    Ok(event.payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_invocations_are_separate() {
    let tasks = (0..16).map(|n| tokio::spawn(event(service_fn(spawns), n)));
    for (n, task) in futures_util::future::join_all(tasks).await.into_iter().enumerate() {
        let (invocation, n) = (task.unwrap(), i32::try_from(n).unwrap());
        assert_eq!((invocation.response(), invocation.spans().len()), (&n, 2));
        assert_eq!(invocation.span("inside").integer("n"), Some(i64::from(n)));
    }
}

#[tokio::test]
async fn settings_and_context_apply() {
    let settings = Settings::from_lookup(|name| (name == "LAMBDA_SPANS_FILTER").then(|| "shop=debug".to_owned()));
    let settings = settings.with_span_hook(|span| span.set_attribute("app.tenant", "acme"));
    let mut context = Context::default();
    context.request_id = "request-7".to_owned();
    let handler = service_fn(|event: LambdaEvent<Value>| async move {
        tracing::debug_span!(target: "shop", "fine").in_scope(|| ());
        info_span!(target: "warehouse", "other").in_scope(|| ());
        Ok::<_, Error>((crate::request_id(), event.context.request_id))
    });
    let invocation = Recording::with(settings).with_context(context).event(handler, json!({})).await;
    let names: Vec<_> = invocation.spans().iter().map(RecordedSpan::name).collect();
    assert_eq!((names.len(), names[0]), (2, "fine"));
    assert!(invocation.spans().iter().all(|span| span.text("app.tenant") == Some("acme")));
    assert_eq!(invocation.response(), &(Some("request-7".to_owned()), "request-7".to_owned()));
}

#[cfg(feature = "http")]
mod http {
    use axum::extract::Path;
    use axum::http::{HeaderMap, Request, Response, StatusCode};
    use axum::response::AppendHeaders;
    use axum::routing::{get, put};
    use axum::{Extension, Router};
    use lambda_runtime::service_fn;
    use opentelemetry::trace::SpanId;

    use super::super::*;
    use crate::ErrorType;

    fn router() -> Router {
        Router::new()
            .route("/items/{id}", get(async |Path(id): Path<String>| id).put(async |body: bytes::Bytes| body))
            .route("/fail", get(async || (StatusCode::BAD_GATEWAY, Extension(ErrorType("upstream".into())), "")))
            .route("/host", get(async |headers: HeaderMap| (AppendHeaders([("x-host", headers["host"].clone())]), "")))
            .route("/panic", put(panics))
    }

    async fn panics() -> &'static str {
        std::panic::resume_unwind(Box::new("on request"))
    }

    #[tokio::test]
    async fn request_has_route_and_status() {
        let request = Request::get("/items/a%20b?token=canary").header("user-agent", "tests").body(()).unwrap();
        let invocation = http(router(), request).await;
        let root = invocation.root();
        assert_eq!(
            (root.name(), root.route(), root.status_code()),
            ("GET /items/{id}", Some("/items/{id}"), Some(200))
        );
        assert_eq!((root.text("url.path"), root.text("faas.trigger")), (Some("/items/a%20b"), Some("http")));
        assert_eq!((root.text("user_agent.original"), root.error_type()), (Some("tests"), None));
        assert_eq!((invocation.response().status(), &invocation.response().body()[..]), (StatusCode::OK, &b"a b"[..]));
        assert!(!format!("{:?}", invocation.spans()).contains("canary"));
    }

    #[tokio::test]
    async fn error_type_of_a_response_is_on_the_root() {
        let invocation = http(router(), Request::get("/fail").body(()).unwrap()).await;
        let root = invocation.root();
        assert_eq!((root.error_type(), root.status_code(), root.is_error()), (Some("upstream"), Some(502), true));
        let missing = http(router(), Request::get("/none").body(()).unwrap()).await;
        assert_eq!((missing.root().status_code(), missing.root().route()), (Some(404), None));
        let panicked = http(router(), Request::put("/panic").body(()).unwrap()).await;
        assert_eq!(panicked.root().error_type(), Some("panic"));
        assert_eq!(panicked.result().err(), Some(&Failure::Panic("on request".to_owned())));
    }

    #[tokio::test]
    async fn bodies_and_headers_arrive() {
        let binary = vec![0_u8, 255, 7];
        let invocation = http(router(), Request::put("/items/1").body(binary.clone()).unwrap()).await;
        assert_eq!(invocation.response().body(), &binary);
        let invocation = http(router(), Request::get("https://shop.example/host").body("").unwrap()).await;
        assert_eq!(invocation.response().headers()["x-host"], "shop.example");
        assert_eq!(invocation.root().text("server.address"), Some("shop.example"));
    }

    #[tokio::test]
    async fn caller_is_a_link() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let invocation = http(router(), Request::get("/items/1").header("traceparent", header).body(()).unwrap()).await;
        let [link] = invocation.root().links() else { panic!("one link") };
        assert_eq!(link.span_context.span_id(), SpanId::from(0x00f0_67aa_0ba9_02b7));
    }

    #[tokio::test]
    async fn service_of_lambda_http_needs_no_router() {
        let service = service_fn(async |request: lambda_http::Request| {
            let size = request.body().len();
            Ok::<_, std::convert::Infallible>(Response::new(size.to_string()))
        });
        let invocation = http(service, Request::post("/").body("four").unwrap()).await;
        assert_eq!((&invocation.response().body()[..], invocation.root().name()), (&b"4"[..], "POST"));
    }
}
