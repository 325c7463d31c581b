//! AWS Secrets Manager's `GetSecretValue`, for the one secret there is.

use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::secret::Secret;

/// What `X-Amz-Target` begins with for this service.
pub const TARGET_PREFIX: &str = "secretsmanager.";

/// A name for the secret; any other reaches it too, since `sam local` passes the template's logical id.
pub const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:cruddur-local";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    version_id: Option<String>,
    version_stage: Option<String>,
}

/// Answers `operation` in the service's JSON 1.1 protocol.
pub fn answer(secret: &Secret, operation: &str, body: &[u8]) -> Response {
    if operation != "GetSecretValue" {
        return failure("UnknownOperationException", &format!("only GetSecretValue is answered here, not {operation}"));
    }
    let request: GetSecretValue = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return failure("SerializationException", &format!("the request's body: {error}")),
    };
    match (request.version_id, request.version_stage.as_deref()) {
        (None, None | Some("AWSCURRENT")) => respond(
            StatusCode::OK,
            json!({
                "ARN": SECRET_ARN,
                "Name": "cruddur-local",
                "SecretString": secret.expose(),
                "VersionStages": ["AWSCURRENT"],
            }),
        ),
        (None, Some(stage)) => failure("ResourceNotFoundException", &format!("the secret has no version {stage}")),
        (Some(id), _) => failure("ResourceNotFoundException", &format!("the secret has no version {id}")),
    }
}

fn failure(kind: &str, message: &str) -> Response {
    respond(StatusCode::BAD_REQUEST, json!({ "__type": kind, "Message": message }))
}

fn respond(status: StatusCode, body: Value) -> Response {
    let content_type = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, content_type, body.to_string()).into_response()
}
