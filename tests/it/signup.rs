use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use cruddur::domain::{Author, Handle, Profile};
use cruddur::signup::{self, SignupError};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ANDREW, TABLE, TestApp};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/signup");
const PICARD: &str = "8c5d4578-1051-70a9-6e0a-2f1c9b3d4e5f";

fn read(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/{file}")).unwrap()).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The event `confirm.json` for a user with these attributes.
fn confirmed(sub: &str, preferred_username: Option<&str>, name: Option<&str>) -> Value {
    let mut event = read("confirm.json");
    let attributes = &mut event["request"]["userAttributes"];
    attributes["sub"] = json!(sub);
    attributes["preferred_username"] = json!(preferred_username);
    attributes["name"] = json!(name);
    event
}

async fn confirm(app: &TestApp, event: &Value) -> Result<Value, SignupError> {
    signup::confirm(&app.state.store, &app.state.clock, event.clone(), Duration::from_secs(60)).await
}

async fn profile(app: &TestApp, sub: &str) -> Option<(String, String)> {
    let Profile { author: Author { handle, display_name, .. }, .. } = app.state.store.profile(sub).await.unwrap()?;
    Some((handle.as_str().to_owned(), display_name))
}

fn named(handle: &str, display_name: &str) -> Option<(String, String)> {
    Some((handle.to_owned(), display_name.to_owned()))
}

#[tokio::test]
async fn confirmation_creates_a_profile_and_returns_the_event() {
    let app = TestApp::new().await;
    let event = read("confirm.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
}

#[tokio::test]
async fn forgotten_password_creates_no_profile() {
    let app = TestApp::new().await;
    let event = read("forgot_password.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, None);
}

#[tokio::test]
async fn sign_in_creates_a_missing_profile() {
    let app = TestApp::new().await;
    let mut event = read("sign_in.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
    event["request"]["userAttributes"]["preferred_username"] = json!("locutus");
    confirm(&app, &event).await.unwrap();
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
}

#[test]
fn every_signup_event_is_tested() {
    let found = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let used = ["confirm.json", "forgot_password.json", "sign_in.json"].map(str::to_owned);
    assert_eq!(found.collect::<BTreeSet<_>>(), BTreeSet::from(used));
}

#[tokio::test]
async fn repeated_confirmations_create_one_profile() {
    let app = TestApp::new().await;
    let event = read("confirm.json");
    let results = join_all((0..10).map(|_| confirm(&app, &event))).await;
    assert!(results.iter().all(Result::is_ok));
    let first = app.state.store.profile(PICARD).await.unwrap().unwrap();
    confirm(&app, &event).await.unwrap();
    assert_eq!(app.state.store.profile(PICARD).await.unwrap().unwrap(), first);
    assert_eq!(items(&app).await.len(), 1 + 2 + 2 + 2, "the layout, and two items for each of three users");
}

#[tokio::test]
async fn taken_handle_gets_stable_digits() {
    let app = TestApp::new().await;
    confirm(&app, &confirmed("sub-1", Some("worf"), None)).await.unwrap();
    assert_eq!(profile(&app, "sub-1").await, named("worf_0885", "worf_0885"));
    // Not the next free handle: a second event for the same user must not claim a second one.
    confirm(&app, &confirmed("sub-1", Some("worf"), None)).await.unwrap();
    confirm(&app, &confirmed("sub-2", Some("worf"), None)).await.unwrap();
    assert_eq!(profile(&app, "sub-2").await, named("worf_1382", "worf_1382"));
}

#[tokio::test]
async fn concurrent_claims_of_a_handle_have_one_winner() {
    let app = TestApp::new().await;
    let (one, two) = (confirmed("sub-1", Some("q"), None), confirmed("sub-2", Some("q"), None));
    let (one, two) = tokio::join!(confirm(&app, &one), confirm(&app, &two));
    let handles =
        [profile(&app, "sub-1").await, profile(&app, "sub-2").await].map(Option::unwrap).map(|(handle, _)| handle);
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(handles.iter().filter(|handle| *handle == "q").count(), 1, "{handles:?}");
    assert_ne!(handles[0], handles[1]);
}

#[tokio::test]
async fn invalid_handles_are_converted() {
    let app = TestApp::new().await;
    for (n, (preferred, handle)) in [
        (Some("Jean-Luc.Picard"), "Jean_Luc_Picard"),
        (Some("  Data  "), "Data"),
        (Some("a_very_long_name_of_more_than_thirty_characters"), "a_very_long_name_of_more_than_"),
        (Some("picard@example.com"), "user_"),
        (Some("艦長"), "user_"),
        (Some("---"), "user_"),
        (None, "user_"),
    ]
    .into_iter()
    .enumerate()
    {
        let sub = format!("sub-{n}");
        confirm(&app, &confirmed(&sub, preferred, None)).await.unwrap();
        let (found, _) = profile(&app, &sub).await.unwrap();
        let digits = found.strip_prefix(handle).unwrap();
        assert_eq!(
            (digits.len(), digits.bytes().all(|b| b.is_ascii_digit())),
            (if handle == "user_" { 4 } else { 0 }, true)
        );
    }
}

#[tokio::test]
async fn unusable_name_falls_back_to_the_handle() {
    let app = TestApp::new().await;
    let long = "x".repeat(51);
    for (n, name) in
        [Some("  "), Some("\u{3164}"), Some("a\u{7}b"), Some("picard@example.com"), Some(long.as_str()), None]
            .into_iter()
            .enumerate()
    {
        let (sub, handle) = (format!("sub-{n}"), format!("handle_{n}"));
        confirm(&app, &confirmed(&sub, Some(&handle), name)).await.unwrap();
        assert_eq!(profile(&app, &sub).await, named(&handle, &handle));
    }
}

#[tokio::test]
async fn confirmation_fails_without_a_free_handle() {
    let app = TestApp::new().await;
    let claims = ["worf_0885", "worf_088534", "worf_08853457", "worf_088534579596"];
    for (n, handle) in claims.into_iter().enumerate() {
        let author = Author {
            user_uuid: uuid::Uuid::from_u128(100 + n as u128),
            handle: Handle::parse(handle).unwrap(),
            display_name: "x".to_owned(),
        };
        let profile = Profile { sub: format!("other-{n}"), author, ..crate::support::andrew() };
        app.state.store.create_profile(&profile).await.unwrap();
    }
    let error = confirm(&app, &confirmed("sub-1", Some("worf"), None)).await.unwrap_err();
    assert!(matches!(error, SignupError::NoFreeHandle));
    assert_eq!(profile(&app, "sub-1").await, None);
}

#[tokio::test]
async fn other_events_are_rejected() {
    let app = TestApp::new().await;
    let mut events = vec![json!({ "triggerSource": "PostConfirmation_ConfirmSignUp" }), confirmed("", None, None)];
    events.extend(["null", "5", "true", "\"x\"", "[]", "{}", "[\"PostConfirmation_ConfirmSignUp\", {}]"].map(parsed));
    for (at, value) in [
        ("/triggerSource", "5"),
        ("/triggerSource", "[\"PostConfirmation_ConfirmSignUp\"]"),
        ("/request", "[]"),
        ("/request", "[{\"sub\": \"x\"}]"),
        ("/request/userAttributes", "\"sub\""),
        ("/request/userAttributes", "[\"x\"]"),
        ("/request/userAttributes/sub", "5"),
        ("/request/userAttributes/sub", "[\"x\"]"),
        ("/request/userAttributes/sub", "{}"),
    ] {
        let mut event = confirmed("x", None, None);
        *event.pointer_mut(at).unwrap() = parsed(value);
        events.push(event);
    }
    for event in events {
        let error = confirm(&app, &event).await.unwrap_err();
        assert!(matches!(error, SignupError::Malformed(_)), "{event}: {error}");
    }
    let other = confirm(&app, &json!({ "triggerSource": "PreSignUp_SignUp" })).await;
    assert!(matches!(other, Err(SignupError::OtherTrigger(_))));
}

#[tokio::test]
async fn confirmation_fails_without_the_table() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    for file in ["confirm.json", "sign_in.json"] {
        assert!(matches!(confirm(&app, &read(file)).await, Err(SignupError::Store(_))));
    }
}

#[tokio::test]
async fn silent_table_fails_before_cognito_times_out() {
    let (app, _listener) = TestApp::with_silent_dynamodb().await;
    let began = std::time::Instant::now();
    assert!(confirm(&app, &read("confirm.json")).await.is_err());
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn email_address_is_not_stored() {
    let app = TestApp::new().await;
    let mut event = confirmed("sub-1", Some("picard@example.com"), Some("picard@example.com"));
    event["request"]["userAttributes"]["nickname"] = json!("picard@example.com");
    confirm(&app, &event).await.unwrap();
    confirm(&app, &read("confirm.json")).await.unwrap();
    let all = format!("{:?}", items(&app).await);
    assert!(all.contains("Jean-Luc Picard") && !all.contains("example.com"), "{all}");
    assert!(all.contains(ANDREW));
}

async fn items(app: &TestApp) -> Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
    app.client.scan().table_name(TABLE).send().await.unwrap().items.unwrap()
}
