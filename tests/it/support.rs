//! A system of one's own for each test: router, embedded DynamoDB in memory, clock and ids that the test sets.

mod consistency;
mod contract;
mod function;
pub(crate) mod in_process;
mod queue;
mod snapshot;
mod stream;
mod trace;

pub(crate) use contract::TRACEPARENT;
pub(crate) use function::{API, Behind, STREAM, event, turn};
pub(crate) use queue::{QUEUE_URL, Queue};
pub(crate) use snapshot::assert_snapshot;
pub(crate) use stream::consume;
pub(crate) use trace::Tracing;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Request, Response};
use cruddur::api::{self, AppState, Compat, Identity, Keys};
use cruddur::clock::Clock;
use cruddur::domain::{Author, Handle, Id, Message, Post, PostDraft, Profile};
use cruddur::store::{self, Store};
use dynoxide::Database;
use jiff::{SignedDuration, Timestamp};
use local::issuer::Issuer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const TABLE: &str = "cruddur-test";
pub(crate) const SECRET: &[u8] = b"a secret for tests, of 32 bytes or more";
pub(crate) const ANDREW: &str = "demo-andrewbrown";
pub(crate) const ORIGIN: &str = "https://cruddur.example";
/// The user pool that all apps trust. A key takes a while to make.
pub(crate) static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::fleeting().unwrap());

pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) client: Client,
    pub(crate) database: Option<Database>,
    /// Up to where the stream has been consumed.
    pub(crate) place: Option<String>,
    /// Of a state that does not change any more: routes take a while to put together.
    kept: Option<Router>,
    now: Arc<AtomicI64>,
}

impl TestApp {
    /// With the users `andrewbrown` and `worf`; it is 2026-11-22T12:00:00.250Z.
    pub(crate) async fn new() -> Self {
        let app = Self::empty().await;
        app.state.store.create_profile(&andrew()).await.unwrap();
        app.state.store.create_profile(&worf()).await.unwrap();
        app
    }

    /// Without any user.
    pub(crate) async fn empty() -> Self {
        let database = Database::memory().unwrap();
        let client = patient(&in_process::client(database.clone()));
        store::create_table(&client, TABLE).await.unwrap();
        Self { database: Some(database), ..Self::on(client) }
    }

    /// Its database over HTTP, for processes of their own.
    pub(crate) async fn endpoint(&self) -> String {
        format!("http://{}", dynamodb(self.database.clone().unwrap()).await)
    }

    /// On any DynamoDB, which may be none at all.
    pub(crate) fn on(client: Client) -> Self {
        let now = Arc::new(AtomicI64::new(at("2026-11-22T12:00:00.250Z").as_millisecond()));
        let (time, ids) = (now.clone(), AtomicU64::new(0));
        let clock = Clock::new(
            move || Timestamp::from_millisecond(time.load(Ordering::Relaxed)).unwrap(),
            move |at| numbered(at, ids.fetch_add(1, Ordering::Relaxed)),
        );
        let state = AppState {
            store: Store::new(client.clone(), TABLE),
            clock,
            keys: Keys::new(SECRET, None),
            identity: Identity::tokens(Issuer::pool(), async || Ok(ISSUER.key_set().to_string().into_bytes())),
            origins: [ORIGIN.to_owned()].into_iter().collect(),
            compat: Compat::Later,
        };
        Self { state, client, database: None, place: None, kept: None, now }
    }

    pub(crate) fn router(&self) -> Router {
        self.kept.clone().unwrap_or_else(|| api::router(self.state.clone()))
    }

