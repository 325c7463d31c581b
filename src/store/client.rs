use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use lambda_spans::AwsSdkSpans;

use super::deadline::DeadlineInterceptor;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(1500);
const MAX_ATTEMPTS: u32 = 3;
/// The SDK's default of up to one second would exceed the operation timeout.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// Creates a client whose operations are traced and end within 1.5 seconds and before the deadline of
/// [`with_deadline`](super::with_deadline).
///
/// By default the SDK has no operation timeout: a stalled connection would block until Lambda ends the invocation.
#[must_use]
pub fn client(sdk: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF);
    let config = Builder::from(sdk).timeout_config(timeouts).retry_config(retries);
    Client::from_conf(config.interceptor(DeadlineInterceptor).interceptor(AwsSdkSpans).build())
}
