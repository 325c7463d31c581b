//! Calls to AWS services in their JSON protocol, without the service's SDK crate.
//!
//! The SDK crates of Secrets Manager and SQS contain every operation of the service. Compiling them takes longer than
//! compiling Cruddur, which uses one operation of each. The calls here run on the SDK's own orchestrator, so retries,
//! timeouts, signatures, endpoint settings and interceptors are those of an SDK client.

use std::fmt;

use aws_runtime::auth::{SigV4OperationSigningConfig, sigv4};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::json;

/// An operation of an AWS service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api {
    /// The service's id in the SDKs, which spans and settings are named after.
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    /// The name of the service in signatures and host names.
    pub(crate) host: &'static str,
    /// The prefix of `X-Amz-Target`.
    pub(crate) target: &'static str,
    pub(crate) content_type: &'static str,
}

/// A client for one operation. Clones share connections and credentials.
#[derive(Clone, Debug)]
pub(crate) struct Call(Option<Operation<Body, Body, ErrorMetadata>>);

/// How long a call and its attempts may take, and how many attempts it may make.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) timeouts: TimeoutConfig,
    pub(crate) retries: RetryConfig,
}

/// Why a call failed. It contains no part of the request and no part of a successful response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no AWS region is configured: set AWS_REGION")]
    NoRegion,
    #[error("the request cannot be encoded as JSON")]
    Request(#[source] serde_json::Error),
    /// The service's error code and message.
    #[error("{code}: {message}")]
    Rejected { code: String, message: String },
    /// The service was not reached, or did not respond in time.
    #[error(transparent)]
    Failed(Box<SdkError<ErrorMetadata, HttpResponse>>),
    /// The parser's error may quote the response.
    #[error("the response has an unknown format")]
    Response,
}

/// A body in JSON. It may contain a secret, so it has no content in logs.
struct Body(Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Body").finish_non_exhaustive()
    }
}

/// The body of an error. Services spell its members in either way.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(rename = "__type", alias = "code")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Call {
    /// Returns a client with the credentials, region, endpoint and HTTP client of `sdk`.
    pub(crate) fn new(sdk: &SdkConfig, api: Api, limits: Limits) -> Self {
        Self::build(sdk, api, limits, None::<lambda_spans::AwsSdkSpans>)
    }

    /// Returns such a client that creates one client span for each call.
    pub(crate) fn with_spans(sdk: &SdkConfig, api: Api, limits: Limits) -> Self {
        Self::build(sdk, api, limits, Some(lambda_spans::AwsSdkSpans))
    }

    fn build(sdk: &SdkConfig, api: Api, limits: Limits, spans: Option<impl Intercept + 'static>) -> Self {
        let Some(region) = sdk.region() else { return Self(None) };
        let endpoint = configured_endpoint(sdk, api.service).unwrap_or_else(|| {
            let (fips, dual_stack) = (sdk.use_fips().unwrap_or_default(), sdk.use_dual_stack().unwrap_or_default());
            format!("https://{}", host(api.host, region.as_ref(), fips, dual_stack))
        });
        let mut layer = Layer::new("aws-json");
        layer.store_put(region.clone());
        layer.store_put(SigningRegion::from(region.clone()));
        layer.store_put(SigningName::from_static(api.host));
        layer.store_put(SigV4OperationSigningConfig::default());
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        // Otherwise the orchestrator logs the response at the level TRACE.
        layer.store_put(SensitiveOutput);
        let schemes = StaticAuthSchemeOptionResolver::new(vec![sigv4::SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new("aws-json");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(schemes)));
        components.push_auth_scheme(SharedAuthScheme::new(sigv4::SigV4AuthScheme::new()));
        if let Some(credentials) = sdk.credentials_provider() {
            components.set_identity_resolver(sigv4::SCHEME_ID, credentials);
        }
        // The SDK's defaults apply where the configuration has none.
        if let Some(cache) = sdk.identity_cache() {
            components.set_identity_cache(Some(cache));
        }
        if let Some(client) = sdk.http_client() {
            components.set_http_client(Some(client));
        }
        if let Some(time) = sdk.time_source() {
            components.set_time_source(Some(time));
        }
        if let Some(sleep) = sdk.sleep_impl() {
            components.set_sleep_impl(Some(sleep));
        }
        if let Some(spans) = spans {
            components.push_interceptor(spans);
        }
        let operation = Operation::builder()
            .service_name(api.service)
            .operation_name(api.operation)
            .endpoint_url(&endpoint)
            .timeout_config(limits.timeouts)
            .standard_retry(&limits.retries)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .with_connection_poisoning()
            .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components))
            .serializer(move |Body(body)| {
                let mut request = HttpRequest::new(SdkBody::from(body));
                request.set_method("POST")?;
                request.set_uri("/")?;
                let headers = request.headers_mut();
                headers.try_insert("content-type", api.content_type)?;
                headers.try_insert("x-amz-target", format!("{}.{}", api.target, api.operation))?;
                headers.try_insert("user-agent", concat!("cruddur/", env!("CARGO_PKG_VERSION")))?;
                Ok(request)
            })
            .deserializer(|response: &HttpResponse| {
                let body = response.body().bytes().unwrap_or_default();
                if response.status().is_success() {
                    Ok(Body(body.to_vec()))
                } else {
                    Err(OrchestratorError::operation(rejection(response, body)))
                }
            });
        Self(Some(operation.build()))
    }

    /// Calls the operation.
    ///
    /// # Errors
    /// [`CallError`], after the last attempt.
    pub(crate) async fn send<T: DeserializeOwned>(&self, request: &impl Serialize) -> Result<T, CallError> {
        let operation = self.0.as_ref().ok_or(CallError::NoRegion)?;
        let request = serde_json::to_vec(request).map_err(CallError::Request)?;
        let Body(body) = operation.invoke(Body(request)).await.map_err(|error| match error.as_service_error() {
            Some(error) => CallError::Rejected {
                code: error.code().unwrap_or_default().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
            },
            None => CallError::Failed(Box::new(error)),
        })?;
        json::parse(&body).ok().ok_or(CallError::Response)
    }
}

