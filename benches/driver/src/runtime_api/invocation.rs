//! One event and its trace context.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http;

pub(super) const REGISTERED: &str =
    r#"{"functionName":"three-spans","functionVersion":"$LATEST","handler":"bootstrap"}"#;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:three-spans";
const TIMEOUT: Duration = Duration::from_secs(60);
/// An API Gateway event that the application's tests use too.
const EVENT: &str = include_str!("../../../../events/api/home.json");
/// The trace id in that event, which each invocation replaces.
const ROOT_IN_EVENT: &str = "1-69210002-5f84c7e13a9d0b62e8000002";

static COMPACT: LazyLock<String> =
    LazyLock::new(|| serde_json::from_str::<serde_json::Value>(EVENT).expect("JSON").to_string());

#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    number: usize,
    began: Duration,
}

impl Invocation {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, began: SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") }
    }

    /// Returns the trace id as 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> String {
        format!("{:08x}{:024x}", self.began.as_secs(), 0xbe00_0000 + self.number)
    }

    /// Returns the id of Lambda's segment for the function.
    pub(crate) fn parent(&self) -> String {
        format!("{:016x}", 0x1a3b_da00_0000_0000_u64 + self.number as u64)
    }

    fn root(&self) -> String {
        let id = self.trace_id();
        format!("1-{}-{}", &id[..8], &id[8..])
    }

    fn context(&self) -> String {
        format!("Root={};Parent={};Sampled=1", self.root(), self.parent())
    }

    fn request_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number)
    }

    fn deadline(&self) -> String {
        (self.began + TIMEOUT).as_millis().to_string()
    }

    /// Returns the response to the runtime's poll.
    pub(super) fn event(&self) -> Vec<u8> {
        let headers = [
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", &*self.request_id()),
            ("lambda-runtime-deadline-ms", &*self.deadline()),
            ("lambda-runtime-invoked-function-arn", ARN),
            ("lambda-runtime-trace-id", &*self.context()),
        ];
        http::response("200 OK", &headers, &COMPACT.replace(ROOT_IN_EVENT, &self.root()))
    }

    /// Returns the response to an extension's poll.
    pub(super) fn notice(&self) -> Vec<u8> {
        let body = serde_json::json!({
            "eventType": "INVOKE",
            "deadlineMs": (self.began + TIMEOUT).as_millis() as u64,
            "requestId": self.request_id(),
            "invokedFunctionArn": ARN,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": self.context() },
        });
        http::response("200 OK", &[("content-type", "application/json")], &body.to_string())
    }
}
