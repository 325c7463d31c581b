use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use lambda_spans::AwsSdkSpans;

use super::deadline::KeepDeadline;

const CONNECT: Duration = Duration::from_secs(1);
const ATTEMPT: Duration = Duration::from_millis(500);
const OPERATION: Duration = Duration::from_millis(1500);
const ATTEMPTS: u32 = 3;
/// The SDK's own first wait of up to a second would use the whole time of an operation.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// A client whose every operation ends within 1.5 seconds, and by the end that [`by`](super::by) sets, and is traced as
/// a client span.
///
/// The SDK has no such limit by default: a connection that stalls would hold the request until Lambda kills it.
#[must_use]
pub fn client(sdk: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
    let config = Builder::from(sdk).timeout_config(timeouts).retry_config(retries);
    Client::from_conf(config.interceptor(KeepDeadline).interceptor(AwsSdkSpans).build())
}
