//! The shutdown of an execution environment: exports the carried spans in the time that Lambda gives.

use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use tracing::warn;

use super::spans::Spans;

/// Lambda kills the process 500 ms after SIGTERM.
pub(super) const LAST_EXPORT: Duration = Duration::from_millis(400);
/// A request on the same machine. If the API does not respond, the function must still start.
const REGISTRATION: Duration = Duration::from_millis(500);
const IDENTIFIER: &str = "lambda-extension-identifier";

impl Spans {
    /// Runs `step` when Lambda ends the process, after the last export, in the rest of the 500 ms that Lambda gives.
    /// Several steps run in the order of their registration.
    ///
    /// Call it before [`run`](Self::run), [`run_event`](Self::run_event) or [`start`](Self::start). The
    /// process ends when all steps have returned. Do not also call
    /// `lambda_runtime::spawn_graceful_shutdown_handler`, which ends the process while the export is running.
    ///
    /// ```no_run
    /// # async fn main_() -> Result<(), lambda_runtime::Error> {
    /// let spans = lambda_spans::Spans::from_env()?;
    /// spans.on_shutdown(|| async { /* close the database pool */ });
    /// spans.run(axum::Router::new()).await
    /// # }
    /// ```
    pub fn on_shutdown<F>(&self, step: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.cleanup.add(step);
    }
}

/// Requests SIGTERM from Lambda, and exports the carried spans when it arrives. Runs in the init phase.
///
/// Lambda sends the signal only to functions with an extension. Returns false without an Extensions API, as in some
/// emulators.
pub(super) async fn export_at_the_end(spans: Spans) -> bool {
    let registered = match &spans.runtime_api {
        Some(api) => tokio::time::timeout(REGISTRATION, register(&spans.http_stack.direct(), api)).await,
        None => return false,
    };
    let problem = match registered {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some("the Extensions API does not answer".to_owned()),
    };
    if let Some(problem) = problem {
        warn!(problem, "Lambda sends no SIGTERM to this process: spans are exported after every response");
        return false;
    }
    let Some(asked_to_end) = sigterm() else { return false };
    tokio::spawn(async move {
        asked_to_end.await;
        spans.shutdown(LAST_EXPORT).await;
        spans.cleanup.run().await;
        std::process::exit(0);
    });
    true
}

/// Completes when the process receives SIGTERM. `None` if the signal cannot be handled.
#[cfg(unix)]
fn sigterm() -> Option<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut signal = signal(SignalKind::terminate()).ok()?;
    Some(async move {
        signal.recv().await;
    })
}

/// Lambda runs on Linux. On a platform without SIGTERM, spans are exported after each response.
#[cfg(not(unix))]
fn sigterm() -> Option<std::future::Pending<()>> {
    None
}

/// Registers an extension without events. It never wakes, and other extensions do not affect it.
async fn register(connector: &SharedHttpConnector, api: &str) -> Result<(), String> {
    let base = format!("http://{api}/2020-01-01/extension");
    let request = http::Request::post(format!("{base}/register"))
        .header("lambda-extension-name", "lambda-spans")
        .header("content-type", "application/json")
        .body(SdkBody::from(r#"{"events":[]}"#));
    let response = connector.call(prepared(request)?).await.map_err(|error| error.to_string())?;
    let identifier = response.headers().get(IDENTIFIER).map(str::to_owned);
    let Some(identifier) = identifier.filter(|_| response.status().is_success()) else {
        return Err(format!("the Extensions API answered {}", response.status().as_u16()));
    };
    // The connection is free again when the body has been read.
    response.into_body().collect().await.map_err(|error| error.to_string())?;
    // The request for the first event reports readiness. It runs beside the runtime's first poll, and its response never
    // arrives.
    let request = prepared(
        http::Request::get(format!("{base}/event/next")).header(IDENTIFIER, identifier).body(SdkBody::empty()),
    )?;
    let waiting = connector.call(request);
    tokio::spawn(async move { waiting.await.ok() });
    Ok(())
}

fn prepared(request: http::Result<http::Request<SdkBody>>) -> Result<Request<SdkBody>, String> {
    request.map_err(|error| error.to_string())?.try_into().map_err(|error| format!("{error}"))
}
