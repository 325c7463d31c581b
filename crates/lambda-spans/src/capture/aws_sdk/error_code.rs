//! The error code of a failed operation. Messages may quote values and are ignored.

use std::error::Error as StdError;
use std::iter;

use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;

/// The maximum length of a code in bytes. The longest codes of AWS services have about 70.
const MAX_CODE: usize = 128;

/// Returns the service's error code, else the response's status, else the kind of failure.
pub(super) fn error_code(error: &OrchestratorError<Error>, response: Option<&HttpResponse>) -> String {
    if error.is_timeout_error() {
        return "timeout".to_owned();
    }
    if error.is_connector_error() {
        return "connection".to_owned();
    }
    let code = of_chain(error).or_else(|| response.and_then(of_response));
    code.unwrap_or_else(|| "_OTHER".to_owned())
}

/// Returns the code of an error that the service's model does not contain. The chain of a credentials error has the
/// code of the failed call for credentials.
fn of_chain(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut chain = iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source());
    chain.find_map(|error| valid(error.downcast_ref::<ErrorMetadata>()?.code()?))
}

fn of_response(response: &HttpResponse) -> Option<String> {
    let header = response.headers().get("x-amzn-errortype");
    let code = header.and_then(valid).or_else(|| of_body(response.body().bytes()?));
    // A response to HEAD has no body.
    code.or_else(|| (!response.status().is_success()).then(|| response.status().as_u16().to_string()))
}

fn of_body(body: &[u8]) -> Option<String> {
    if body.trim_ascii_start().starts_with(b"<") { of_xml(body) } else { of_json(body) }
}

/// `{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}`
fn of_json(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    ["__type", "code"].into_iter().find_map(|member| valid(body.get(member)?.as_str()?))
}

/// `<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>`, or another root. A message before the code
/// cannot contain the tag, because its `<` is escaped.
fn of_xml(body: &[u8]) -> Option<String> {
    let (_, rest) = str::from_utf8(body).ok()?.split_once("<Code>")?;
    valid(rest.split_once("</Code>")?.0)
}

/// Returns a code without its namespace and link: `Code` of `aws.service#Code:http://internal.amazon.com/`.
fn valid(code: &str) -> Option<String> {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    let code = code.rsplit('#').next().unwrap_or(code).trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ((1..=MAX_CODE).contains(&code.len()) && code.bytes().all(allowed)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn response(status: u16, error_type: Option<&'static str>, body: &'static str) -> HttpResponse {
        let mut response = HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::from(body));
        if let Some(error_type) = error_type {
            response.headers_mut().insert("x-amzn-errortype", error_type);
        }
        response
    }

    /// An error that the service's model contains: its metadata is not in the chain.
    #[derive(Debug)]
    struct Modeled;

    impl std::fmt::Display for Modeled {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("no such thing")
        }
    }

    impl StdError for Modeled {}

    #[derive(Debug)]
    struct Wrapper(ErrorMetadata);

    impl std::fmt::Display for Wrapper {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("unhandled error")
        }
    }

    impl StdError for Wrapper {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn modeled(response: &HttpResponse) -> String {
        error_code(&OrchestratorError::operation(Error::erase(Modeled)), Some(response))
    }

    #[test]
    fn code_of_the_source_chain_comes_first() {
        let metadata = ErrorMetadata::builder().code("ExpiredToken").message("of user 7").build();
        let answered = response(400, Some("Other"), "");
        for error in [
            OrchestratorError::operation(Error::erase(Wrapper(metadata.clone()))),
            OrchestratorError::other(Wrapper(metadata)),
        ] {
            assert_eq!(error_code(&error, Some(&answered)), "ExpiredToken");
        }
    }

    #[test]
    fn header_comes_before_the_body() {
        let body = r#"{"__type":"OfTheBody"}"#;
        let link = "aws.lambda#TooManyRequestsException:http://internal.amazon.com/coral/";
        assert_eq!(modeled(&response(429, Some(link), body)), "TooManyRequestsException");
        assert_eq!(modeled(&response(400, Some("not a code"), body)), "OfTheBody");
    }

    #[test]
    fn json_body_has_the_code_as_type_or_code() {
        for (body, code) in [
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException","message":"no"}"#,
                "ResourceInUseException",
            ),
            (r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#, "QueueDoesNotExist"),
            (r#"{"code":"AccessDenied","message":"<Code>Quoted</Code>"}"#, "AccessDenied"),
            (r#"{"__type":5,"code":"AccessDenied"}"#, "AccessDenied"),
        ] {
            assert_eq!(modeled(&response(400, None, body)), code, "{body}");
        }
    }

    #[test]
    fn xml_body_has_the_code_below_any_root() {
        for (body, code) in [
            ("<Error><Code>NoSuchKey</Code><Message>no</Message></Error>", "NoSuchKey"),
            ("<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code></Error>", "SlowDown"),
            ("<ErrorResponse><Error><Type>Sender</Type><Code>Throttled</Code></Error></ErrorResponse>", "Throttled"),
            (
                "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code></Error></Errors></Response>",
                "InvalidInstanceID.NotFound",
            ),
            ("<ErrorResponse><Error><Code>\n  ExpiredToken\n</Code></Error></ErrorResponse>", "ExpiredToken"),
        ] {
            assert_eq!(modeled(&response(400, None, body)), code, "{body}");
        }
    }

    #[test]
    fn response_without_a_code_has_its_status() {
        for body in ["", "<html>", "<Error><Code></Code></Error>", "{", "[]", r#"{"code":"two words"}"#] {
            assert_eq!(modeled(&response(404, None, body)), "404", "{body}");
        }
        assert_eq!(modeled(&response(200, None, "{")), "_OTHER");
        assert_eq!(error_code(&OrchestratorError::other("no endpoint"), None), "_OTHER");
    }

    #[test]
    fn failure_before_the_response_has_its_kind() {
        use aws_smithy_runtime_api::client::result::ConnectorError;
        assert_eq!(error_code(&OrchestratorError::timeout("late".into()), None), "timeout");
        assert_eq!(error_code(&OrchestratorError::connector(ConnectorError::io("reset".into())), None), "connection");
    }
}
