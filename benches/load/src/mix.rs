//! The requests: their mix, their bodies, and their random choices.

use std::io;

use crate::http::{Client, Response};
use crate::options::Kind;

pub(crate) const USERS: [&str; 4] = ["andrewbrown", "bayko", "londo", "worf"];
const WORDS: [&str; 12] = [
    "cloud",
    "pineapple",
    "pizza",
    "honor",
    "tailor",
    "juice",
    "station",
    "garden",
    "shadow",
    "captain",
    "tea",
    "trace",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Home,
    UserFeed,
    Search,
    Post,
    Like,
    Message,
}

/// The number of requests of each kind, out of 100.
const LATER: [(Operation, u64); 6] = [
    (Operation::Home, 50),
    (Operation::UserFeed, 15),
    (Operation::Search, 10),
    (Operation::Post, 10),
    (Operation::Like, 10),
    (Operation::Message, 5),
];
const WEEK2: [(Operation, u64); 5] = [
    (Operation::Home, 50),
    (Operation::UserFeed, 15),
    (Operation::Search, 10),
    (Operation::Post, 20),
    (Operation::Message, 5),
];

/// Pseudo-random numbers, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    handle: &'static str,
    token: Option<String>,
}

impl User {
    /// Signs the user in, unless the client has no sign-in.
    pub(crate) fn sign_in(client: &mut Client, kind: Kind, handle: &'static str) -> Self {
        if kind == Kind::Week2 {
            return Self { handle, token: None };
        }
        let response = client.send("POST", "/local/sign-in", None, &format!("{{\"handle\": \"{handle}\"}}"));
        let response = response.expect("the server responds");
        Self { handle, token: Some(field(&response.body, "access_token").expect("a token")) }
    }
}

/// Draws an operation of the client's mix.
pub(crate) fn draw(kind: Kind, random: &mut Random) -> Operation {
    let mix: &[(Operation, u64)] = if kind == Kind::Later { &LATER } else { &WEEK2 };
    let mut drawn = random.below(mix.iter().map(|(_, share)| share).sum());
    for (operation, share) in mix {
        if drawn < *share {
            return *operation;
        }
        drawn -= share;
    }
    Operation::Home
}

/// Sends one request. `posts` are the posts that can be liked.
pub(crate) fn send(
    client: &mut Client,
    operation: Operation,
    user: &User,
    posts: &[String],
    random: &mut Random,
) -> io::Result<Response> {
    let token = user.token.as_deref();
    match operation {
        Operation::Home => client.send("GET", "/api/activities/home", token, ""),
        Operation::UserFeed => client.send("GET", &format!("/api/activities/@{}", random.pick(&USERS)), token, ""),
        Operation::Search => {
            client.send("GET", &format!("/api/activities/search?term={}", random.pick(&WORDS)), token, "")
        }
        Operation::Post => {
            let body = format!("{{\"message\": \"{}\", \"ttl\": \"7-days\"}}", text(random));
            client.send("POST", "/api/activities", token, &body)
        }
        Operation::Like => {
            let id = &posts[random.below(posts.len() as u64) as usize];
            let method = if random.below(2) == 0 { "PUT" } else { "DELETE" };
            client.send(method, &format!("/api/activities/{id}/like"), token, "")
        }
        Operation::Message => {
            // Without sign-in, every request acts as andrewbrown.
            let me = if token.is_some() { user.handle } else { USERS[0] };
            let others: Vec<&str> = USERS.into_iter().filter(|handle| *handle != me).collect();
            let (other, text) = (random.pick(&others), text(random));
            let body = format!("{{\"message\": \"{text}\", \"user_receiver_handle\": \"{other}\"}}");
            client.send("POST", "/api/messages", token, &body)
        }
    }
}

/// Returns the first string of that name in the JSON text, at any depth.
pub(crate) fn field(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned())
}

fn text(random: &mut Random) -> String {
    let words: Vec<&str> = (0..12).map(|_| random.pick(&WORDS)).collect();
    words.join(" ")
}
