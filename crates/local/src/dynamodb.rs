//! The embedded DynamoDB: its file, its listener and the deletion of what has expired.

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

/// AWS takes up to days to delete what has expired; here it shows at once in `aws dynamodb scan`.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// A database that cannot be opened or reached.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file is damaged, or another program's.
    #[error("the database {} cannot be opened; move it away, and a new one is made", file.display())]
    Open {
        /// The database's file.
        file: PathBuf,
        /// What the database said.
        source: dynoxide::DynoxideError,
    },
    /// No port of the loopback interface or no thread was to be had.
    #[error("the embedded database cannot be served")]
    Serve(#[from] io::Error),
}

/// A running DynamoDB on a free port of its own, which is not shown to the user.
///
/// It has a thread of its own: SQLite blocks, a request that DynamoDB refuses is no log line of ours, and when the
/// thread has ended the file is certainly closed.
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
    /// Opens the database in `file`, or makes it there.
    ///
    /// # Errors
    /// When the file is no database, or there is no port.
    pub fn start(file: &Path) -> Result<Self, DatabaseError> {
        let unopened = |source| DatabaseError::Open { file: file.to_owned(), source };
        let database = Database::new(&file.to_string_lossy()).map_err(unopened)?;
        let listener = listen()?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();

        let (kept, swept) = (database.clone(), database.clone());
        let thread =
            thread::Builder::new().name("dynamodb".to_owned()).spawn(|| serve(runtime, listener, database, stopped))?;
        let sweep = tokio::spawn(sweep(swept));
        Ok(Self { address, database: kept, stop, thread, sweep })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The database itself, whose stream no SDK of ours reads. Who has it keeps the file open.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Answers what is under way, then closes the file.
    pub async fn stop(self) {
        self.sweep.abort();
        drop(self.database);
        drop(self.stop);
        let ended = tokio::task::spawn_blocking(|| self.thread.join().is_ok()).await;
        if !matches!(ended, Ok(true)) {
            tracing::error!("the embedded database broke off");
        }
    }
}

/// A port whose connections send at once what they have. The database accepts them itself; they have what the listener
/// has.
fn listen() -> io::Result<TcpListener> {
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
                // A sender that is gone says the same as one that speaks.
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
    let mut ticks = time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(deleted)) => tracing::debug!(deleted, "expired items swept"),
            Ok(Err(error)) => tracing::warn!(%error, "expired items could not be swept"),
            Err(error) => tracing::warn!(%error, "the sweep of expired items broke off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    // Elsewhere a connection may not take after its listener, and is as slow as it was.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_sends_at_once_what_it_has() {
        let listener = listen().unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        assert!(connection.nodelay().unwrap());
    }
}
