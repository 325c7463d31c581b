use super::auth::Identity;
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
    /// The original's contract that responses follow.
    pub compat: Compat,
}

/// The version of the original's contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// The contract of its last week.
    #[default]
    Later,
    /// The contract of weeks 0 to 2: requests are not authenticated, and a user's feed is a plain array.
    Week2,
}
