use aws_sdk_dynamodb::types::AttributeValue;
use cruddur::dead_letters::DeadLetters;
use cruddur::domain::{DirectMessage, Message, Post};
use cruddur::store::{Store, keys};
use cruddur::stream::{BatchItemFailure, BatchResponse, Consumer, StreamEvent, budget};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::in_process::{self, Hold};
use crate::support::{ANDREW, TABLE, TestApp, WORF, andrew, at, consume, hours, numbered, properties, user, worf};

fn read(file: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events/stream");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{file}")).unwrap()).unwrap()
}

/// Changes of every kind: mentions, replies, likes, an unlike, a deleted post, a rename and messages.
async fn busy() -> (TestApp, Post) {
    let app = TestApp::new().await;
    app.state.store.create_profile(&user(3, "demo-londo", "londo", "Londo Mollari")).await.unwrap();
    let kept = app.posted(hours(5), 1, "Cloud fun for @worf and @londo", "1-day").await;
    let deleted = app.posted(hours(4), 2, "soon gone, @worf", "1-day").await;
    app.reply(&kept, ANDREW, numbered(app.now() - hours(3), 3), &worf(), "no honor").await;
    app.reply(&deleted, ANDREW, numbered(app.now() - hours(3), 4), &worf(), "nor here, @londo").await;
    app.like(&kept, ANDREW, &worf(), app.now() - hours(2)).await;
    app.unlike(kept.id, &worf()).await;
    app.like(&kept, ANDREW, &worf(), app.now() - hours(1)).await;
    app.like(&deleted, ANDREW, &worf(), app.now() - hours(1)).await;
    for (sub, handle, message) in [(ANDREW, "worf", "one"), (WORF, "andrewbrown", "two"), (ANDREW, "worf", "three")] {
        app.post_as(sub, "/api/messages", &json!({ "message": message, "handle": handle })).await;
        app.pass(SignedDuration::from_secs(1));
    }
    app.delete_item(app.key(deleted.id)).await;
    app.rename(&worf(), "Worf, son of Mogh").await;
    (app, kept)
}

/// The final contents of the table, without the times of processing.
async fn done(mut app: TestApp) -> Vec<String> {
    app.settle().await;
    app.contents().await
}

/// A deterministic permutation.
fn shuffled(records: &[Value], seed: u64) -> Vec<Value> {
    let mut random = seed;
    let mut shuffled = records.to_vec();
    for at in (1..shuffled.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(at, usize::try_from(random >> 33).unwrap() % (at + 1));
    }
    shuffled
}

#[tokio::test]
async fn records_in_order_have_their_side_effects() {
    let (mut app, kept) = busy().await;
    app.settle().await;
    let list = app.get_as(WORF, "/api/activities/notifications").await;
    assert_eq!(list.messages(), ["", "Cloud fun for @worf and @londo"]);
    assert_eq!(
        app.get_as(ANDREW, "/api/activities/notifications").await.messages(),
        ["Cloud fun for @worf and @londo", "no honor"]
    );
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.messages(), ["three"]);
    let shown = app.get(&format!("/api/activities/{}", kept.id)).await;
    assert_eq!(shown.body["replies"][0]["display_name"], "Worf, son of Mogh");
    assert_eq!(app.get_as(ANDREW, "/api/message_groups").await.body[0]["display_name"], "Worf, son of Mogh");
    assert_eq!(app.get("/api/activities/search?term=gone").await.body, json!([]));
    assert_eq!(app.get("/api/activities/search?term=fun").await.messages().len(), 1);
    let contents = app.contents().await.join("\n");
    assert!(!contents.contains("nor here") && !contents.contains("soon gone"), "{contents}");
}

#[tokio::test]
async fn repeated_records_change_nothing() {
    let expected = done(busy().await.0).await;
    let (app, _) = busy().await;
    let records = app.records();
    for batch in [&records[..], &records[..], &records[records.len() / 2..]] {
        assert_eq!(app.consume(batch).await, BatchResponse::default());
    }
    assert_eq!(done(app).await, expected);
}

