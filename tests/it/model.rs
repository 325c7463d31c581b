//! Random sequences of requests, compared with a simple model. `PROPTEST_CASES` sets their number.

mod settled;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZero;
use std::thread;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{ANDREW, Answer, TestApp, hours, user};

/// `sub` and handle.
const USERS: [(&str, &str); 3] = [(ANDREW, "andrewbrown"), ("demo-worf", "worf"), ("demo-londo", "londo")];
/// Texts of posts and replies: some contain mentions, some share a word.
const MESSAGES: [&str; 4] = ["first post", "second post, @worf", "news for @Londo and @worf", "more news 2"];
const TTLS: [(&str, i64); 3] = [("1-hour", 1), ("3-hours", 3), ("30-days", 30 * 24)];

#[derive(Clone, Debug)]
enum Step {
    Post { user: usize, message: u8, ttl: usize, key: Option<u8> },
    Reply { user: usize, to: Index, message: u8, key: Option<u8> },
    React { user: usize, to: Index, what: &'static str, method: &'static str },
    Delete { user: usize, what: Index },
    Pass { minutes: i64 },
    Rename { user: usize, name: u8 },
    Write { user: usize, to: usize, message: u8, key: Option<u8> },
    Settle,
    Read { user: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS.len();
    let key = || proptest::option::of(0..2_u8);
    let react = (user.clone(), any::<Index>(), prop_oneof![Just("like"), Just("repost")]);
    let step = prop_oneof![
        4 => (user.clone(), 0..4_u8, 0..TTLS.len(), key())
            .prop_map(|(user, message, ttl, key)| Step::Post { user, message, ttl, key }),
        3 => (user.clone(), any::<Index>(), 0..4_u8, key())
            .prop_map(|(user, to, message, key)| Step::Reply { user, to, message, key }),
        4 => (react, prop_oneof![2 => Just("PUT"), 1 => Just("DELETE")])
            .prop_map(|((user, to, what), method)| Step::React { user, to, what, method }),
        2 => (user.clone(), any::<Index>()).prop_map(|(user, what)| Step::Delete { user, what }),
        2 => (1..200_i64).prop_map(|minutes| Step::Pass { minutes }),
        1 => (user.clone(), 0..3_u8).prop_map(|(user, name)| Step::Rename { user, name }),
        2 => (user.clone(), user.clone(), 0..3_u8, key())
            .prop_map(|(user, to, message, key)| Step::Write { user, to, message, key }),
        1 => Just(Step::Settle),
        1 => user.prop_map(|user| Step::Read { user }),
    ];
    proptest::collection::vec(step, 1..14)
}

struct Made {
    uuid: String,
    author: usize,
    name: String,
    message: String,
    expires_at: Timestamp,
    parent: Option<usize>,
    replies: u32,
    at: Timestamp,
    /// The users who like it, with the time of their likes.
    likes: BTreeMap<usize, Timestamp>,
    reposts: BTreeSet<usize>,
    deleted: bool,
}

/// The expected state.
#[derive(Default)]
struct Model {
    posts: Vec<Made>,
    names: HashMap<usize, String>,
    /// By user, path and key: the body, the id that it created, and when the key expires.
    keys: HashMap<(usize, String, u8), (String, String, Timestamp)>,
    /// By their two users, the lower one first.
    conversations: BTreeMap<(usize, usize), Conversation>,
    /// The newest notification that each user marked as read.
    read: HashMap<usize, Timestamp>,
}

struct Conversation {
    uuid: String,
    opener: usize,
    opened_at: Timestamp,
    /// Author, text and time.
    messages: Vec<(usize, String, Timestamp)>,
}

impl Model {
    fn is_live(&self, post: usize, now: Timestamp) -> bool {
        let post = &self.posts[post];
        !post.deleted && now < post.expires_at
    }

    fn name(&self, user: usize) -> String {
        self.names.get(&user).cloned().unwrap_or_else(|| "Somebody".to_owned())
    }

