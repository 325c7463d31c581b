//! An axum router behind API Gateway, a function URL or a load balancer.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use lambda_spans::ErrorType;
use tracing::{info_span, instrument};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let router = Router::new().route("/", get(async || "hello")).route("/items/{id}", get(item));
    lambda_spans::run(router).await
}

// `http.route` is `/items/{id}`; the id itself is in no attribute unless one is made.
#[instrument(skip_all)]
async fn item(Path(id): Path<u32>) -> impl IntoResponse {
    let found = info_span!("look-up", app.item = id).in_scope(|| id.is_multiple_of(2));
    if found {
        Ok(format!("item {id}"))
    } else {
        // A word for `error.type`: better to group by than a status.
        Err((StatusCode::NOT_FOUND, axum::Extension(ErrorType("no_such_item".into()))))
    }
}
