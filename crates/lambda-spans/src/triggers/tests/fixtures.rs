//! The literal span of every request fixture of `aws_lambda_events`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::triggers::detect;
use crate::triggers::trigger::Trigger;

/// Returns the events with their names, sorted.
fn events() -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort_unstable();
    let named = |path: PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    paths.into_iter().map(named).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/aws_lambda_events")
}

fn line(name: &str, trigger: &Trigger) -> String {
    let mut attributes: Vec<String> =
        trigger.attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
    attributes.sort_unstable();
    let kind = if trigger.consumer { "consumer" } else { "server" };
    let span = trigger.name.as_deref().unwrap_or("<function>");
    format!("{name}: {span} | {kind} | {} links | {}", trigger.links.len(), attributes.join(", "))
}

#[test]
fn every_fixture_has_its_literal_span() {
    let lines: Vec<String> = events().iter().map(|(name, event)| line(name, &detect::trigger(event))).collect();
    let expected = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(lines, expected);
}
