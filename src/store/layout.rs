//! The table's layout: the version of its keys and items, and the time from which on it has posts.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::StoreError;
use super::items::{self, Item, ItemReader, number};
use super::keys::{self, LAYOUT};
use crate::domain::Ttl;

/// The layout of this version of the program. Increase it with each change of keys or items that older versions, or the
/// items that they wrote, do not satisfy.
///
/// Since 2, items contain handles with upper case, which earlier versions cannot read, and the index contains counters.
pub const LAYOUT_VERSION: u32 = 2;
const VERSION_ATTRIBUTE: &str = "version";
const CREATED_MS: &str = "created_at_ms";

/// The time of creation of the table's layout, once it is known. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout(Arc<OnceLock<Timestamp>>);

impl Layout {
    /// Returns the time of the oldest post that can be live at `now`.
    pub(super) fn oldest(&self, now: Timestamp) -> Timestamp {
        let oldest = now - Ttl::MAX;
        self.0.get().map_or(oldest, |created_at| oldest.max(*created_at))
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.get().is_some()
    }

    /// Checks the item of the layout and keeps its time.
    pub(super) fn remember(&self, item: &Item) -> Result<(), StoreError> {
        let read = ItemReader { item, entity: LAYOUT };
        let found = read.number(VERSION_ATTRIBUTE)?;
        if found != LAYOUT_VERSION {
            return Err(StoreError::OtherLayout { found, expected: LAYOUT_VERSION });
        }
        // If another request was faster, it read the same time.
        let _known = self.0.set(read.time(CREATED_MS)?);
        Ok(())
    }
}

/// Returns the item of the layout of this version of the program.
pub(super) fn layout_item(created_at: Timestamp) -> Item {
    let mut item = items::key_item(keys::layout());
    item.extend(items::named([
        (VERSION_ATTRIBUTE, number(LAYOUT_VERSION)),
        (CREATED_MS, number(created_at.as_millisecond())),
    ]));
    item
}
