//! Answers the home feed from canned DynamoDB responses, in process, to measure its CPU time.
//!
//! Count the instructions of one request as the difference of two runs:
//!
//! ```sh
//! cargo build --release --example home_cost
//! for n in 100 200; do valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/home_cost signed-in $n; done
//! ```
//!
//! usage: `home_cost anonymous|signed-in|kept REQUESTS`. Each request of `anonymous` reads the table, those of `kept` after
//! the first do not.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use cruddur::api::{self, AppState, Compat, Identity, Keys};
use cruddur::clock::Clock;
use cruddur::domain::Id;
use cruddur::store::{self, Store};
use cruddur_local::aws;
use cruddur_local::issuer::Issuer;
use jiff::Timestamp;
use lambda_spans::{Settings, Spans};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

/// One more than a page: the last item shows that there is a next page.
const ITEMS: i64 = 21;
const TEXT: &str = "Who likes pineapple on their pizza, and who would rather have anchovies?";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, requests] = &arguments[..] else {
        return Err("usage: home_cost anonymous|signed-in|kept REQUESTS".into());
    };
    let requests: u32 = requests.parse()?;
    let start = Clock::system().now();
    let (time, step) = (Arc::new(AtomicI64::new(start.as_millisecond())), if kind == "kept" { 0 } else { 1_001 });

    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.tracing_layer()));
    let now = time.clone();
    let state = AppState {
        browser_spans: None,
        store: Store::new(client(start), "cruddur"),
        clock: Clock::new(
            move || Timestamp::from_millisecond(now.load(Ordering::Relaxed)).unwrap_or_default(),
            |at| Id::new(at, [0; 10]),
        ),
        keys: Keys::new(b"a secret of this example, at least 32 bytes long", None),
        // No tokens: generating a key costs a random number of instructions.
        identity: match kind.as_str() {
            "signed-in" => Identity::fixed("demo-worf".to_owned()),
            _ => Identity::tokens(Issuer::pool(), || async { Ok(Vec::new()) }),
        },
        origins: [].into_iter().collect(),
        compat: Compat::Later,
    };
    state.store.warm_up().await?;
    let router = spans.server(api::router(state));
    for _ in 0..requests {
        let request = Request::get("/api/activities/home").body(Body::empty())?;
        let response = router.clone().oneshot(request).await?;
        assert!(response.status().is_success(), "{}", response.status());
        assert!(to_bytes(response.into_body(), usize::MAX).await?.len() > 5_000, "an incomplete page");
        time.fetch_add(step, Ordering::Relaxed);
    }
    Ok(())
}

fn client(start: Timestamp) -> Client {
    let connector = SharedHttpConnector::new(Canned(Arc::new(Responses::new(start))));
    let sdk = aws::sdk_config(([127, 0, 0, 1], 9).into());
    let sdk = sdk.to_builder().http_client(http_client_fn(move |_, _| connector.clone())).build();
    store::client(&sdk)
}

/// The bodies of responses by their request.
struct Responses {
    /// With `PK` in place of the partition key.
    posts: String,
    likes: String,
    layout: String,
    profile: String,
}

impl Responses {
    fn new(start: Timestamp) -> Self {
        let id = |number: i64| {
            let at = Timestamp::from_millisecond(start.as_millisecond() - 1_000 - number).unwrap_or_default();
            Id::new(at, [0; 10])
        };
        let key = |number| store::keys::time_sk(id(number));
        let expiry = start.as_millisecond() + 86_400_000;
        let post = |number| {
            json!({
                "pk": { "S": "PK" }, "sk": { "S": key(number) },
                "list": { "S": "AUTHOR#0c0d3a4e-6f0b-4b52-9d5c-7a1f2e8b6a01" }, "list_sk": { "S": key(number) },
                "user_uuid": { "S": "0c0d3a4e-6f0b-4b52-9d5c-7a1f2e8b6a01" }, "handle": { "S": "andrewbrown" },
                "display_name": { "S": "Andrew Brown" }, "message": { "S": TEXT },
                "expires_at": { "N": (expiry / 1_000).to_string() }, "expires_at_ms": { "N": expiry.to_string() },
                "replies_count": { "N": "0" }, "reposts_count": { "N": "0" }, "likes_count": { "N": "1" },
                "author_sub": { "S": "f4b8f1d2-93c7-4e0d-8a6b-1c5d7e9f0b02" }, "named_at": { "N": "0" },
                "trace_context": { "S": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
            })
        };
        let posts: Vec<Value> = (0..ITEMS).map(post).collect();
        let last = json!({ "pk": { "S": "PK" }, "sk": { "S": key(ITEMS - 1) } });
        let likes: Vec<Value> = (0..ITEMS / 2).map(|number| json!({ "sk": { "S": key(2 * number) } })).collect();
        let layout = json!({ "version": { "N": store::LAYOUT_VERSION.to_string() }, "created_at_ms": { "N": "0" } });
        let profile = json!({
            "sub": { "S": "demo-worf" }, "user_uuid": { "S": "c93a7e15-4d60-4b8f-a2d1-5f8c1b7e0d05" },
            "handle": { "S": "worf" }, "display_name": { "S": "Worf" }, "bio": { "S": "" }, "named_at": { "N": "0" },
        });
        Self {
            posts: json!({ "Items": posts, "LastEvaluatedKey": last }).to_string(),
            likes: json!({ "Items": likes }).to_string(),
            layout: json!({ "Item": layout }).to_string(),
            profile: json!({ "Item": profile }).to_string(),
        }
    }

    fn to(&self, operation: &str, body: &[u8]) -> String {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let partition = body.pointer("/ExpressionAttributeValues/:pk/S").and_then(Value::as_str).unwrap_or_default();
        match operation {
            "Query" if partition.starts_with("LIKES#") => self.likes.clone(),
            "Query" => self.posts.replace("PK", partition),
            "GetItem" if body.pointer("/Key/pk/S").is_some_and(|pk| pk == "LAYOUT") => self.layout.clone(),
            "GetItem" => self.profile.clone(),
            _ => "{}".to_owned(),
        }
    }
}

#[derive(Clone)]
struct Canned(Arc<Responses>);

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canned").finish_non_exhaustive()
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        let body = self.0.to(operation.unwrap_or_default(), request.body().bytes().unwrap_or_default());
        let status = StatusCode::try_from(200)
            .map_err(|error| aws_smithy_runtime_api::client::result::ConnectorError::other(Box::new(error), None));
        HttpConnectorFuture::ready(status.map(|status| {
            let mut response = HttpResponse::new(status, body.into());
            response.headers_mut().insert("x-amzn-requestid", "canned");
            response
        }))
    }
}
