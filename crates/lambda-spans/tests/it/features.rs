use std::process::Command;

/// Prints the dependency tree of this crate without its dev-dependencies.
fn tree(arguments: &[&str]) -> String {
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "--package", "lambda-spans", "--prefix", "none"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).unwrap()
}

/// The features of `package` in a function that depends only on this crate.
fn features(package: &str) -> Vec<String> {
    let lines = tree(&["--edges", "normal,features", "--invert", package]);
    let prefix = format!("{package} feature \"");
    lines.lines().filter_map(|line| Some(line.strip_prefix(&prefix)?.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn http_and_signing_are_optional() {
    let built = |features: &[&str]| {
        let tree = tree(&[&["--edges", "normal", "--no-default-features"], features].concat());
        let names = ["axum", "lambda_http", "aws-sigv4"];
        names.map(|name| tree.lines().any(|line| line.split(' ').next() == Some(name)))
    };
    assert_eq!(built(&[]), [false, false, false]);
    assert_eq!(built(&["--features", "http"]), [true, true, false]);
    assert_eq!(built(&["--features", "sigv4"]), [false, false, true]);
}

/// The SDK's own HTTP client would be a second HTTP and TLS stack, and HTTP/2 would never be used.
#[test]
fn build_has_one_http_stack() {
    let tree = tree(&["--edges", "normal", "--all-features"]);
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for unused in ["aws-smithy-http-client", "h2", "hyper-rustls"] {
        assert!(!names.contains(&unused), "{unused}");
    }
    assert!(names.contains(&"hyper"));
}

#[test]
fn build_has_no_test_utilities() {
    assert!(!features("aws-smithy-async").contains(&"test-util".to_owned()));
}

/// With a second rustls the name would be ambiguous, and cargo would fail.
#[test]
fn build_has_one_tls_stack() {
    let features = features("rustls");
    assert!(features.contains(&"aws_lc_rs".to_owned()), "{features:?}");
    assert!(!features.contains(&"ring".to_owned()), "{features:?}");
}
