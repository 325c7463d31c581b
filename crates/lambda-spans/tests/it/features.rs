use std::process::Command;

/// The features of `package` in a function that has this crate and nothing else: what tests need is not there.
fn features(package: &str) -> Vec<String> {
    let arguments = ["tree", "--offline", "--locked", "--package", "lambda-spans", "--edges", "normal,features"];
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .args(["--invert", package, "--prefix", "none"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let prefix = format!("{package} feature \"");
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().filter_map(|line| Some(line.strip_prefix(&prefix)?.split_once('"')?.0.to_owned())).collect()
}

/// Without it the HTTP stack panics when it is built, since a connect timeout has no timer; with an SDK in the same build,
/// as in every other test, it does not.
#[test]
fn the_http_stack_has_a_timer_where_no_sdk_brings_one() {
    assert!(features("aws-smithy-async").contains(&"rt-tokio".to_owned()));
    assert!(!features("aws-smithy-async").contains(&"test-util".to_owned()));
}

/// A second rustls would make the name ambiguous, which is an error of the question.
#[test]
fn there_is_one_tls_stack() {
    let features = features("rustls");
    assert!(features.contains(&"aws_lc_rs".to_owned()), "{features:?}");
    assert!(!features.contains(&"ring".to_owned()), "{features:?}");
}
