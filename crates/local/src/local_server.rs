//! Wires and starts all parts of the local server.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::map_response;
use axum::response::Response;
use cruddur::api::{self, AppState, BrowserSpans, Compat, Identity, Keys};
use cruddur::clock::Clock;
use cruddur::domain::{Id, Ttl};
use cruddur::store::{self, Store, StoreError};
use lambda_spans::Spans;
use tracing::info_span;

use crate::data_dir::{DataDir, DataError};
use crate::dynamodb::{DatabaseError, DynamoDb, TABLE};
use crate::http_server::HttpServer;
use crate::issuer::{Issuer, IssuerError};
use crate::layout::{self, LayoutError};
use crate::listen::{self, ListenError};
use crate::options::{LegacyClient, Options};
use crate::page::{self, Page};
use crate::secret::{MasterSecret, SecretError};
use crate::seed::{self, SeedError};
use crate::stream::StreamPump;
use crate::{aws, endpoint, overload, rebinding, sign_in};

/// A stream batch that takes longer is interrupted by the shutdown, and processed again by the next run.
const LAST_BATCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The local server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The master secret cannot be read or created.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The user pool cannot start.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A database of another layout cannot be set aside.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The table cannot be created.
    #[error("the table {TABLE} cannot be created")]
    Table(#[source] StoreError),
    /// The demo data cannot be stored.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// A listener has no local address.
    #[error("a listening port is no longer available")]
    Listener(#[from] io::Error),
}

/// The running API, AWS endpoint, database and stream pump.
#[derive(Debug)]
pub struct LocalServer {
    api: HttpServer,
    endpoint: HttpServer,
    bridge: Option<HttpServer>,
    pump: StreamPump,
    database: DynamoDb,
    data_dir: DataDir,
    issuer: Issuer,
    compat: Option<LegacyClient>,
    post: Id,
}

impl LocalServer {
    /// Starts everything. If `spans` is set, requests and stream batches are traced. The page links to the traces in the
    /// console at the URL `console`.
    ///
    /// # Errors
    /// If a port is in use, or the data directory cannot be used.
    pub async fn start(
        options: &Options,
        clock: Clock,
        spans: Option<&Spans>,
        console: Option<&str>,
    ) -> Result<Self, StartError> {
        let api = listen::on_loopback(options.port, "--port").await?;
        let endpoint = listen::on_loopback(options.dynamodb_port, "--dynamodb-port").await?;
        let bridge = match options.bridge {
            Some(address) => Some(listen::on_bridge(address, endpoint.local_addr()?.port(), "--dynamodb-port").await?),
            None => None,
        };

        let data_dir = DataDir::open(&options.data_dir)?;
        let secret = MasterSecret::read_or_create(&data_dir.secret_file())?;
        DynamoDb::check(&data_dir.database_file())?;
        layout::set_aside(&data_dir)?;
        data_dir.prepare_for_new_database()?;
        let database = DynamoDb::start(&data_dir.database_file(), clock.clone())?;
        let issuer = Issuer::read_or_create(&data_dir.signing_key_file())?;
        let aws = endpoint::router(database.address(), secret.clone(), issuer.clone());
        let bridge = bridge.map(|listener| HttpServer::start(listener, aws.clone())).transpose()?;
        let endpoint = HttpServer::start(endpoint, aws)?;

        let client = aws::database_client(&database);
        let store = Store::new(client.clone(), TABLE);
        let unfinished_seed = data_dir.unfinished_seed_file();
        let prepared = prepare(&client, &store, &clock, &unfinished_seed);
        let post = match spans {
            // One trace instead of one for each call of the database.
            Some(spans) => spans.trace(info_span!(parent: None, "prepare database"), prepared).await?,
            None => prepared.await?,
        };
        let pump =
            StreamPump::start(&database, store.clone(), clock.clone(), data_dir.checkpoint_file(), spans.cloned());

        let keys = Keys::new(secret.expose().as_bytes(), None);
        let (identity, compat) = match options.compat {
            Some(LegacyClient::Week2) => (Identity::fixed(seed::ANDREW.sub()), Compat::Week2),
            None => (verified_tokens(issuer.clone()), Compat::Later),
        };
        let sign_in = sign_in::router(issuer.clone(), clock.clone(), &options.allow_origin);
        let origins = options.allow_origin.iter().cloned().collect();
        let address = api.local_addr()?;
        let pages = rebinding::origins(address, &options.allow_origin);
        let browser_spans = spans.map(|spans| BrowserSpans::new(spans, pages.into_iter().collect()));
        let state = AppState { store, clock, keys, identity, origins, browser_spans, compat };
        let router = api::router(state).merge(sign_in);
        let is_guarded = match options.compat {
            Some(LegacyClient::Week2) => rebinding::is_any as fn(&str) -> bool,
            None => rebinding::is_local,
        };
        let router = rebinding::guard(router, address, &options.allow_origin, is_guarded);
        let router = spans.map_or_else(|| router.clone(), |spans| spans.server(router.clone()));
        // Not traced: the files of the page would hide the requests of the API in the console.
        let router = Page::new(options.compat, options.page_api.as_deref(), console).add_to(router);
        let router = rebinding::guard(router, address, &options.allow_origin, page::is_page);
        let router = overload::limit(router, overload::running(), overload::WAITING, &options.allow_origin);
        let router = router.layer(map_response(forbid_storing));
        let api = HttpServer::start(api, router)?;
        Ok(Self { api, pump, endpoint, bridge, database, data_dir, issuer, compat: options.compat, post })
    }

    /// Returns the address of the API.
    pub fn api(&self) -> SocketAddr {
        self.api.address()
    }

    /// Returns the address of DynamoDB and Secrets Manager.
    pub fn endpoint(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// Returns the address of DynamoDB and Secrets Manager on Docker's bridge, if enabled.
    pub fn bridge(&self) -> Option<SocketAddr> {
        self.bridge.as_ref().map(HttpServer::address)
    }

    /// Returns the absolute path of the data directory.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Returns the local user pool.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Returns the legacy client that is served, if any.
    pub fn compat(&self) -> Option<LegacyClient> {
        self.compat
    }

    /// Returns the id of a post that was visible at the start.
    pub fn post(&self) -> Id {
        self.post
    }

    /// Waits until the stream consumer has processed all changes so far.
    pub async fn wait_until_idle(&self) {
        self.pump.wait_until_idle().await;
    }

    /// Finishes pending requests and the current stream batch, closes the database and unlocks the data directory. Returns
    /// whether all of them were finished within their time limits, which add up to 5 seconds.
    pub async fn stop(self) -> bool {
        let bridge = async {
            match self.bridge {
                Some(bridge) => bridge.stop().await,
                None => true,
            }
        };
        // The API and the pump call the database in process, not through the endpoint.
        let (api, endpoint, bridge) = tokio::join!(self.api.stop(), self.endpoint.stop(), bridge);
        let pump = self.pump.stop(LAST_BATCH_TIMEOUT).await;
        self.database.stop().await;
        api && endpoint && bridge && pump
    }
}

/// Forbids caches to store what the API's router has not answered, such as an access token or a rejection.
async fn forbid_storing(mut response: Response) -> Response {
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Creates the table and the demo data if they are missing or incomplete, and returns a visible post.
async fn prepare(client: &Client, store: &Store, clock: &Clock, unfinished_seed: &Path) -> Result<Id, StartError> {
    store::create_table(client, TABLE).await.map_err(StartError::Table)?;
    // The demo posts are older than the table.
    store.ensure_layout(clock.now() - Ttl::MAX).await.map_err(StartError::Table)?;
    Ok(seed::seed(store, clock, unfinished_seed).await?)
}

/// Verifies tokens with the same code as in AWS, and the local user pool's keys.
fn verified_tokens(issuer: Issuer) -> Identity {
    Identity::tokens(Issuer::pool(), move || {
        let key_set = issuer.key_set().to_string().into_bytes();
        async { Ok(key_set) }
    })
}
