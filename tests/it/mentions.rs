//! Which users a text mentions.

use std::collections::BTreeMap;

use cruddur::domain::mentions;
use serde::Deserialize;
use serde_json::json;

use crate::support::{ANDREW, TestApp, WORF, hours};

/// A case of `tests/mentions.json`, which a test of Cruddur's page also reads.
#[derive(Deserialize)]
struct Case {
    text: String,
    mentions: Vec<String>,
}

fn found(text: &str) -> Vec<String> {
    mentions(text).iter().map(|handle| handle.as_str().to_owned()).collect()
}

#[test]
fn mentions_are_found_as_on_other_micro_blogs() {
    let topics: BTreeMap<String, Vec<Case>> = serde_json::from_str(include_str!("../mentions.json")).unwrap();
    for (topic, cases) in topics {
        for case in cases {
            assert_eq!(found(&case.text), case.mentions, "{topic}: {:?}", case.text);
        }
    }
}

#[test]
fn mentions_after_the_tenth_are_ignored() {
    let many: String = (0..20).map(|number| format!("@user{number} ")).collect();
    assert_eq!(found(&many).len(), 10);
}

#[test]
fn every_prefix_of_a_text_is_parsed() {
    let text = "é@worf漢字@londo@x.y https://x.y/@worf \u{ff20}\u{ff20}garek @".repeat(3);
    for (end, _) in text.char_indices() {
        assert!(found(&text[..end]).len() <= 10);
    }
}

#[tokio::test]
async fn mention_in_other_case_notifies_its_user() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "こんにちは@WorFさん", "1-day").await;
    app.posted(hours(1), 2, "https://x.y/@worf and @worf@mastodon.social", "1-day").await;
    app.settle().await;
    let list = app.get_as(WORF, "/api/activities/notifications").await;
    assert_eq!(list.messages(), ["こんにちは@WorFさん"]);
    assert_eq!(app.get_as(ANDREW, "/api/activities/notifications").await.body, json!([]));
}
