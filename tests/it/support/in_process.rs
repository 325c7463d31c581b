//! DynamoDB without a network: passes the SDK's requests to the embedded database on the caller's thread.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use cruddur::store;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::sdk;

/// Based on the functions' client, to keep its timeouts, retries and interceptors.
pub(crate) fn client(database: Database) -> Client {
    held(database, Hold::default())
}

/// The same client, whose requests `hold` can pause.
pub(crate) fn held(database: Database, hold: Hold) -> Client {
    let connector = SharedHttpConnector::new(InProcess { database, hold });
    let sdk: SdkConfig =
        sdk("http://dynamodb.invalid").to_builder().http_client(http_client_fn(move |_, _| connector.clone())).build();
    // The embedded database ignores signatures.
    Client::from_conf(store::client(&sdk).config().to_builder().allow_no_auth().build())
}

/// Pauses the next request of one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold(Arc<Mutex<Option<Held>>>);

#[derive(Clone, Debug)]
pub(crate) struct Held {
    operation: &'static str,
    reached: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl Hold {
    pub(crate) fn next(&self, operation: &'static str) -> Held {
        let held = Held { operation, reached: Arc::new(Semaphore::new(0)), go_on: Arc::new(Semaphore::new(0)) };
        *self.0.lock().unwrap() = Some(held.clone());
        held
    }

    async fn at(&self, operation: &str) {
        let held = self.0.lock().unwrap().take_if(|held| held.operation == operation);
        if let Some(held) = held {
            held.reached.add_permits(1);
            held.go_on.acquire().await.unwrap().forget();
        }
    }
}

impl Held {
    /// Waits until the request arrives.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    pub(crate) fn go_on(&self) {
        self.go_on.add_permits(1);
    }
}

#[derive(Clone)]
struct InProcess {
    database: Database,
    hold: Hold,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { database, hold } = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = request.headers().get("x-amz-target").unwrap().split('.').next_back().unwrap().to_owned();
            hold.at(&operation).await;
            // Lets other tasks run before and after, as a network request would.
            tokio::task::yield_now().await;
            let answer = execute(&database, &operation, request.body().bytes().unwrap());
            tokio::task::yield_now().await;
            let (status, body) = answer.map_or_else(|error| (error.status_code(), error.to_json()), |body| (200, body));
            let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into());
            answer.headers_mut().insert("x-amzn-requestid", "in-process");
            Ok(answer)
        })
    }
}

fn execute(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    fn with<Q: DeserializeOwned, A: Serialize>(
        body: &[u8],
        work: impl FnOnce(Q) -> Result<A, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        Ok(serde_json::to_string(&work(serde_json::from_slice(body).unwrap())?).unwrap())
    }
    match operation {
        "BatchGetItem" => with(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => with(body, |request| database.batch_write_item(request)),
        "CreateTable" => with(body, |request| database.create_table(request)),
        "DeleteItem" => with(body, |request| database.delete_item(request)),
        "DeleteTable" => with(body, |request| database.delete_table(request)),
        "DescribeTimeToLive" => with(body, |request| database.describe_time_to_live(request)),
        "DescribeTable" => with(body, |request| database.describe_table(request)),
        "GetItem" => with(body, |request| database.get_item(request)),
        "PutItem" => with(body, |request| database.put_item(request)),
        "Query" => with(body, |request| database.query(request)),
        "Scan" => with(body, |request| database.scan(request)),
        "TransactWriteItems" => with(body, |request| database.transact_write_items(request)),
        "UpdateItem" => with(body, |request| database.update_item(request)),
        "UpdateTimeToLive" => with(body, |request| database.update_time_to_live(request)),
        _ => unreachable!("{operation} is not supported"),
    }
}
