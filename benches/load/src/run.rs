//! One run: a number of connections, each of which waits for a response before its next request.

use std::thread;
use std::time::{Duration, Instant};

use crate::http::Client;
use crate::mix::{self, Operation, Random, User, field};
use crate::options::Kind;
use crate::server::Server;

/// The time before the measurement.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);
/// The pause after a 503. The server asks for it with `Retry-After: 1`.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) operation: Operation,
    /// The response's status, or 0 if the connection failed.
    pub(crate) status: u16,
    pub(crate) time: Duration,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) connections: u32,
    pub(crate) time: Duration,
    pub(crate) samples: Vec<Sample>,
    /// The ids of all posts that the server acknowledged, including the warm-up.
    pub(crate) posted: Vec<String>,
    /// The server's CPU time in seconds.
    pub(crate) cpu: f64,
}

impl Run {
    /// Returns the number of successful responses per second.
    pub(crate) fn throughput(&self) -> f64 {
        self.samples.iter().filter(|sample| sample.status == 200).count() as f64 / self.time.as_secs_f64()
    }

    /// Returns the server's CPU time per successful response, in microseconds.
    pub(crate) fn cpu_per_request(&self) -> f64 {
        self.cpu * 1e6 / (self.throughput() * self.time.as_secs_f64()).max(1.0)
    }
}

/// Loads the server for `time` after the warm-up.
pub(crate) fn run(
    server: &Server,
    kind: Kind,
    users: &[User],
    posts: &[String],
    connections: u32,
    time: Duration,
) -> Run {
    let started = Instant::now();
    let end = started + WARM_UP + time;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                let (user, address) = (&users[number as usize % users.len()], server.address);
                scope.spawn(move || {
                    let (mut client, mut random) = (Client::new(address), Random(u64::from(number) + 100));
                    let (mut samples, mut posted) = (Vec::new(), Vec::new());
                    while Instant::now() < end {
                        let operation = mix::draw(kind, &mut random);
                        let begin = Instant::now();
                        let response = mix::send(&mut client, operation, user, posts, &mut random);
                        let status = response.as_ref().map_or(0, |response| response.status);
                        if begin >= started + WARM_UP {
                            samples.push(Sample { operation, status, time: begin.elapsed() });
                        }
                        if let (Operation::Post, 200, Ok(response)) = (operation, status, &response) {
                            posted.extend(field(&response.body, "uuid"));
                        }
                        if status == 503 {
                            thread::sleep(RETRY_AFTER.min(end.saturating_duration_since(Instant::now())));
                        }
                    }
                    (samples, posted)
                })
            })
            .collect();
        thread::sleep(WARM_UP);
        let before = server.cpu_seconds();
        thread::sleep(time);
        let cpu = server.cpu_seconds() - before;
        let (samples, posted): (Vec<_>, Vec<_>) =
            threads.into_iter().map(|thread| thread.join().expect("a thread ends")).unzip();
        Run { connections, time, samples: samples.concat(), posted: posted.concat(), cpu }
    })
}

/// Returns how many of the posts cannot be read.
pub(crate) fn count_lost(server: &Server, posts: &[String]) -> usize {
    let parts: Vec<&[String]> = posts.chunks(posts.len().div_ceil(8).max(1)).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| {
                scope.spawn(move || {
                    let mut client = Client::new(server.address);
                    part.iter().filter(|id| !is_readable(&mut client, id)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread ends")).sum()
    })
}

fn is_readable(client: &mut Client, id: &str) -> bool {
    let response = client.send("GET", &format!("/api/activities/{id}"), None, "");
    response.is_ok_and(|response| response.status == 200 && response.body.contains(id))
}
