//! `make load`: as many connections as are asked for, each sending one request of a mixture after the other's answer.
//!
//! - [`options`]: the arguments; [`server`]: the process under load; [`http`]: the little that is spoken
//! - here: the mixture, and the table that comes of it
//!
//! What goes wrong panics and says what; an answer that is not 200 is counted.

mod http;
mod options;
mod server;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use http::Client;
use options::{Kind, Options};
use server::Server;

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Posts that are there before it begins.
const POSTS: usize = 200;
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
const USERS: [&str; 4] = ["andrewbrown", "bayko", "londo", "worf"];

/// Of a hundred requests, how many are of which kind.
const LATER: [(Act, u64); 6] =
    [(Act::Home, 50), (Act::UserFeed, 15), (Act::Search, 10), (Act::Post, 10), (Act::Like, 10), (Act::Message, 5)];
const WEEK2: [(Act, u64); 5] =
    [(Act::Home, 50), (Act::UserFeed, 15), (Act::Search, 10), (Act::Post, 20), (Act::Message, 5)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Home,
    UserFeed,
    Search,
    Post,
    Like,
    Message,
}

/// One request: what it was, whether it was answered with 200, and how long that took.
type Answered = (Act, bool, Duration);

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

struct User<'a> {
    handle: &'a str,
    token: Option<String>,
}

fn main() {
    let options = Options::from_arguments(std::env::args().skip(1));
    let server = Server::of(&options);
    let mut client = Client::new(server.address);
    let users: Vec<User> = USERS.iter().map(|handle| sign_in(&mut client, options.client, handle)).collect();
    let mut posts = Vec::new();
    let mut random = Random(7);
    for _ in 0..POSTS {
        let user = &users[random.below(users.len() as u64) as usize];
        let answer = client.send("POST", "/api/activities", user.token.as_deref(), &post(&mut random));
        let answer = answer.expect("the server answers");
        assert_eq!(answer.status, 200, "a post is answered {}", answer.body);
        posts.push(field(&answer.body, "uuid").expect("an id"));
    }
    let before = server.memory();
    let started = Instant::now();
    let end = started + WARM_UP + options.time;
    let answered: Vec<Answered> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.connections)
            .map(|number| {
                let (user, posts, server) = (&users[number % users.len()], &posts, server.address);
                let mixture: &[(Act, u64)] = if options.client == Kind::Later { &LATER } else { &WEEK2 };
                scope.spawn(move || {
                    let (mut client, mut random) = (Client::new(server), Random(number as u64 + 100));
                    let mut answered = Vec::new();
                    while Instant::now() < end {
                        let act = draw(mixture, &mut random);
                        let begin = Instant::now();
                        let good = send(&mut client, act, user, posts, &mut random);
                        if begin >= started + WARM_UP {
                            answered.push((act, good, begin.elapsed()));
                        }
                    }
                    answered
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    });
    let table = table(&options, &answered, before, server.memory());
    print!("{table}");
    if let Some(file) = &options.write {
        write(file, &table);
    }
}

/// Puts the table between the two marks of the file, or makes a file of it.
fn write(file: &str, table: &str) {
    const MARKS: [&str; 2] = ["<!-- begin: make load -->\n", "<!-- end: make load -->\n"];
    let text = fs::read_to_string(file).unwrap_or_else(|_| MARKS.concat());
    let (before, rest) = text.split_once(MARKS[0]).expect("the mark where the table begins");
    let (_, after) = rest.split_once(MARKS[1]).expect("the mark where the table ends");
    fs::write(file, format!("{before}{}\n{table}\n{}{after}", MARKS[0], MARKS[1])).expect("a file that can be written");
}

fn sign_in<'a>(client: &mut Client, kind: Kind, handle: &'a str) -> User<'a> {
    if kind == Kind::Week2 {
        return User { handle, token: None };
    }
    let answer = client.send("POST", "/local/sign-in", None, &format!("{{\"handle\": \"{handle}\"}}"));
    let answer = answer.expect("the server answers");
    User { handle, token: Some(field(&answer.body, "access_token").expect("a token")) }
}

