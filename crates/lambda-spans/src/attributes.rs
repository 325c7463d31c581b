//! The keys of all attributes that this crate records, and of those that it translates for X-Ray.
//!
//! Most keys follow the OpenTelemetry semantic conventions. Each other key states its reason.

/// Defines keys of the semantic conventions, and a test that compares them.
macro_rules! conventional {
    ($($name:ident = $key:literal;)+) => {
        $(
            #[doc = concat!("`", $key, "` of the OpenTelemetry semantic conventions.")]
            pub const $name: &str = $key;
        )+

        const CONVENTIONAL: &[&str] = &[$($key),+];

        #[cfg(test)]
        #[test]
        #[deny(deprecated)]
        fn keys_equal_the_current_semantic_conventions() {
            $(assert_eq!($name, opentelemetry_semantic_conventions::attribute::$name);)+
        }
    };
}

/// Defines keys that the semantic conventions do not have.
macro_rules! own {
    ($($(#[$reason:meta])+ $name:ident = $key:literal;)+) => {
        $($(#[$reason])+ pub const $name: &str = $key;)+

        const OWN: &[&str] = &[$($key),+];
    };
}

/// Returns whether this crate records attributes with `key`.
pub(crate) fn is_of_library(key: &str) -> bool {
    CONVENTIONAL.contains(&key) || OWN.contains(&key)
}

conventional! {
    AWS_DYNAMODB_CONSISTENT_READ = "aws.dynamodb.consistent_read";
    AWS_DYNAMODB_COUNT = "aws.dynamodb.count";
    AWS_DYNAMODB_INDEX_NAME = "aws.dynamodb.index_name";
    AWS_DYNAMODB_LIMIT = "aws.dynamodb.limit";
    AWS_DYNAMODB_SCAN_FORWARD = "aws.dynamodb.scan_forward";
    AWS_DYNAMODB_SCANNED_COUNT = "aws.dynamodb.scanned_count";
    AWS_DYNAMODB_TABLE_NAMES = "aws.dynamodb.table_names";
    AWS_KINESIS_STREAM_NAME = "aws.kinesis.stream_name";
    AWS_LAMBDA_INVOKED_ARN = "aws.lambda.invoked_arn";
    AWS_LOG_GROUP_NAMES = "aws.log.group.names";
    AWS_LOG_STREAM_NAMES = "aws.log.stream.names";
    AWS_REQUEST_ID = "aws.request_id";
    AWS_S3_BUCKET = "aws.s3.bucket";
    AWS_SNS_TOPIC_ARN = "aws.sns.topic.arn";
    AWS_SQS_QUEUE_URL = "aws.sqs.queue.url";
    CLIENT_ADDRESS = "client.address";
    CLOUD_ACCOUNT_ID = "cloud.account.id";
    CLOUD_PLATFORM = "cloud.platform";
    CLOUD_PROVIDER = "cloud.provider";
    CLOUD_REGION = "cloud.region";
    CLOUD_RESOURCE_ID = "cloud.resource_id";
    DB_COLLECTION_NAME = "db.collection.name";
    DB_NAMESPACE = "db.namespace";
    DB_OPERATION_NAME = "db.operation.name";
    DB_QUERY_TEXT = "db.query.text";
    DB_SYSTEM_NAME = "db.system.name";
    DEPLOYMENT_ENVIRONMENT_NAME = "deployment.environment.name";
    ERROR_TYPE = "error.type";
    EXCEPTION_MESSAGE = "exception.message";
    EXCEPTION_STACKTRACE = "exception.stacktrace";
    EXCEPTION_TYPE = "exception.type";
    FAAS_COLDSTART = "faas.coldstart";
    FAAS_DOCUMENT_COLLECTION = "faas.document.collection";
    FAAS_DOCUMENT_NAME = "faas.document.name";
    FAAS_DOCUMENT_OPERATION = "faas.document.operation";
    FAAS_DOCUMENT_TIME = "faas.document.time";
    FAAS_INSTANCE = "faas.instance";
    FAAS_INVOCATION_ID = "faas.invocation_id";
    FAAS_INVOKED_NAME = "faas.invoked_name";
    FAAS_INVOKED_PROVIDER = "faas.invoked_provider";
    FAAS_INVOKED_REGION = "faas.invoked_region";
    FAAS_MAX_MEMORY = "faas.max_memory";
    FAAS_NAME = "faas.name";
    FAAS_TIME = "faas.time";
    FAAS_TRIGGER = "faas.trigger";
    FAAS_VERSION = "faas.version";
    HTTP_REQUEST_BODY_SIZE = "http.request.body.size";
    HTTP_REQUEST_METHOD = "http.request.method";
    HTTP_REQUEST_METHOD_ORIGINAL = "http.request.method_original";
    HTTP_RESPONSE_BODY_SIZE = "http.response.body.size";
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code";
    HTTP_ROUTE = "http.route";
    MESSAGING_BATCH_MESSAGE_COUNT = "messaging.batch.message_count";
    MESSAGING_DESTINATION_NAME = "messaging.destination.name";
    MESSAGING_DESTINATION_PARTITION_ID = "messaging.destination.partition.id";
    MESSAGING_KAFKA_OFFSET = "messaging.kafka.offset";
    MESSAGING_MESSAGE_ID = "messaging.message.id";
    MESSAGING_OPERATION_NAME = "messaging.operation.name";
    MESSAGING_OPERATION_TYPE = "messaging.operation.type";
    MESSAGING_SYSTEM = "messaging.system";
    NETWORK_PROTOCOL_VERSION = "network.protocol.version";
    RPC_METHOD = "rpc.method";
    RPC_SYSTEM_NAME = "rpc.system.name";
    SERVER_ADDRESS = "server.address";
    SERVER_PORT = "server.port";
    SERVICE_NAME = "service.name";
    SERVICE_PEER_NAME = "service.peer.name";
    SERVICE_VERSION = "service.version";
    TELEMETRY_SDK_LANGUAGE = "telemetry.sdk.language";
    TELEMETRY_SDK_NAME = "telemetry.sdk.name";
    TELEMETRY_SDK_VERSION = "telemetry.sdk.version";
    URL_FULL = "url.full";
    URL_PATH = "url.path";
    URL_SCHEME = "url.scheme";
    USER_AGENT_ORIGINAL = "user_agent.original";
}

own! {
    /// The route of a WebSocket API, such as `$connect`. It is not a path, so it is not an `http.route`.
    AWS_API_GATEWAY_ROUTE_KEY = "aws.api_gateway.route_key";
    /// The step of a Cognito user pool that invoked the function. The conventions do not cover Cognito.
    AWS_COGNITO_TRIGGER_SOURCE = "aws.cognito.trigger_source";
    /// The Cognito user pool that invoked the function. The conventions do not cover Cognito.
    AWS_COGNITO_USER_POOL_ID = "aws.cognito.user_pool.id";
    /// The consumed capacity as a number. The conventions define a list of JSON texts, which cannot be summed.
    AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS = "aws.dynamodb.consumed_capacity_units";
    /// The detail type of an EventBridge event. The conventions do not cover EventBridge.
    AWS_EVENTBRIDGE_DETAIL_TYPE = "aws.eventbridge.detail_type";
    /// The source of an EventBridge event. The conventions do not cover EventBridge.
    AWS_EVENTBRIDGE_SOURCE = "aws.eventbridge.source";
    /// The durable execution that an invocation continues. The conventions do not cover durable executions.
    AWS_LAMBDA_DURABLE_EXECUTION_ARN = "aws.lambda.durable_execution.arn";
    /// Lambda's initialization type, such as `on-demand`. The conventions have only `faas.coldstart`.
    AWS_LAMBDA_INITIALIZATION_TYPE = "aws.lambda.initialization_type";
    /// The tenant of a function with tenant isolation. The conventions do not cover tenants.
    AWS_LAMBDA_TENANT_ID = "aws.lambda.tenant_id";
    /// The number of attempts of an AWS SDK operation. The conventions count resends of HTTP requests only.
    AWS_SDK_ATTEMPTS = "aws.sdk.attempts";
    /// The keys of the attributes that X-Ray indexes, in spans that X-Ray gets in OTLP. AWS defines it.
    AWS_XRAY_ANNOTATIONS = "aws.xray.annotations";
    /// X-Ray's id of a trace that continues under the caller's id over OTLP.
    AWS_XRAY_TRACE_ID = "aws.xray.trace_id";
    /// The trace id of the caller's `traceparent`, on the root span.
    CLIENT_TRACE_ID = "client.trace_id";
    /// The number of records of a batch that Lambda retries.
    FAAS_BATCH_FAILURES = "faas.batch.failures";
    /// From the request's arrival to the first byte of the response body, in milliseconds.
    HTTP_RESPONSE_TIME_TO_FIRST_BYTE_MS = "http.response.time_to_first_byte_ms";
    /// Set on a span if its work was dropped before it ended, for example because the client disconnected. This is not
    /// an error. The conventions do not cover it.
    LAMBDA_SPANS_CANCELLED = "lambda_spans.cancelled";
    /// Set on a span that was exported while it was open, because its invocation was about to time out.
    LAMBDA_SPANS_INTERRUPTED = "lambda_spans.interrupted";
    /// How many spans were not exported to a destination since the previous root span that says so, by reason.
    LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED = "lambda_spans.dropped.otlp.overflowed";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED`]. They started outside of every invocation.
    LAMBDA_SPANS_DROPPED_OTLP_ORPHANED = "lambda_spans.dropped.otlp.orphaned";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED`]. The receiver rejected them.
    LAMBDA_SPANS_DROPPED_OTLP_REFUSED = "lambda_spans.dropped.otlp.refused";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED`].
    LAMBDA_SPANS_DROPPED_SECOND_OTLP_OVERFLOWED = "lambda_spans.dropped.second_otlp.overflowed";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_ORPHANED`].
    LAMBDA_SPANS_DROPPED_SECOND_OTLP_ORPHANED = "lambda_spans.dropped.second_otlp.orphaned";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_REFUSED`].
    LAMBDA_SPANS_DROPPED_SECOND_OTLP_REFUSED = "lambda_spans.dropped.second_otlp.refused";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED`].
    LAMBDA_SPANS_DROPPED_XRAY_OVERFLOWED = "lambda_spans.dropped.xray.overflowed";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_ORPHANED`].
    LAMBDA_SPANS_DROPPED_XRAY_ORPHANED = "lambda_spans.dropped.xray.orphaned";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_REFUSED`].
    LAMBDA_SPANS_DROPPED_XRAY_REFUSED = "lambda_spans.dropped.xray.refused";
    /// See [`LAMBDA_SPANS_DROPPED_OTLP_OVERFLOWED`]. The UDP socket rejected them.
    LAMBDA_SPANS_DROPPED_XRAY_UNSENT = "lambda_spans.dropped.xray.unsent";
    /// Why OTLP did not get a trace, in the root's X-Ray metadata.
    LAMBDA_SPANS_LEFT_OUT = "lambda_spans.left_out";
    /// The number of spans of a large invocation that were not exported, on its root span.
    LAMBDA_SPANS_OMITTED = "lambda_spans.omitted";
    /// Set on the root of a trace that started outside of every invocation.
    LAMBDA_SPANS_ORPHAN = "lambda_spans.orphan";
    /// Set if Lambda initialized the environment before a caller needed it. It is on the span of the first invocation
    /// and on `init`, which is then a separate trace.
    LAMBDA_SPANS_PROACTIVE_INIT = "lambda_spans.proactive_init";
    /// OTLP gets one in this many traces, in the X-Ray metadata of the root of a trace that it left out.
    LAMBDA_SPANS_SAMPLE_RATE = "lambda_spans.sample_rate";
    /// Set in the metadata of an X-Ray document, or on a span in OTLP for X-Ray, that does not contain all of its span.
    LAMBDA_SPANS_TRUNCATED = "lambda_spans.truncated";
    /// Sets the kind of a span that has started. The recorder never stores it as an attribute.
    OTEL_KIND = "otel.kind";
    /// How many spans a span stands for, in Honeycomb's format. Only the sampler sets it: it multiplies every count.
    SAMPLE_RATE = "SampleRate";
}

