use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::time::Instant;

use super::error::ApiError;
use super::{AppState, layout};
use crate::store;

/// The maximum budget of a request, well below API Gateway's 29 seconds.
const MAX_BUDGET: Duration = Duration::from_secs(10);
/// Reserved for sending the response and exporting spans.
const RESERVE: Duration = Duration::from_millis(400);

/// Time for the rest of a handler after its last DynamoDB call. It is part of the reserve.
const GRACE: Duration = Duration::from_millis(50);

/// The time when Lambda ends the invocation: a request extension that [`gateway`](super::gateway()) inserts.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Timestamp);

/// Responds with 503 before the deadline. Otherwise Lambda would end the invocation without a response or a trace.
pub(super) async fn enforce(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let deadline = request.extensions().get().copied();
    let end = Instant::now() + budget(deadline, state.clock.now());
    // DynamoDB calls end first and produce the response. The outer timeout covers everything else.
    let work = store::with_deadline(end, layout::check(&state, next.run(request)));
    match tokio::time::timeout_at(end + GRACE, work).await {
        Ok(response) => response,
        Err(_elapsed) => ApiError::OutOfTime.into_response(),
    }
}

fn budget(deadline: Option<Deadline>, now: Timestamp) -> Duration {
    let deadline = deadline.and_then(|Deadline(at)| u64::try_from(at.as_millisecond()).ok());
    let budget = deadline.and_then(|deadline| store::budget(deadline, now, RESERVE));
    budget.map_or(MAX_BUDGET, |budget| budget.min(MAX_BUDGET))
}