/// Returns the endpoint of the code, of `AWS_ENDPOINT_URL_<SERVICE>`, or of `AWS_ENDPOINT_URL`, as SDK clients do.
fn configured_endpoint(sdk: &SdkConfig, service: &str) -> Option<String> {
    let of_service = || {
        let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        sdk.service_config()?.load_config(key.build().ok()?)
    };
    let of_code = sdk.get_origin("endpoint_url").is_client_config();
    let of_service = if of_code { None } else { of_service() };
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// Returns a service's host in the public, Chinese, US government and European sovereign partitions. In an isolated
/// partition, set `AWS_ENDPOINT_URL_<SERVICE>`.
fn host(service: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    let suffix = match (region.split('-').next(), dual_stack) {
        (Some("cn"), false) => "amazonaws.com.cn",
        (Some("cn"), true) => "api.amazonwebservices.com.cn",
        (Some("eusc"), false) => "amazonaws.eu",
        (Some("eusc"), true) => "api.amazonwebservices.eu",
        (_, false) => "amazonaws.com",
        (_, true) => "api.aws",
    };
    // The usual endpoint of SQS is the FIPS endpoint there.
    let is_fips_anyway = service == "sqs" && region.starts_with("us-gov-") && !dual_stack;
    let fips = if fips && !is_fips_anyway { "-fips" } else { "" };
    format!("{service}{fips}.{region}.{suffix}")
}

/// Returns the code without its namespace and link: `Code` of `aws.service#Code:http://internal.amazon.com/`. A response
/// of another kind, such as that of a load balancer, has its status as the code.
fn rejection(response: &HttpResponse, body: &[u8]) -> ErrorMetadata {
    let ErrorBody { code, message } = json::parse(body).unwrap_or_default();
    let code = response.headers().get("x-amzn-errortype").map(str::to_owned).or(code);
    let code = code.unwrap_or_else(|| response.status().as_u16().to_string());
    let code = code.split(':').next().unwrap_or_default();
    let mut metadata = ErrorMetadata::builder().code(code.rsplit('#').next().unwrap_or_default());
    if let Some(message) = message {
        metadata = metadata.message(message);
    }
    metadata.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_follows_partition_fips_and_dual_stack() {
        for (service, region, fips, dual_stack, expected) in [
            ("sqs", "eu-central-1", false, false, "sqs.eu-central-1.amazonaws.com"),
            ("sqs", "us-east-1", true, true, "sqs-fips.us-east-1.api.aws"),
            ("sqs", "us-gov-east-1", true, false, "sqs.us-gov-east-1.amazonaws.com"),
            ("sqs", "us-gov-east-1", true, true, "sqs-fips.us-gov-east-1.api.aws"),
            ("sqs", "cn-north-1", false, false, "sqs.cn-north-1.amazonaws.com.cn"),
            ("sqs", "eusc-de-east-1", false, false, "sqs.eusc-de-east-1.amazonaws.eu"),
            ("secretsmanager", "ca-central-1", true, false, "secretsmanager-fips.ca-central-1.amazonaws.com"),
            ("secretsmanager", "us-gov-west-1", true, false, "secretsmanager-fips.us-gov-west-1.amazonaws.com"),
            ("secretsmanager", "cn-north-1", true, true, "secretsmanager-fips.cn-north-1.api.amazonwebservices.com.cn"),
        ] {
            assert_eq!(host(service, region, fips, dual_stack), expected);
        }
    }
}
