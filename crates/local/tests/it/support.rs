//! A local AWS endpoint with a new database and secret.

use axum::body::Body;
use axum::http::Request;
use cruddur::clock::Clock;
use cruddur_local::dynamodb::DynamoDb;
use cruddur_local::http_server::HttpServer;
use cruddur_local::issuer::Issuer;
use cruddur_local::secret::MasterSecret;
use cruddur_local::{aws, endpoint};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) secret: MasterSecret,
    pub(crate) database: DynamoDb,
    pub(crate) server: HttpServer,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn start_in(folder: TempDir) -> Self {
        let secret = MasterSecret::read_or_create(&folder.path().join("secret")).unwrap();
        let database = DynamoDb::start(&folder.path().join("dynamodb.sqlite"), Clock::system()).unwrap();
        let issuer = Issuer::ephemeral().unwrap();
        let listener = cruddur_local::listen::on_loopback(0, "--dynamodb-port").await.unwrap();
        let server = HttpServer::start(listener, endpoint::router(database.address(), secret.clone(), issuer)).unwrap();
        Self { folder, secret, database, server }
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.server.stop().await;
        self.database.stop().await;
        self.folder
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&aws::sdk_config(self.server.address()))
    }

    /// Calls `GetSecretValue`. Returns the status and the body.
    pub(crate) async fn get_secret_value(&self, request: Value) -> (u16, Value) {
        let request = Request::post(format!("http://{}/", self.server.address()))
            .header("x-amz-target", "secretsmanager.GetSecretValue")
            .body(Body::from(request.to_string()))
            .unwrap();
        let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}
