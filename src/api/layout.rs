use std::pin::pin;

use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, select};

use super::AppState;
use super::error::ApiError;
use crate::store::StoreError;

/// Runs `work`. If the table's layout could not be read at the start, reads it at the same time, and responds with an
/// error if the layout is that of another version of the program.
pub(super) async fn check(state: &AppState, work: impl Future<Output = Response>) -> Response {
    if state.store.knows_layout() {
        return work.await;
    }
    let layout = pin!(state.store.ensure_layout(state.clock.now()));
    match select(layout, pin!(work)).await {
        Either::Left((Err(error @ StoreError::OtherLayout { .. }), _)) => ApiError::from(error).into_response(),
        // `work` reports any other failure of the table in its own terms. A later request reads the layout.
        Either::Left((_, work)) => work.await,
        Either::Right((response, _)) => response,
    }
}
