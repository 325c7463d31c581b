use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct HealthResponse {
    success: bool,
    ver: u8,
}

/// That the function answers; the table is not asked.
pub(super) async fn check() -> Json<HealthResponse> {
    Json(HealthResponse { success: true, ver: 1 })
}
