use std::collections::BTreeSet;

use axum::body::Body;
use cruddur::api::{self, Access, ROUTES};
use serde_json::{Value, json};

use crate::support::{ANDREW, ORIGIN, TestApp, assert_snapshot, request};

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    &document["paths"][path][method.to_ascii_lowercase()]
}

/// Collects the objects in `value` at any depth, with their JSON pointers.
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
fn openapi_file_matches_the_code() {
    assert_snapshot("../docs/openapi.json", &format!("{:#}\n", api::openapi()));
}

#[test]
fn openapi_describes_the_renamed_challenge() {
    let document = api::openapi();
    let unauthorized = &document["components"]["responses"]["Unauthorized"];
    assert!(unauthorized["headers"]["x-amzn-remapped-www-authenticate"].is_object());
    let header = &document["components"]["headers"]["WwwAuthenticate"];
    assert!(header["description"].as_str().unwrap().contains("`x-amzn-Remapped-WWW-Authenticate`"));
    assert!(header.get("required").is_none());
    let problem = &document["components"]["schemas"]["Problem"]["properties"];
    assert_eq!(problem["scheme"]["enum"], json!(["Bearer"]));
    let ours = ["missing", "malformed", "not_signed", "not_for_us", "expired", "not_yet_valid"];
    let gateways = ["missing_or_invalid"];
    assert_eq!(problem["reason"]["enum"], json!([ours.as_slice(), &gateways].concat()));
}

#[tokio::test]
async fn openapi_is_public() {
    let answer = TestApp::empty().await.get("/api/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.body, api::openapi());
}

#[test]
fn openapi_has_every_route() {
    let document = api::openapi();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|method| (method.to_ascii_uppercase(), path.clone())));
    }
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(described, routes);
}

#[test]
fn openapi_has_security_and_error_responses() {
    let document = api::openapi();
    let mut ids = BTreeSet::new();
    for route in &ROUTES {
        let operation = operation(&document, route.method, route.path);
        let (security, unauthenticated) = match route.access {
            Access::Public => (json!([]), false),
            Access::Optional => (json!([{}, { "accessToken": [] }]), true),
            Access::SignedIn => (json!([{ "accessToken": [] }]), true),
        };
        assert_eq!(operation["security"], security, "{} {}", route.method, route.path);
        let responses = operation["responses"].as_object().unwrap();
        assert_eq!(responses.contains_key("401"), unauthenticated, "{} {}", route.method, route.path);
        let control = &responses["200"]["headers"]["Cache-Control"]["$ref"];
        assert_eq!(control, "#/components/headers/CacheControl", "{} {}", route.method, route.path);
        for status in ["200", "500", "503"] {
            assert!(responses.contains_key(status), "{} {} has no {status}", route.method, route.path);
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "an operation id is used twice");
    }
}

#[test]
fn openapi_references_resolve_and_components_are_used() {
    let document = api::openapi();
    let mut used = BTreeSet::new();
    for (at, object) in all_objects(&document) {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{at} refers to the missing {reference}");
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
fn openapi_links_resolve() {
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
    assert!(count > 0);
}

#[tokio::test]
async fn openapi_request_examples_are_accepted() {
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
        let request = request(route.method, &path).header("content-type", "application/json").header("origin", ORIGIN);
        let request = crate::support::signed_in(request.body(Body::from(example.to_string())).unwrap(), ANDREW);
        let answer = app.send(request).await;
        assert_eq!(answer.status, 200, "{} {}: {}", route.method, route.path, answer.body);
    }
}
