//! An HTTP client for the AWS SDK that calls the embedded database in this process, without TCP.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::actions::{batch_get_item, get_item, query};
use dynoxide::storage::Storage;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TARGET: &str = "x-amz-target";
const DYNAMODB: &str = "DynamoDB_20120810.";

/// Answers reads and writes of items in this process. All other operations, and unexpected failures, go to the database's
/// own HTTP server, which formats DynamoDB's errors.
#[derive(Clone, Debug)]
pub struct InProcess {
    engine: Arc<Engine>,
    server: Arc<dyn HttpClient>,
}

struct Engine {
    file: PathBuf,
    /// Connections that only read. In WAL mode, readers and the writer do not wait for each other.
    readers: Mutex<Vec<Storage>>,
    database: Database,
    /// Queues writers without blocking their threads, which the database's own mutex would.
    writer: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// An operation's result as JSON, or `None` if the HTTP server must answer.
type Answer = Option<Result<Vec<u8>, DynoxideError>>;

impl InProcess {
    /// Calls `database`, which has `file` open. `server` sends requests to the database's HTTP server.
    #[must_use]
    pub fn new(database: Database, file: &Path, server: impl HttpClient + 'static) -> Self {
        let (readers, writer) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { engine: Arc::new(Engine { file: file.to_owned(), readers, database, writer }), server: Arc::new(server) }
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let server = self.server.http_connector(settings, components);
        SharedHttpConnector::new(Connector { engine: Arc::clone(&self.engine), server })
    }
}

#[derive(Debug)]
struct Connector {
    engine: Arc<Engine>,
    server: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get(TARGET).and_then(|target| target.strip_prefix(DYNAMODB));
        let Some((operation, body)) = operation.zip(request.body().bytes()) else { return self.server.call(request) };
        match operation {
            "GetItem" | "Query" | "BatchGetItem" => match self.engine.read(operation, body).and_then(response) {
                Some(response) => HttpConnectorFuture::ready(Ok(response)),
                None => self.server.call(request),
            },
            "BatchWriteItem" | "DeleteItem" | "PutItem" | "TransactGetItems" | "TransactWriteItems" | "UpdateItem" => {
                let (engine, server) = (Arc::clone(&self.engine), self.server.clone());
                HttpConnectorFuture::new_boxed(Box::pin(async move {
                    match engine.write(&request).await.and_then(response) {
                        Some(response) => Ok(response),
                        None => server.call(request).await,
                    }
                }))
            }
            _ => self.server.call(request),
        }
    }
}

impl Engine {
    fn read(&self, operation: &str, body: &[u8]) -> Answer {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let storage = match idle {
            Some(storage) => storage,
            None => Storage::new(self.file.to_str()?).ok()?,
        };
        let answer = match operation {
            "GetItem" => run(body, |request| complete(get_item::execute(&storage, request))),
            "Query" => run(body, |request| complete(query::execute(&storage, request))),
            "BatchGetItem" => run(body, |request| complete(batch_get_item::execute(&storage, request))),
            _ => None,
        };
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(storage);
        answer
    }

    /// Runs an operation that must not be interrupted by a write. `TransactGetItems` is one of them.
    async fn write(&self, request: &HttpRequest) -> Answer {
        let operation = request.headers().get(TARGET)?.strip_prefix(DYNAMODB)?;
        let body = request.body().bytes()?;
        let _turn = self.writer.lock().await;
        let database = &self.database;
        match operation {
            "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
            "DeleteItem" => run(body, |request| database.delete_item(request)),
            "PutItem" => run(body, |request| database.put_item(request)),
            "TransactGetItems" => run(body, |request| database.transact_get_items(request)),
            "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
            "UpdateItem" => run(body, |request| database.update_item(request)),
            _ => None,
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(body: &[u8], work: impl FnOnce(Q) -> Result<A, DynoxideError>) -> Answer {
    match work(serde_json::from_slice(body).ok()?) {
        Ok(answer) => Some(Ok(serde_json::to_vec(&answer).ok()?)),
        Err(
            error @ (DynoxideError::ConditionalCheckFailedException(..)
            | DynoxideError::TransactionCanceledException(..)),
        ) => Some(Err(error)),
        // The write has failed, so the HTTP server can try it again.
        Err(_) => None,
    }
}

/// Completes a future of dynoxide on SQLite, which is never pending.
fn complete<T>(future: impl Future<Output = Result<T, DynoxideError>>) -> Result<T, DynoxideError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(DynoxideError::InternalServerError("The operation did not complete.".to_owned())),
    }
}

fn response(result: Result<Vec<u8>, DynoxideError>) -> Option<HttpResponse> {
    let (status, body) = match result {
        Ok(body) => (200, SdkBody::from(body)),
        Err(error) => (error.status_code(), SdkBody::from(error.to_json())),
    };
    let mut response = HttpResponse::new(StatusCode::try_from(status).ok()?, body);
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Some(response)
}
