//! The source of time and new ids.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::Id;

/// Returns the current time and creates ids. Tests replace both.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    id: Arc<dyn Fn(Timestamp) -> Id + Send + Sync>,
}

impl Clock {
    /// Uses the system clock and random ids.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only code that reads the time")]
    pub fn system() -> Self {
        Self::new(Timestamp::now, |at| Id::new(at, random()))
    }

    /// Uses custom sources. `id` creates an id that contains the given time.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        id: impl Fn(Timestamp) -> Id + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), id: Arc::new(id) }
    }

    /// Returns the current time in whole milliseconds, the precision of all stored times.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Creates an id that contains the current time.
    #[must_use]
    pub fn new_id(&self) -> Id {
        (self.id)(self.now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the only code that creates random bits for ids")]
fn random() -> [u8; 10] {
    // The other bytes contain the version and the variant, which are not random.
    let [a, b, c, d, e, f, _, _, _, _, g, h, i, j, _, _] = Uuid::new_v4().into_bytes();
    [a, b, c, d, e, f, g, h, i, j]
}
