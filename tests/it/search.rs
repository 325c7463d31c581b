use cruddur::domain::{SearchTerm, words};
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ANDREW, Answer, TestApp, hours};

fn encoded(term: &str) -> String {
    term.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(app: &TestApp, term: &str) -> Vec<String> {
    let found = app.get(&format!("/api/activities/search?term={}", encoded(term))).await;
    assert_eq!(found.status, 200, "{}", found.body);
    found.messages().into_iter().map(str::to_owned).collect()
}

/// Indexed posts, oldest first, of the last hour.
async fn posted(messages: &[&str]) -> TestApp {
    let mut app = TestApp::new().await;
    for (number, message) in (0..).zip(messages) {
        let ago = hours(1) - SignedDuration::from_secs(i64::try_from(number).unwrap());
        app.posted(ago, number, message, "1-day").await;
    }
    app.settle().await;
    app
}

#[test]
fn words_are_normalized_unicode_words() {
    let cases: [(&str, &[&str]); 8] = [
        ("Cloud is (very) fun!", &["cloud", "is", "very", "fun"]),
        ("fun, FUN, Fun", &["fun"]),
        ("Don't   panic\n3.14", &["don't", "panic", "3.14"]),
        ("\u{FB01}ne \u{FF21}\u{FF22}", &["fine", "ab"]),
        ("Straße cafe\u{301} CAFÉ", &["straße", "café"]),
        ("東京タワー Привет", &["東", "京", "タワー", "привет"]),
        ("@worf #rust a_b", &["worf", "rust", "a_b"]),
        ("!? … 👍", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(words(text), expected, "{text}");
    }
    assert_eq!(words(&"x".repeat(100)), ["x".repeat(64)]);
}

#[test]
fn last_word_of_a_term_is_a_prefix() {
    let term = SearchTerm::parse(" the cat THE ").unwrap();
    assert_eq!((term.exact(), term.prefix()), (&["the".to_owned(), "cat".to_owned()][..], "the"));
}

#[tokio::test]
async fn search_matches_all_words_in_any_order() {
    let app = posted(&["Cloud is (very) fun!", "The cloud of Oort", "I am out of prune juice"]).await;
    assert_eq!(search(&app, "cloud").await, ["The cloud of Oort", "Cloud is (very) fun!"]);
    assert_eq!(search(&app, "FUN cloud").await, ["Cloud is (very) fun!"]);
    assert_eq!(search(&app, "cloud fu").await, ["Cloud is (very) fun!"]);
    for term in ["p", "pr", "pru", "prun", "prune", "prune juice", "of out"] {
        assert_eq!(search(&app, term).await.last().unwrap(), "I am out of prune juice", "{term}");
    }
    for term in ["fu cloud", "clouds", "prunes", "une", "cloud juice"] {
        assert_eq!(search(&app, term).await, [""; 0], "{term}");
    }
}

#[tokio::test]
async fn search_matches_every_script() {
    let app = posted(&["Grüße aus Köln", "東京は晴れ", "Привет мир", "cafe\u{301}", "नमस्ते दुनिया"]).await;
    for (term, expected) in [
        ("KÖLN grüße", "Grüße aus Köln"),
        ("東京", "東京は晴れ"),
        ("мир привет", "Привет мир"),
        ("CAFÉ", "cafe\u{301}"),
        ("नमस्ते", "नमस्ते दुनिया"),
    ] {
        assert_eq!(search(&app, term).await, [expected], "{term}");
    }
}

#[tokio::test]
async fn search_results_have_current_list_fields() {
    let app = posted(&["Cloud is (very) fun!"]).await;
    let found = app.get("/api/activities/search?term=cloud").await;
    let expected = json!([{
        "uuid": "01a202e9-b47a-7000-8000-000000000000", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Cloud is (very) fun!", "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
    }]);
    assert_eq!(found.body, expected);
    assert_eq!(app.get_as(ANDREW, "/api/activities/search?term=cloud").await.body, expected);
}

#[tokio::test]
async fn search_hides_expired_and_deleted_posts_at_once() {
    let mut app = posted(&["gone soon", "gone now"]).await;
    let [_, now] = ["gone soon", "gone now"];
    let home = app.get("/api/activities/home").await;
    let uuid = home.body.as_array().unwrap().iter().find(|row| row["message"] == now).unwrap()["uuid"].clone();
    let id = cruddur::domain::Id::parse(uuid.as_str().unwrap()).unwrap();
    app.delete_item(app.key(id)).await;
    assert_eq!(search(&app, "gone").await, ["gone soon"]);
    app.settle().await;
    app.pass(hours(24));
    assert_eq!(search(&app, "gone").await, [""; 0]);
}

#[tokio::test]
async fn search_pages_have_no_repeats() {
    let messages: Vec<String> = (0..57).map(|number| format!("число number {number}")).collect();
    let app = posted(&messages.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let query = "?limit=10&term=%D1%87%D0%B8%D1%81%D0%BB%D0%BE+number";
    let pages = app.pages(None, "/api/activities/search", query).await;
    let found: Vec<_> = pages.iter().flat_map(Answer::messages).collect();
    assert_eq!(found, messages.iter().rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn term_with_the_most_words_is_accepted() {
    let message: String = (0..70).map(|number| format!("w{number} ")).collect();
    let app = posted(&[message.trim()]).await;
    assert_eq!(search(&app, message.trim()).await, [message.trim()]);
    let many: String = (0..140).map(|number| char::from_u32(0x4E00 + number).unwrap()).flat_map(|c| [c, ' ']).collect();
    assert_eq!(search(&app, &many).await, [""; 0]);
}
