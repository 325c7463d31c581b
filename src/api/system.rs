use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use tracing::{Instrument, info_span};

use super::AppState;
use super::error::ApiError;

/// Timeout of the deep health check.
const TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct HealthResponse {
    success: bool,
    ver: u8,
}

/// Returns success if the function runs and, with `?deep`, if the table responds.
pub(super) async fn check_health(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<HealthResponse>, ApiError> {
    if query.as_deref().is_some_and(is_deep) {
        let checked = tokio::time::timeout(TIMEOUT, state.store.warm_up()).instrument(info_span!("ask-table")).await;
        checked.map_err(|_elapsed| ApiError::Unhealthy(None))?.map_err(|error| ApiError::Unhealthy(Some(error)))?;
    }
    Ok(Json(HealthResponse { success: true, ver: 1 }))
}

/// Returns whether the query contains `deep` with any value. API Gateway forwards `?deep` as `?deep=`.
fn is_deep(query: &str) -> bool {
    query.split('&').any(|parameter| parameter.split('=').next() == Some("deep"))
}

/// The committed description; a test compares it with the generated one. Generating it at run time would put the
/// generator into every deployed binary.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// Returns the API's description.
pub(super) async fn describe() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}
