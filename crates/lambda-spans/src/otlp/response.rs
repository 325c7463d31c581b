//! Interprets responses to OTLP requests by the protocol's rules.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

/// The result of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExportOutcome {
    /// Accepted, except `rejected` spans, which a retry would not change. `unfinished` if the response does not end:
    /// the receiver is left alone for a while.
    Accepted { rejected: u64, unfinished: Option<String> },
    /// A retry may help, at the earliest after `after`.
    Retry { after: Option<Duration>, problem: String },
    /// The receiver does not know the key. A retry helps with another key.
    Unauthorized { problem: String },
    /// The receiver rejects the signature. If the credentials are `renewable`, a retry helps with new ones.
    Unsigned { renewable: bool, problem: String },
    /// A retry would not help.
    Refused { problem: String },
    /// The request was not sent, or has no response in time. The receiver may have accepted the spans.
    NoResponse { problem: String },
}

impl ExportOutcome {
    pub(super) fn from_response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        if status.is_success() {
            return Self::Accepted { rejected: rejected(body), unfinished: None };
        }
        let problem = format!("the receiver answered {status}");
        // The statuses that the protocol lists as retryable. Any other status means that the request is wrong.
        match status.as_u16() {
            429 | 502 | 503 | 504 => Self::Retry { after: retry_after(headers), problem },
            401 => Self::Unauthorized { problem: format!("{problem}: it does not know the key") },
            403 => Self::Refused { problem: format!("{problem}: the key does not allow it") },
            _ => Self::Refused { problem },
        }
    }
}

/// Partial success: counted, never retried.
fn rejected(body: &[u8]) -> u64 {
    let response = ExportTraceServiceResponse::decode(body).unwrap_or_default();
    let rejected = response.partial_success.map_or(0, |partial| partial.rejected_spans);
    u64::try_from(rejected).unwrap_or(0)
}

/// A receiver that asks for more is asked again after this time, in seconds.
const MAX_RETRY_AFTER: u64 = 3600;

/// In seconds. The header's other form, a date, is not supported.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    fn answer(status: u16) -> ExportOutcome {
        ExportOutcome::from_response(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"")
    }

    #[test]
    fn only_retryable_statuses_are_retried() {
        for status in [429, 502, 503, 504] {
            assert!(matches!(answer(status), ExportOutcome::Retry { after: None, .. }), "{status}");
        }
        for status in [301, 400, 403, 404, 413, 415, 500, 501] {
            assert!(matches!(answer(status), ExportOutcome::Refused { .. }), "{status}");
        }
        assert!(matches!(answer(401), ExportOutcome::Unauthorized { .. }));
        assert_eq!(answer(200), ExportOutcome::Accepted { rejected: 0, unfinished: None });
        assert_eq!(answer(202), ExportOutcome::Accepted { rejected: 0, unfinished: None });
    }

    #[test]
    fn retry_after_is_honored() {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, "20".parse().unwrap())]);
        let outcome = ExportOutcome::from_response(StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert!(matches!(outcome, ExportOutcome::Retry { after: Some(after), .. } if after == Duration::from_secs(20)));
    }

    #[test]
    fn retry_after_is_bounded() {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, u64::MAX.to_string().parse().unwrap())]);
        let outcome = ExportOutcome::from_response(StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert!(
            matches!(outcome, ExportOutcome::Retry { after: Some(after), .. } if after == Duration::from_secs(3600))
        );
    }

    #[test]
    fn partial_success_counts_rejected_spans() {
        let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let outcome = ExportOutcome::from_response(StatusCode::OK, &HeaderMap::new(), &body);
        assert_eq!(outcome, ExportOutcome::Accepted { rejected: 2, unfinished: None });
        assert_eq!(
            ExportOutcome::from_response(StatusCode::OK, &HeaderMap::new(), b"not protobuf at all"),
            ExportOutcome::Accepted { rejected: 0, unfinished: None }
        );
    }
}
