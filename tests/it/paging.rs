//! Paging through lists while other requests add and remove rows.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ANDREW, TestApp, WORF, numbered, user};

#[derive(Clone, Copy, Debug, PartialEq)]
enum List {
    Home,
    Feed,
    Search,
    Notifications,
    Replies,
    Messages,
    Conversations,
}

const LISTS: [List; 7] =
    [List::Home, List::Feed, List::Search, List::Notifications, List::Replies, List::Messages, List::Conversations];

/// The change between two pages: the nth original row is removed and a new row is added.
#[derive(Clone, Debug)]
struct Between {
    goes: Option<prop::sample::Index>,
    comes: bool,
}

struct Paged {
    app: TestApp,
    list: List,
    uri: String,
    /// The number of rows created.
    made: u64,
    /// The parent of replies and the conversation of messages.
    parent: Option<cruddur::domain::Id>,
}

impl Paged {
    async fn new(list: List) -> Self {
        let app = TestApp::new().await;
        let parent = if list == List::Replies {
            Some(app.posted(SignedDuration::from_hours(20), 0, "the post", "1-day").await.id)
        } else {
            None
        };
        let uri = match list {
            List::Home => "/api/activities/home".to_owned(),
            List::Feed => "/api/activities/@andrewbrown".to_owned(),
            List::Search => "/api/activities/search".to_owned(),
            List::Notifications => "/api/activities/notifications".to_owned(),
            List::Replies => format!("/api/activities/{}", parent.unwrap()),
            List::Messages => "/api/messages/@andrewbrown".to_owned(),
            List::Conversations => "/api/message_groups".to_owned(),
        };
        Self { app, list, uri, made: 0, parent }
    }

    /// Adds one row at the growing end of the list. Returns its identifier.
    async fn add(&mut self) -> String {
        self.made += 1;
        let made = self.made;
        self.app.pass(SignedDuration::from_secs(1));
        let text = format!("word number{made} @worf");
        match self.list {
            List::Messages => {
                let body = json!({ "message": text, "handle": "worf" });
                assert_eq!(self.app.post_as(ANDREW, "/api/messages", &body).await.status, 200);
            }
            List::Conversations => {
                let (sub, handle) = (format!("sub-{made}"), format!("user{made}"));
                self.app
                    .state
                    .store
                    .create_profile(&user(u128::from(made) + 100, &sub, &handle, "User"))
                    .await
                    .unwrap();
                let body = json!({ "message": text, "handle": handle });
                assert_eq!(self.app.post_as(WORF, "/api/messages", &body).await.status, 200);
            }
            List::Replies => {
                let parent = self.app.state.store.post(self.parent.unwrap(), self.app.now()).await.unwrap().unwrap();
                let (id, worf) = (numbered(self.app.now(), made), crate::support::worf());
                let message = cruddur::domain::Message::reply(&text).unwrap();
                let reply = cruddur::domain::Post::reply(id, &parent.post, worf.author.clone(), message);
                self.app.state.store.create_reply(&worf, &parent, &reply, None).await.unwrap();
            }
            List::Home | List::Feed | List::Search | List::Notifications => {
                self.app.posted(SignedDuration::ZERO, made, &text, "1-day").await;
            }
        }
        if [List::Search, List::Notifications].contains(&self.list) {
            self.app.settle().await;
        }
        text
    }

    /// The author removes a row. A conversation cannot be removed: it moves, because it gets a new message.
    async fn remove(&mut self, row: &Value, text: &str) {
        match self.list {
            List::Messages => {}
            List::Conversations => {
                let body = json!({ "message": text, "message_group_uuid": row["uuid"] });
                assert_eq!(self.app.post_as(WORF, "/api/messages", &body).await.status, 200);
                self.app.pass(SignedDuration::from_secs(1));
                self.app.settle().await;
            }
            List::Replies => self.delete(WORF, &row["uuid"]).await,
            List::Home | List::Feed | List::Search | List::Notifications => self.delete(ANDREW, &row["uuid"]).await,
        }
        if self.list == List::Notifications {
            self.app.settle().await;
        }
    }

    async fn delete(&self, sub: &str, uuid: &Value) {
        let uri = format!("/api/activities/{}", uuid.as_str().unwrap());
        assert_eq!(self.app.ask_as(sub, "DELETE", &uri).await.status, 200, "{uri}");
    }

    /// The rows of one page and the query of the next.
    async fn page(&self, query: &str) -> (Vec<Value>, Option<String>) {
        let answer = self.app.get_as(WORF, &format!("{}{query}", self.uri)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let rows = ["activities", "replies"].iter().find_map(|of| answer.body.get(of)).unwrap_or(&answer.body);
        (rows.as_array().unwrap().clone(), answer.next())
    }
}

async fn pages(list: List, there: usize, limit: usize, between: &[Between]) {
    let mut paged = Paged::new(list).await;
    let mut stable = Vec::new();
    for _ in 0..there {
        stable.push(paged.add().await);
    }
    let query = if list == List::Search { format!("?term=word&limit={limit}") } else { format!("?limit={limit}") };
    let all = if list == List::Search { "?term=word&limit=100" } else { "?limit=100" };
    let mut between = between.iter();
    let (mut rows, mut next) = paged.page(&query).await;
    let mut seen = rows.clone();
    while let Some(query) = next {
        if let Some(Between { goes, comes }) = between.next() {
            let here = paged.page(all).await.0;
            if let Some(index) = goes
                && !here.is_empty()
            {
                let row = &here[index.index(here.len())];
                let text = row["message"].as_str().unwrap().to_owned();
                if list != List::Messages {
                    stable.retain(|kept| *kept != text);
                }
                paged.remove(row, &text).await;
            }
            if *comes {
                paged.add().await;
            }
        }
        (rows, next) = paged.page(&query).await;
        assert!(rows.len() <= limit);
        seen.extend(rows.iter().cloned());
        assert!(seen.len() < 200, "the list never ends");
    }
    let seen: Vec<&str> = seen.iter().map(|row| row["message"].as_str().unwrap()).collect();
    for kept in &stable {
        assert_eq!(seen.iter().filter(|text| **text == kept).count(), 1, "{list:?}: {kept} in {seen:?}");
    }
}

fn between() -> impl Strategy<Value = Between> {
    (prop::option::of(any::<prop::sample::Index>()), any::<bool>()).prop_map(|(goes, comes)| Between { goes, comes })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 50, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn pages_during_writes_contain_each_post_once(
        list in 0..LISTS.len(),
        there in 0..12_usize,
        limit in 1..5_usize,
        between in prop::collection::vec(between(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(pages(LISTS[list], there, limit, &between));
    }
}

#[tokio::test]
async fn every_list_contains_stable_rows_once_during_changes() {
    for list in LISTS {
        let between: Vec<_> = (0..8).map(|_| Between { goes: None, comes: true }).collect();
        pages(list, 9, 2, &between).await;
    }
}
