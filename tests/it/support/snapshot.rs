//! Comparison with expected texts in files.

use std::fs;

/// Asserts that `found` is the content of `tests/<file>`. The message shows how to accept the new text.
pub(crate) fn assert_snapshot(file: &str, found: &str) {
    let path = format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"));
    let kept = format!("{}/{}", env!("CARGO_TARGET_TMPDIR"), file.replace('/', "-"));
    let expected = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&kept, found).unwrap();
    let line = expected.lines().zip(found.lines()).take_while(|(expected, found)| expected == found).count();
    let line_of = |text: &str| text.lines().nth(line).unwrap_or("<the end>").to_owned();
    assert!(
        expected == found,
        "{path} differs from line {}:\n  expected {}\n  found    {}\nto accept the new text: cp {kept} {path}",
        line + 1,
        line_of(&expected),
        line_of(found)
    );
}
