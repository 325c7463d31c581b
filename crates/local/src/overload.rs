//! Rejects requests early under overload, so that the accepted ones stay fast.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, ORIGIN, RETRY_AFTER, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use cruddur::api::expects_array;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;

use crate::problem::problem;

/// The number of requests that run at once on each CPU. More would only compete for the CPU and for SQLite's writer.
const RUNNING_PER_CPU: usize = 4;
/// The number of requests that wait for their turn. The server rejects further requests.
pub const WAITING: usize = 56;

/// This route answers even under overload, so that monitoring can distinguish overload from a crash.
const HEALTH_CHECK: &str = "/api/health-check";
const DETAIL: &str = "The server is overloaded. Retry.";

/// Returns the number of requests that run at once on this machine.
#[must_use]
pub fn running() -> usize {
    RUNNING_PER_CPU * thread::available_parallelism().map_or(1, NonZero::get)
}

/// Limits `router` to `running` requests at once and `waiting` requests in a queue.
///
/// Further requests are answered at once with 503, `Retry-After: 1` and an error in the API's form, a problem (RFC 9457) or
/// an array, that pages of `origins` may read. They are not traced: under overload, traces would take CPU time from accepted requests. The health check and CORS
/// preflights are never rejected.
pub fn limit(router: Router, running: usize, waiting: usize, origins: &[String]) -> Router {
    let queued = ConcurrencyLimit::with_semaphore(router.clone(), Arc::new(Semaphore::new(running)));
    // Always ready. Otherwise a full inner limit would already reject requests, and nothing would wait.
    let queue = tower::service_fn(move |request: Request| queued.clone().oneshot(request));
    let accepted = ConcurrencyLimit::with_semaphore(queue, Arc::new(Semaphore::new(running + waiting)));
    let shed = LoadShed::new(accepted);
    let origins: Arc<[String]> = origins.into();
    Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let (router, shed, origins) = (router.clone(), shed.clone(), Arc::clone(&origins));
        async move {
            if request.method() == Method::OPTIONS || request.uri().path() == HEALTH_CHECK {
                return router.oneshot(request).await;
            }
            let origin = request.headers().get(ORIGIN).filter(|origin| is_allowed(origin, &origins)).cloned();
            let is_array = expects_array(request.headers());
            // The router never fails, so the only error is the rejection.
            Ok::<_, Infallible>(shed.oneshot(request).await.unwrap_or_else(|_overloaded| rejection(origin, is_array)))
        }
    }))
}

fn is_allowed(origin: &HeaderValue, origins: &[String]) -> bool {
    origins.iter().any(|allowed| origin == allowed)
}

fn rejection(origin: Option<HeaderValue>, is_array: bool) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response =
        if is_array { (status, Json([DETAIL])).into_response() } else { problem(status, Some("overloaded"), DETAIL) };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::{Body, to_bytes};
    use axum::http::header::ACCEPT;
    use axum::routing::{get, post};
    use serde_json::{Value, json};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const ORIGIN_OF_PAGE: &str = "http://localhost:3000";

    /// A router with a limit of one running and one waiting request. Each `POST /` waits for `release`.
    struct Fixture {
        router: Router,
        started: Arc<Notify>,
        release: Arc<Semaphore>,
        finished: Arc<AtomicUsize>,
    }

    fn fixture() -> Fixture {
        let (started, release, finished) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)), Arc::default());
        let handler = {
            let (started, release, finished): (Arc<Notify>, Arc<Semaphore>, Arc<AtomicUsize>) =
                (Arc::clone(&started), Arc::clone(&release), Arc::clone(&finished));
            || async move {
                started.notify_one();
                release.acquire().await.unwrap().forget();
                finished.fetch_add(1, Ordering::Relaxed);
                "stored"
            }
        };
        let router = Router::new().route("/", post(handler)).route(HEALTH_CHECK, get(|| async { "healthy" }));
        let router = limit(router, 1, 1, &[ORIGIN_OF_PAGE.to_owned()]);
        Fixture { router, started, release, finished }
    }

    fn request(method: Method, path: &str, origin: Option<&str>) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        request
    }

    impl Fixture {
        async fn send(&self, method: Method, path: &str, origin: Option<&str>) -> Response {
            self.router.clone().oneshot(request(method, path, origin)).await.unwrap()
        }

        /// Occupies both places, and returns the two requests.
        async fn fill(&self) -> [JoinHandle<StatusCode>; 2] {
            let post = || {
                let response = self.router.clone().oneshot(request(Method::POST, "/", None));
                tokio::spawn(async { response.await.unwrap().status() })
            };
            let first = post();
            self.started.notified().await;
            let second = post();
            // On this runtime of one thread, the second request runs until it waits.
            tokio::task::yield_now().await;
            [first, second]
        }
    }

    #[tokio::test]
    async fn request_over_the_limits_is_rejected_as_problem() {
        let fixture = fixture();
        let _requests = fixture.fill().await;
        let response = fixture.send(Method::POST, "/", None).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 1024).await.unwrap()).unwrap();
        assert_eq!((&body["status"], &body["code"]), (&json!(503), &json!("overloaded")));
    }

    #[tokio::test]
    async fn rejection_can_be_read_by_allowed_pages_only() {
        let fixture = fixture();
        let _requests = fixture.fill().await;
        let response = fixture.send(Method::POST, "/", Some(ORIGIN_OF_PAGE)).await;
        assert_eq!(response.headers()["access-control-allow-origin"], ORIGIN_OF_PAGE);
        let response = fixture.send(Method::POST, "/", Some("http://example.com")).await;
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }

    #[tokio::test]
    async fn rejection_of_a_page_is_an_array() {
        let fixture = fixture();
        let _requests = fixture.fill().await;
        let response = fixture.send(Method::POST, "/", Some(ORIGIN_OF_PAGE)).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(body, r#"["The server is overloaded. Retry."]"#);
        let mut accepts_problem = request(Method::POST, "/", Some(ORIGIN_OF_PAGE));
        accepts_problem.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/problem+json"));
        let response = fixture.router.clone().oneshot(accepts_problem).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    #[tokio::test]
    async fn accepted_requests_survive_the_overload() {
        let fixture = fixture();
        let [running, waiting] = fixture.fill().await;
        for _ in 0..10 {
            assert_eq!(fixture.send(Method::POST, "/", None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        fixture.release.add_permits(2);
        assert_eq!((running.await.unwrap(), waiting.await.unwrap()), (StatusCode::OK, StatusCode::OK));
        assert_eq!(fixture.finished.load(Ordering::Relaxed), 2);
        // The places are free again.
        fixture.release.add_permits(1);
        assert_eq!(fixture.send(Method::POST, "/", None).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn health_check_and_preflight_are_never_rejected() {
        let fixture = fixture();
        let _requests = fixture.fill().await;
        assert_eq!(fixture.send(Method::GET, HEALTH_CHECK, None).await.status(), StatusCode::OK);
        // This router has no CORS layer.
        let preflight = fixture.send(Method::OPTIONS, "/", None).await;
        assert_eq!(preflight.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
