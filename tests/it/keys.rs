use std::collections::BTreeMap;

use cruddur::domain::{Handle, Id};
use cruddur::store::keys::{self, Key};
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{at, hours, numbered};

fn key(pk: &str, sk: &str) -> Key {
    Key { pk: pk.to_owned(), sk: sk.to_owned() }
}

#[test]
fn keys_have_their_documented_form() {
    let id = Id::parse("0199c3a0-5e00-7a11-8b22-c33d44e55f66").unwrap();
    let parent = Id::parse("01a20320-a2fa-7000-8000-000000000001").unwrap();
    assert_eq!(keys::activity(id), key("HOME#2909#0", "1759923691008#0199c3a0-5e00-7a11-8b22-c33d44e55f66"));
    let reply = keys::reply(parent, id);
    assert_eq!(reply.pk.as_str(), "ACTIVITY#01a20320-a2fa-7000-8000-000000000001");
    assert_eq!(reply.sk.as_str(), "REPLY#1759923691008#0199c3a0-5e00-7a11-8b22-c33d44e55f66");
    let user = Uuid::from_u128(2);
    assert_eq!(keys::reply_locator(id), key("REPLY#0199c3a0-5e00-7a11-8b22-c33d44e55f66", "REPLY"));
    let like = keys::like(parent, user);
    assert_eq!((like.pk, like.sk.as_str()), (reply.pk.clone(), "LIKE#00000000-0000-0000-0000-000000000002"));
    let repost = keys::repost(parent, user);
    assert_eq!((repost.pk, repost.sk.as_str()), (reply.pk, "REPOST#00000000-0000-0000-0000-000000000002"));
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
    assert_eq!(keys::word("fun", id), key("WORD#fun#2909#0", &format!("1759923691008#{group}")));
    assert_eq!(keys::word(&keys::word_prefix("gro"), id).pk, "WORD#gro*#2909#0");
    assert_eq!(keys::word(&keys::shared_words(7), id).pk, "WORD#*7#2909#0");
    let notification = key("NOTIFICATIONS#demo-worf", &format!("1759923691008#{group}"));
    assert_eq!(keys::notification("demo-worf", id), notification);
    assert_eq!(keys::notifications_read("demo-worf"), key("USER#demo-worf", "NOTIFICATIONS"));
    assert_eq!(keys::parse_membership_sk(&keys::membership("x", id).sk), Some(id));
    assert_eq!(keys::parse_message_sk(&keys::message(id, id).sk), Some(id));
    assert_eq!(keys::parse_messages(&keys::messages(id)), Some(id));
    assert_eq!(keys::parse_dependents(&keys::dependents(id)), Some(id));
    let at = id.created_at();
    assert!(keys::time_sk(id) < keys::after_ms(at) && *keys::after_ms(at) < *"1759923691009#");
}

#[test]
fn buckets_begin_every_seven_days() {
    assert_eq!(keys::bucket(Timestamp::UNIX_EPOCH), 0);
    assert_eq!(keys::bucket(at("1970-01-07T23:59:59.999Z")), 0);
    assert_eq!(keys::bucket(at("1970-01-08T00:00:00.000Z")), 1);
    assert_eq!(keys::bucket(at("2026-11-18T23:59:59.999Z")), 2967);
    assert_eq!(keys::bucket(at("2026-11-19T00:00:00.000Z")), 2968);
}

#[test]
fn thirty_days_span_at_most_six_buckets() {
    let buckets = |now| keys::buckets(now, now - hours(30 * 24)).collect::<Vec<_>>();
    assert_eq!(buckets(at("2026-11-19T00:00:00.000Z")), [2968, 2967, 2966, 2965, 2964, 2963]);
    assert_eq!(buckets(at("2026-11-22T12:00:00.250Z")), [2968, 2967, 2966, 2965, 2964]);
    assert_eq!(keys::buckets(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).count(), 0);
}

#[test]
fn posts_spread_over_all_shards() {
    let now = at("2026-11-22T12:00:00Z");
    let mut shards = BTreeMap::new();
    for number in 0..1000 {
        *shards.entry(keys::activity(numbered(now, number)).pk).or_insert(0) += 1;
    }
    assert_eq!(shards.len(), 4);
    assert!(shards.values().all(|count| (200..300).contains(count)), "{shards:?}");
}

proptest! {
    #[test]
    fn sort_key_contains_the_post_id(ms in 0..=9_999_999_999_999_i64, random: [u8; 10]) {
        let id = Id::new(Timestamp::from_millisecond(ms).unwrap(), random);
        prop_assert_eq!(id.created_at().as_millisecond(), ms);
        prop_assert_eq!(Id::parse(&id.to_string()), Some(id));
        prop_assert_eq!(keys::parse_time_sk(&keys::activity(id).sk), Some(id));
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
