use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use cruddur::domain::{Author, Handle, Profile};
use cruddur::signup::{self, SignupError};
use cruddur::store;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{ANDREW, TABLE, TestApp, sdk};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/signup");
const PICARD: &str = "8c5d4578-1051-70a9-6e0a-2f1c9b3d4e5f";

fn read(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/{file}")).unwrap()).unwrap()
}

/// The event `confirm` of a user with these attributes.
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
async fn who_confirms_an_account_has_a_profile_and_the_event_returns_as_it_came() {
    let app = TestApp::new().await;
    let event = read("confirm.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
}

#[tokio::test]
async fn who_has_forgotten_a_password_has_a_profile_already() {
    let app = TestApp::new().await;
    let event = read("forgot_password.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, None);
}

#[tokio::test]
async fn who_signs_in_without_a_profile_gets_one_and_who_has_one_keeps_it() {
    let app = TestApp::new().await;
    let mut event = read("sign_in.json");
    assert_eq!(confirm(&app, &event).await.unwrap(), event);
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
    event["request"]["userAttributes"]["preferred_username"] = json!("locutus");
    confirm(&app, &event).await.unwrap();
    assert_eq!(profile(&app, PICARD).await, named("picard", "Jean-Luc Picard"));
}

#[test]
fn every_file_of_the_folder_is_used_above() {
    let found = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let used = ["confirm.json", "forgot_password.json", "sign_in.json"].map(str::to_owned);
    assert_eq!(found.collect::<BTreeSet<_>>(), BTreeSet::from(used));
}

#[tokio::test]
async fn the_same_user_twice_or_many_times_at_once_is_one_profile() {
    let app = TestApp::new().await;
    let event = read("confirm.json");
    let results = join_all((0..10).map(|_| confirm(&app, &event))).await;
    assert!(results.iter().all(Result::is_ok));
    let first = app.state.store.profile(PICARD).await.unwrap().unwrap();
    confirm(&app, &event).await.unwrap();
    assert_eq!(app.state.store.profile(PICARD).await.unwrap().unwrap(), first);
    assert_eq!(items(&app).await.len(), 2 + 2 + 2, "two users with their claims were there before");
}

#[tokio::test]
async fn a_handle_that_is_taken_gets_digits_that_stay_the_same() {
    let app = TestApp::new().await;
    confirm(&app, &confirmed("sub-1", Some("worf"), None)).await.unwrap();
    assert_eq!(profile(&app, "sub-1").await, named("worf_0885", "worf_0885"));
    // Not the next free one: a second event for the same user must not make a second claim.
    confirm(&app, &confirmed("sub-1", Some("worf"), None)).await.unwrap();
    confirm(&app, &confirmed("sub-2", Some("worf"), None)).await.unwrap();
    assert_eq!(profile(&app, "sub-2").await, named("worf_1382", "worf_1382"));
}

#[tokio::test]
async fn of_two_users_who_want_one_handle_one_gets_it() {
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
async fn what_is_no_handle_is_made_one() {
    let app = TestApp::new().await;
    for (n, (preferred, handle)) in [
        (Some("Jean-Luc.Picard"), "jean_luc_picard"),
        (Some("  Data  "), "data"),
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
async fn a_name_that_cannot_be_shown_is_the_handle() {
    let app = TestApp::new().await;
    let long = "x".repeat(51);
    for (n, name) in
        [Some("  "), Some("a\u{7}b"), Some("picard@example.com"), Some(long.as_str()), None].into_iter().enumerate()
    {
        let (sub, handle) = (format!("sub-{n}"), format!("handle_{n}"));
        confirm(&app, &confirmed(&sub, Some(&handle), name)).await.unwrap();
        assert_eq!(profile(&app, &sub).await, named(&handle, &handle));
    }
}

#[tokio::test]
async fn when_no_handle_is_free_the_account_is_not_confirmed() {
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
async fn an_event_of_something_else_is_refused_by_name() {
    let app = TestApp::new().await;
    for (event, told) in [
        (json!({}), "the event has no triggerSource"),
        (
            json!({ "triggerSource": "PreSignUp_SignUp" }),
            "this function is for PostConfirmation and PostAuthentication, not for PreSignUp_SignUp",
        ),
        (json!({ "triggerSource": "PostConfirmation_ConfirmSignUp" }), "the event has no request.userAttributes.sub"),
        (confirmed("", None, None), "the event has no request.userAttributes.sub"),
    ] {
        assert_eq!(confirm(&app, &event).await.unwrap_err().to_string(), told);
    }
}

#[tokio::test]
async fn without_the_table_the_account_is_not_confirmed() {
    let app = TestApp::new().await;
    app.client.delete_table().table_name(TABLE).send().await.unwrap();
    for file in ["confirm.json", "sign_in.json"] {
        let error = confirm(&app, &read(file)).await.unwrap_err();
        assert_eq!(error.to_string(), "the profile could not be made; try again");
    }
}

#[tokio::test]
async fn a_table_that_never_answers_is_not_waited_for_longer_than_cognito_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = TestApp::on(store::client(&sdk(&format!("http://{}", listener.local_addr().unwrap()))));
    let began = std::time::Instant::now();
    assert!(confirm(&app, &read("confirm.json")).await.is_err());
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_e_mail_address_is_kept_nowhere() {
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
