//! Time and new ids, the two things a request takes from outside of its input.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::Id;

/// The source of the present time and of new ids.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    id: Arc<dyn Fn(Timestamp) -> Id + Send + Sync>,
}

impl Clock {
    /// The system's clock and random ids.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn system() -> Self {
        Self::new(Timestamp::now, |at| Id::new(at, random()))
    }

    /// A clock of one's own; `id` makes the id of something that is created at the given time.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        id: impl Fn(Timestamp) -> Id + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), id: Arc::new(id) }
    }

    /// The present time in whole milliseconds, the precision of everything we store and show.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// A new id, made now.
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

#[expect(clippy::disallowed_methods, reason = "the one place that makes random bits for ids")]
fn random() -> [u8; 10] {
    // The bytes between hold the version and the variant, which are not random.
    let [a, b, c, d, e, f, _, _, _, _, g, h, i, j, _, _] = Uuid::new_v4().into_bytes();
    [a, b, c, d, e, f, g, h, i, j]
}
