//! The first access to the table.

use jiff::Timestamp;

use super::layout::layout_item;
use super::{Store, StoreError, keys};

impl Store {
    /// Opens a connection before the first request by reading the table's layout.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] if the table has the layout of another version of the program, which no request can
    /// use; and those of every read.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        match self.item(keys::layout()).await? {
            Some(item) => self.layout.remember(&item),
            None => Ok(()),
        }
    }

    /// Returns whether the table's layout was read, and is that of this version of the program.
    #[must_use]
    pub fn knows_layout(&self) -> bool {
        self.layout.is_known()
    }

    /// Warms up, and ignores that the table does not respond: it may respond when the first request arrives.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] as [`warm_up`](Self::warm_up).
    pub async fn checked(self) -> Result<Self, StoreError> {
        self.warm_up().await.or_else(unless_other)?;
        Ok(self)
    }

    /// Reads the table's layout. If the table has none, it is new, and gets the layout of this version of the program,
    /// created at `created_at`: lists do not read older buckets. Ignores that the table does not respond.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] as [`warm_up`](Self::warm_up).
    pub async fn ensure_layout(&self, created_at: Timestamp) -> Result<(), StoreError> {
        match self.warm_up().await {
            Ok(()) if !self.knows_layout() => self.create_layout(created_at).await.or_else(unless_other),
            result @ (Ok(()) | Err(_)) => result.or_else(unless_other),
        }
    }

    async fn create_layout(&self, created_at: Timestamp) -> Result<(), StoreError> {
        let item = layout_item(created_at);
        // Another environment of the function may have been faster.
        let found = self.put_if_absent(item.clone()).await?;
        self.layout.remember(found.as_ref().unwrap_or(&item))
    }
}

fn unless_other(error: StoreError) -> Result<(), StoreError> {
    if matches!(error, StoreError::OtherLayout { .. }) { Err(error) } else { Ok(()) }
}
