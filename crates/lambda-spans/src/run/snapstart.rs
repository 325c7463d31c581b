//! SnapStart: Lambda makes a snapshot of this process before its first event, and copies of it handle the events.

use lambda_runtime::{BoxFuture, Error, SnapStartResource};

use super::spans::Spans;

/// Runs in a copy before its first event.
pub(super) struct Restored(pub(super) Spans);

impl SnapStartResource for Restored {
    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let Self(spans) = self;
            if spans.enabled {
                spans.init.restored();
                spans.pipeline.prepare().await;
                spans.init.polled();
            }
            Ok(())
        })
    }
}
