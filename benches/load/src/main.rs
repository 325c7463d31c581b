//! `make load`: sends a mix of requests on several connections. Each connection waits for a response before its next request.
//!
//! - [`options`]: the command line; [`server`]: the process under load; [`http`]: the HTTP client
//! - this file: the mix and the resulting table
//!
//! Failures panic with a message. Responses other than 200 are counted.

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

/// The time before the measurement.
const WARM_UP: Duration = Duration::from_secs(2);
/// The number of posts created before the load.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Home,
    UserFeed,
    Search,
    Post,
    Like,
    Message,
}

/// One request: its operation, whether the response was 200, and the time until the response.
type Sample = (Operation, bool, Duration);

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

struct User<'a> {
    handle: &'a str,
    token: Option<String>,
}

fn main() {
    let options = Options::from_arguments(std::env::args().skip(1));
    let server = Server::start(&options);
    let mut client = Client::new(server.address);
    let users: Vec<User> = USERS.iter().map(|handle| sign_in(&mut client, options.client, handle)).collect();
    let mut posts = Vec::new();
    let mut random = Random(7);
    for _ in 0..POSTS {
        let user = &users[random.below(users.len() as u64) as usize];
        let response = client.send("POST", "/api/activities", user.token.as_deref(), &post(&mut random));
        let response = response.expect("the server responds");
        assert_eq!(response.status, 200, "creating a post failed: {}", response.body);
        posts.push(field(&response.body, "uuid").expect("an id"));
    }
    let before = server.memory();
    let started = Instant::now();
    let end = started + WARM_UP + options.time;
    let samples: Vec<Sample> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.connections)
            .map(|number| {
                let (user, posts, server) = (&users[number % users.len()], &posts, server.address);
                let mix: &[(Operation, u64)] = if options.client == Kind::Later { &LATER } else { &WEEK2 };
                scope.spawn(move || {
                    let (mut client, mut random) = (Client::new(server), Random(number as u64 + 100));
                    let mut samples = Vec::new();
                    while Instant::now() < end {
                        let operation = draw(mix, &mut random);
                        let begin = Instant::now();
                        let succeeded = send(&mut client, operation, user, posts, &mut random);
                        if begin >= started + WARM_UP {
                            samples.push((operation, succeeded, begin.elapsed()));
                        }
                    }
                    samples
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    });
    let table = table(&options, &samples, before, server.memory());
    print!("{table}");
    if let Some(file) = &options.write {
        write(file, &table);
    }
}

/// Replaces the table between the two markers of the file, or creates the file.
fn write(file: &str, table: &str) {
    const MARKS: [&str; 2] = ["<!-- begin: make load -->\n", "<!-- end: make load -->\n"];
    let text = fs::read_to_string(file).unwrap_or_else(|_| MARKS.concat());
    let (before, rest) = text.split_once(MARKS[0]).expect("the marker before the table");
    let (_, after) = rest.split_once(MARKS[1]).expect("the marker after the table");
    fs::write(file, format!("{before}{}\n{table}\n{}{after}", MARKS[0], MARKS[1])).expect("a writable file");
}

fn sign_in<'a>(client: &mut Client, kind: Kind, handle: &'a str) -> User<'a> {
    if kind == Kind::Week2 {
        return User { handle, token: None };
    }
    let response = client.send("POST", "/local/sign-in", None, &format!("{{\"handle\": \"{handle}\"}}"));
    let response = response.expect("the server responds");
    User { handle, token: Some(field(&response.body, "access_token").expect("a token")) }
}

/// Returns the first string of that name in the JSON text, at any depth.
fn field(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned())
}

fn post(random: &mut Random) -> String {
    format!("{{\"message\": \"{}\", \"ttl\": \"7-days\"}}", text(random))
}

fn text(random: &mut Random) -> String {
    let words: Vec<&str> = (0..12).map(|_| random.pick(&WORDS)).collect();
    words.join(" ")
}

fn draw(mix: &[(Operation, u64)], random: &mut Random) -> Operation {
    let mut drawn = random.below(mix.iter().map(|(_, share)| share).sum());
    for (operation, share) in mix {
        if drawn < *share {
            return *operation;
        }
        drawn -= share;
    }
    Operation::Home
}

fn send(client: &mut Client, operation: Operation, user: &User, posts: &[String], random: &mut Random) -> bool {
    let token = user.token.as_deref();
    let response = match operation {
        Operation::Home => client.send("GET", "/api/activities/home", token, ""),
        Operation::UserFeed => client.send("GET", &format!("/api/activities/@{}", random.pick(&USERS)), token, ""),
        Operation::Search => {
            client.send("GET", &format!("/api/activities/search?term={}", random.pick(&WORDS)), token, "")
        }
        Operation::Post => client.send("POST", "/api/activities", token, &post(random)),
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
    };
    response.is_ok_and(|response| response.status == 200)
}

fn table(options: &Options, samples: &[Sample], before: Option<(u64, u64)>, after: Option<(u64, u64)>) -> String {
    let seconds = options.time.as_secs_f64();
    let mut text = format!("{}\n\n", machine(options));
    text += "| request | count | per second | p50 | p99 | max | not 200 |\n|---|---|---|---|---|---|---|\n";
    for (name, operation) in [
        ("home", Some(Operation::Home)),
        ("user feed", Some(Operation::UserFeed)),
        ("search", Some(Operation::Search)),
        ("post", Some(Operation::Post)),
        ("like and unlike", Some(Operation::Like)),
        ("message", Some(Operation::Message)),
        ("**all**", None),
    ] {
        let selected: Vec<&Sample> =
            samples.iter().filter(|(kind, ..)| operation.is_none_or(|operation| operation == *kind)).collect();
        let mut times: Vec<f64> = selected.iter().map(|(_, _, time)| time.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        if let Some(max) = times.last() {
            let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
            let failed = selected.iter().filter(|(_, succeeded, _)| !succeeded).count();
            let (count, rate) = (times.len(), times.len() as f64 / seconds);
            let (p50, p99) = (quantile(0.5), quantile(0.99));
            writeln!(text, "| {name} | {count} | {rate:.0} | {p50:.1} ms | {p99:.1} ms | {max:.1} ms | {failed} |")
                .expect("a String");
        }
    }
    if let (Some((before, _)), Some((after, peak))) = (before, after) {
        writeln!(text, "\nServer memory: {before} MB before, {after} MB after, {peak} MB peak.").expect("a String");
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
        "{date}, {cores} cores ({model}), shared by the load generator and the server; {} connections, {} seconds after {} \
         seconds of warm-up.",
        options.connections,
        options.time.as_secs(),
        WARM_UP.as_secs(),
    )
}