    /// The outcome of a key that was used in the last 24 hours: the id to return, or `None` for a rejection.
    fn before(&self, user: usize, path: &str, key: Option<u8>, body: &str, now: Timestamp) -> Option<Option<String>> {
        let (first, uuid, _) = self.keys.get(&(user, path.to_owned(), key?)).filter(|(.., until)| now < *until)?;
        Some((first == body).then(|| uuid.clone()))
    }

    /// The live posts without replies, newest first.
    fn home(&self, now: Timestamp) -> Vec<usize> {
        let posts = (0..self.posts.len()).rev();
        posts.filter(|post| self.posts[*post].parent.is_none() && self.is_live(*post, now)).collect()
    }

    fn row(&self, post: usize) -> (String, String, String, u32, usize, usize) {
        let Made { uuid, name, message, replies, likes, reposts, .. } = &self.posts[post];
        (uuid.clone(), name.clone(), message.clone(), *replies, likes.len(), reposts.len())
    }
}

async fn send(app: &TestApp, user: usize, path: &str, key: Option<u8>, body: &str) -> Answer {
    let key = key.map(|key| key.to_string());
    app.send_with_key(USERS[user].0, "POST", path, key.as_deref(), body.to_owned()).await
}

/// Creates a post, or a reply to `parent`.
async fn write(app: &TestApp, model: &mut Model, user: usize, parent: Option<usize>, body: Value, key: Option<u8>) {
    let now = app.now();
    let path = match parent {
        Some(parent) => format!("/api/activities/{}/reply", model.posts[parent].uuid),
        None => "/api/activities".to_owned(),
    };
    let (message, ttl) = (body["message"].as_str().unwrap().to_owned(), body["ttl"].clone());
    let body = body.to_string();
    let answer = send(app, user, &path, key, &body).await;
    let uuid = answer.body["uuid"].as_str().map(str::to_owned);
    match model.before(user, &path, key, &body, now) {
        Some(Some(first)) => {
            assert_eq!((answer.status, uuid, answer.header("idempotent-replayed")), (200, Some(first), Some("true")));
        }
        Some(None) => assert_eq!(answer.status, 422),
        None if parent.is_some_and(|parent| !model.is_live(parent, now)) => assert_eq!(answer.status, 404),
        None => {
            assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, None));
            let uuid = uuid.unwrap();
            if let Some(key) = key {
                model.keys.insert((user, path, key), (body, uuid.clone(), now + hours(24)));
            }
            let ttl = TTLS.iter().find(|(name, _)| ttl == *name).map(|(_, ttl)| now + hours(*ttl));
            let expires_at = ttl.unwrap_or_else(|| model.posts[parent.unwrap()].expires_at);
            if let Some(parent) = parent {
                model.posts[parent].replies += 1;
            }
            let (name, likes, reposts) = (model.name(user), BTreeMap::new(), BTreeSet::new());
            let made = Made {
                uuid,
                author: user,
                name,
                message,
                expires_at,
                parent,
                replies: 0,
                at: now,
                likes,
                reposts,
                deleted: false,
            };
            model.posts.push(made);
        }
    }
}

/// Sends a direct message to a user.
async fn write_to(app: &TestApp, model: &mut Model, [user, to]: [usize; 2], message: u8, key: Option<u8>) {
    let now = app.now();
    let text = format!("message {message}");
    let body = json!({ "message": text, "handle": USERS[to].1 }).to_string();
    let answer = send(app, user, "/api/messages", key, &body).await;
    match model.before(user, "/api/messages", key, &body, now) {
        Some(Some(group)) => {
            assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, Some("true")));
            assert_eq!(answer.body["message_group_uuid"], group);
        }
        Some(None) => assert_eq!(answer.status, 422),
        None if user == to => assert_eq!((answer.status, answer.body), (422, json!(["user_receiver_is_sender"]))),
        None => {
            assert_eq!(answer.status, 200);
            let uuid = answer.body["message_group_uuid"].as_str().unwrap().to_owned();
            let new = Conversation { uuid: uuid.clone(), opener: user, opened_at: now, messages: Vec::new() };
            let conversation = model.conversations.entry((user.min(to), user.max(to))).or_insert(new);
            assert_eq!(conversation.uuid, uuid);
            conversation.messages.push((user, text, now));
            if let Some(key) = key {
                model.keys.insert((user, "/api/messages".to_owned(), key), (body, uuid, now + hours(24)));
            }
        }
    }
}

