use std::process::Command;

/// The features of `package` in a function that depends only on this crate, without the features of dev-dependencies.
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

/// Without `rt-tokio` the HTTP stack panics, because its connect timeout has no timer. An SDK in the same build, as in
/// all other tests, hides this.
#[test]
fn http_stack_has_a_timer_without_an_sdk() {
    assert!(features("aws-smithy-async").contains(&"rt-tokio".to_owned()));
    assert!(!features("aws-smithy-async").contains(&"test-util".to_owned()));
}

/// With a second rustls the name would be ambiguous, and cargo would fail.
#[test]
fn build_has_one_tls_stack() {
    let features = features("rustls");
    assert!(features.contains(&"aws_lc_rs".to_owned()), "{features:?}");
    assert!(!features.contains(&"ring".to_owned()), "{features:?}");
}