/// Keys of earlier conventions. They are never recorded, but the X-Ray translation accepts them from instrumentation
/// that is older, as other receivers do.
pub(crate) mod former {
    // Of the X-Ray exporters, before the semantic conventions had keys for AWS services.
    pub(crate) const AWS_QUEUE_URL: &str = "aws.queue.url";
    pub(crate) const AWS_QUEUE_URL_SNAKE: &str = "aws.queue_url";
    pub(crate) const AWS_REGION: &str = "aws.region";
    pub(crate) const AWS_SERVICE: &str = "aws.service";
    pub(crate) const AWS_TABLE_NAME: &str = "aws.table.name";
    pub(crate) const AWS_TABLE_NAME_SNAKE: &str = "aws.table_name";

    // Deprecated in the semantic conventions.
    pub(crate) const DB_NAME: &str = "db.name";
    pub(crate) const DB_STATEMENT: &str = "db.statement";
    pub(crate) const DB_SYSTEM: &str = "db.system";
    pub(crate) const DB_USER: &str = "db.user";
    pub(crate) const HTTP_METHOD: &str = "http.method";
    pub(crate) const HTTP_STATUS_CODE: &str = "http.status_code";
    pub(crate) const HTTP_URL: &str = "http.url";
    pub(crate) const PEER_SERVICE: &str = "peer.service";
    pub(crate) const RPC_SERVICE: &str = "rpc.service";
    pub(crate) const RPC_SYSTEM: &str = "rpc.system";
}
