//! The OTLP/HTTP receiver: `/v1/traces`, `/v1/logs` and `/v1/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::post;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use super::compression::{self, CompressionError, decompress};
use super::intake::DecodeError;
use super::receiver::{Accepted, Contents, Receiver};
use super::response::Format;
use crate::health::Refusal;
use crate::host::{Admission, Forbidden};

/// The maximum number of requests that are read or wait. Further ones get 503 with `Retry-After`.
const MAX_REQUESTS: usize = 64;
/// The requests that are decoded at the same time.
const MAX_DECODED: usize = 2;
/// A body of this size or more is decoded on another thread.
const LARGE: usize = 16 << 10;

#[derive(Debug)]
struct Intake {
    receiver: Arc<Receiver>,
    admission: Arc<Admission>,
    requests: Semaphore,
    decoded: Arc<Semaphore>,
}

/// A refusal with the headers that help the sender.
struct Refused {
    status: StatusCode,
    code: Refusal,
    message: String,
    header: Option<(&'static str, &'static str)>,
    flag: Option<String>,
}

impl Refused {
    fn new(status: StatusCode, code: Refusal, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None, flag: None }
    }
}

/// Returns the routes of the receiver.
pub(crate) fn routes(receiver: Arc<Receiver>, admission: Arc<Admission>) -> Router {
    let intake = Intake {
        receiver,
        admission,
        requests: Semaphore::new(MAX_REQUESTS),
        decoded: Arc::new(Semaphore::new(MAX_DECODED)),
    };
    let mut router = Router::new();
    for (path, contents) in
        [("/v1/traces", Some(Contents::Spans)), ("/v1/logs", Some(Contents::Logs)), ("/v1/metrics", None)]
    {
        let handler = move |State(intake): State<Arc<Intake>>, request: Request| async move {
            intake.answer(request, contents).await
        };
        let methods = post(handler).options(preflight);
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    router.with_state(Arc::new(intake))
}

async fn preflight(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if let Err(forbidden) = intake.admission.check_receiver(&headers) {
        *response.status_mut() = intake.forbidden(forbidden).status;
        return response;
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = headers.get("access-control-request-headers").cloned();
    let answers = response.headers_mut();
    answers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    answers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.unwrap_or(HeaderValue::from_static("content-type")));
    answers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    intake.share(&headers, &mut response);
    response
}

impl Intake {
    async fn answer(&self, request: Request, contents: Option<Contents>) -> Response<Body> {
        let headers = request.headers().clone();
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = content_type.and_then(Format::of);
        let answered = match contents {
            None => self.metrics(&headers),
            Some(contents) => self.receive(request, format, contents).await,
        };
        // An unknown format is answered in JSON.
        let format = format.unwrap_or(Format::Json);
        let mut response = match answered {
            Ok(accepted) => {
                let member = match contents {
                    Some(Contents::Logs) => "rejectedLogRecords",
                    Some(Contents::Spans) | None => "rejectedSpans",
                };
                let message = "records with an invalid id, an invalid encoding or of a trace that is too large";
                format.accepted(accepted.rejected, member, message)
            }
            Err(refused) => {
                let Refused { status, code, message, header, flag } = refused;
                self.receiver.health.refused(code, 1, &message, flag, self.receiver.clock.now());
                let mut response = format.refused(status, &message);
                if let Some((name, value)) = header {
                    response.headers_mut().insert(name, HeaderValue::from_static(value));
                }
                response
            }
        };
        self.share(&headers, &mut response);
        response
    }

    /// Metrics are accepted and not kept. An error would make SDKs log it again and again.
    fn metrics(&self, headers: &HeaderMap) -> Result<Accepted, Refused> {
        self.admission.check_receiver(headers).map_err(|forbidden| self.forbidden(forbidden))?;
        let now = self.receiver.clock.now();
        self.receiver.health.refused(Refusal::MetricsNotKept, 1, "metrics are accepted and not kept", None, now);
        Ok(Accepted::default())
    }

    async fn receive(&self, request: Request, format: Option<Format>, contents: Contents) -> Result<Accepted, Refused> {
        let (parts, body) = request.into_parts();
        self.admission.check_receiver(&parts.headers).map_err(|forbidden| self.forbidden(forbidden))?;
        let Some(format) = format else {
            let message = "set Content-Type to application/x-protobuf or application/json";
            return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Refusal::UnsupportedType, message));
        };
        let limits = &self.receiver.limits;
        let header = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let announced: Option<usize> = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if announced.is_some_and(|length| length > limits.body) {
            return Err(too_large(limits.body));
        }
        let encoding = header(CONTENT_ENCODING).unwrap_or_default().to_owned();
        let Ok(_request) = self.requests.try_acquire() else {
            return Err(Refused {
                header: Some(("retry-after", "1")),
                ..Refused::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::Overload, "too many requests; retry later")
            });
        };
        let body = match Limited::new(body, limits.body).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large(limits.body)),
            Err(_) => {
                return Err(Refused::new(StatusCode::BAD_REQUEST, Refusal::Malformed, "the body ended early"));
            }
        };
        let Ok(permit) = self.decoded.clone().acquire_owned().await else { return Ok(Accepted::default()) };
        let receiver = self.receiver.clone();
        let decode = {
            let (body, encoding) = (body.clone(), encoding.clone());
            move || {
                let _permit = permit;
                decode(&receiver, &body, &encoding, format, contents)
            }
        };
        if body.len() < LARGE && encoding.is_empty() {
            return decode();
        }
        // A panic in the decoder is a bug, not the sender's fault.
        tokio::task::spawn_blocking(decode).await.unwrap_or_else(|_| {
            Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, Refusal::Malformed, "the decoder failed"))
        })
    }

    fn forbidden(&self, forbidden: Forbidden) -> Refused {
        let (Forbidden::Host { flag } | Forbidden::Origin { flag }) = forbidden;
        let message = "a page of another origin may not send here; `--allow-origin <ORIGIN>` admits it";
        Refused { flag, ..Refused::new(StatusCode::FORBIDDEN, Refusal::ForeignOrigin, message) }
    }

    /// Lets pages of allowed origins read the answer.
    fn share(&self, headers: &HeaderMap, response: &mut Response<Body>) {
        let origin = self.admission.allowed_origin(headers).and_then(|origin| HeaderValue::from_str(origin).ok());
        if let Some(origin) = origin {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    }
}

fn decode(
    receiver: &Receiver,
    body: &[u8],
    encoding: &str,
    format: Format,
    contents: Contents,
) -> Result<Accepted, Refused> {
    let limit = receiver.limits.decompressed;
    let body = decompress(body, encoding, limit).map_err(|error| match error {
        CompressionError::Unsupported => Refused {
            header: Some(("accept-encoding", compression::ACCEPTED)),
            ..Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Refusal::UnsupportedEncoding,
                "set Content-Encoding to gzip, deflate or zstd",
            )
        },
        CompressionError::Malformed => {
            let message = "the body is not in the encoding that Content-Encoding names";
            Refused::new(StatusCode::BAD_REQUEST, Refusal::Malformed, message)
        }
        CompressionError::TooLarge => too_large(limit),
    })?;
    receiver.otlp(&body, format, contents).map_err(|error| match &error {
        DecodeError::TooLarge(_) => Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge, error.to_string()),
        DecodeError::Malformed(_) | DecodeError::Truncated => {
            Refused::new(StatusCode::BAD_REQUEST, Refusal::Malformed, error.to_string())
        }
    })
}

fn too_large(limit: usize) -> Refused {
    let message = format!("a body may have at most {limit} bytes; send smaller batches");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge, message)
}
