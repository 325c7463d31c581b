//! The frames in the text of a Rust backtrace.

use crate::xray::json::Members;
use crate::xray::limits::SizeLimits;

/// The maximum length of a function name and of a path in bytes.
const MAX_TEXT: usize = 500;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct StackFrame<'a> {
    label: &'a str,
    path: Option<&'a str>,
    line: Option<u32>,
}

pub(super) fn write(exception: &mut Members<'_>, backtrace: &str, limits: &SizeLimits) {
    let left_out = exception.list("stack", frames(backtrace), limits.inner(), |members, frame| {
        if let Some(path) = frame.path {
            members.text("path", path, MAX_TEXT);
        }
        if let Some(line) = frame.line {
            members.number("line", line);
        }
        members.text("label", frame.label, MAX_TEXT);
    });
    if let Ok(left_out @ 1..) = i64::try_from(left_out) {
        exception.number("truncated", left_out);
    }
}

/// ```text
///    3: shop::api::show
///              at /build/src/api/show.rs:17:5
/// ```
pub(super) fn frames(backtrace: &str) -> impl Iterator<Item = StackFrame<'_>> {
    let mut lines = backtrace.lines().peekable();
    std::iter::from_fn(move || {
        let label = lines.by_ref().find_map(label)?;
        let place = lines.peek().and_then(|line| line.trim_start().strip_prefix("at "));
        let (path, line) = place.map_or((None, None), path_and_line);
        Some(StackFrame { label, path, line })
    })
}

/// `3: shop::api::show`, or with an address: `3: 0x55d0c8 - cruddur::api::show`.
fn label(line: &str) -> Option<&str> {
    let (number, rest) = line.trim().split_once(':')?;
    number.parse::<u32>().ok()?;
    let rest = rest.trim_start();
    let label = match rest.split_once(" - ") {
        Some((address, label)) if address.starts_with("0x") => label,
        Some(_) | None => rest,
    };
    (!label.is_empty()).then_some(label)
}

/// `/build/src/api/show.rs:17:5`
fn path_and_line(place: &str) -> (Option<&str>, Option<u32>) {
    let mut parts = place.rsplitn(3, ':');
    let (_column, line, path) = (parts.next(), parts.next(), parts.next());
    match (path, line.and_then(|line| line.parse().ok())) {
        (Some(path), Some(line)) => (Some(path), Some(line)),
        _ => (Some(place), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_has_file_and_line() {
        let backtrace = "   0: std::panicking::begin_panic\n             at /rustc/std/src/panicking.rs:50:5\n   \
                         1: main\n   2: 0x55d0c8 - start\n             at ./start.rs:7\nnote: no more";
        assert_eq!(
            frames(backtrace).collect::<Vec<_>>(),
            [
                StackFrame {
                    label: "std::panicking::begin_panic",
                    path: Some("/rustc/std/src/panicking.rs"),
                    line: Some(50)
                },
                StackFrame { label: "main", path: None, line: None },
                StackFrame { label: "start", path: Some("./start.rs:7"), line: None },
            ]
        );
    }

    #[test]
    fn other_text_has_no_frames() {
        assert_eq!(frames("Traceback (most recent call last):\n  File \"a.py\", line 1\n12:\n٣: x").next(), None);
    }
}
