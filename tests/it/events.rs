use std::collections::BTreeSet;
use std::fs;

use cruddur::api::{self, ROUTES};
use lambda_http::Context;
use serde_json::{Value, json};

use crate::gateway::invoke;
use crate::support::{ANDREW, TestApp, hours, token};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/api");

fn post(message: &str) -> Value {
    json!({
        "uuid": "01a202e9-b47a-7000-8000-000000000009", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": message, "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
    })
}

fn reactions(likes: u64, reposts: u64, liked: bool, reposted: bool) -> Value {
    json!({
        "uuid": "01a202e9-b47a-7000-8000-000000000009", "likes_count": likes, "reposts_count": reposts,
        "liked": liked, "reposted": reposted,
    })
}

fn short(uuid: &str, handle: &str, display_name: &str) -> Value {
    json!({ "uuid": uuid, "handle": handle, "display_name": display_name })
}

/// Every event file with the response of a system that has one post; for a problem, its code.
fn answers() -> Vec<(&'static str, u16, Value)> {
    let created = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Hello from Lambda", "created_at": "2026-11-22T12:00:00.250Z",
        "expires_at": "2026-11-29T12:00:00.250Z", "reply_to_activity_uuid": null,
    });
    let replied = json!({
        "uuid": "01a20320-a2fa-7000-8000-000000000000", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "This post has no honor!", "created_at": "2026-11-22T12:00:00.250Z",
        "expires_at": "2026-11-23T11:00:00.250Z",
        "reply_to_activity_uuid": "01a202e9-b47a-7000-8000-000000000009",
    });
    let feed = json!({
        "profile": {
            "uuid": "00000000-0000-0000-0000-000000000001", "handle": "andrewbrown",
            "display_name": "Andrew Brown", "bio": "", "cruds_count": 1,
        },
        "activities": [{
            "uuid": "01a202e9-b47a-7000-8000-000000000009", "display_name": "Andrew Brown",
            "handle": "andrewbrown", "message": "A post",
            "created_at": "2026-11-22T11:00:00.250Z", "expires_at": "2026-11-23T11:00:00.250Z",
        }],
    });
    let andrew = short("00000000-0000-0000-0000-000000000001", "andrewbrown", "Andrew Brown");
    let worf = short("00000000-0000-0000-0000-000000000002", "worf", "Worf");
    vec![
        ("create.json", 200, created),
        ("create_anonymous.json", 401, json!("unauthenticated")),
        ("create_bad_input.json", 422, json!(["ttl_blank", "message_blank"])),
        ("create_message.json", 200, json!({ "message_group_uuid": "01a20320-a2fa-7000-8000-000000000000" })),
        ("delete.json", 200, json!({ "uuid": "01a202e9-b47a-7000-8000-000000000009" })),
        ("health_check.json", 200, json!({ "success": true, "ver": 1 })),
        ("health_check_deep.json", 200, json!({ "success": true, "ver": 1 })),
        ("home.json", 200, json!([post("A post")])),
        // Signed with another deployment's secret.
        ("home_cursor.json", 400, json!("bad_cursor")),
        ("home_stage_in_path.json", 200, json!([post("A post")])),
        ("like.json", 200, reactions(1, 0, true, false)),
        ("message_groups.json", 200, json!([])),
        ("messages.json", 404, json!("not_found")),
        ("messages_with_user.json", 200, json!([])),
        ("notifications.json", 200, json!([])),
        ("read_notifications.json", 200, json!({ "unread_count": 0 })),
        ("openapi.json", 200, api::openapi()),
        ("reply.json", 200, replied),
        ("repost.json", 200, reactions(0, 1, false, true)),
        ("search.json", 200, json!([])),
        ("short_user.json", 200, worf),
        ("show.json", 404, json!("not_found")),
        ("show_status.json", 200, json!({ "activity": post("A post"), "replies": [] })),
        ("undo_repost.json", 200, reactions(0, 0, false, false)),
        ("unknown_route.json", 404, json!("not_found")),
        ("unlike.json", 200, reactions(0, 0, false, false)),
        ("update_profile.json", 200, andrew.clone()),
        ("update_profile_by_post.json", 200, andrew),
        ("user_feed.json", 200, feed),
    ]
}

fn read(file: &str) -> Value {
    let event = fs::read_to_string(format!("{FOLDER}/{file}")).unwrap();
    serde_json::from_str(&event.replace("ACCESS_TOKEN", &token(ANDREW))).unwrap()
}

#[tokio::test]
async fn every_event_gets_its_expected_response() {
    for (file, status, body) in answers() {
        let app = TestApp::new().await;
        app.posted(hours(1), 9, "A post", "1-day").await;
        let (found, response) = invoke(&app, &read(file), Context::default()).await;
        let response = response.get("code").unwrap_or(&response);
        assert_eq!((found, response), (status, &body), "{file}");
    }
}

#[test]
fn every_event_file_has_an_expected_response() {
    let found = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let named = answers().into_iter().map(|(file, ..)| file.to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), named.collect());
}

#[test]
fn every_route_has_an_event() {
    let events: Vec<Value> = answers().into_iter().map(|(file, ..)| read(file)).collect();
    for route in &ROUTES {
        // API Gateway ignores the `@` before a parameter, so the resource is that of a post.
        let is_of = |event: &&Value| {
            let path = event["path"].as_str().unwrap();
            event["httpMethod"] == route.method && matches(route.path, path.strip_prefix("/prod").unwrap_or(path))
        };
        assert!(events.iter().any(|event| is_of(&event)), "{} {} has no event", route.method, route.path);
    }
}

/// Whether the path matches the route. A parameter is one segment, after an `@` if the route has one.
fn matches(route: &str, path: &str) -> bool {
    let part = |(route, part): (&str, &str)| match route.split_once('{') {
        Some(("@", _)) => part.starts_with('@') || part.starts_with("%40"),
        Some(_) => !part.starts_with('@') || route.contains("group"),
        None => route == part,
    };
    route.split('/').count() == path.split('/').count() && route.split('/').zip(path.split('/')).all(part)
}

#[tokio::test]
async fn cursor_from_a_page_works_in_an_event() {
    let app = TestApp::new().await;
    for (number, message) in [(1, "third"), (2, "second"), (3, "first")] {
        app.posted(hours(1), number, message, "1-day").await;
    }
    let next = app.get("/api/activities/home?limit=2").await.next().unwrap();
    let cursor = next.strip_prefix("?cursor=").unwrap().strip_suffix("&limit=2").unwrap();
    let mut event = read("home_cursor.json");
    event["queryStringParameters"]["cursor"] = json!(cursor);
    event["multiValueQueryStringParameters"]["cursor"] = json!([cursor]);
    let (status, body) = invoke(&app, &event, Context::default()).await;
    assert_eq!((status, &body[0]["message"], body.as_array().unwrap().len()), (200, &json!("third"), 1));
}
