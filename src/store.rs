//! All access to DynamoDB. [`keys`] defines the keys of the one table, the methods of [`Store`] are its access patterns.

mod batch;
mod client;
mod conversation_items;
mod conversations;
mod deadline;
mod delete;
mod display_names;
mod error;
mod feed;
mod idempotency;
mod items;
pub mod keys;
mod notifications;
mod pages;
mod posts;
mod profiles;
mod reactions;
mod records;
mod search;
mod sharded;
mod table;
mod transaction;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;

pub use client::client;
pub use deadline::{DeadlineExceeded, budget, stop_at_deadline, with_deadline};
pub use error::StoreError;
pub use feed::ListedPost;
pub use idempotency::{IdempotencyKey, WriteOutcome, WriteRecord};
pub use notifications::{NotificationPage, NotificationRow};
pub use pages::Page;
pub use posts::StoredPost;
pub use records::{InvalidRecord, ItemChange, LikeImage, MessageImage, PairImage, PostImage, StreamRecord};
pub use table::create_table;

/// The table and its client. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: Arc<str>,
}

impl Store {
    /// Creates a store for the table with that name. [`client()`] creates the client.
    pub fn new(client: Client, table_name: impl Into<Arc<str>>) -> Self {
        Self { client, table: table_name.into() }
    }

    /// Opens a connection before the first request by reading an item that does not exist.
    ///
    /// # Errors
    /// Those of every read. Callers can ignore them: the first request opens the connection then.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        self.profile("").await.map(drop)
    }
}
