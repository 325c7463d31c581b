//! Which users a text mentions.

use cruddur::domain::mentions;
use serde_json::json;

use crate::support::{ANDREW, TestApp, WORF, hours};

fn found(text: &str) -> Vec<String> {
    mentions(text).iter().map(|handle| handle.as_str().to_owned()).collect()
}

#[test]
fn mentions_are_found_as_on_other_micro_blogs() {
    let longest = "a".repeat(30);
    let with_longest = format!("@{longest}");
    let cases: &[(&str, &[&str])] = &[
        // The surroundings of a mention.
        ("@worf", &["worf"]),
        ("Hello @worf", &["worf"]),
        ("Hello\n@worf\nhow are you?", &["worf"]),
        ("@worf.", &["worf"]),
        ("@worf, @londo; @garek: @data! @q? @odo…", &["worf", "londo", "garek", "data", "q", "odo"]),
        ("(@worf) [@londo] {@garek} \"@data\" '@q' «@odo»", &["worf", "londo", "garek", "data", "q", "odo"]),
        ("@worf's and @londo’s", &["worf", "londo"]),
        (".@worf", &["worf"]),
        ("-@worf *@londo* ~@garek~ #@data", &["worf", "londo", "garek", "data"]),
        ("@worf-like @worf+1", &["worf"]),
        ("cc:@worf", &["worf"]),
        ("👋@worf👋", &["worf"]),
        ("@worf@", &["worf"]),
        ("@worf @londo", &["worf", "londo"]),
        ("@worf,@londo", &["worf", "londo"]),
        // Characters of other scripts.
        ("@worf漢字", &["worf"]),
        ("@worfさん、こんにちは", &["worf"]),
        ("こんにちは@worf。", &["worf"]),
        ("안녕@worf님", &["worf"]),
        ("@worfé", &["worf"]),
        ("\u{ff20}worf", &["worf"]),
        ("你好\u{ff20}worf！", &["worf"]),
        ("مرحبا @worf", &["worf"]),
        ("@\u{ff57}orf @é @漢字", &[]),
        ("@wo\u{200b}rf", &["wo"]),
        // Case and repetition.
        ("@Worf", &["Worf"]),
        ("@Worf @worf @WORF", &["Worf"]),
        ("@__ @0 @_worf_", &["__", "0", "_worf_"]),
        // No mentions.
        ("", &[]),
        ("worf", &[]),
        ("@ @", &[]),
        ("@@", &[]),
        ("@@worf", &[]),
        ("a@worf", &[]),
        ("0@worf _@worf", &[]),
        ("/@worf", &[]),
        ("path/@worf", &[]),
        ("?user=@worf", &[]),
        // E-mail addresses and users of other servers.
        ("a@b.c", &[]),
        ("mail worf@enterprise.example, please", &[]),
        ("josé@worf.example", &[]),
        ("@worf@mastodon.social", &[]),
        ("@worf@mastodon.social @londo", &["londo"]),
        ("(@worf@mastodon.social)", &[]),
        ("@worf@localhost", &[]),
        ("\u{ff20}worf\u{ff20}mastodon.social", &[]),
        // URLs.
        ("https://x.y/@worf", &[]),
        ("https://mastodon.social/@worf/1234 @londo", &["londo"]),
        ("https://worf@example.com/", &[]),
        ("https://example.com/?a=1&b=,@worf", &[]),
        ("https://example.com/~(@worf)", &[]),
        ("example.com/a,@worf", &[]),
        ("see (https://x.y/@worf), @londo", &["londo"]),
        ("ftp://example.com/,@worf", &[]),
        ("@worf: https://x.y/", &["worf"]),
        ("@worf.com", &["worf"]),
        ("http://localhost:3000/@worf", &[]),
        // Lengths.
        (&with_longest, &[&longest]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(text), *expected, "{text:?}");
    }
    assert_eq!(found(&format!("@{} @worf", "b".repeat(31))), ["worf"]);
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
