//! A response body that is `Sync`, whatever its inner body is.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use sync_wrapper::SyncWrapper;

/// The concurrent runtime requires a `Sync` response, but axum's body is not `Sync`.
pub(crate) struct SyncBody<B> {
    body: SyncWrapper<B>,
    size: SizeHint,
}

impl<B: Body> SyncBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { size: body.size_hint(), body: SyncWrapper::new(body) }
    }
}

impl<B: Body + Unpin> Body for SyncBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(self.body.get_mut()).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl<B> std::fmt::Debug for SyncBody<B> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SyncBody").field("size", &self.size).finish_non_exhaustive()
    }
}
