//! Everything that runs, put together.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use cruddur::api::{self, AppState, Compat, Identity, Keys};
use cruddur::clock::Clock;
use cruddur::domain::Id;
use cruddur::store::{self, Store, StoreError};
use lambda_spans::Spans;

use crate::data::{DataError, DataFolder};
use crate::dynamodb::{DatabaseError, DynamoDb, TABLE};
use crate::issuer::{Issuer, IssuerError};
use crate::listen::{self, ListenError};
use crate::options::{Client, Options};
use crate::secret::{Secret, SecretError};
use crate::seed::{self, SeedError};
use crate::server::Server;
use crate::stream::Pump;
use crate::{aws, endpoint, sign_in};

/// Why the local server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The master secret can be neither read nor made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The user pool cannot start.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The table cannot be made.
    #[error("the table {TABLE} cannot be made")]
    Table(#[source] StoreError),
    /// The demo data cannot be stored.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// A listener was lost.
    #[error("a listening port was lost")]
    Lost(#[from] io::Error),
}

/// The API, the AWS endpoint and the database, all listening.
#[derive(Debug)]
pub struct Running {
    api: Server,
    endpoint: Server,
    bridge: Option<Server>,
    pump: Pump,
    database: DynamoDb,
    folder: DataFolder,
    issuer: Issuer,
    compat: Option<Client>,
    post: Id,
}

impl Running {
    /// Starts everything; with `spans`, requests and what follows from them are traced.
    ///
    /// # Errors
    /// When a port is taken, or the data cannot be used.
    pub async fn start(options: &Options, clock: Clock, spans: Option<&Spans>) -> Result<Self, StartError> {
        let api = listen::on_loopback(options.port, "--port").await?;
        let endpoint = listen::on_loopback(options.dynamodb_port, "--dynamodb-port").await?;
        let bridge = match options.bridge {
            Some(address) => Some(listen::on_bridge(address, endpoint.local_addr()?.port(), "--dynamodb-port").await?),
            None => None,
        };

        let folder = DataFolder::open(&options.data_dir)?;
        let secret = Secret::read_or_make(&folder.secret())?;
        let database = DynamoDb::start(&folder.database())?;
        let issuer = Issuer::read_or_make(&folder.issuer())?;
        let aws = endpoint::router(database.address(), secret.clone(), issuer.clone());
        let bridge = bridge.map(|listener| Server::start(listener, aws.clone())).transpose()?;
        let endpoint = Server::start(endpoint, aws)?;

        let client = store::client(&aws::settings(endpoint.address()));
        let store = Store::new(client.clone(), TABLE);
        store::create_table(&client, TABLE).await.map_err(StartError::Table)?;
        let post = seed::seed(&store, &clock).await?;
        let pump = Pump::start(database.database(), store.clone(), folder.stream(), spans.cloned());

        let keys = Keys::new(secret.expose().as_bytes(), None);
        let (identity, compat) = match options.compat {
            Some(Client::Week2) => (Identity::plays(seed::ANDREW.sub()), Compat::Week2),
            None => (verified(issuer.clone()), Compat::Later),
        };
        let sign_in = sign_in::router(issuer.clone(), clock.clone());
        let origins = options.allow_origin.iter().cloned().collect();
        let router = api::router(AppState { store, clock, keys, identity, origins, compat }).merge(sign_in);
        let api = Server::start(api, spans.map_or_else(|| router.clone(), |spans| spans.server(router.clone())))?;
        Ok(Self { api, pump, endpoint, bridge, database, folder, issuer, compat: options.compat, post })
    }

    /// Where the API listens.
    pub fn api(&self) -> SocketAddr {
        self.api.address()
    }

    /// Where DynamoDB and Secrets Manager answer.
    pub fn endpoint(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// Where they answer containers, if they do.
    pub fn bridge(&self) -> Option<SocketAddr> {
        self.bridge.as_ref().map(Server::address)
    }

    /// The data folder's absolute path.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The user pool.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The old client that is served, if one is.
    pub fn compat(&self) -> Option<Client> {
        self.compat
    }

    /// A post that could be seen at the start.
    pub fn post(&self) -> Id {
        self.post
    }

    /// Returns when all that follows from the changes so far is done: notifications, the search index, and so on.
    pub async fn settled(&self) {
        self.pump.settled().await;
    }

    /// Answers what is under way, closes the database, and gives the data folder free.
    pub async fn stop(self) {
        self.api.stop().await;
        self.pump.stop().await;
        self.endpoint.stop().await;
        if let Some(bridge) = self.bridge {
            bridge.stop().await;
        }
        self.database.stop().await;
    }
}

/// The very code that verifies Cognito's tokens, with the keys of this machine.
fn verified(issuer: Issuer) -> Identity {
    Identity::tokens(Issuer::pool(), move || {
        let key_set = issuer.key_set().to_string().into_bytes();
        async { Ok(key_set) }
    })
}
