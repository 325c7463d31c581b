//! Idle connections, which later requests use again.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::ConnectionMetadata;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::HeaderValue;
use http::uri::Authority;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::runtime::Handle;

use crate::clock::Moment;

/// Receivers keep idle connections for a minute and longer. A NAT gateway forgets them after 350 s, without notice. If
/// the receiver has closed a connection earlier, the request is sent again on a new one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// What a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) is_https: bool,
    pub(super) authority: Authority,
}

/// A connection. If it is dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) origin: Origin,
    pub(super) sender: SendRequest<SdkBody>,
    /// Whether requests go to a proxy, which needs the whole URL.
    pub(super) forwarded: bool,
    pub(super) authorization: Option<HeaderValue>,
    poisoned: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn new(
        origin: Origin,
        sender: SendRequest<SdkBody>,
        forwarded: bool,
        authorization: Option<HeaderValue>,
    ) -> Self {
        Self { origin, sender, forwarded, authorization, poisoned: Arc::default() }
    }

    /// Returns the means to keep the connection from being used again.
    pub(super) fn metadata(&self) -> ConnectionMetadata {
        let poisoned = self.poisoned.clone();
        let builder = ConnectionMetadata::builder().proxied(self.forwarded);
        builder.poison_fn(move || poisoned.store(true, Ordering::Relaxed)).build()
    }

    fn is_usable(&self) -> bool {
        !self.poisoned.load(Ordering::Relaxed) && !self.sender.is_closed()
    }
}

#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<(Connection, Moment)>>);

impl Pool {
    /// Takes the connection to `origin` that was used last. It may have died while the process was frozen.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.lock();
        if idle.is_empty() {
            return None;
        }
        let now = Moment::now();
        idle.retain(|(connection, since)| connection.is_usable() && now.since(*since) < IDLE_TIMEOUT);
        let last = idle.iter().rposition(|(connection, _)| connection.origin == *origin)?;
        Some(idle.remove(last).0)
    }

    fn put(&self, connection: Connection) {
        if connection.is_usable() {
            self.lock().push((connection, Moment::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Connection, Moment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a response. Its end returns the connection to the pool. Without its end, the connection is closed.
#[derive(Debug)]
pub(super) struct PooledBody {
    body: Incoming,
    connection: Option<Connection>,
    pool: Weak<Pool>,
}

impl PooledBody {
    pub(super) fn new(body: Incoming, connection: Connection, pool: &Arc<Pool>) -> Self {
        let mut pooled = Self { body, connection: Some(connection), pool: Arc::downgrade(pool) };
        pooled.return_at_the_end();
        pooled
    }

    fn return_at_the_end(&mut self) {
        if self.body.is_end_stream() {
            self.return_connection();
        }
    }

    fn return_connection(&mut self) {
        let (Some(mut connection), Some(pool)) = (self.connection.take(), self.pool.upgrade()) else { return };
        if connection.sender.is_ready() {
            pool.put(connection);
        } else if let Ok(runtime) = Handle::try_current() {
            // A server may respond before it has read the whole request.
            runtime.spawn(async move {
                if connection.sender.ready().await.is_ok() {
                    pool.put(connection);
                }
            });
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.return_at_the_end(),
            Some(Err(_)) => self.connection = None,
            None => self.return_connection(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
