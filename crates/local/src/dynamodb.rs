//! The embedded DynamoDB: its file, its listener and the deletion of expired items.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cruddur::clock::Clock;
use dynoxide::Database;
use jiff::Timestamp;
use socket2::SockRef;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;
use tracing::subscriber::NoSubscriber;

use crate::sqlite::{self, FileError, SqliteFile};

/// Name of the application's table.
pub const TABLE: &str = "cruddur";

/// DynamoDB may take days to delete expired items. A short interval makes TTL visible in `aws dynamodb scan`.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// A sweep reads the whole table. This pause, as a multiple of its duration, keeps its share of the CPU below 1 %.
const PAUSE_PER_SWEEP: u32 = 100;

/// A pending request may delay the shutdown for this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The embedded database cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The check of the file failed.
    #[error("the database {} {problem}; {}", file.display(), problem.advice())]
    Unusable {
        /// The path of the database.
        file: PathBuf,
        /// The reason.
        problem: FileError,
    },
    /// The file was written by a newer version of dynoxide, or another program has locked it since its check.
    #[error(
        "the database {} cannot be opened; fix the cause, or set another directory with `--data-dir`",
        file.display()
    )]
    Open {
        /// The path of the database.
        file: PathBuf,
        /// The cause.
        source: dynoxide::DynoxideError,
    },
    /// The file cannot be prepared.
    #[error(
        "the database {} cannot be prepared; fix the cause, or set another directory with `--data-dir`",
        file.display()
    )]
    Prepare {
        /// The path of the database.
        file: PathBuf,
        /// The cause.
        source: rusqlite::Error,
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
    path: PathBuf,
    file: Arc<SqliteFile>,
    stop: watch::Sender<()>,
    thread: thread::JoinHandle<()>,
    sweep: JoinHandle<()>,
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("address", &self.address).finish_non_exhaustive()
    }
}

impl DynamoDb {
    /// Checks the whole `file`, so that damage is reported before the server starts. A missing file is valid.
    ///
    /// # Errors
    /// [`DatabaseError::Unusable`].
    pub fn check(file: &Path) -> Result<(), DatabaseError> {
        sqlite::check(file).map_err(|problem| DatabaseError::Unusable { file: file.to_owned(), problem })
    }

    /// Opens the database in `file`, or creates it.
    ///
    /// # Errors
    /// If the file is not a database, or no port is available.
    pub fn start(file: &Path, clock: Clock) -> Result<Self, DatabaseError> {
        let open_error = |source| DatabaseError::Open { file: file.to_owned(), source };
        let database = Database::new(&file.to_string_lossy()).map_err(open_error)?;
        // Relaxes durability to `synchronous = NORMAL`: a power failure may lose the last writes, but a crash of the process
        // does not. `FULL` waits for the disk in every write.
        database.disable_bulk_loading().map_err(open_error)?;
        let prepare_error = |source| DatabaseError::Prepare { file: file.to_owned(), source };
        let sqlite = Arc::new(SqliteFile::open(file).map_err(prepare_error)?);
        let listener = bind()?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(());

        let (handle, swept) = (database.clone(), database.clone());
        let thread =
            thread::Builder::new().name("dynamodb".to_owned()).spawn(|| serve(runtime, listener, database, stopped))?;
        let sweep = tokio::spawn(sweep(swept, Arc::clone(&sqlite), clock));
        Ok(Self { address, database: handle, path: file.to_owned(), file: sqlite, stop, thread, sweep })
    }

    /// Returns the address of its listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle for reading the stream without an SDK. The file stays open until all handles are dropped.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Returns the path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the maintenance of its file.
    pub fn file(&self) -> Arc<SqliteFile> {
        Arc::clone(&self.file)
    }

    /// Finishes pending requests, but waits at most one second for them, then closes the file.
    pub async fn stop(self) {
        self.sweep.abort();
        drop(self.file);
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

fn serve(runtime: Runtime, listener: TcpListener, database: Database, stopped: watch::Receiver<()>) {
    let served = tracing::subscriber::with_default(NoSubscriber::new(), || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            let expired = {
                let stopped = stopped.clone();
                async {
                    dropped(stopped).await;
                    time::sleep(STOP_TIMEOUT).await;
                }
            };
            tokio::select! {
                served = dynoxide::server::serve_with_shutdown(listener, database, dropped(stopped)) => served,
                () = expired => Ok(()),
            }
        })
    });
    // The database's tasks end with the runtime.
    drop(runtime);
    if let Err(error) = served {
        tracing::error!(error, "the embedded database failed");
    }
}

/// Waits until the sender is dropped, which is the stop signal.
async fn dropped(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

async fn sweep(database: Database, file: Arc<SqliteFile>, clock: Clock) {
    loop {
        let (database, file, now) = (database.clone(), Arc::clone(&file), clock.now());
        let pause = match tokio::task::spawn_blocking(move || sweep_if_needed(&database, &file, now)).await {
            Ok(Ok((deleted, pause))) => {
                tracing::debug!(deleted, "deleted expired items");
                pause
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "deleting expired items failed");
                SWEEP_INTERVAL
            }
            Err(error) => {
                tracing::warn!(%error, "deleting expired items panicked");
                SWEEP_INTERVAL
            }
        };
        time::sleep(pause).await;
    }
}

/// Returns the number of deleted items and the pause until the next sweep.
fn sweep_if_needed(
    database: &Database,
    file: &SqliteFile,
    now: Timestamp,
) -> Result<(usize, Duration), dynoxide::DynoxideError> {
    if !file.has_expired_items(now)? {
        return Ok((0, SWEEP_INTERVAL));
    }
    let started = Instant::now();
    let deleted = database.sweep_ttl()?;
    Ok((deleted, pause_after(started.elapsed())))
}

fn pause_after(sweep: Duration) -> Duration {
    SWEEP_INTERVAL.max(sweep * PAUSE_PER_SWEEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_is_a_hundred_sweeps_and_at_least_5_seconds() {
        assert_eq!(pause_after(Duration::ZERO), Duration::from_secs(5));
        assert_eq!(pause_after(Duration::from_millis(49)), Duration::from_secs(5));
        assert_eq!(pause_after(Duration::from_secs(4)), Duration::from_secs(400));
    }
}
