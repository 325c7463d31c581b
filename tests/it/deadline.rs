use axum::body::Body;
use cruddur::api::{Deadline, Identity};
use cruddur_local::issuer::Issuer;
use jiff::SignedDuration;

use crate::support::{ANDREW, Answer, TestApp, request, signed_in};

async fn home_with(app: &TestApp, left: SignedDuration) -> Answer {
    let mut request = request("GET", "/api/activities/home").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Deadline(app.now() + left));
    app.send(request).await
}

#[tokio::test]
async fn request_past_its_deadline_is_503() {
    let (app, _listener) = TestApp::with_silent_dynamodb().await;
    let home = home_with(&app, SignedDuration::from_millis(430)).await;
    home.assert_error(503, "out_of_time");
    assert_eq!(home.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn deadline_in_the_past_is_ignored() {
    let app = TestApp::new().await;
    for left in [SignedDuration::ZERO, SignedDuration::from_secs(-1), SignedDuration::from_hours(-400_000)] {
        assert_eq!(home_with(&app, left).await.status, 200);
    }
}

#[tokio::test]
async fn distant_deadline_does_not_delay_the_response() {
    let app = TestApp::new().await;
    assert_eq!(home_with(&app, SignedDuration::from_hours(24 * 365)).await.status, 200);
}

#[tokio::test]
async fn silent_key_server_ends_at_the_deadline() {
    let mut app = TestApp::new().await;
    app.state.identity = Identity::tokens(Issuer::pool(), std::future::pending);
    let mut request = signed_in(request("PUT", "/api/activities/notifications").body(Body::empty()).unwrap(), ANDREW);
    request.extensions_mut().insert(Deadline(app.now() + SignedDuration::from_millis(480)));
    let answer = app.send(request).await;
    answer.assert_error(503, "no_key_set");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn too_little_time_left_sends_no_request() {
    let app = TestApp::new().await;
    let home = home_with(&app, SignedDuration::from_millis(410)).await;
    home.assert_error(503, "out_of_time");
}
