use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use cruddur::api::{self, Access, ROUTES};
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, request};

const KEPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json"));

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    &document["paths"][path][method.to_ascii_lowercase()]
}

/// The objects in `value` at any depth, with their pointers.
fn objects(at: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            found.push((at.to_owned(), value.clone()));
            for (name, field) in fields {
                objects(&format!("{at}/{}", name.replace('/', "~1")), field, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(&format!("{at}/{index}"), item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn all_objects(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    objects("", document, &mut found);
    found
}

#[test]
fn the_kept_description_is_that_of_the_code() {
    let made = format!("{:#}\n", api::openapi());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    std::fs::write(&file, &made).unwrap();
    assert!(made == KEPT, "docs/openapi.json is not what the code says: cp {} docs/openapi.json", file.display());
}

#[tokio::test]
async fn it_is_answered_to_everybody() {
    let answer = TestApp::empty().await.get("/api/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.body, api::openapi());
}

#[test]
fn it_has_every_route_and_no_other() {
    let document = api::openapi();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|method| (method.to_ascii_uppercase(), path.clone())));
    }
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(described, routes);
}

#[test]
fn a_route_for_users_says_so_and_every_route_says_how_it_fails() {
    let document = api::openapi();
    let mut ids = BTreeSet::new();
    for route in &ROUTES {
        let operation = operation(&document, route.method, route.path);
        let (security, unauthenticated) = match route.access {
            Access::Public => (json!([]), false),
            Access::Optional => (json!([{}, { "accessToken": [] }]), false),
            Access::SignedIn => (json!([{ "accessToken": [] }]), true),
        };
        assert_eq!(operation["security"], security, "{} {}", route.method, route.path);
        let responses = operation["responses"].as_object().unwrap();
        assert_eq!(responses.contains_key("401"), unauthenticated, "{} {}", route.method, route.path);
        for status in ["200", "500", "503"] {
            assert!(responses.contains_key(status), "{} {} has no {status}", route.method, route.path);
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "an id stands there twice");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = api::openapi();
    let mut used = BTreeSet::new();
    for (at, object) in all_objects(&document) {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{at} names {reference}");
            used.insert(pointer.to_owned());
        }
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(used.contains(&format!("/components/{kind}/{name}")), "{kind} {name} is not used");
        }
    }
}

#[test]
fn links_name_operations_and_parameters_that_there_are() {
    let document = api::openapi();
    let find = |id: &Value| {
        ROUTES.iter().find(|route| operation(&document, route.method, route.path)["operationId"] == *id).unwrap()
    };
    let mut count = 0;
    for (at, object) in all_objects(&document) {
        if let (Some(id), true) = (object.get("operationId"), at.contains("/links/")) {
            let target = find(id);
            for parameter in object["parameters"].as_object().unwrap().keys() {
                assert!(target.path.contains(&format!("{{{parameter}}}")), "{at}: {parameter} of {}", target.path);
            }
            count += 1;
        }
    }
    assert_eq!(count, 23);
}

#[test]
fn what_a_request_must_have_is_required_and_nothing_unknown_may_be_there() {
    let schemas = &api::openapi()["components"]["schemas"];
    for (name, required) in [
        ("CreateActivityRequest", json!(["message", "ttl"])),
        ("CreateMessageRequest", json!(["message"])),
        ("CreateReplyRequest", json!(["message"])),
        ("UpdateProfileRequest", json!(["display_name"])),
    ] {
        assert_eq!((&schemas[name]["required"], &schemas[name]["additionalProperties"]), (&required, &json!(false)));
    }
    let message = &schemas["CreateActivityRequest"]["properties"]["message"];
    assert_eq!((&message["type"], &message["maxLength"]), (&json!("string"), &json!(280)));
}

#[tokio::test]
async fn the_examples_of_requests_are_accepted() {
    let app = TestApp::new().await;
    let document = api::openapi();
    let post = app.posted(crate::support::hours(1), 1, "x", "1-day").await.id.to_string();
    for route in &ROUTES {
        let operation = operation(&document, route.method, route.path);
        let Some(schema) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() else {
            continue;
        };
        let example = &document.pointer(&schema[1..]).unwrap()["examples"][0];
        let path = route.path.replace("{activity_uuid}", &post);
        let request = request(route.method, &path).header("content-type", "application/json");
        let request = crate::support::signed_in(request.body(Body::from(example.to_string())).unwrap(), ANDREW);
        let answer = app.send(request).await;
        assert_eq!(answer.status, 200, "{} {}: {}", route.method, route.path, answer.body);
    }
}