/// The first text of that name in the JSON, whatever it belongs to.
fn field(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned())
}

fn post(random: &mut Random) -> String {
    format!("{{\"message\": \"{}\", \"ttl\": \"7-days\"}}", text(random))
}

fn text(random: &mut Random) -> String {
    let words: Vec<&str> = (0..12).map(|_| random.of(&WORDS)).collect();
    words.join(" ")
}

fn draw(mixture: &[(Act, u64)], random: &mut Random) -> Act {
    let mut drawn = random.below(mixture.iter().map(|(_, share)| share).sum());
    for (act, share) in mixture {
        if drawn < *share {
            return *act;
        }
        drawn -= share;
    }
    Act::Home
}

fn send(client: &mut Client, act: Act, user: &User, posts: &[String], random: &mut Random) -> bool {
    let token = user.token.as_deref();
    let answer = match act {
        Act::Home => client.send("GET", "/api/activities/home", token, ""),
        Act::UserFeed => client.send("GET", &format!("/api/activities/@{}", random.of(&USERS)), token, ""),
        Act::Search => client.send("GET", &format!("/api/activities/search?term={}", random.of(&WORDS)), token, ""),
        Act::Post => client.send("POST", "/api/activities", token, &post(random)),
        Act::Like => {
            let id = &posts[random.below(posts.len() as u64) as usize];
            let method = if random.below(2) == 0 { "PUT" } else { "DELETE" };
            client.send(method, &format!("/api/activities/{id}/like"), token, "")
        }
        Act::Message => {
            // Where nobody signs in, everybody is andrewbrown.
            let me = if token.is_some() { user.handle } else { USERS[0] };
            let others: Vec<&str> = USERS.into_iter().filter(|handle| *handle != me).collect();
            let (other, text) = (random.of(&others), text(random));
            let body = format!("{{\"message\": \"{text}\", \"user_receiver_handle\": \"{other}\"}}");
            client.send("POST", "/api/messages", token, &body)
        }
    };
    answer.is_ok_and(|answer| answer.status == 200)
}

fn table(options: &Options, answered: &[Answered], before: Option<(u64, u64)>, after: Option<(u64, u64)>) -> String {
    let seconds = options.time.as_secs_f64();
    let mut text = format!("{}\n\n", machine(options));
    text += "| request | answered | per second | p50 | p99 | longest | not 200 |\n|---|---|---|---|---|---|---|\n";
    for (name, act) in [
        ("home", Some(Act::Home)),
        ("user feed", Some(Act::UserFeed)),
        ("search", Some(Act::Search)),
        ("post", Some(Act::Post)),
        ("like and unlike", Some(Act::Like)),
        ("message", Some(Act::Message)),
        ("**all**", None),
    ] {
        let of_it: Vec<&Answered> = answered.iter().filter(|(of, ..)| act.is_none_or(|act| act == *of)).collect();
        let mut times: Vec<f64> = of_it.iter().map(|(_, _, time)| time.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        if let Some(longest) = times.last() {
            let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
            let bad = of_it.iter().filter(|(_, good, _)| !good).count();
            let (count, rate) = (times.len(), times.len() as f64 / seconds);
            let (p50, p99) = (quantile(0.5), quantile(0.99));
            writeln!(text, "| {name} | {count} | {rate:.0} | {p50:.1} ms | {p99:.1} ms | {longest:.1} ms | {bad} |")
                .expect("a String");
        }
    }
    if let (Some((before, _)), Some((after, most))) = (before, after) {
        writeln!(text, "\nMemory of the server: {before} MB before, {after} MB after, {most} MB at most.")
            .expect("a String");
    }
    text
}

fn machine(options: &Options) -> String {
    let cores = thread::available_parallelism().expect("a number of cores");
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let date = Command::new("date").args(["-u", "+%F"]).output().map(|output| output.stdout).unwrap_or_default();
    let date = String::from_utf8_lossy(&date).trim().to_owned();
    format!(
        "{date}, {cores} cores ({model}), which the load shares with the server; {} connections, {} seconds after {} \
         to warm up.",
        options.connections,
        options.time.as_secs(),
        WARM_UP.as_secs(),
    )
}
