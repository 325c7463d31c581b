//! SnapStart: this process becomes a snapshot before its first event, and what serves events are copies of it.

use lambda_runtime::{BoxFuture, Error, SnapStartResource};

use super::spans::Spans;

/// What a copy does before its first event.
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
