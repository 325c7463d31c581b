//! All access to DynamoDB. [`keys`] defines the keys of the one table, the methods of [`Store`] are its access patterns.

mod batch;
mod client;
mod conversation_items;
mod conversations;
mod deadline;
mod delete;
mod delete_user;
mod display_names;
mod error;
mod feed;
mod idempotency;
mod items;
pub mod keys;
mod layout;
mod notifications;
mod pages;
mod posts;
mod profiles;
mod reactions;
mod records;
mod schedule;
mod search;
mod sharded;
mod start;
mod table;
mod transaction;
mod writes;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use layout::Layout;
use writes::Writes;

pub use client::client;
pub use deadline::{DeadlineExceeded, budget, stop_at_deadline, with_deadline};
pub use error::StoreError;
pub use idempotency::{IdempotencyKey, WriteOutcome, WriteRecord};
pub use layout::LAYOUT_VERSION;
pub use notifications::{NotificationPage, NotificationRow};
pub use pages::Page;
pub use posts::StoredPost;
pub use records::{InvalidRecord, ItemChange, LikeImage, MessageImage, PairImage, PostImage, StreamRecord};
pub use schedule::{Bucket, InvalidSchedule, Schedule};
pub use table::create_table;
pub use writes::WriteCount;

/// The table and its client. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: Arc<str>,
    schedule: Arc<Schedule>,
    layout: Layout,
    /// Counts the writes that change what the home feed shows.
    writes: Writes,
}

impl Store {
    /// Creates a store for the table with that name. [`client()`] creates the client.
    pub fn new(client: Client, table_name: impl Into<Arc<str>>) -> Self {
        let (schedule, layout, writes) = Default::default();
        Self { client, table: table_name.into(), schedule, layout, writes }
    }

    /// Divides the home feed and the word index by that schedule instead of the default one.
    #[must_use]
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule: Arc::new(schedule), ..self }
    }

    /// Returns the schedule, which derives the keys of posts.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns the number of writes so far that change what the home feed shows.
    #[must_use]
    pub fn home_writes(&self) -> WriteCount {
        self.writes.count()
    }
}
