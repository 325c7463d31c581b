use std::collections::BTreeSet;
use std::fs;

use lambda_http::Context;
use serde_json::{Value, json};

use crate::gateway::invoke;
use crate::support::{ANDREW, SAMPLES, TestApp, hours, token};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/api");

/// Each special event file, with its response; for a problem, its code.
fn special_answers() -> [(&'static str, u16, Value); 17] {
    let post = json!({
        "uuid": "01a202e9-b47a-7000-8000-000000000009", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Andrew's", "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
    });
    let home = json!([&post]);
    let feed = json!({
        "profile": {
            "uuid": "00000000-0000-0000-0000-000000000001", "handle": "andrewbrown", "display_name": "Andrew Brown",
            "bio": "", "cruds_count": 1,
        },
        "activities": [post],
    });
    [
        ("create_anonymous", 401, json!("unauthenticated")),
        ("create_bad_input", 422, json!(["ttl_blank", "message_blank"])),
        ("create_message_to_user", 200, json!({ "message_group_uuid": "01a20320-a2fa-7000-8000-000000000000" })),
        ("health_check_deep", 200, json!({ "success": true, "ver": 1 })),
        // Signed with another deployment's secret.
        ("home_cursor", 400, json!("bad_cursor")),
        ("home_base_path", 200, home.clone()),
        ("home_base_path_and_stage", 200, home.clone()),
        ("home_custom_domain", 200, home.clone()),
        ("home_custom_domain_of_stage_api", 200, home.clone()),
        ("home_stage_api", 200, home.clone()),
        ("home_stage_in_path", 200, home.clone()),
        ("home_test_invoke", 200, home),
        ("messages_with_user", 200, json!([])),
        ("unknown_route", 404, json!("not_found")),
        ("user_feed_base_path", 200, feed.clone()),
        ("user_feed_encoded", 200, feed.clone()),
        ("user_feed_sam_local", 200, feed),
    ]
}

fn read(name: &str) -> Value {
    let event = fs::read_to_string(format!("{FOLDER}/{name}.json")).unwrap();
    serde_json::from_str(&event.replace("ACCESS_TOKEN", &token(ANDREW))).unwrap()
}

#[tokio::test]
async fn sample_event_gets_the_status_of_its_owner() {
    for sample in &SAMPLES.routes {
        let event = read(&sample.event);
        let app = TestApp::with_samples().await;
        let (status, body) = invoke(&app, &event, Context::default()).await;
        assert_eq!(status, sample.owner, "{}: {body}", sample.event);
        assert_eq!(
            (event["httpMethod"].as_str(), event["path"].as_str()),
            (Some(&*sample.method), Some(&*sample.path_with(&[])))
        );
    }
}

#[tokio::test]
async fn special_event_gets_its_expected_response() {
    for (name, status, body) in special_answers() {
        let app = TestApp::with_samples().await;
        let (found, response) = invoke(&app, &read(name), Context::default()).await;
        let response = response.get("code").unwrap_or(&response);
        assert_eq!((found, response), (status, &body), "{name}");
    }
}

#[test]
fn every_event_file_has_an_expected_response() {
    let found = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let special = special_answers().into_iter().map(|(name, ..)| name.to_owned());
    let named = SAMPLES.routes.iter().map(|sample| sample.event.clone()).chain(special);
    assert_eq!(found.collect::<BTreeSet<_>>(), named.map(|name| format!("{name}.json")).collect());
}

#[tokio::test]
async fn cursor_from_a_page_works_in_an_event() {
    let app = TestApp::new().await;
    for (number, message) in [(1, "third"), (2, "second"), (3, "first")] {
        app.posted(hours(1), number, message, "1-day").await;
    }
    let next = app.get("/api/activities/home?limit=2").await.next().unwrap();
    let cursor = next.strip_prefix("?cursor=").unwrap().strip_suffix("&limit=2").unwrap();
    let mut event = read("home_cursor");
    event["queryStringParameters"]["cursor"] = json!(cursor);
    event["multiValueQueryStringParameters"]["cursor"] = json!([cursor]);
    let (status, body) = invoke(&app, &event, Context::default()).await;
    assert_eq!((status, &body[0]["message"], body.as_array().unwrap().len()), (200, &json!("third"), 1));
}
