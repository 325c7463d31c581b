//! The original's flaws: `docs/flaws.md`, and tests of those that no other file is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use cruddur::api::ROUTES;
use serde_json::json;

use crate::support::{ANDREW, TestApp, hours};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/flaws.md"));

/// The numbers of the flaws that are the web client's, or of what we do not have.
const NOT_OURS: [u32; 4] = [5, 7, 8, 25];

#[test]
fn every_flaw_is_in_the_table_with_tests_that_are_there() {
    let tests: BTreeSet<String> = ["tests/it", "crates/local/tests/it", "crates/local/src", "crates/lambda-spans/src"]
        .iter()
        .flat_map(|folder| crate::tidy::rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)))
        .flat_map(|file| names(&fs::read_to_string(file).unwrap()))
        .collect();
    let rows: Vec<Vec<&str>> = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| flaw"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.iter().map(|row| row[0].parse().unwrap()).collect::<Vec<u32>>(), (1..=25).collect::<Vec<_>>());
    for row in rows {
        let [number, _, here, named] = row[..] else { panic!("{row:?} has not four cells") };
        if NOT_OURS.contains(&number.parse().unwrap()) {
            assert_eq!(named, "does not apply", "{number}");
            continue;
        }
        assert!(!here.is_empty());
        for name in named.split(", ") {
            let name = name.trim_matches('`');
            assert!(tests.contains(name), "the test {name} of flaw {number} is not there");
        }
    }
}

/// The names of the tests in a source.
fn names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if is_test && let Some(function) = function {
            names.extend(function.split('(').next().map(str::to_owned));
        }
        is_test = line == "#[test]" || line == "#[tokio::test]" || (is_test && line.starts_with("#["));
    }
    names
}

/// Lets nothing be written.
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
async fn a_write_that_fails_is_no_success_on_any_route() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "Hello @andrewbrown", "1-day").await.id;
    let opened = app.post_as(ANDREW, "/api/messages", &json!({ "message": "x", "handle": "worf" })).await;
    let group = opened.body["message_group_uuid"].as_str().unwrap();
    app.ask_as(ANDREW, "PUT", &format!("/api/activities/{post}/repost")).await;
    app.ask_as(ANDREW, "PUT", &format!("/api/activities/{post}/like")).await;
    let mut app = app;
    app.replied(post, hours(0), 2, "a reply").await;
    app.settle().await;
    let before = app.contents().await;
    let broken = TestApp::on(Client::from_conf(app.client.config().to_builder().interceptor(NoWrites).build()));
    for route in ROUTES.iter().filter(|route| route.method != "GET") {
        let path = route.path.replace("{activity_uuid}", &post.to_string());
        let body = match route.path {
            "/api/activities" => json!({ "message": "y", "ttl": "1-day" }),
            "/api/messages" => json!({ "message": "y", "message_group_uuid": group }),
            "/api/profile/update" => json!({ "display_name": "y" }),
            _ => json!({ "message": "y" }),
        };
        // Worf likes and reposts anew, Andrew takes his own back.
        let sub = if route.method == "PUT" && path.contains("/activities/0") { "demo-worf" } else { ANDREW };
        let answer = broken.send_as(sub, route.method, &path, body.to_string()).await;
        assert_eq!(answer.status, 503, "{} {path}: {}", route.method, answer.body);
        assert_eq!(answer.body["code"], "unavailable");
    }
    assert_eq!(app.contents().await, before);
}

#[test]
fn the_template_has_no_key_no_account_and_no_plain_http() {
    let template = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"));
    assert!(!template.contains("AKIA") && !template.contains("ACCESS_KEY"));
    // It is there for the laptop alone: nothing has a value for it in AWS.
    let mut endpoints = template.lines().filter_map(|line| line.trim().strip_prefix("AWS_ENDPOINT_URL: "));
    assert!(endpoints.all(|endpoint| endpoint == "!Ref AWS::NoValue"));
    let plain: Vec<_> =
        template.lines().filter(|line| line.contains("http://") && !line.contains("localhost")).collect();
    assert_eq!(plain, Vec::<&str>::new());
    let accounts = template.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 12);
    assert_eq!(accounts.collect::<Vec<_>>(), Vec::<&str>::new());
}
