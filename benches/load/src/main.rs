//! `make load`: loads the local server with a mix of requests, and compares it with the original if `--peer` is set.
//!
//! - [`options`]: the command line; [`server`]: the process under load; [`http`]: the HTTP client
//! - [`mix`]: the requests; [`run`]: one run; [`report`]: the tables
//!
//! Failures panic with a message. Responses other than 200 are counted.

mod http;
mod mix;
mod options;
mod report;
mod run;
mod server;

use std::time::Duration;

use http::Client;
use mix::{Operation, Random, USERS, User, field};
use options::{Kind, Options};
use run::Run;
use server::Server;

/// The number of posts that are created through the API, at most. `fill.py` copies them.
const CREATED: u32 = 500;
/// The time in which the idle server's CPU time is measured.
const IDLE: Duration = Duration::from_secs(10);
/// The number of alternating runs against this server and the peer.
const ROUNDS: usize = 3;

fn main() {
    let options = Options::from_arguments(std::env::args().skip(1));
    let mut server = Server::start(&options);
    let mut client = Client::new(server.address);
    let users = USERS.map(|handle| User::sign_in(&mut client, options.client, handle));
    let created = create_posts(&mut client, &users, options.posts.min(CREATED));
    if options.posts > CREATED {
        server.fill(options.posts);
    }
    let mut text = report::machine(&options, options.posts);
    text += "\n";
    text += &match &options.peer {
        Some(peer) => compare(&options, &server, &Server::running(peer, &options.peer_pids), &users, &created),
        None => measure(&options, &server, &users, &created),
    };
    print!("{text}");
    if let Some(file) = &options.write {
        report::write(file, &text);
    }
}

/// Creates posts through the API and returns their ids.
fn create_posts(client: &mut Client, users: &[User], count: u32) -> Vec<String> {
    let mut random = Random(7);
    let mut create = || {
        let user = &users[random.below(users.len() as u64) as usize];
        let response = mix::send(client, Operation::Post, user, &[], &mut random).expect("the server responds");
        assert_eq!(response.status, 200, "creating a post failed: {}", response.body);
        field(&response.body, "uuid").expect("an id")
    };
    (0..count).map(|_| create()).collect()
}

/// Runs each number of connections.
fn measure(options: &Options, server: &Server, users: &[User], posts: &[String]) -> String {
    server.wait_until_idle();
    let idle = server.idle_share(IDLE) * 100.0;
    let before = server.memory();
    let load = |connections: &u32| -> Run {
        let run = run::run(server, options.client, users, posts, *connections, options.time);
        server.wait_until_idle();
        run
    };
    let runs: Vec<Run> = options.connections.iter().map(load).collect();
    let mut text = runs.first().map(report::by_request).unwrap_or_default();
    text += "\n";
    text += &report::by_connections(&runs);
    let acknowledged: Vec<String> = runs.iter().flat_map(|run| run.posted.clone()).collect();
    let (lost, count) = (run::count_lost(server, &acknowledged), acknowledged.len());
    text += &format!("\nOf {count} acknowledged posts, {lost} cannot be read afterwards.\n");
    if let (Some((before, _)), Some((after, peak))) = (before, server.memory()) {
        text += &format!("\nIdle server: {idle:.1} % of one CPU.\n");
        text += &format!("\nServer memory: {before} MB before, {after} MB after, {peak} MB peak.\n");
    }
    text
}

/// Loads this server and the peer alternately.
fn compare(options: &Options, server: &Server, peer: &Server, users: &[User], posts: &[String]) -> String {
    assert!(options.client == Kind::Week2, "the original has no sign-in: set --client week2");
    let connections = options.connections.first().copied().expect("a number of connections");
    let load = |server: &Server| {
        server.wait_until_idle();
        run::run(server, options.client, users, posts, connections, options.time)
    };
    let (ours, peers): (Vec<Run>, Vec<Run>) = (0..ROUNDS).map(|_| (load(server), load(peer))).unzip();
    let mut text = format!("{connections} connections, medians of {ROUNDS} alternating runs:\n\n");
    text += &report::by_server(&ours, &peers);
    if let (Some((ours, _)), Some((peers, _))) = (server.memory(), peer.memory()) {
        text += &format!("\nMemory: {ours} MB, the original {peers} MB.\n");
    }
    text
}
