//! `Cache-Control` and `Vary` of every route and error.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cruddur::api::{self, Access, AppState, Identity, ROUTES};
use cruddur::clock::Clock;
use cruddur_local::issuer::Issuer;
use serde_json::Value;

use crate::outage::app_with_failing_dynamodb;
use crate::support::{
    ANDREW, Answer, ORIGIN, SAMPLES, TestApp, answer, hours, numbered, properties, request, signed_in,
};

/// The routes whose responses are the same for all anonymous requests.
const PUBLIC: [(&str, &str); 7] = [
    ("GET /api/openapi.json", "public, max-age=300"),
    ("GET /api/activities/home", "public, max-age=1"),
    ("GET /api/activities/search", "public, max-age=1"),
    ("GET /api/activities/@{handle}", "public, max-age=1"),
    ("GET /api/activities/@{handle}/status/{activity_uuid}", "public, max-age=1"),
    ("GET /api/activities/{activity_uuid}", "public, max-age=1"),
    ("GET /api/users/@{handle}/short", "public, max-age=1"),
];

fn headers(answer: &Answer) -> (Option<&str>, Option<&str>) {
    assert!(answer.response.headers().get_all("vary").iter().count() <= 1, "`Vary` is one value");
    (answer.header("cache-control"), answer.header("vary"))
}

fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

fn from_page(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    request
}

fn with_token(mut request: Request<Body>, token: &str) -> Request<Body> {
    request.headers_mut().insert("authorization", token.parse().unwrap());
    request
}

#[tokio::test]
async fn every_route_has_headers_for_caches() {
    for sample in &SAMPLES.routes {
        let route = sample.route();
        let access = ROUTES.iter().find(|row| format!("{} {}", row.method, row.path) == route).unwrap().access;
        let public = PUBLIC.iter().find(|(name, _)| *name == route).map(|(_, value)| *value);
        let vary = if access == Access::Public && public.is_none() { "origin" } else { "authorization, origin" };
        for (who, request, is_anonymous) in [
            ("anonymous", sample.anonymous(), true),
            ("invalid token", with_token(sample.anonymous(), "Bearer x"), false),
            ("signed in", sample.signed_in(ANDREW), false),
        ] {
            let answer = TestApp::with_samples().await.send(from_page(request)).await;
            let control = public.filter(|_| is_anonymous).unwrap_or("no-store");
            assert_eq!(headers(&answer), (Some(control), Some(vary)), "{route}, {who}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn head_request_has_the_headers_of_get() {
    let app = TestApp::with_samples().await;
    let head = |path| request("HEAD", path).body(Body::empty()).unwrap();
    let home = app.send(head("/api/activities/home")).await;
    assert_eq!(headers(&home), (Some("public, max-age=1"), Some("authorization, origin")));
    let home = app.send(signed_in(head("/api/activities/home"), ANDREW)).await;
    assert_eq!(headers(&home), (Some("no-store"), Some("authorization, origin")));
}

#[tokio::test]
async fn errors_and_preflights_are_not_stored() {
    let app = TestApp::new().await;
    let state = || app.state.clone();
    let keyless = Identity::tokens(Issuer::pool(), async || Err("no key server".into()));
    let panics = Clock::new(|| panic!("on purpose"), |at| numbered(at, 0));
    let throttled = app_with_failing_dynamodb(StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException").await;
    let corrupt = app_with_failing_dynamodb(StatusCode::BAD_REQUEST, "AccessDeniedException").await;
    let preflight = |origin: &str| {
        let request = request("OPTIONS", "/api/activities").header("origin", origin);
        request.header("access-control-request-method", "POST").body(Body::empty()).unwrap()
    };
    let post = || request("POST", "/api/activities").header("content-type", "application/json");
    let (origin, user) = ("origin", "authorization, origin");
    for (status, router, request, vary) in [
        (400, app.router(), get("/api/activities/home?limit=0"), user),
        (400, app.router(), get("/api/activities/home?cursor=x"), user),
        (401, app.router(), post().body(Body::empty()).unwrap(), user),
        (404, app.router(), get("/api/nothing-here"), origin),
        (404, app.router(), get("/api/activities/@nobody"), user),
        (405, app.router(), request("PATCH", "/api/activities").body(Body::empty()).unwrap(), origin),
        (413, app.router(), signed_in(post().body(Body::from("x".repeat(65_537))).unwrap(), ANDREW), user),
        (422, app.router(), signed_in(post().body(Body::from("{}")).unwrap(), ANDREW), user),
        (422, app.router(), get("/api/activities/search"), user),
        (500, corrupt.router(), get("/api/activities/home"), user),
        (500, api::router(AppState { clock: panics, ..state() }), get("/api/health-check"), origin),
        (503, throttled.router(), get("/api/activities/home"), user),
        (503, throttled.router(), get("/api/health-check?deep"), origin),
        (
            503,
            api::router(AppState { identity: keyless, ..state() }),
            signed_in(post().body(Body::from("{}")).unwrap(), ANDREW),
            user,
        ),
        (200, app.router(), preflight(ORIGIN), origin),
        (200, app.router(), preflight("https://evil.example"), origin),
    ] {
        let name = format!("{} {}", request.method(), request.uri());
        let answer = answer(router, request).await;
        assert_eq!((answer.status, headers(&answer)), (status, (Some("no-store"), Some(vary))), "{name}");
    }
}

#[tokio::test]
async fn next_page_is_cached_like_the_first() {
    let app = TestApp::new().await;
    for number in 0..3 {
        app.posted(hours(1), number, "x", "1-day").await;
    }
    for page in app.pages(None, "/api/activities/home", "?limit=1").await {
        assert_eq!(headers(&page).0, Some("public, max-age=1"));
    }
    for page in app.pages(Some(ANDREW), "/api/activities/home", "?limit=1").await {
        assert_eq!(headers(&page).0, Some("no-store"));
    }
}

#[test]
fn gateway_errors_are_not_stored() {
    let responses = properties("Api")["GatewayResponses"].as_object().unwrap();
    assert!(!responses.is_empty());
    for (name, response) in responses {
        let control = &response["ResponseParameters"]["Headers"]["Cache-Control"];
        assert_eq!(control, &Value::from("'no-store'"), "{name}");
    }
}
