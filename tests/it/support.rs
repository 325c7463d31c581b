//! A separate system for each test: router, embedded in-memory DynamoDB, clock and ids that the test controls.

mod consistency;
mod contract;
mod function;
pub(crate) mod in_process;
mod queue;
mod requests;
mod snapshot;
mod source;
mod stream;
mod template;
mod trace;

pub(crate) use contract::{TRACEPARENT, change_layout};
pub(crate) use function::{API, Proxied, STREAM, event, process_permit};
pub(crate) use queue::{QUEUE_URL, Queue};
pub(crate) use requests::SAMPLES;
pub(crate) use snapshot::assert_snapshot;
pub(crate) use source::{methods_of, sources, texts_in};
pub(crate) use stream::consume;
pub(crate) use template::{properties, template};
pub(crate) use trace::Tracing;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Credentials, Intercept, SharedCredentialsProvider};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Request, Response};
use cruddur::api::{self, AppState, BrowserSpans, Compat, Identity, Keys};
use cruddur::clock::Clock;
use cruddur::domain::{Author, Handle, Id, Message, Post, PostDraft, Profile, Ttl};
use cruddur::store::{self, Store};
use cruddur_local::issuer::Issuer;
use dynoxide::Database;
use jiff::{SignedDuration, Timestamp};
use lambda_spans::{Settings, Spans};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const TABLE: &str = "cruddur-test";
pub(crate) const SECRET: &[u8] = b"a secret for tests, of 32 bytes or more";
pub(crate) const ANDREW: &str = "demo-andrewbrown";
pub(crate) const WORF: &str = "demo-worf";
pub(crate) const ORIGIN: &str = "https://cruddur.example";
/// The origin of the sample request that carries spans: the default of the template.
const PAGE: &str = "http://localhost:3000";
/// Tracing without destinations.
static SPANS: LazyLock<Spans> = LazyLock::new(|| Spans::new(&Settings::from_lookup(|_| None)));
/// The user pool that all apps trust, shared because generating a key is slow.
pub(crate) static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::ephemeral().unwrap());

pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) client: Client,
    pub(crate) database: Option<Database>,
    /// The position up to which the stream has been consumed.
    pub(crate) position: Option<String>,
    /// A cached router for a final state, because building one is slow.
    cached: Option<Router>,
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

    /// Without users.
    pub(crate) async fn empty() -> Self {
        let database = Database::memory().unwrap();
        let client = with_long_timeouts(&in_process::client(database.clone()));
        store::create_table(&client, TABLE).await.unwrap();
        let app = Self { database: Some(database), ..Self::on(client) };
        // Tests create posts of the past.
        app.state.store.ensure_layout(app.now() - Ttl::MAX).await.unwrap();
        app
    }

    /// Serves the database over HTTP, for other processes.
    pub(crate) async fn endpoint(&self) -> String {
        format!("http://{}", dynamodb(self.database.clone().unwrap()).await)
    }

    /// Without a reachable DynamoDB.
    pub(crate) fn unreachable() -> Self {
        Self::on(store::client(&sdk("http://127.0.0.1:9")))
    }

    /// With a DynamoDB that never responds while the listener exists.
    pub(crate) async fn with_silent_dynamodb() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self::on(store::client(&sdk(&url))), listener)
    }

    /// The same system with an interceptor for its requests to DynamoDB.
    pub(crate) async fn with_interceptor(self, interceptor: impl Intercept + 'static) -> Self {
        let client = Client::from_conf(self.client.config().to_builder().interceptor(interceptor).build());
        let app = Self { database: self.database, ..Self::on(client) };
        app.state.store.warm_up().await.unwrap();
        app
    }

    /// Uses any DynamoDB, which may be unreachable.
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
            browser_spans: Some(BrowserSpans::new(&SPANS, [ORIGIN, PAGE].map(str::to_owned).into_iter().collect())),
            compat: Compat::Later,
        };
        Self { state, client, database: None, position: None, cached: None, now }
    }

    pub(crate) fn router(&self) -> Router {
        self.cached.clone().unwrap_or_else(|| api::router(self.state.clone()))
    }

    pub(crate) fn cache_router(&mut self) {
        self.cached = Some(api::router(self.state.clone()));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Stores a post that was created `ago` before now.
    pub(crate) async fn posted(&self, ago: SignedDuration, number: u64, message: &str, ttl: &str) -> Post {
        let id = numbered(self.now() - ago, number);
        let activity = Post::new(id, andrew().author, PostDraft::parse(message, ttl).unwrap());
        self.state.store.create_post(&andrew(), &activity, None).await.unwrap();
        activity
    }

    /// Stores a reply of `worf` to a post or a reply, created `ago` before now.
    pub(crate) async fn replied(&self, parent: Id, ago: SignedDuration, number: u64, message: &str) -> Post {
        let id = numbered(self.now() - ago, number);
        let parent = self.state.store.post(parent, self.now()).await.unwrap().unwrap();
        let reply = Post::reply(id, &parent.post, worf().author, Message::reply(message).unwrap());
        self.state.store.create_reply(&worf(), &parent, &reply, None).await.unwrap();
        reply
    }

    /// Sends a request of the user without a body.
    pub(crate) async fn ask_as(&self, sub: &str, method: &str, uri: &str) -> Answer {
        self.send(signed_in(request(method, uri).body(Body::empty()).unwrap(), sub)).await
    }

    /// Sends JSON as the user.
    pub(crate) async fn send_as(&self, sub: &str, method: &str, uri: &str, body: impl Into<Body>) -> Answer {
        self.send_with_key(sub, method, uri, None, body).await
    }

    /// Sends JSON as the user, with an idempotency key.
    pub(crate) async fn send_with_key(
        &self,
        sub: &str,
        method: &str,
        uri: &str,
        key: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = request(method, uri).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(signed_in(request.body(body.into()).unwrap(), sub)).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(request("GET", uri).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, sub: &str, uri: &str) -> Answer {
        self.ask_as(sub, "GET", uri).await
    }

    pub(crate) async fn put_as(&self, sub: &str, uri: &str) -> Answer {
        self.ask_as(sub, "PUT", uri).await
    }

    pub(crate) async fn post_as(&self, sub: &str, uri: &str, body: &Value) -> Answer {
        self.send_as(sub, "POST", uri, body.to_string()).await
    }

    /// Posts as `andrewbrown`.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.send_as(ANDREW, "POST", "/api/activities", body).await
    }

    /// Every page of a list, from the one with this query on; `sub` is the signed-in user.
    pub(crate) async fn pages(&self, sub: Option<&str>, path: &str, query: &str) -> Vec<Answer> {
        let (mut pages, mut next) = (Vec::new(), Some(query.to_owned()));
        while let Some(query) = next {
            let uri = format!("{path}{query}");
            let page = match sub {
                Some(sub) => self.get_as(sub, &uri).await,
                None => self.get(&uri).await,
            };
            next = page.next();
            pages.push(page);
        }
        pages
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
    /// Asserts an error by its code. `tests/errors.txt` has the texts.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// The query of the link to the next page.
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

/// A long-lived access token, cached because signing is slow.
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
    user(2, WORF, "worf", "Worf")
}

pub(crate) fn user(number: u128, sub: &str, handle: &str, display_name: &str) -> Profile {
    let author = Author {
        user_uuid: Uuid::from_u128(number),
        handle: Handle::parse(handle).unwrap(),
        display_name: display_name.to_owned(),
    };
    Profile { sub: sub.to_owned(), author, bio: String::new(), named_at: Timestamp::UNIX_EPOCH }
}

/// The SDK's configuration for the endpoint at `url`, with the HTTP client of the functions.
pub(crate) fn sdk(url: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .http_client(Spans::new(&Settings::from_lookup(|_| None)).http_client())
        .build()
}

/// The same client with long timeouts, for many concurrent requests on a busy machine.
fn with_long_timeouts(client: &Client) -> Client {
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
