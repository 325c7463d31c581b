//! Failures of DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use axum::Router;
use axum::http::StatusCode;
use cruddur::api::ROUTES;
use cruddur::store;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{ANDREW, TestApp, hours, sdk};

/// An app whose DynamoDB always returns this status and error.
pub(crate) async fn app_with_failing_dynamodb(status: StatusCode, error: &'static str) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{error}"), "message": "canary" });
    let router = Router::new().fallback(async move || (status, body.to_string()));
    tokio::spawn(async { axum::serve(listener, router).await });
    TestApp::on(store::client(&sdk(&url)))
}

#[tokio::test]
async fn unreachable_dynamodb_is_503() {
    let home = TestApp::unreachable().get("/api/activities/home").await;
    home.assert_error(503, "unavailable");
}

#[tokio::test]
async fn silent_dynamodb_is_503_within_two_seconds() {
    let (app, _listener) = TestApp::with_silent_dynamodb().await;
    let began = std::time::Instant::now();
    let home = app.get("/api/activities/home").await;
    home.assert_error(503, "unavailable");
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Fails every write.
#[derive(Debug)]
struct NoWrites;

impl Intercept for NoWrites {
    fn name(&self) -> &'static str {
        "NoWrites"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input();
        let writes = input.downcast_ref::<PutItemInput>().is_some()
            || input.downcast_ref::<UpdateItemInput>().is_some()
            || input.downcast_ref::<DeleteItemInput>().is_some()
            || input.downcast_ref::<TransactWriteItemsInput>().is_some();
        if writes { Err("nothing can be written".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn failed_write_is_503_on_every_route() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "Hello @andrewbrown", "1-day").await.id;
    let opened = app.post_as(ANDREW, "/api/messages", &json!({ "message": "x", "handle": "worf" })).await;
    let group = opened.body["message_group_uuid"].as_str().unwrap();
    app.ask_as(ANDREW, "PUT", &format!("/api/activities/{post}/repost")).await;
    app.ask_as(ANDREW, "PUT", &format!("/api/activities/{post}/like")).await;
    app.replied(post, hours(0), 2, "a reply").await;
    app.settle().await;
    let before = app.contents().await;
    let broken = TestApp::on(Client::from_conf(app.client.config().to_builder().interceptor(NoWrites).build()));
    // Spans are not written to the table.
    for route in ROUTES.iter().filter(|route| route.method != "GET" && route.path != "/v1/traces") {
        let path = route.path.replace("{activity_uuid}", &post.to_string());
        let body = match route.path {
            "/api/activities" => json!({ "message": "y", "ttl": "1-day" }),
            "/api/messages" => json!({ "message": "y", "message_group_uuid": group }),
            "/api/profile/update" => json!({ "display_name": "y" }),
            _ => json!({ "message": "y" }),
        };
        // Worf adds a like and a repost, Andrew removes his own.
        let sub = if route.method == "PUT" && path.contains("/activities/0") { "demo-worf" } else { ANDREW };
        let answer = broken.send_as(sub, route.method, &path, body.to_string()).await;
        answer.assert_error(503, "unavailable");
    }
    assert_eq!(app.contents().await, before);
}
