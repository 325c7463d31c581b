//! The answers of an OTLP receiver, in the request's content type.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::protobuf::{write_bytes, write_varint};

/// The content type of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/x-protobuf` or `application/protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Format {
    /// Returns the format of a content type. Parameters do not matter.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let name = content_type.split(';').next().unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }

    /// Returns the answer to an accepted request. `rejected` are the spans or log lines that were not kept, and
    /// `member` is the name of their number.
    pub(crate) fn accepted(self, rejected: usize, member: &str, message: &str) -> Response<Body> {
        let body = match self {
            Self::Protobuf if rejected == 0 => Vec::new(),
            Self::Protobuf => {
                let mut partial = Vec::new();
                write_varint(&mut partial, 1, rejected as u64);
                write_bytes(&mut partial, 2, message.as_bytes());
                let mut body = Vec::new();
                write_bytes(&mut body, 1, &partial);
                body
            }
            Self::Json if rejected == 0 => b"{}".to_vec(),
            Self::Json => {
                // OTLP writes 64-bit integers as text.
                let partial = json!({"partialSuccess": {member: rejected.to_string(), "errorMessage": message}});
                partial.to_string().into_bytes()
            }
        };
        self.response(StatusCode::OK, body)
    }

    /// Returns a refusal: a `google.rpc.Status`.
    pub(crate) fn refused(self, status: StatusCode, message: &str) -> Response<Body> {
        let code = match status {
            StatusCode::FORBIDDEN => 7,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            _ => 3,
        };
        let body = match self {
            Self::Protobuf => {
                let mut body = Vec::new();
                write_varint(&mut body, 1, code);
                write_bytes(&mut body, 2, message.as_bytes());
                body
            }
            Self::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        };
        self.response(status, body)
    }

    fn response(self, status: StatusCode, body: Vec<u8>) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, self.content_type());
        response
    }
}