async fn apply(app: &mut TestApp, model: &mut Model, step: Step) {
    // Each action has its own time; otherwise random bits would decide the order.
    app.pass(SignedDuration::from_millis(1));
    let now = app.now();
    match step {
        Step::Post { user, message, ttl, key } => {
            let body = json!({ "message": MESSAGES[usize::from(message)], "ttl": TTLS[ttl].0 });
            write(app, model, user, None, body, key).await;
        }
        Step::Reply { user, to, message, key } if !model.posts.is_empty() => {
            let parent = to.index(model.posts.len());
            write(app, model, user, Some(parent), json!({ "message": MESSAGES[usize::from(message)] }), key).await;
        }
        Step::React { user, to, what, method } if !model.posts.is_empty() => {
            let post = to.index(model.posts.len());
            let uri = format!("/api/activities/{}/{what}", model.posts[post].uuid);
            let answer = app.ask_as(USERS[user].0, method, &uri).await;
            if !model.is_live(post, now) {
                assert_eq!(answer.status, 404);
                return;
            }
            let Made { uuid, likes, reposts, .. } = &mut model.posts[post];
            match (what, method) {
                ("like", "PUT") => drop(likes.entry(user).or_insert(now)),
                ("like", _) => drop(likes.remove(&user)),
                (_, "PUT") => drop(reposts.insert(user)),
                _ => drop(reposts.remove(&user)),
            }
            let expected = json!({
                "uuid": uuid, "likes_count": likes.len(), "reposts_count": reposts.len(),
                "liked": likes.contains_key(&user), "reposted": reposts.contains(&user),
            });
            assert_eq!((answer.status, answer.body), (200, expected));
        }
        Step::Delete { user, what } if !model.posts.is_empty() => {
            let post = what.index(model.posts.len());
            let uri = format!("/api/activities/{}", model.posts[post].uuid);
            let status = app.ask_as(USERS[user].0, "DELETE", &uri).await.status;
            if !model.is_live(post, now) {
                assert_eq!(status, 404);
            } else if model.posts[post].author != user {
                assert_eq!(status, 403);
            } else {
                assert_eq!(status, 200);
                model.posts[post].deleted = true;
                if let Some(parent) = model.posts[post].parent {
                    model.posts[parent].replies -= 1;
                }
            }
        }
        Step::Rename { user, name } => {
            let name = format!("Name {name}");
            let body = json!({ "display_name": name }).to_string();
            assert_eq!(app.send_as(USERS[user].0, "PUT", "/api/profile/update", body).await.status, 200);
            model.names.insert(user, name);
        }
        Step::Write { user, to, message, key } => write_to(app, model, [user, to], message, key).await,
        Step::Settle => settled::settle(app, model).await,
        Step::Read { user } => {
            settled::settle(app, model).await;
            assert_eq!(app.put_as(USERS[user].0, "/api/activities/notifications").await.status, 200);
            model.mark_read(user, now);
        }
        Step::Pass { minutes } => app.pass(SignedDuration::from_mins(minutes)),
        Step::Reply { .. } | Step::React { .. } | Step::Delete { .. } => {}
    }
}

fn row(row: &Value) -> (String, String, String, u32, usize, usize) {
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    let count = |field: &str| usize::try_from(row[field].as_u64().unwrap()).unwrap();
    let replies = u32::try_from(count("replies_count")).unwrap();
    let (likes, reposts) = (count("likes_count"), count("reposts_count"));
    (text("uuid"), text("display_name"), text("message"), replies, likes, reposts)
}

