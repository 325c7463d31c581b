use lambda_spans::Spans;

use super::auth::Identity;
use super::browser_spans::forwarding::BrowserSpans;
use super::cors::Origins;
use super::keys::Keys;
use crate::clock::Clock;
use crate::store::Store;

/// Shared state of all handlers. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The DynamoDB table.
    pub store: Store,
    /// The source of time and new ids.
    pub clock: Clock,
    /// Keys for cursors and hashed user ids.
    pub keys: Keys,
    /// Authenticates requests.
    pub identity: Identity,
    /// Origins of the web pages that may call the API.
    pub origins: Origins,
    /// Accepts the spans of web pages, if it is on.
    pub browser_spans: Option<BrowserSpans>,
    /// The original's contract that responses follow.
    pub compat: Compat,
}

impl AppState {
    /// Creates the state of the deployed API.
    pub fn new(
        store: Store,
        clock: Clock,
        keys: Keys,
        identity: Identity,
        origins: impl IntoIterator<Item = String>,
    ) -> Self {
        let (origins, browser_spans, compat) = (origins.into_iter().collect(), None, Compat::Later);
        Self { store, clock, keys, identity, origins, browser_spans, compat }
    }

    /// Forwards the spans of the allowed origins' pages to the OTLP destinations of `spans`.
    #[must_use]
    pub fn with_browser_spans(self, spans: Option<&Spans>) -> Self {
        let browser_spans = spans.map(|spans| BrowserSpans::new(spans, self.origins.clone()));
        Self { browser_spans, ..self }
    }
}

/// The version of the original's contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// The contract of its last week.
    #[default]
    Later,
    /// The contract of weeks 0 to 2: requests are not authenticated, a user's feed is a plain array, and the home feed
    /// contains replies instead of the user's likes.
    Week2,
}
