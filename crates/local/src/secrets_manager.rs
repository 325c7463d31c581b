//! `GetSecretValue` of AWS Secrets Manager, for the master secret.

use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use cruddur::json;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::secret::MasterSecret;

/// The prefix of `X-Amz-Target` for this service.
pub const TARGET_PREFIX: &str = "secretsmanager.";

/// The secret's ARN. Any other id returns the same secret, because `sam local` passes the template's logical id.
pub const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:cruddur-local";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    version_id: Option<String>,
    version_stage: Option<String>,
}

/// Handles `operation` in the service's JSON 1.1 protocol.
pub fn handle(secret: &MasterSecret, operation: &str, body: &[u8]) -> Response {
    if operation != "GetSecretValue" {
        return error_response("UnknownOperationException", "the local endpoint supports only GetSecretValue");
    }
    let request: GetSecretValue = match json::parse(body) {
        Ok(request) => request,
        Err(error) => return error_response("SerializationException", &format!("invalid request body: {error}")),
    };
    match (request.version_id, request.version_stage.as_deref()) {
        (None, None | Some("AWSCURRENT")) => json_response(
            StatusCode::OK,
            json!({
                "ARN": SECRET_ARN,
                "Name": "cruddur-local",
                "SecretString": secret.expose(),
                "VersionStages": ["AWSCURRENT"],
            }),
        ),
        (Some(_), _) | (None, Some(_)) => {
            error_response("ResourceNotFoundException", "the only version of the secret is the stage AWSCURRENT")
        }
    }
}

fn error_response(kind: &str, message: &str) -> Response {
    json_response(StatusCode::BAD_REQUEST, json!({ "__type": kind, "Message": message }))
}

fn json_response(status: StatusCode, body: Value) -> Response {
    let content_type = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, content_type, body.to_string()).into_response()
}
