use cruddur::domain::{Handle, Id};
use cruddur::store::Schedule;
use cruddur::store::keys::{self, Key};
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

fn key(pk: &str, sk: &str) -> Key {
    Key { pk: pk.to_owned(), sk: sk.to_owned() }
}

#[test]
fn keys_have_their_documented_form() {
    let id = Id::parse("0199c3a0-5e00-7a11-8b22-c33d44e55f66").unwrap();
    let parent = Id::parse("01a20320-a2fa-7000-8000-000000000001").unwrap();
    let activity = Schedule::default().activity(id);
    assert_eq!(activity, key("HOME#2025-09-09#0", "1759923691008#0199c3a0-5e00-7a11-8b22-c33d44e55f66"));
    let reply = keys::reply(parent, id);
    assert_eq!(reply.pk.as_str(), "ACTIVITY#01a20320-a2fa-7000-8000-000000000001");
    assert_eq!(reply.sk.as_str(), "REPLY#1759923691008#0199c3a0-5e00-7a11-8b22-c33d44e55f66");
    let user = Uuid::from_u128(2);
    assert_eq!(keys::reply_locator(id), key("REPLY#0199c3a0-5e00-7a11-8b22-c33d44e55f66", "REPLY"));
    assert_eq!(keys::like("demo-worf", id), key("LIKES#demo-worf", &activity.sk));
    assert_eq!(keys::repost("demo-worf", id), key("REPOSTS#demo-worf", &activity.sk));
    assert_eq!(keys::parse_likes("LIKES#demo-worf"), Some("demo-worf"));
    assert_eq!(keys::layout(), key("LAYOUT", "LAYOUT"));
    assert_eq!(keys::idempotency("abc"), key("IDEMPOTENCY#abc", "IDEMPOTENCY"));
    assert_eq!(keys::posts_of(user), "AUTHOR#00000000-0000-0000-0000-000000000002");
    assert_eq!(keys::replies_of(user), "REPLIES#00000000-0000-0000-0000-000000000002");
    assert_eq!(keys::profile("demo-worf"), key("USER#demo-worf", "PROFILE"));
    assert_eq!(keys::handle(&Handle::parse("worf").unwrap()), key("HANDLE#worf", "HANDLE"));
}

#[test]
fn conversation_and_index_keys_have_their_documented_form() {
    let id = Id::parse("0199c3a0-5e00-7a11-8b22-c33d44e55f66").unwrap();
    let group = "0199c3a0-5e00-7a11-8b22-c33d44e55f66";
    assert_eq!(keys::membership("demo-worf", id), key("USER#demo-worf", &format!("GROUP#{group}")));
    assert_eq!(keys::message(id, id), key(&format!("GROUP#{group}"), &format!("MESSAGE#1759923691008#{group}")));
    assert_eq!(keys::inbox("demo-worf"), "INBOX#demo-worf");
    let schedule = Schedule::default();
    assert_eq!(schedule.word("fun", id), key("WORD#fun#2025-09-09#0", &format!("1759923691008#{group}")));
    assert_eq!(schedule.word(&keys::word_prefix("gro"), id).pk, "WORD#gro*#2025-09-09#0");
    assert_eq!(schedule.word(&keys::shared_words(7), id).pk, "WORD#*7#2025-09-09#0");
    let notification = key("NOTIFICATIONS#demo-worf", &format!("1759923691008#{group}"));
    assert_eq!(keys::notification("demo-worf", id), notification);
    assert_eq!(keys::notifications_read("demo-worf"), key("USER#demo-worf", "NOTIFICATIONS"));
    assert_eq!(keys::parse_membership_sk(&keys::membership("x", id).sk), Some(id));
    assert_eq!(keys::parse_message_sk(&keys::message(id, id).sk), Some(id));
    assert_eq!(keys::parse_messages(&keys::messages(id)), Some(id));
    let at = id.created_at();
    assert!(keys::time_sk(id) < keys::after_ms(at) && *keys::after_ms(at) < *"1759923691009#");
}

proptest! {
    #[test]
    fn sort_key_contains_the_post_id(ms in 0..=9_999_999_999_999_i64, random: [u8; 10]) {
        let id = Id::new(Timestamp::from_millisecond(ms).unwrap(), random);
        prop_assert_eq!(id.created_at().as_millisecond(), ms);
        prop_assert_eq!(Id::parse(&id.to_string()), Some(id));
        prop_assert_eq!(keys::parse_time_sk(&Schedule::default().activity(id).sk), Some(id));
        prop_assert_eq!(keys::parse_reply_sk(&keys::reply(id, id).sk), Some(id));
    }

    #[test]
    fn sort_keys_order_like_ids(a: (u32, [u8; 10]), b: (u32, [u8; 10])) {
        let id = |(s, random): (u32, _)| Id::new(Timestamp::from_second(s.into()).unwrap(), random);
        let (a, b) = (id(a), id(b));
        prop_assert_eq!(a.cmp(&b), keys::time_sk(a).cmp(&keys::time_sk(b)));
    }

    #[test]
    fn other_text_is_no_sort_key(text in "\\PC*") {
        prop_assert_eq!(keys::parse_time_sk(&text), None);
        prop_assert_eq!(keys::parse_reply_sk(&text), None);
        prop_assert_eq!(Id::parse(&text), None);
    }
}
