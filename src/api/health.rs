use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::{Instrument, info_span};

use super::AppState;
use super::error::ApiError;

/// The longest that the table is waited for.
const LIMIT: Duration = Duration::from_secs(1);

#[derive(Serialize, JsonSchema)]
pub(super) struct HealthResponse {
    success: bool,
    ver: u8,
}

/// That the function answers; with `?deep`, that the table does too.
pub(super) async fn check(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<HealthResponse>, ApiError> {
    if query.as_deref().is_some_and(is_deep) {
        let asked = tokio::time::timeout(LIMIT, state.store.warm_up()).instrument(info_span!("ask-table")).await;
        asked.map_err(|_elapsed| ApiError::Unhealthy(None))?.map_err(|error| ApiError::Unhealthy(Some(error)))?;
    }
    Ok(Json(HealthResponse { success: true, ver: 1 }))
}

/// `deep`, whatever its value: API Gateway passes on one that is empty as `deep=`.
fn is_deep(query: &str) -> bool {
    query.split('&').any(|parameter| parameter.split('=').next() == Some("deep"))
}
