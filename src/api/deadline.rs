use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::time::Instant;

use super::AppState;
use super::error::ApiError;
use crate::store;

/// The longest a request may take where nobody says how long it may: well below API Gateway's 29 seconds.
const OWN_LIMIT: Duration = Duration::from_secs(10);
/// Left for the response's way and the traces' export.
const RESERVE: Duration = Duration::from_millis(400);

/// For what is to be done after the last call. A part of the reserve.
const GRACE: Duration = Duration::from_millis(50);

/// The moment at which Lambda ends the invocation: a request extension, put there by [`gateway`](super::gateway()).
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Timestamp);

/// Answers 503 while there is still time to, instead of being ended without an answer or a trace.
pub(super) async fn keep(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let deadline = request.extensions().get().copied();
    let end = Instant::now() + limit(deadline, state.clock.now());
    // The calls end first, and their ends are the answer; the rest is for what is no call.
    match tokio::time::timeout_at(end + GRACE, store::with_deadline(end, next.run(request))).await {
        Ok(response) => response,
        Err(_elapsed) => ApiError::OutOfTime.into_response(),
    }
}

/// A deadline that has passed before we begin says nothing: some emulators send zero, or another clock's time.
fn limit(deadline: Option<Deadline>, now: Timestamp) -> Duration {
    let left = deadline.and_then(|Deadline(at)| Duration::try_from(at.duration_since(now)).ok());
    match left {
        Some(left) if !left.is_zero() => left.saturating_sub(RESERVE).min(OWN_LIMIT),
        Some(_) | None => OWN_LIMIT,
    }
}
