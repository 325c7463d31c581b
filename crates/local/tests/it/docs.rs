//! What the documents say about the local server, compared with its code.

use std::time::Duration;

use cruddur_local::http_server::Timeouts;
use cruddur_local::sign_in;

const README: &str = include_str!("../../../../README.md");
const LOCAL: &str = include_str!("../../../../docs/local.md");

/// Returns the time in the row of this limit, in whole seconds.
fn documented(limit: &str) -> Duration {
    let row = LOCAL.lines().find_map(|line| line.strip_prefix(&format!("| {limit} | "))).unwrap();
    let (seconds, _) = row.split_once(" s | ").unwrap();
    Duration::from_secs(seconds.parse().unwrap())
}

#[test]
fn documented_time_limits_are_the_defaults() {
    let timeouts = Timeouts::default();
    for (limit, seconds, default) in [
        ("From the start of a connection to the end of its first request's head", 10, timeouts.first_request),
        ("From a response to the end of the next request's head", 60, timeouts.next_request),
        ("Between two parts of a request's body", 10, timeouts.body),
        ("Between two parts of a response that the client reads", 60, timeouts.write),
        ("From the start of a sign-in to the end of its body", 10, sign_in::TIMEOUT),
        ("After Ctrl-C, until pending requests are finished", 2, timeouts.shutdown),
    ] {
        let expected = Duration::from_secs(seconds);
        assert_eq!((documented(limit), default), (expected, expected), "{limit}");
    }
}

#[test]
fn readme_names_every_key_that_the_snippet_sets() {
    let (_, entries) = LOCAL.split_once("Object.entries({\n").unwrap();
    let (entries, _) = entries.split_once("\n})) localStorage.setItem").unwrap();
    let key = |line: &'static str| {
        let name = line.split([',', ':']).next().unwrap().rsplit('.').next().unwrap();
        name.trim_matches(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())
    };
    let keys: Vec<_> = entries.lines().map(key).collect();
    let expected = ["access_token", "LastAuthUser", "accessToken", "idToken", "refreshToken", "clockDrift", "userData"];
    assert_eq!(keys, expected);
    for key in keys {
        assert!(README.contains(&format!("`{key}`")), "{key}");
    }
}
