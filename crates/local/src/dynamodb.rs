//! The embedded DynamoDB: its file, its listener and the deletion of expired items.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use dynoxide::Database;
use socket2::SockRef;
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};
use tracing::subscriber::NoSubscriber;

/// Name of the application's table.
pub const TABLE: &str = "cruddur";

/// DynamoDB may take days to delete expired items. A short interval makes TTL visible in `aws dynamodb scan`.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The embedded database cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file is damaged or is not a database.
    #[error("the database {} cannot be opened; move the file away to create a new database", file.display())]
    Open {
        /// The path of the database.
        file: PathBuf,
        /// The cause.
        source: dynoxide::DynoxideError,
    },
    /// No loopback port or thread is available.
    #[error("the embedded database cannot listen on a loopback port")]
    Serve(#[from] io::Error),
}

/// A running DynamoDB on a free loopback port. Clients reach it through [`endpoint`](crate::endpoint).
///
/// It runs on a separate thread for three reasons: SQLite blocks, its log lines can be suppressed there, and the file is
/// closed when the thread has ended.
pub struct DynamoDb {
    address: SocketAddr,
    database: Database,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
    sweep: JoinHandle<()>,
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("address", &self.address).finish_non_exhaustive()
    }
}

impl DynamoDb {
    /// Opens the database in `file`, or creates it.
    ///
    /// # Errors
    /// If the file is not a database, or no port is available.
    pub fn start(file: &Path) -> Result<Self, DatabaseError> {
        let open_error = |source| DatabaseError::Open { file: file.to_owned(), source };
        let database = Database::new(&file.to_string_lossy()).map_err(open_error)?;
        let listener = bind()?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();

        let (handle, swept) = (database.clone(), database.clone());
        let thread =
            thread::Builder::new().name("dynamodb".to_owned()).spawn(|| serve(runtime, listener, database, stopped))?;
        let sweep = tokio::spawn(sweep(swept));
        Ok(Self { address, database: handle, stop, thread, sweep })
    }

    /// Returns the address of its listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle for reading the stream without an SDK. The file stays open until all handles are dropped.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Finishes pending requests, then closes the file.
    pub async fn stop(self) {
        self.sweep.abort();
        drop(self.database);
        drop(self.stop);
        let joined = tokio::task::spawn_blocking(|| self.thread.join().is_ok()).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("the embedded database panicked");
        }
    }
}

/// Binds a port with TCP_NODELAY, which accepted connections inherit. The database accepts them itself.
fn bind() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    SockRef::from(&listener).set_tcp_nodelay(true)?;
    Ok(listener)
}

fn serve(runtime: Runtime, listener: TcpListener, database: Database, stopped: oneshot::Receiver<()>) {
    let served = tracing::subscriber::with_default(NoSubscriber::new(), || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            let stopped = async {
                // Dropping the sender is the stop signal.
                stopped.await.ok();
            };
            dynoxide::server::serve_with_shutdown(listener, database, stopped).await
        })
    });
    if let Err(error) = served {
        tracing::error!(error, "the embedded database failed");
    }
}

async fn sweep(database: Database) {
    let mut ticks = time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(deleted)) => tracing::debug!(deleted, "deleted expired items"),
            Ok(Err(error)) => tracing::warn!(%error, "deleting expired items failed"),
            Err(error) => tracing::warn!(%error, "deleting expired items panicked"),
        }
    }
}
