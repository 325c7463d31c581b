use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Body;
use cruddur::api::{self, AppState};
use cruddur::clock::Clock;
use cruddur::store::keys;
use lambda_spans::ErrorType;
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TABLE, TestApp, andrew, answer, hours, numbered, request, signed_in};

fn assert_problem(answer: &Answer, status: u16, title: &str, code: &str, detail: &str) {
    let expected = json!({ "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code });
    assert_eq!((answer.status, &answer.body), (status, &expected));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.response.extensions().get::<ErrorType>().unwrap().0, code);
}

#[tokio::test]
async fn an_unknown_route_is_404() {
    let app = TestApp::new().await;
    for path in ["/", "/api", "/api/activities/home/", "/api/nothing-here", "/prod/api/health-check"] {
        let answer = app.get(path).await;
        assert_problem(&answer, 404, "Not Found", "not_found", "There is no such route.");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_405_with_those_it_takes() {
    let app = TestApp::new().await;
    for (method, path, allow) in [
        ("DELETE", "/api/activities", "POST"),
        ("POST", "/api/activities/home", "GET,HEAD"),
        ("PUT", "/api/health-check", "GET,HEAD"),
    ] {
        let answer = app.send(request(method, path).body(Body::empty()).unwrap()).await;
        let detail = "This route is there, but not for this method; `Allow` lists those it takes.";
        assert_problem(&answer, 405, "Method Not Allowed", "method_not_allowed", detail);
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413() {
    let app = TestApp::new().await;
    let answer = app.post("x".repeat(64 * 1024 + 1)).await;
    assert_problem(&answer, 413, "Payload Too Large", "body_too_large", "The body is longer than 65536 bytes.");
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_415() {
    let app = TestApp::new().await;
    for (content_type, found) in [(Some("text/plain; charset=utf-8"), "`text/plain`"), (None, "nothing")] {
        let mut request = request("POST", "/api/activities");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = app.send(signed_in(request.body(Body::from("{}")).unwrap(), ANDREW)).await;
        let detail = format!("The body must be `application/json`; the request says {found}.");
        assert_problem(&answer, 415, "Unsupported Media Type", "unsupported_media_type", &detail);
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400_and_says_where() {
    let app = TestApp::new().await;
    let cases: [(&[u8], &str); 8] = [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"{\"message\": ", "EOF while parsing a value at line 1 column 12"),
        (b"[1]", "invalid type: integer, expected a string"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"{\"message\": 5}", "message: invalid type: integer, expected a string at line 1 column 13"),
        (b"{\"ttl\": [\"1-day\"]}", "ttl: invalid type: sequence, expected a string at line 1 column 8"),
        (b"{\"text\": \"x\"}", "unknown field `text`, expected `message` or `ttl`"),
        (b"{\"message\": \"\xff\"}", "invalid unicode code point"),
    ];
    for (body, found) in cases {
        let answer = app.post(body.to_vec()).await;
        let detail = answer.body["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("The body cannot be read: ") && detail.contains(found), "{detail}");
        assert_problem(&answer, 400, "Bad Request", "bad_request", &detail);
    }
}

#[tokio::test]
async fn deep_json_is_400_and_not_a_stack_overflow() {
    let app = TestApp::new().await;
    assert_eq!(app.post("[".repeat(60_000)).await.status, 400);
    assert_eq!(app.post(format!("{{\"message\": {}", "[".repeat(60_000))).await.status, 400);
}

#[tokio::test]
async fn a_path_of_broken_utf_8_is_400() {
    let app = TestApp::new().await;
    let answer = app.get("/api/activities/%ff").await;
    assert_problem(&answer, 400, "Bad Request", "bad_request", "The path is not valid UTF-8.");
}

#[tokio::test]
async fn a_limit_that_is_not_one_to_a_hundred_is_400_and_quoted_where_it_is_a_number() {
    let app = TestApp::new().await;
    let another = "another text";
    for (query, found) in
        [("0", "`0`"), ("101", "`101`"), ("-1", "`-1`"), ("ten", another), ("", another), ("%ff", another)]
    {
        let answer = app.get(&format!("/api/activities/home?limit={query}")).await;
        let detail = format!("`limit` must be a whole number from 1 to 100; found {found}.");
        assert_problem(&answer, 400, "Bad Request", "bad_request", &detail);
    }
    let answer = app.get("/api/activities/home?limit=1&limit=2").await;
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad_request")));
}

#[tokio::test]
async fn a_panic_is_a_500_that_does_not_quote_it() {
    let app = TestApp::new().await;
    let clock = Clock::new(|| panic!("canary"), |at| numbered(at, 0));
    let router = api::router(AppState { clock, ..app.state.clone() });
    let answer = answer(router, request("GET", "/api/health-check").body(Body::empty()).unwrap()).await;
    let detail = "Something is wrong on our side. `trace_id` names this request.";
    assert_problem(&answer, 500, "Internal Server Error", "panic", detail);
}

#[tokio::test]
async fn an_item_of_the_wrong_form_is_a_500_that_does_not_quote_it() {
    let app = TestApp::new().await;
    let activity = app.posted(hours(0), 1, "canary", "1-day").await;
    let key = keys::activity(activity.id);
    app.client
        .update_item()
        .table_name(TABLE)
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk))
        .update_expression("SET likes_count = :bad")
        .expression_attribute_values(":bad", AttributeValue::S("canary".to_owned()))
        .send()
        .await
        .unwrap();
    let detail = "Something is wrong on our side. `trace_id` names this request.";
    let home = app.get("/api/activities/home").await;
    assert_problem(&home, 500, "Internal Server Error", "corrupt_item", detail);
    let error = app.state.store.post(activity.id, app.now()).await.unwrap_err();
    let told = "activity item (HOME#<bucket>#<shard>): attribute `likes_count` is missing or has the wrong form";
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_a_500() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    let home = app.get("/api/activities/home").await;
    assert_eq!((home.status, &home.body["code"]), (500, &json!("store_refused")));
}

#[tokio::test]
async fn nothing_private_is_in_any_answer() {
    let app = TestApp::new().await;
    app.posted(hours(0), 1, "hello", "1-day").await;
    let uuid = andrew().author.user_uuid.to_string();
    for path in ["/api/activities/home", "/api/activities/01a20320-a2fa-7000-8000-000000000001"] {
        let answer = app.get_as(ANDREW, path).await;
        assert_eq!(answer.status, 200);
        let text = Value::to_string(&answer.body);
        assert!(!text.contains(ANDREW) && !text.contains(&uuid), "{text}");
    }
    let post = "/api/activities/01a20320-a2fa-7000-8000-000000000001";
    app.replied(numbered(app.now(), 1), hours(0), 2, "reply").await;
    for (sub, method, path, status) in [
        (ANDREW, "GET", "/api/activities/@andrewbrown".to_owned(), 200),
        (ANDREW, "GET", format!("/api/activities/@andrewbrown/status/{}", numbered(app.now(), 1)), 200),
        (ANDREW, "GET", "/api/users/@andrewbrown/short".to_owned(), 200),
        (ANDREW, "PUT", format!("{post}/like"), 200),
        (ANDREW, "DELETE", format!("{post}/repost"), 200),
        ("demo-worf", "DELETE", post.to_owned(), 403),
        (ANDREW, "DELETE", post.to_owned(), 200),
    ] {
        let answer = app.ask_as(sub, method, &path).await;
        let text = Value::to_string(&answer.body);
        assert_eq!(answer.status, status, "{text}");
        assert!(!text.contains("demo-") && !text.contains("sub"), "{text}");
    }
}
