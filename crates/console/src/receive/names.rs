//! Keys and names that many spans share, kept once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The maximum number of shared names, so that random names cannot fill the memory.
const MAX: usize = 8192;
/// The maximum number of bytes of a shared name.
const MAX_LENGTH: usize = 96;

/// The names that spans share.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashSet<Arc<str>>>);

impl Names {
    /// Returns the name, shared if it is short and the number of names permits it.
    pub(crate) fn get(&self, name: &str) -> Arc<str> {
        if name.len() > MAX_LENGTH {
            return name.into();
        }
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        if names.len() < MAX {
            names.insert(new.clone());
        }
        new
    }
}