    pub(crate) fn keep_router(&mut self) {
        self.kept = Some(self.router());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// A post in the store, made `ago` before now.
    pub(crate) async fn posted(&self, ago: SignedDuration, number: u64, message: &str, ttl: &str) -> Post {
        let id = numbered(self.now() - ago, number);
        let activity = Post::new(id, andrew().author, PostDraft::parse(message, ttl).unwrap());
        self.state.store.create_post(&andrew(), &activity, None).await.unwrap();
        activity
    }

    /// A reply of `worf` in the store, made `ago` before now, to a post or a reply.
    pub(crate) async fn replied(&self, parent: Id, ago: SignedDuration, number: u64, message: &str) -> Post {
        let id = numbered(self.now() - ago, number);
        let parent = self.state.store.post(parent, self.now()).await.unwrap().unwrap();
        let reply = Post::reply(id, &parent.post, worf().author, Message::reply(message).unwrap());
        self.state.store.create_reply(&worf(), &parent, &reply, None).await.unwrap();
        reply
    }

    /// Asks as that user, without a body.
    pub(crate) async fn ask_as(&self, sub: &str, method: &str, uri: &str) -> Answer {
        self.send(signed_in(request(method, uri).body(Body::empty()).unwrap(), sub)).await
    }

    /// Sends JSON as that user.
    pub(crate) async fn send_as(&self, sub: &str, method: &str, uri: &str, body: impl Into<Body>) -> Answer {
        let request = request(method, uri).header("content-type", "application/json");
        self.send(signed_in(request.body(body.into()).unwrap(), sub)).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(request("GET", uri).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, sub: &str, uri: &str) -> Answer {
        self.send(signed_in(request("GET", uri).body(Body::empty()).unwrap(), sub)).await
    }

    pub(crate) async fn put_as(&self, sub: &str, uri: &str) -> Answer {
        self.send(signed_in(request("PUT", uri).body(Body::empty()).unwrap(), sub)).await
    }

    pub(crate) async fn post_as(&self, sub: &str, uri: &str, body: &Value) -> Answer {
        let request = request("POST", uri).header("content-type", "application/json");
        self.send(signed_in(request.body(Body::from(body.to_string())).unwrap(), sub)).await
    }

    /// Posts as `andrewbrown`.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        let request = request("POST", "/api/activities").header("content-type", "application/json");
        self.send(signed_in(request.body(body.into()).unwrap(), ANDREW)).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.router(), request).await
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) response: Response<()>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// The query of the `Link` to the next page.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link")?.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
        Some(link.to_owned())
    }

    pub(crate) fn messages(&self) -> Vec<&str> {
        self.body.as_array().unwrap().iter().map(|row| row["message"].as_str().unwrap()).collect()
    }
}

pub(crate) async fn answer(router: Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status.as_u16(), response: Response::from_parts(parts, ()), body }
}

pub(crate) fn request(method: &str, uri: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(uri)
}

pub(crate) fn signed_in(mut request: Request<Body>, sub: &str) -> Request<Body> {
    let token = HeaderValue::try_from(format!("Bearer {}", token(sub))).unwrap();
    request.headers_mut().insert(AUTHORIZATION, token);
    request
}

/// An access token that outlasts whatever time a test lets pass. A signature takes a while.
pub(crate) fn token(sub: &str) -> String {
    static TOKENS: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);
    let known = TOKENS.lock().unwrap().get(sub).cloned();
    known.unwrap_or_else(|| {
        let token = sign(sub);
        TOKENS.lock().unwrap().insert(sub.to_owned(), token.clone());
        token
    })
}

fn sign(sub: &str) -> String {
    let mut claims = Issuer::claims(sub, at("2026-11-22T12:00:00Z"));
    claims["exp"] = at("2100-01-01T00:00:00Z").as_second().into();
    ISSUER.sign(&json!({ "alg": "RS256", "kid": ISSUER.kid() }), &claims).unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(crate) fn numbered(at: Timestamp, number: u64) -> Id {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    Id::new(at, [0, 0, a, b, c, d, e, f, g, h])
}

pub(crate) fn andrew() -> Profile {
    user(1, ANDREW, "andrewbrown", "Andrew Brown")
}

pub(crate) fn worf() -> Profile {
    user(2, "demo-worf", "worf", "Worf")
}

pub(crate) fn user(number: u128, sub: &str, handle: &str, display_name: &str) -> Profile {
    let author = Author {
        user_uuid: Uuid::from_u128(number),
        handle: Handle::parse(handle).unwrap(),
        display_name: display_name.to_owned(),
    };
    Profile { sub: sub.to_owned(), author, bio: String::new(), named_at: Timestamp::UNIX_EPOCH }
}

/// What the SDK is told about the endpoint at `url`.
pub(crate) fn sdk(url: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .build()
}

/// The same client, but for its limits: a hundred requests at once, or a busy machine, are no outage.
fn patient(client: &Client) -> Client {
    let limit = Duration::from_secs(60);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limit).operation_timeout(limit).build();
    Client::from_conf(client.config().to_builder().timeout_config(timeouts).build())
}

async fn dynamodb(database: Database) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    address
}
