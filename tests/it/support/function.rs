//! The real binaries on a test's database, behind a proxy that injects faults.

use std::time::Duration;

use cruddur::clock::Clock;
use cruddur_local::issuer;
use jiff::SignedDuration;
use lambda_harness::{Event, Fault, FaultProxy, Lambda, ProxiedRequest};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{ISSUER, SECRET, TABLE, TestApp, dynamodb, token};

pub(crate) const API: &str = env!("CARGO_BIN_EXE_api");
pub(crate) const STREAM: &str = env!("CARGO_BIN_EXE_stream");
const CREATE: &str = include_str!("../../../events/api/create.json");

/// The maximum number of processes: more would exceed their timeouts on a small machine.
static PROCESSES: Semaphore = Semaphore::const_new(2);

pub(crate) async fn process_permit() -> SemaphorePermit<'static> {
    PROCESSES.acquire().await.unwrap()
}

pub(crate) struct Proxied {
    pub(crate) app: TestApp,
    pub(crate) proxy: FaultProxy,
}

impl Proxied {
    /// The database of `app` behind a proxy.
    pub(crate) async fn new(app: TestApp) -> Self {
        let database = app.database.clone().unwrap();
        let proxy = FaultProxy::start(dynamodb(database).await, |request| aws(request, |_| Fault::None)).await;
        Self { app, proxy }
    }

    /// Sets the app's clock to the real time, which the binaries use.
    pub(crate) async fn at_real_time() -> Self {
        let app = TestApp::new().await;
        app.pass(Clock::system().now().duration_since(app.now()) + SignedDuration::from_millis(1));
        Self::new(app).await
    }

    /// Starts a process and waits until it polls for its first event.
    pub(crate) async fn function(&self, binary: &str) -> Lambda {
        self.proxy.set_plan(|request| aws(request, |_| Fault::None));
        let environment = [
            ("TABLE_NAME", TABLE.to_owned()),
            ("SECRET_ARN", "test".to_owned()),
            ("COGNITO_USER_POOL_ID", issuer::USER_POOL_ID.to_owned()),
            ("COGNITO_CLIENT_ID", issuer::CLIENT_ID.to_owned()),
            ("JWKS_URL", format!("{}/keys", self.proxy.url())),
            ("AWS_ENDPOINT_URL", self.proxy.url()),
            ("RUST_LOG", "off".to_owned()),
        ];
        let mut lambda = Lambda::start(binary, &environment).await;
        lambda.wait_until_frozen().await;
        lambda
    }

    /// Sets the fault for all further requests to DynamoDB.
    pub(crate) fn set_plan(&self, plan: impl Fn(&ProxiedRequest) -> Fault + Send + Sync + 'static) {
        self.proxy.set_plan(move |request| aws(request, &plan));
    }
}

/// Faults apply to DynamoDB only.
fn aws(request: &ProxiedRequest, dynamodb: impl Fn(&ProxiedRequest) -> Fault) -> Fault {
    if request.line.starts_with("GET /keys") {
        return Fault::Respond(200, ISSUER.key_set().to_string());
    }
    match request.service.as_deref() {
        Some("secretsmanager") => {
            Fault::Respond(200, json!({ "SecretString": String::from_utf8_lossy(SECRET) }).to_string())
        }
        _ => dynamodb(request),
    }
}

/// An API Gateway event.
pub(crate) fn event(sub: &str, method: &str, path: &str, key: Option<&str>, body: &Value, timeout: Duration) -> Event {
    let mut event: Value = serde_json::from_str(CREATE).unwrap();
    event["resource"] = json!("/{proxy+}");
    event["path"] = json!(path);
    event["pathParameters"] = json!({ "proxy": path.trim_start_matches('/') });
    event["requestContext"]["resourcePath"] = json!("/{proxy+}");
    event["httpMethod"] = json!(method);
    event["requestContext"]["path"] = json!(format!("/prod{path}"));
    event["requestContext"]["httpMethod"] = json!(method);
    event["body"] = if body.is_null() { Value::Null } else { json!(body.to_string()) };
    let mut set = |name: &str, value: String| {
        event["multiValueHeaders"][name] = json!([value]);
        event["headers"][name] = json!(value);
    };
    set("Authorization", format!("Bearer {}", token(sub)));
    if let Some(key) = key {
        set("Idempotency-Key", key.to_owned());
    }
    Event { payload: event.to_string(), trace_header: String::new(), timeout }
}