/// Asserts that every page matches the model.
async fn compare(app: &TestApp, model: &Model, check: &Check) {
    let now = app.now();
    let expected: Vec<_> = model.home(now).into_iter().map(|post| model.row(post)).collect();
    if let Some(limit) = check.limit(expected.len()) {
        let home = app.get(&format!("/api/activities/home?limit={limit}")).await;
        let rows: Vec<_> = home.body.as_array().unwrap().iter().map(row).collect();
        assert_eq!(rows, expected[..limit.min(expected.len())]);
        assert_eq!(home.next().is_some(), limit < expected.len());
    }
    for post in 0..model.posts.len() {
        let shown = app.get(&format!("/api/activities/{}", model.posts[post].uuid)).await;
        assert_eq!(shown.status, if model.is_live(post, now) { 200 } else { 404 });
        if shown.status == 200 {
            assert_eq!(row(&shown.body["activity"]), model.row(post));
            let replies: Vec<_> = shown.body["replies"].as_array().unwrap().iter().map(row).collect();
            let expected = (0..model.posts.len()).filter(|reply| model.posts[*reply].parent == Some(post));
            let expected = expected.filter(|reply| model.is_live(*reply, now)).map(|reply| model.row(reply));
            assert_eq!(replies, expected.collect::<Vec<_>>());
            assert_eq!(replies.len(), usize::try_from(model.posts[post].replies).unwrap());
        }
    }
    let Pages::User = check.pages else { return };
    let feed = app.get(&format!("/api/activities/@{}?limit=100", USERS[check.user].1)).await.body;
    let rows = feed["activities"].as_array().unwrap();
    let shown: Vec<_> = rows.iter().map(|row| row["uuid"].as_str().unwrap()).collect();
    let posts = model.home(now).into_iter().filter(|post| model.posts[*post].author == check.user);
    let expected: Vec<_> = posts.map(|post| model.posts[post].uuid.as_str()).collect();
    assert_eq!((&feed["profile"]["cruds_count"], &shown), (&json!(expected.len()), &expected));
    assert_eq!(feed["profile"]["display_name"], model.name(check.user));
}

/// The checks after a sequence besides home and each post: a sample, to leave time for more sequences.
#[derive(Clone, Debug)]
struct Check {
    /// The user who reads, or who is read.
    user: usize,
    pages: Pages,
    /// Whether to check before the consumer has processed the last changes.
    early: bool,
    /// Whether to request lists without their last row, so that they end with the page.
    cut: bool,
}

#[derive(Clone, Debug)]
enum Pages {
    User,
    Notifications,
    Conversations,
    Search(usize),
}

fn check() -> impl Strategy<Value = Check> {
    let pages = prop_oneof![
        1 => Just(Pages::User),
        2 => Just(Pages::Notifications),
        1 => Just(Pages::Conversations),
        2 => (0..settled::TERMS.len()).prop_map(Pages::Search),
    ];
    (0..USERS.len(), pages, proptest::bool::weighted(0.2), proptest::bool::weighted(0.75))
        .prop_map(|(user, pages, early, cut)| Check { user, pages, early, cut })
}

impl Check {
    /// The `limit` of a list of all posts; `None` if the list is too short.
    fn limit(&self, rows: usize) -> Option<usize> {
        if self.cut { rows.checked_sub(1).filter(|limit| *limit > 0) } else { Some(100) }
    }
}

async fn run(steps: Vec<Step>, check: Check) {
    let mut app = TestApp::empty().await;
    app.cache_router();
    for (number, (sub, handle)) in (1..).zip(USERS) {
        app.state.store.create_profile(&user(number, sub, handle, "Somebody")).await.unwrap();
    }
    let mut model = Model::default();
    for step in steps {
        apply(&mut app, &mut model, step).await;
    }
    if check.early {
        compare(&app, &model, &check).await;
    }
    settled::settle(&mut app, &mut model).await;
    compare(&app, &model, &check).await;
    settled::compare(&app, &model, &check).await;
}

/// Runs one case for each processor at a time.
#[test]
fn random_actions_match_the_model() {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let cases = cases().div_ceil(u32::try_from(threads).unwrap());
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&(steps(), check()), |(steps, check)| {
            runtime.block_on(run(steps, check));
            Ok(())
        })
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().unwrap().unwrap_or_else(|error| unreachable!("{error}"));
        }
    });
}

/// The number of cases: more than proptest's default, unless `PROPTEST_CASES` is set.
fn cases() -> u32 {
    const DEFAULT: u32 = 256;
    match Config::default().cases {
        DEFAULT => 10_000,
        asked => asked,
    }
}
