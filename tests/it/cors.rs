use axum::body::Body;

use crate::support::{Answer, ORIGIN, TestApp, request, template};

const BASE: &str = "authorization,content-type,idempotency-key";
/// The literal list of tracing headers.
const TRACING: &str = "traceparent,tracestate,baggage,sentry-trace,x-amzn-trace-id,x-datadog-origin,\
    x-datadog-parent-id,x-datadog-sampled,x-datadog-sampling-priority,x-datadog-trace-id";

async fn preflight(app: &TestApp, origin: &str, path: &str) -> Answer {
    preflight_for(app, origin, path, &["authorization,content-type,traceparent"]).await
}

/// A preflight request that names these headers, with one header line for each text.
async fn preflight_for(app: &TestApp, origin: &str, path: &str, headers: &[&str]) -> Answer {
    let request = request("OPTIONS", path).header("origin", origin).header("access-control-request-method", "POST");
    let request = headers.iter().fold(request, |request, line| request.header("access-control-request-headers", *line));
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn preflight_echoes_the_known_tracing_headers() {
    let app = TestApp::new().await;
    let all = TRACING.split(',').rev().collect::<Vec<_>>().join(", ");
    let all_shown = format!("{BASE},{TRACING}");
    let cases: [(&[&str], &str); 10] = [
        (&[], BASE),
        (&[""], BASE),
        (&["authorization"], BASE),
        (&["x-secret,x-datadog-tags,b3,traceparent-2,*"], BASE),
        (&["baggage,sentry-trace"], "authorization,content-type,idempotency-key,baggage,sentry-trace"),
        (&["Sentry-Trace , BAGGAGE"], "authorization,content-type,idempotency-key,baggage,sentry-trace"),
        (&["tracestate,tracestate"], "authorization,content-type,idempotency-key,tracestate"),
        (
            &["tracestate", "x-other", "traceparent"],
            "authorization,content-type,idempotency-key,traceparent,tracestate",
        ),
        (&[",,;\u{9},traceparent"], "authorization,content-type,idempotency-key,traceparent"),
        (&[&all], &all_shown),
    ];
    for (named, allowed) in cases {
        let answer = preflight_for(&app, ORIGIN, "/api/activities", named).await;
        assert_eq!(answer.header("access-control-allow-headers"), Some(allowed), "{named:?}");
    }
}

#[tokio::test]
async fn gateway_and_router_allow_the_same_headers() {
    let app = TestApp::new().await;
    let listed = template()["Mappings"]["Cors"]["RequestHeaders"]["Allowed"].as_str().unwrap().trim_matches('\'');
    let answer = preflight_for(&app, ORIGIN, "/api/activities", &[listed]).await;
    assert_eq!(answer.header("access-control-allow-headers"), Some(listed));
    assert_eq!(listed, format!("{BASE},{TRACING}"));
}

#[tokio::test]
async fn preflight_needs_no_token() {
    let app = TestApp::new().await;
    let answer = preflight(&app, ORIGIN, "/api/activities").await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-methods", "DELETE,GET,POST,PUT"),
        ("access-control-allow-headers", "authorization,content-type,idempotency-key,traceparent"),
        ("access-control-max-age", "3600"),
        ("vary", "origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn other_origins_are_denied_on_every_route() {
    let app = TestApp::new().await;
    for origin in [
        "https://evil.example",
        "https://cruddur.example.evil.example",
        "http://cruddur.example",
        "https://cruddur.example:8443",
        "HTTPS://CRUDDUR.EXAMPLE",
        "null",
        "*",
    ] {
        let answer = preflight(&app, origin, "/api/activities").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        for (method, path) in [("GET", "/api/activities/home"), ("POST", "/api/activities"), ("GET", "/nowhere")] {
            let request = request(method, path).header("origin", origin).body(Body::empty()).unwrap();
            let answer = app.send(request).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert!(answer.header("vary").unwrap().ends_with("origin"));
        }
    }
}

#[tokio::test]
async fn allowed_origin_reads_responses_and_exposed_headers() {
    let app = TestApp::new().await;
    for (method, path, status) in [
        ("GET", "/api/activities/home", 200),
        ("POST", "/api/activities", 401),
        ("GET", "/api/nothing-here", 404),
        ("DELETE", "/api/activities", 405),
    ] {
        let request = request(method, path).header("origin", ORIGIN).body(Body::empty()).unwrap();
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some(ORIGIN)));
        let exposed = "link,retry-after,idempotent-replayed,x-trace-id,x-unread-count";
        assert_eq!(answer.header("access-control-expose-headers"), Some(exposed));
    }
}

#[tokio::test]
async fn empty_origin_list_denies_all_origins() {
    let mut app = TestApp::new().await;
    app.state.origins = [].into_iter().collect();
    assert_eq!(preflight(&app, ORIGIN, "/api/activities").await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn allowed_origin_reads_a_panic_response() {
    let mut app = TestApp::new().await;
    app.state.clock = cruddur::clock::Clock::new(|| panic!("canary"), |at| crate::support::numbered(at, 0));
    let request = request("GET", "/api/health-check").header("origin", ORIGIN);
    let request = request.header("accept", "application/problem+json").body(Body::empty()).unwrap();
    let answer = app.send(request).await;
    answer.assert_error(500, "panic");
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
}
