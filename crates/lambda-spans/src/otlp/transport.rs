//! One request to an OTLP receiver.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Collected, Limited};
use tokio::time::{Instant, timeout_at};

use super::http_stack::HttpStack;
use super::queue::RequestBody;
use super::response::ExportOutcome;
use super::settings::HONEYCOMB_HEADER;
use super::signer::Signer;
use crate::capture::logs::error_chain;
use crate::clock::Moment;

/// Responses of OTLP receivers have a few hundred bytes; larger ones are not read.
const MAX_ANSWER: usize = 64 * 1024;
/// The body usually arrives with the status.
const MIN_BODY: Duration = Duration::from_millis(10);
const NOT_ALLOWED: &str = "the function's role must allow `xray:PutSpans` and `xray:PutSpansForIndexing`, and Transaction \
     Search must be on";

#[derive(Debug)]
pub(super) struct Transport {
    connector: SharedHttpConnector,
    uri: Uri,
    headers: HeaderMap,
    key: Mutex<Option<HeaderValue>>,
    signer: Option<Signer>,
    /// Gets the credentials of a signature.
    stack: HttpStack,
}

enum RequestError {
    /// The request or its response is unusable; a retry would not change that.
    Unusable(String),
    /// The connection failed or broke.
    Connection(String),
    /// The request cannot be signed. A source of credentials that fails is asked again by a later export only.
    Signature(String),
}

impl Transport {
    /// Sends requests to `uri` with `headers`, which describe the receiver.
    pub(super) fn new(
        connector: SharedHttpConnector,
        uri: Uri,
        mut headers: HeaderMap,
        signer: Option<Signer>,
        stack: HttpStack,
    ) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Self { connector, uri, headers, key: Mutex::default(), signer, stack }
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

    /// Makes one attempt within `limit`, and reads the body of the response until `body_until` or for longer. Replaces
    /// a stale connection once.
    pub(super) async fn send(&self, request: &RequestBody, limit: Duration, body_until: Instant) -> ExportOutcome {
        let until = Instant::now() + limit;
        let attempt = async {
            match self.exchange(request).await {
                Err(RequestError::Connection(_)) => self.exchange(request).await,
                answered => answered,
            }
        };
        let (answer, body) = match timeout_at(until, attempt).await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(RequestError::Connection(problem) | RequestError::Signature(problem))) => {
                return ExportOutcome::NoResponse { problem };
            }
            Ok(Err(RequestError::Unusable(problem))) => return ExportOutcome::Refused { problem },
            Err(_) => return ExportOutcome::NoResponse { problem: silence(limit) },
        };
        // From here on, the status has decided about the spans: a retry would duplicate them.
        let body_until = body_until.max(Instant::now() + MIN_BODY);
        let body = timeout_at(body_until, Limited::new(body, MAX_ANSWER).collect()).await;
        let unfinished = body.is_err().then(|| "the body of the response is incomplete".to_owned());
        let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
        let mut outcome = ExportOutcome::from_response(answer.status, &answer.headers, &body);
        if let Some(signer) = &self.signer
            && matches!(answer.status.as_u16(), 401 | 403)
        {
            let renewable = signer.forget_credentials().await;
            let problem = format!("X-Ray answered {}; {NOT_ALLOWED}", answer.status);
            outcome = ExportOutcome::Unsigned { renewable, problem };
        }
        if let ExportOutcome::Accepted { unfinished: problem, .. } = &mut outcome {
            *problem = unfinished;
        }
        outcome
    }

    async fn exchange(&self, body: &RequestBody) -> Result<Response<SdkBody>, RequestError> {
        let unusable = |error: &dyn std::fmt::Display| RequestError::Unusable(error.to_string());
        let RequestBody { bytes, encoding } = body;
        let mut request = Request::new(SdkBody::from(bytes.clone()));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, self.uri.clone());
        *request.headers_mut() = self.headers.clone();
        if let Some(encoding) = encoding {
            request.headers_mut().insert(CONTENT_ENCODING, encoding.clone());
        }
        if let Some(key) = self.key() {
            request.headers_mut().insert(HONEYCOMB_HEADER, key);
        }
        // Each attempt has its own signature, because one expires after minutes.
        if let Some(signer) = &self.signer {
            let signed = signer.sign(&mut request, bytes, &self.stack, Moment::now()).await;
            signed.map_err(RequestError::Signature)?;
        }
        let request: HttpRequest = request.try_into().map_err(|error| unusable(&error))?;
        let response = self.connector.call(request).await.map_err(|error| connection(&error))?;
        response.try_into_http1x().map_err(|error| unusable(&error))
    }
}

/// Describes a receiver that did not respond in time.
pub(super) fn silence(limit: Duration) -> String {
    format!("no response within {} ms", limit.as_millis())
}

fn connection(error: &ConnectorError) -> RequestError {
    let problem = error_chain(error);
    if error.is_user() { RequestError::Unusable(problem) } else { RequestError::Connection(problem) }
}

#[cfg(test)]
#[cfg(feature = "sigv4")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;
    use crate::variables::Reader;

    #[tokio::test]
    async fn failed_signature_is_not_repeated_at_once() {
        let requests = Arc::<AtomicUsize>::default();
        let fail = async |State(requests): State<Arc<AtomicUsize>>| {
            requests.fetch_add(1, Ordering::Relaxed);
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let credentials = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", get(fail)).with_state(requests.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let variable = |name: &str| (name == "AWS_CONTAINER_CREDENTIALS_FULL_URI").then(|| credentials.clone());
        let signer = Signer::read(&mut Reader::new(&variable), "xray", "eu-west-1".to_owned()).unwrap();
        let stack = HttpStack::default();
        let uri = Uri::from_static("http://127.0.0.1:9/v1/traces");
        let transport = Transport::new(stack.direct(), uri, HeaderMap::new(), Some(signer), stack);
        let request = RequestBody { bytes: Vec::new().into(), encoding: None };
        let outcome = transport.send(&request, Duration::from_secs(60), Instant::now()).await;
        let ExportOutcome::NoResponse { problem } = outcome else { panic!("{outcome:?}") };
        assert!(problem.contains("500"), "{problem}");
        assert_eq!(requests.load(Ordering::Relaxed), 1);
    }
}
