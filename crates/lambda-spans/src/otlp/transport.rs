//! One request to an OTLP receiver.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Collected, Limited};
use opentelemetry_http::Bytes;
use tokio::time::{Instant, timeout_at};

use super::response::ExportOutcome;
use super::settings::HONEYCOMB_HEADER;
use crate::capture::logs::error_chain;

/// Responses of OTLP receivers have a few hundred bytes; larger ones are not read.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    connector: SharedHttpConnector,
    key: Mutex<Option<HeaderValue>>,
}

enum RequestError {
    /// The request or its response is unusable; a retry would not change that.
    Unusable(String),
    /// The connection failed or broke.
    Connection(String),
}

impl Transport {
    pub(super) fn new(connector: SharedHttpConnector) -> Self {
        Self { connector, key: Mutex::default() }
    }

    /// Sets the key for later requests. Returns whether it is new.
    pub(super) fn set_key(&self, key: HeaderValue) -> bool {
        let mut current = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let before = current.replace(key);
        before != *current
    }

    fn key(&self) -> Option<HeaderValue> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one attempt. Replaces a stale connection by a new one, once.
    pub(super) async fn send(&self, request: &Request<Bytes>, limit: Duration) -> ExportOutcome {
        let until = Instant::now() + limit;
        let silence = || format!("no answer within {} ms", limit.as_millis());
        let attempt = async {
            match self.exchange(request).await {
                Err(RequestError::Connection(_)) => self.exchange(request).await,
                answered => answered,
            }
        };
        let (answer, body) = match timeout_at(until, attempt).await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(RequestError::Connection(problem))) => return ExportOutcome::NoResponse { problem },
            Ok(Err(RequestError::Unusable(problem))) => return ExportOutcome::Refused { problem },
            Err(_) => return ExportOutcome::NoResponse { problem: silence() },
        };
        // From here on, the status has decided about the spans: a retry would duplicate them.
        let body = timeout_at(until, Limited::new(body, MAX_ANSWER).collect()).await;
        let unfinished = body.is_err().then(silence);
        let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
        let mut outcome = ExportOutcome::from_response(answer.status, &answer.headers, &body);
        if let ExportOutcome::Accepted { unfinished: problem, .. } = &mut outcome {
            *problem = unfinished;
        }
        outcome
    }

    async fn exchange(&self, request: &Request<Bytes>) -> Result<Response<SdkBody>, RequestError> {
        let unusable = |error: &dyn std::fmt::Display| RequestError::Unusable(error.to_string());
        let mut request = request.clone().map(SdkBody::from);
        if let Some(key) = self.key() {
            request.headers_mut().insert(HONEYCOMB_HEADER, key);
        }
        let request = request.try_into().map_err(|error| unusable(&error))?;
        let response = self.connector.call(request).await.map_err(|error| connection(&error))?;
        response.try_into_http1x().map_err(|error| unusable(&error))
    }
}

fn connection(error: &ConnectorError) -> RequestError {
    let problem = error_chain(error);
    if error.is_user() { RequestError::Unusable(problem) } else { RequestError::Connection(problem) }
}