#[tokio::test]
async fn record_order_does_not_matter() {
    let expected = done(busy().await.0).await;
    for seed in 0..6 {
        let (app, _) = busy().await;
        let records = app.records();
        let mut batch = shuffled(&records, seed);
        // Some records are repeated.
        batch.extend(shuffled(&records, seed + 100).into_iter().take(20));
        assert_eq!(app.consume(&batch).await, BatchResponse::default());
        assert_eq!(done(app).await, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn interrupted_consumer_is_completed_by_a_retry() {
    let expected = done(busy().await.0).await;
    let (app, _) = busy().await;
    let records = app.records();
    for end in (1..records.len()).step_by(3) {
        // The consumer ends in the middle of a record, before its next write.
        let part = records[..end].to_vec();
        let half = app.consume(&part);
        tokio::select! {
            biased;
            _ = half => {}
            () = async { for _ in 0..end { tokio::task::yield_now().await } } => {}
        }
    }
    assert_eq!(app.consume(&records).await, BatchResponse::default());
    assert_eq!(done(app).await, expected);
}

#[tokio::test]
async fn invalid_record_is_the_first_reported_failure() {
    let app = TestApp::new().await;
    app.posted(hours(2), 1, "before @worf", "1-day").await;
    app.posted(hours(1), 2, "after @worf", "1-day").await;
    let mut records = app.records();
    let mut bad = records[records.len() - 1].clone();
    bad["dynamodb"]["NewImage"]["message"] = json!({ "N": "1" });
    bad["dynamodb"]["SequenceNumber"] = json!("111100000000000000000000000");
    records.insert(records.len() - 1, bad);
    let failures = BatchResponse {
        batch_item_failures: vec![BatchItemFailure { item_identifier: "111100000000000000000000000".to_owned() }],
    };
    assert_eq!(app.consume(&records).await, failures);
    assert_eq!(app.get_as(WORF, "/api/activities/notifications").await.messages(), ["before @worf"]);
    assert_eq!(
        serde_json::to_value(failures).unwrap(),
        json!({
            "batchItemFailures": [{ "itemIdentifier": "111100000000000000000000000" }]
        })
    );
    for nonsense in [json!(null), json!({}), json!({ "dynamodb": { "Keys": {} } })] {
        let failures = BatchResponse { batch_item_failures: vec![BatchItemFailure { item_identifier: String::new() }] };
        assert_eq!(app.consume(&[nonsense]).await, failures);
    }
    assert_eq!(serde_json::to_value(BatchResponse::default()).unwrap(), json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn every_stream_event_is_consumed() {
    for (file, expected) in [
        ("post_with_mention.json", json!({ "batchItemFailures": [] })),
        ("expired_post.json", json!({ "batchItemFailures": [] })),
        ("bad_record.json", json!({ "batchItemFailures": [{ "itemIdentifier": "4421584500000000017450439093" }] })),
    ] {
        let app = TestApp::new().await;
        let batch = read(file);
        let failures = app.consume(batch["Records"].as_array().unwrap()).await;
        assert_eq!(serde_json::to_value(failures).unwrap(), expected, "{file}");
    }
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/events/stream")).unwrap();
    assert_eq!(folder.count(), 3);
}

#[tokio::test]
async fn record_without_time_left_is_retried() {
    let app = TestApp::new().await;
    app.posted(hours(1), 1, "late", "1-day").await;
    let records = app.records();
    let consumer = Consumer { store: app.state.store.clone(), dead_letters: DeadLetters::none() };
    let failures = consumer.consume(&StreamEvent { records: records.clone() }, std::time::Duration::ZERO).await;
    let last = records.last().unwrap()["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
    assert_eq!(failures, BatchResponse { batch_item_failures: vec![BatchItemFailure { item_identifier: last }] });
}

#[test]
fn batch_ends_before_its_deadline() {
    let now = at("2026-11-22T12:00:00Z");
    assert_eq!(budget(1_795_348_810_000, now), std::time::Duration::from_secs(8));
    assert_eq!(budget(1_795_348_801_000, now), std::time::Duration::ZERO);
    assert_eq!(budget(1_795_348_799_000, now), std::time::Duration::from_secs(10));
    assert_eq!(budget(0, now), std::time::Duration::from_secs(10));
}

#[tokio::test]
async fn ttl_deletions_are_ignored() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "short", "3-hours").await;
    app.like(&post, ANDREW, &worf(), app.now()).await;
    app.delete_item(app.key(post.id)).await;
    let mut removal = app.records().pop().unwrap();
    assert!(cruddur::stream::has_side_effects(&removal));
    removal["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
    assert!(!cruddur::stream::has_side_effects(&removal));
}

#[tokio::test]
async fn derived_items_have_the_ttl_of_their_post() {
    let mut app = TestApp::new().await;
    let before = app.items().await.keys();
    let post = app.posted(hours(1), 1, "Hello @worf", "3-hours").await;
    let reply = app.replied(post.id, hours(0), 2, "an answer, @andrewbrown").await;
    for what in ["like", "repost"] {
        for id in [post.id, reply.id] {
            assert_eq!(app.put_as(WORF, &format!("/api/activities/{id}/{what}")).await.status, 200);
            assert_eq!(app.put_as(ANDREW, &format!("/api/activities/{id}/{what}")).await.status, 200);
        }
    }
    app.settle().await;
    let made = app.items().await;
    // Rounded up to a whole second.
    let end = (post.expires_at.as_second() + 1).to_string();
    for key in made.keys().difference(&before) {
        assert_eq!(made.attribute(key, "expires_at"), Some(end.as_str()), "{key:?}");
    }
    assert!(made.keys().difference(&before).any(|(pk, _)| pk.starts_with("WORD#")));
    assert!(made.keys().difference(&before).any(|(pk, _)| pk.starts_with("NOTIFICATIONS#")));
}

#[tokio::test]
async fn expired_post_takes_its_derived_items_along() {
    let mut app = TestApp::new().await;
    // The embedded database sweeps by its own clock, so the post must have expired by any clock.
    let before = app.contents().await;
    app.pass(SignedDuration::from_hours(-24 * 365 * 3));
    let post = app.posted(hours(1), 1, "old news @worf", "3-hours").await;
    let reply = numbered(app.now(), 2);
    app.reply(&post, ANDREW, reply, &worf(), "old answer").await;
    app.like(&post, ANDREW, &worf(), app.now()).await;
    app.settle().await;
    let database = app.database.clone().unwrap();
    tokio::task::spawn_blocking(move || database.sweep_ttl().unwrap()).await.unwrap();
    app.settle().await;
    assert_eq!(app.contents().await, before);
}

#[tokio::test]
async fn post_with_thousands_of_replies_is_cleared_in_steps() {
    let app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "popular", "1-day").await;
    let replies: Vec<_> = (0..2_501).map(|number| keys::reply(post.id, numbered(app.now(), number))).collect();
    app.put_keys(&replies).await;
    app.delete_item(app.key(post.id)).await;
    let mut records = app.records();
    let removal = records.pop().unwrap();
    assert_eq!(removal["eventName"], "REMOVE");
    assert_eq!(app.consume(std::slice::from_ref(&removal)).await.batch_item_failures.len(), 1);
    assert_eq!(app.consume(&[removal]).await, BatchResponse::default());
    for reply in replies {
        assert!(!app.has_item(reply).await);
    }
}

#[tokio::test]
async fn likes_of_a_deleted_post_remain_until_they_expire() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "liked", "1-day").await;
    app.put_as(WORF, &format!("/api/activities/{}/like", post.id)).await;
    app.settle().await;
    assert_eq!(app.get_as(ANDREW, "/api/activities/notifications").await.header("x-unread-count"), Some("1"));
    app.ask_as(ANDREW, "DELETE", &format!("/api/activities/{}", post.id)).await;
    app.settle().await;
    assert!(app.has_item(keys::like(WORF, post.id)).await);
    let left = app.get_as(ANDREW, "/api/activities/notifications").await;
    assert_eq!((left.body.as_array().unwrap().len(), left.header("x-unread-count")), (0, Some("0")));
    assert!(app.items().await.keys().iter().all(|(pk, _)| !pk.starts_with("NOTIFICATIONS#")));
}

#[tokio::test]
async fn post_created_during_a_rename_gets_the_new_name() {
    let mut app = TestApp::new().await;
    app.rename(&andrew(), "Andy").await;
    app.settle().await;
    // The author was read before the rename.
    let post = app.posted(hours(0), 1, "late", "1-day").await;
    assert_eq!(post.author.display_name, "Andrew Brown");
    app.settle().await;
    assert_eq!(app.get("/api/activities/home").await.body[0]["display_name"], "Andy");
}

/// Consumes the records up to the write of a name. Meanwhile the first name is restored and processed.
async fn restore_first_name_meanwhile(app: &mut TestApp, records: Vec<Value>) {
    let hold = Hold::default();
    let slow = Store::new(in_process::held(app.database.clone().unwrap(), hold.clone()), TABLE);
    let write = hold.next("UpdateItem");
    let consumed = tokio::spawn(async move { consume(&slow, &records).await });
    write.reached().await;
    app.pass(SignedDuration::from_secs(1));
    app.rename(&andrew(), "Andrew Brown").await;
    app.settle().await;
    write.go_on();
    assert_eq!(consumed.await.unwrap(), BatchResponse::default());
}

#[tokio::test]
async fn rename_during_a_post_correction_wins() {
    let mut app = TestApp::new().await;
    app.settle().await;
    // The post has the first name, with a time before the second rename, so the consumer corrects it.
    app.posted(hours(0), 1, "x", "1-day").await;
    app.pass(SignedDuration::from_secs(1));
    app.rename(&andrew(), "Second").await;
    let posted: Vec<_> = app.next_records().into_iter().filter(|record| record["eventName"] == "INSERT").collect();
    // Processing the first rename finds a post that has this name already.
    restore_first_name_meanwhile(&mut app, posted).await;
    assert_eq!(app.get("/api/activities/home").await.body[0]["display_name"], "Andrew Brown");
}

#[tokio::test]
async fn rename_during_a_rewrite_wins() {
    let mut app = TestApp::new().await;
    app.posted(hours(0), 1, "x", "1-day").await;
    app.settle().await;
    app.pass(SignedDuration::from_secs(1));
    app.rename(&andrew(), "Second").await;
    let renamed: Vec<_> = app.next_records();
    restore_first_name_meanwhile(&mut app, renamed).await;
    assert_eq!(app.get("/api/activities/home").await.body[0]["display_name"], "Andrew Brown");
}

#[tokio::test]
async fn conversation_opened_during_renames_gets_the_new_names() {
    let mut app = TestApp::new().await;
    app.rename(&andrew(), "Andy").await;
    app.rename(&worf(), "Worf, son of Mogh").await;
    app.settle().await;
    // Both users were read before the renames.
    let group = numbered(app.now(), 1);
    let message = Message::direct("late").unwrap();
    let first =
        DirectMessage { id: numbered(app.now(), 2), conversation: group, sender: andrew().author.user_uuid, message };
    app.state.store.open_conversation(&andrew(), &worf(), &first, None).await.unwrap();
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.body[0]["display_name"], "Andrew Brown");
    app.settle().await;
    assert_eq!(app.get_as(WORF, "/api/message_groups").await.body[0]["display_name"], "Andy");
    assert_eq!(app.get_as(ANDREW, "/api/message_groups").await.body[0]["display_name"], "Worf, son of Mogh");
}

#[tokio::test]
async fn late_rename_record_does_not_restore_the_old_name() {
    let mut app = TestApp::new().await;
    app.posted(hours(1), 1, "x", "1-day").await;
    app.rename(&andrew(), "First").await;
    app.pass(SignedDuration::from_secs(1));
    let first = app.records();
    app.rename(&andrew(), "Second").await;
    app.settle().await;
    app.consume(&first).await;
    app.settle().await;
    assert_eq!(app.get("/api/activities/home").await.body[0]["display_name"], "Second");
    let profile = app.client.get_item().table_name(crate::support::TABLE);
    let key = keys::profile(ANDREW);
    let profile = profile.key("pk", AttributeValue::S(key.pk)).key("sk", AttributeValue::S(key.sk));
    assert_eq!(profile.send().await.unwrap().item.unwrap()["display_name"].as_s().unwrap(), "Second");
}

/// Whether a record matches one of the template's filters, which use only equality and prefixes.
fn is_let_through(record: &Value) -> bool {
    let event = &properties("StreamFunction")["Events"]["Changes"]["Properties"];
    let filters = event["FilterCriteria"]["Filters"].as_array().unwrap();
    assert!(filters.len() <= 5, "Lambda accepts at most five filters");
    filters.iter().any(|filter| {
        let pattern = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
        matches(&pattern, record)
    })
}

fn matches(wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Object(parts) => parts.iter().all(|(name, wanted)| matches(wanted, &found[name])),
        Value::Array(any) => any.iter().any(|one| match one["prefix"].as_str() {
            Some(prefix) => found.as_str().is_some_and(|found| found.starts_with(prefix)),
            None => one == found,
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => unreachable!("{wanted}"),
    }
}

#[tokio::test]
async fn template_filter_matches_the_consumed_records() {
    let (mut app, _) = busy().await;
    app.settle().await;
    let records = app.records();
    let followed = records.iter().filter(|record| cruddur::stream::has_side_effects(record));
    assert!(followed.clone().count() > 10);
    assert!(followed.clone().all(is_let_through));
    let own = records.iter().filter(|record| {
        let pk = record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap();
        pk.starts_with("WORD#") || pk.starts_with("NOTIFICATIONS#")
    });
    assert!(own.clone().count() > 10);
    assert!(!own.into_iter().any(is_let_through));
}

#[tokio::test]
async fn consumer_reads_what_the_api_writes() {
    let mut app = TestApp::new().await;
    let post = app.posted(hours(1), 1, "Who likes pineapple?", "1-day").await;
    let path = format!("/api/activities/{}", post.id);
    let reply = app.post_as(WORF, &format!("{path}/reply"), &json!({ "message": "No honor!" })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    app.pass(SignedDuration::from_secs(1));
    assert_eq!(app.put_as(WORF, &format!("{path}/like")).await.status, 200);
    let reply = reply.body["uuid"].as_str().unwrap().to_owned();
    assert_eq!(app.put_as(ANDREW, &format!("/api/activities/{reply}/like")).await.status, 200);
    app.settle().await;
    let list = app.get_as(ANDREW, "/api/activities/notifications").await;
    assert_eq!(list.messages(), ["Who likes pineapple?", "No honor!"]);
    assert_eq!(list.body[0]["likes_count"], 1);
    let list = app.get_as(WORF, "/api/activities/notifications").await;
    assert_eq!((list.messages(), &list.body[0]["kind"]), (vec!["No honor!"], &json!("like")));
    let renamed = app.post_as(WORF, "/api/profile/update", &json!({ "display_name": "Worf, son of Mogh" })).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    app.settle().await;
    assert_eq!(app.get(&path).await.body["replies"][0]["display_name"], "Worf, son of Mogh");
    let list = app.get_as(ANDREW, "/api/activities/notifications").await;
    assert_eq!(list.body[0]["display_name"], "Worf, son of Mogh");
}
