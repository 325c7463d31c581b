use axum::body::Body;
use cruddur::api::{Deadline, Identity};
use cruddur::store;
use jiff::SignedDuration;
use local::issuer::Issuer;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{ANDREW, Answer, TestApp, request, sdk, signed_in};

async fn home_with(app: &TestApp, left: SignedDuration) -> Answer {
    let mut request = request("GET", "/api/activities/home").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Deadline(app.now() + left));
    app.send(request).await
}

#[tokio::test]
async fn a_request_that_runs_out_of_time_is_a_503() {
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = TestApp::on(store::client(&sdk(&format!("http://{}", listener.local_addr().unwrap()))));
    let home = home_with(&app, SignedDuration::from_millis(430)).await;
    let expected = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "There was not enough time left to answer. Try again.",
        "code": "out_of_time",
    });
    assert_eq!((home.status, home.header("retry-after")), (503, Some("1")));
    assert_eq!(home.body, expected);
}

#[tokio::test]
async fn a_deadline_that_has_passed_from_the_start_is_taken_for_unknown() {
    let app = TestApp::new().await;
    for left in [SignedDuration::ZERO, SignedDuration::from_secs(-1), SignedDuration::from_hours(-400_000)] {
        assert_eq!(home_with(&app, left).await.status, 200);
    }
}

#[tokio::test]
async fn a_deadline_far_away_is_no_reason_to_wait_for_it() {
    let app = TestApp::new().await;
    assert_eq!(home_with(&app, SignedDuration::from_hours(24 * 365)).await.status, 200);
}

#[tokio::test]
async fn a_key_server_that_never_answers_costs_no_more_than_the_time_that_is_left() {
    let mut app = TestApp::new().await;
    app.state.identity = Identity::tokens(Issuer::pool(), std::future::pending);
    let mut request = signed_in(request("PUT", "/api/activities/notifications").body(Body::empty()).unwrap(), ANDREW);
    request.extensions_mut().insert(Deadline(app.now() + SignedDuration::from_millis(480)));
    let answer = app.send(request).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("no_key_set")));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn where_less_is_left_than_an_answer_takes_nothing_is_asked() {
    let app = TestApp::new().await;
    let home = home_with(&app, SignedDuration::from_millis(410)).await;
    assert_eq!((home.status, &home.body["code"]), (503, &json!("out_of_time")));
}
