//! The stream of changes, as server-sent events.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::model::ids::TraceId;
use crate::store::{Change, Store};

/// A trace is sent at most once in this time.
const INTERVAL: Duration = Duration::from_millis(100);
/// The interval of comments, which keep the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The maximum number of traces that are sent together. Of more, the page reads the list again.
const MAX_TRACES: usize = 200;

/// What one message contains.
#[derive(Debug, Default)]
struct Pending {
    traces: BTreeSet<TraceId>,
    deleted: BTreeSet<TraceId>,
    evicted: Option<u64>,
    is_cleared: bool,
    has_lagged: bool,
}

struct Subscription {
    store: Arc<Store>,
    changes: Receiver<Change>,
    stopped: watch::Receiver<bool>,
    has_begun: bool,
}

/// Returns the stream of all later changes. It ends when the server stops.
pub(crate) fn events(store: Arc<Store>, stopped: watch::Receiver<bool>) -> Response<Body> {
    let changes = store.subscribe();
    let subscription = Subscription { store, changes, stopped, has_begun: false };
    let chunks = stream::unfold(subscription, |mut subscription| async move {
        let text = subscription.next().await?;
        Some((Ok::<_, Infallible>(text), subscription))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

impl Subscription {
    /// Returns the next message. `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(": connected\n\n".to_owned());
        }
        let mut pending = Pending::default();
        let first = tokio::select! {
            first = timeout(KEEP_ALIVE, self.changes.recv()) => first,
            _ = self.stopped.changed() => return None,
        };
        match first {
            Err(_elapsed) => return Some(": keep-alive\n\n".to_owned()),
            Ok(Err(RecvError::Closed)) => return None,
            Ok(Err(RecvError::Lagged(_))) => pending.has_lagged = true,
            Ok(Ok(change)) => pending.add(change),
        }
        tokio::select! {
            () = sleep(INTERVAL) => {}
            _ = self.stopped.changed() => return None,
        }
        loop {
            match self.changes.try_recv() {
                Ok(change) => pending.add(change),
                Err(TryRecvError::Lagged(_)) => pending.has_lagged = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(pending.text(&self.store))
    }
}

impl Pending {
    fn add(&mut self, change: Change) {
        match change {
            Change::Trace(id) => {
                self.traces.insert(id);
            }
            Change::Deleted(id) => {
                self.deleted.insert(id);
            }
            Change::Evicted(count) => self.evicted = Some(count),
            Change::Cleared => *self = Self { is_cleared: true, ..Self::default() },
        }
    }

    fn text(self, store: &Store) -> String {
        let mut text = String::new();
        let mut write = |event: &str, data: &str| {
            // Writing to a string cannot fail.
            write!(text, "event: {event}\ndata: {data}\n\n").ok();
        };
        if self.is_cleared {
            write("cleared", "{}");
        }
        if self.has_lagged || self.traces.len() > MAX_TRACES {
            write("lagged", "{}");
        } else {
            for trace in self.traces.iter().filter_map(|id| store.get(*id)) {
                write("trace", &serde_json::to_string(&*trace.summary()).unwrap_or_default());
            }
        }
        for id in self.deleted {
            write("deleted", &format!("{{\"id\":\"{id}\"}}"));
        }
        if let Some(count) = self.evicted {
            write("evicted", &format!("{{\"evicted\":{count}}}"));
        }
        text
    }
}
