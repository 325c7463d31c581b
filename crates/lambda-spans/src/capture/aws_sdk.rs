//! Client spans of AWS SDK operations.

#[cfg(feature = "dynamodb")]
mod dynamodb;

use std::fmt::Debug;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, Error,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata, OrchestratorError};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::region::Region;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::attributes::{
    AWS_REQUEST_ID, AWS_SDK_ATTEMPTS, CLOUD_REGION, ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, LAMBDA_SPANS_CANCELLED,
    RPC_METHOD, RPC_SYSTEM_NAME,
};
use crate::capture::inject::xray_header;
use crate::propagation::trace_header::XRAY_HEADER;

/// An interceptor that creates one client span for every operation of an AWS SDK client.
///
/// Pass it to the `interceptor` function of a client's `config::Builder`. The span has level INFO. It records the
/// service, operation, region, request id, status, number of attempts and error code. With the feature `dynamodb` it
/// also records tables, index, item counts and consumed capacity. It never records a key or a value.
///
/// Requests carry the span's id in `X-Amzn-Trace-Id`, so that it becomes the parent of the service's own spans.
///
/// ```
/// use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
/// use lambda_spans::AwsSdkSpans;
///
/// let config = Config::builder().behavior_version(BehaviorVersion::latest()).interceptor(AwsSdkSpans).build();
/// let client = aws_sdk_dynamodb::Client::from_conf(config);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsSdkSpans;

/// The span of an operation in progress.
#[derive(Debug)]
struct SdkOperation {
    // Keeps the span open; attributes are recorded through its context.
    _span: Span,
    context: Context,
}

impl Storable for SdkOperation {
    type Storer = StoreReplace<Self>;
}

impl Drop for SdkOperation {
    fn drop(&mut self) {
        // A second end has no effect. This one ends the span of an operation that was dropped before its response. The
        // service did not fail.
        self.context.span().set_attribute(KeyValue::new(LAMBDA_SPANS_CANCELLED, true));
        self.context.span().end();
    }
}

impl Intercept for AwsSdkSpans {
    fn name(&self) -> &'static str {
        "AwsSdkSpans"
    }

    // Not before execution: a client interceptor runs there before the operation's configuration and name are known.
    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(metadata) = config.load::<Metadata>() else { return Ok(()) };
        let (service, operation) = (metadata.service().to_owned(), metadata.name().to_owned());
        let span = info_span!("aws-sdk", otel.name = format!("{service}.{operation}"), otel.kind = "client");
        let otel = span.context();
        let set = |attribute| otel.span().set_attribute(attribute);
        set(KeyValue::new(RPC_SYSTEM_NAME, "aws-api"));
        set(KeyValue::new(RPC_METHOD, format!("{service}/{operation}")));
        if let Some(region) = config.load::<Region>() {
            set(KeyValue::new(CLOUD_REGION, region.to_string()));
        }
        #[cfg(feature = "dynamodb")]
        dynamodb::describe_input(&service, &operation, context.input()).into_iter().for_each(set);
        #[cfg(not(feature = "dynamodb"))]
        let _ = context;
        config.interceptor_state().store_put(SdkOperation { _span: span, context: otel });
        Ok(())
    }

    // The SDK's own interceptor would set the function's segment from an environment variable, but only if the header
    // is missing.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<SdkOperation>();
        if let Some(header) = operation.and_then(|operation| xray_header(&operation.context)) {
            context.request_mut().headers_mut().try_insert(XRAY_HEADER, header)?;
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(SdkOperation { context: otel, .. }) = config.load::<SdkOperation>() else { return Ok(()) };
        let span = otel.span();
        if let Some(attempts) = config.load::<RequestAttempts>() {
            span.set_attribute(KeyValue::new(AWS_SDK_ATTEMPTS, i64::from(attempts.attempts())));
        }
        if let Some(response) = context.response() {
            span.set_attribute(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(response.status().as_u16())));
            if let Some(id) = response.headers().get("x-amzn-requestid").or(response.headers().get("x-amz-request-id"))
            {
                span.set_attribute(KeyValue::new(AWS_REQUEST_ID, id.to_owned()));
            }
        }
        match context.output_or_error() {
            #[cfg(feature = "dynamodb")]
            Some(Ok(output)) => span.set_attributes(dynamodb::describe_output(output)),
            #[cfg(not(feature = "dynamodb"))]
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let code = error_code(error, context.response());
                span.set_attribute(KeyValue::new(ERROR_TYPE, code.clone()));
                span.set_status(Status::error(code));
            }
            None => {}
        }
        span.end();
        Ok(())
    }
}

/// Returns the service's error code, or the kind of failure without a response. Messages may quote values and are
/// ignored.
fn error_code(error: &OrchestratorError<Error>, response: Option<&HttpResponse>) -> String {
    if error.is_timeout_error() {
        return "timeout".to_owned();
    }
    if error.is_connector_error() {
        return "connection".to_owned();
    }
    let body = response.and_then(|response| response.body().bytes());
    body.and_then(code_of_body).unwrap_or_else(|| "_OTHER".to_owned())
}

/// `{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}`
fn code_of_body(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = body.get("__type").or_else(|| body.get("code"))?.as_str()?;
    let code = code.rsplit('#').next()?;
    (code.len() <= 128 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_code_is_the_last_part_of_the_type() {
        let body = br#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#;
        assert_eq!(code_of_body(body).as_deref(), Some("ConditionalCheckFailedException"));
        assert_eq!(code_of_body(b"<Error/>"), None);
    }
}
