//! Client spans of AWS SDK operations.

#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error_code;
mod message;

use std::fmt::Debug;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
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
    RPC_METHOD, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};
use crate::capture::endpoint::server;
use crate::capture::inject::xray_header;
use crate::propagation::trace_header::XRAY_HEADER;

/// An interceptor that creates one client span for every operation of an AWS SDK client.
///
/// Pass it to the `interceptor` function of a client's `config::Builder`. The span has level INFO. It records the
/// service, operation, region, host and port, request id, status, number of attempts and error code. With the feature
/// `dynamodb` it also records the table, index, item counts and consumed capacity. It never records a key or a value.
///
/// | service | further attributes |
/// |---|---|
/// | Amazon SQS | queue, operation, number of messages, message id; a send has the kind producer |
/// | Amazon SNS | topic, operation, number of messages, message id; the kind is producer |
/// | Amazon EventBridge | bus, operation, number of events; the kind is producer |
/// | AWS Lambda | name, provider and region of the invoked function |
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

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some((metadata, call)) = config.load::<Metadata>().zip(config.load::<SdkOperation>()) else {
            return Ok(());
        };
        let (request, region) = (context.request(), config.load::<Region>());
        let body = request.body().bytes().unwrap_or_default();
        let path = request.uri();
        let region = region.map(AsRef::as_ref);
        let attributes = message::describe_request(metadata.service(), metadata.name(), path, body, region);
        call.context.span().set_attributes(attributes);
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
        let Some(SdkOperation { context: otel, .. }) = config.load::<SdkOperation>() else { return Ok(()) };
        if let Some((host, port)) = context.request().uri().parse().ok().as_ref().and_then(server) {
            otel.span().set_attribute(KeyValue::new(SERVER_ADDRESS, host));
            otel.span().set_attribute(KeyValue::new(SERVER_PORT, i64::from(port)));
        }
        if let Some(header) = xray_header(otel) {
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
            let header = |name| response.headers().get(name).filter(|id: &&str| !id.is_empty());
            if let Some(id) = header("x-amzn-requestid").or_else(|| header("x-amz-request-id")) {
                span.set_attribute(KeyValue::new(AWS_REQUEST_ID, id.to_owned()));
            }
            if let Some((metadata, body)) = config.load::<Metadata>().zip(response.body().bytes())
                && response.status().is_success()
            {
                span.set_attributes(message::describe_response(metadata.service(), metadata.name(), body));
            }
        }
        match context.output_or_error() {
            #[cfg(feature = "dynamodb")]
            Some(Ok(output)) => span.set_attributes(dynamodb::describe_output(output)),
            #[cfg(not(feature = "dynamodb"))]
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let code = error_code::error_code(error, context.response());
                span.set_attribute(KeyValue::new(ERROR_TYPE, code.clone()));
                span.set_status(Status::error(code));
            }
            None => {}
        }
        span.end();
        Ok(())
    }
}
