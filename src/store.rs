//! Every access to DynamoDB. One table; its keys are in [`keys`], its access patterns are the methods of [`Store`].

mod activities;
mod batch;
mod changes;
mod client;
mod conversation_items;
mod conversations;
mod deadline;
mod delete;
mod error;
mod feed;
mod home;
mod idempotency;
mod items;
pub mod keys;
mod messages;
mod names;
mod newest;
mod notification_items;
mod notifications;
mod pages;
mod posts;
mod profiles;
mod reactions;
mod removal;
mod replies;
mod search;
mod table;
mod transaction;
mod words;
mod writes;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;

pub use changes::{Change, Liked, Opened, Posted, Record, Sent, Unreadable};
pub use client::client;
pub use conversations::InboxPage;
pub use deadline::{NoTimeLeft, by, in_time, until};
pub use error::StoreError;
pub use feed::{FeedPage, ListedPost};
pub use home::HomePage;
pub use idempotency::{Made, Once, Written};
pub use messages::MessagePage;
pub use notifications::{NotificationPage, NotificationRow};
pub use posts::StoredPost;
pub use replies::RepliesPage;
pub use table::create_table;

/// The table and the client to reach it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: Arc<str>,
}

impl Store {
    /// A store on the table of that name, through a client made by [`client()`].
    pub fn new(client: Client, table_name: impl Into<Arc<str>>) -> Self {
        Self { client, table: table_name.into() }
    }

    /// Opens a connection, so that the first request finds one: reads an item that is not there.
    ///
    /// # Errors
    /// Those of any read; none needs to stop a start.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        self.profile("").await.map(drop)
    }
}
