use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MAX_LINES: usize = 400;
const MAX_BIN_LINES: usize = 30;

/// What each part may not name, from its `use` lines and paths.
const ARROWS: [(&str, &[&str]); 15] = [
    ("src/domain.rs", DOMAIN),
    ("src/domain", DOMAIN),
    ("src/store.rs", STORE),
    ("src/store", STORE),
    ("src/api.rs", API),
    ("src/api", API),
    ("src/signup.rs", SIGNUP),
    ("src/signup", SIGNUP),
    ("src/stream.rs", STREAM),
    ("src/stream", STREAM),
    ("src/config.rs", CONFIG),
    ("src/config", CONFIG),
    ("src/dead_letters.rs", NOTHING_OF_OURS),
    ("src/error_chain.rs", NOTHING_OF_OURS),
    ("crates/lambda-spans/src", &["cruddur"]),
];
const DOMAIN: &[&str] = &[
    "crate::api",
    "crate::clock",
    "crate::config",
    "crate::dead_letters",
    "crate::signup",
    "crate::store",
    "crate::stream",
    "lambda_spans",
    "aws_",
    "lambda_",
    "axum",
    "http::",
    "tokio",
    "opentelemetry",
    "tracing",
];
const STORE: &[&str] = &[
    "crate::api",
    "crate::clock",
    "crate::config",
    "crate::dead_letters",
    "crate::signup",
    "crate::stream",
    "axum",
    "lambda_http",
    "opentelemetry",
    "StatusCode",
];
const API: &[&str] = &[
    "crate::config",
    "crate::dead_letters",
    "crate::signup",
    "crate::stream",
    "aws_sdk",
    "aws_config",
    "aws_smithy",
    "opentelemetry",
];
const SIGNUP: &[&str] = &[
    "crate::api",
    "crate::config",
    "crate::dead_letters",
    "crate::stream",
    "aws_",
    "axum",
    "http::",
    "lambda_http",
    "opentelemetry",
];
const STREAM: &[&str] = &[
    "crate::api",
    "crate::clock",
    "crate::config",
    "crate::signup",
    "aws_",
    "axum",
    "http::",
    "lambda_http",
    "opentelemetry",
];
const CONFIG: &[&str] = &[
    "crate::api",
    "crate::clock",
    "crate::dead_letters",
    "crate::domain",
    "crate::signup",
    "crate::store",
    "crate::stream",
    "axum",
    "opentelemetry",
];
const NOTHING_OF_OURS: &[&str] = &["crate::", "cruddur", "axum", "http::", "lambda_http", "opentelemetry"];

const NO_NAMES: [&str; 6] = ["utils", "helpers", "common", "manager", "service", "controllers"];

pub(crate) fn rust_files(under: &Path) -> Vec<PathBuf> {
    if under.is_file() {
        return vec![under.to_owned()];
    }
    let entries = fs::read_dir(under).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.flat_map(|path| rust_files(&path)).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort_unstable();
    files
}

/// The source without comments, where another part may be named.
fn code(file: &Path) -> String {
    let source = fs::read_to_string(file).unwrap();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a path in `code` begins with `name`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        !before.is_alphanumeric() && before != '_' && before != '"' && before != ':'
    })
}

fn sources() -> Vec<PathBuf> {
    ["src", "crates/local/src", "crates/lambda-spans/src"]
        .iter()
        .map(|folder| Path::new(ROOT).join(folder))
        .filter(|folder| folder.exists())
        .flat_map(|folder| rust_files(&folder))
        .collect()
}

#[test]
fn arrows_point_inward() {
    for (part, forbidden) in ARROWS {
        for file in rust_files(&Path::new(ROOT).join(part)) {
            let code = code(&file);
            for name in forbidden {
                assert!(!names(&code, name), "{} names {name}", file.display());
            }
        }
    }
}

#[test]
fn the_arrows_test_sees_an_arrow() {
    assert!(names("use aws_sdk_dynamodb::Client;", "aws_"));
    assert!(names("fn f() -> axum::Router", "axum"));
    assert!(names("use crate::store::Store;", "crate::store"));
    assert!(!names("let laws_of = my_axum;", "aws_"));
}

#[test]
fn only_config_reads_the_environment() {
    for file in rust_files(&Path::new(ROOT).join("src")) {
        if !file.ends_with("src/config.rs") {
            assert!(!code(&file).contains("env::"), "{} reads the environment", file.display());
        }
    }
}

#[test]
fn only_keys_rs_makes_keys() {
    for file in rust_files(&Path::new(ROOT).join("src")) {
        if !file.ends_with("src/store/keys.rs") {
            for prefix in [
                "HOME#",
                "ACTIVITY#",
                "REPLY#",
                "USER#",
                "HANDLE#",
                "LIKE#",
                "REPOST#",
                "AUTHOR#",
                "REPLIES#",
                "IDEMPOTENCY#",
            ] {
                assert!(!code(&file).contains(prefix), "{} makes a key {prefix}", file.display());
            }
        }
    }
}

#[test]
fn files_are_short_and_binaries_only_wire() {
    for file in sources() {
        let source = fs::read_to_string(&file).unwrap();
        let lines = source.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
    }
    for file in rust_files(&Path::new(ROOT).join("src/bin")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= MAX_BIN_LINES, "{} has {lines} lines", file.display());
    }
}

#[test]
fn half_of_all_files_have_at_most_110_lines() {
    let mut lines: Vec<_> = rust_files(&Path::new(ROOT).join("src"))
        .iter()
        .map(|file| fs::read_to_string(file).unwrap().lines().count())
        .collect();
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= 110, "{lines:?}");
}

#[test]
fn modules_are_named_after_what_they_are() {
    for file in sources() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(!NO_NAMES.contains(&name) && name != "mod", "{}", file.display());
    }
}
