//! Traces as text.

use std::fmt::Write as _;

use serde_json::Value;

/// Returns one line for each trace of a page of the API.
pub(crate) fn list(page: &Value) -> String {
    let mut text = String::new();
    for trace in page["traces"].as_array().into_iter().flatten() {
        let root = &trace["root"];
        let status = trace["status_code"].as_i64().map_or_else(|| word(&trace["status"]), |code| code.to_string());
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{}  {:>9}  {status:<8}  {:>4} spans  {}  {}",
            word(&trace["id"]),
            duration(&trace["duration"]),
            trace["spans"].as_u64().unwrap_or_default(),
            word(&root["service"]),
            word(&root["name"]),
        )
        .ok();
    }
    text
}

/// Returns the spans of a trace of the API as a tree.
pub(crate) fn tree(trace: &Value) -> String {
    let mut text = String::new();
    for span in trace["spans"].as_array().into_iter().flatten() {
        let depth = usize::try_from(span["depth"].as_u64().unwrap_or_default()).unwrap_or_default().min(40);
        let status = word(&span["status"]);
        let status = if matches!(status.as_str(), "ok" | "unset") { String::new() } else { format!("  {status}") };
        let telling = span["telling"].as_str().map(|telling| format!("  {}", plain(telling))).unwrap_or_default();
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{:>9}  {}{}{telling}{status}",
            duration(&span["duration"]),
            "  ".repeat(depth),
            word(&span["name"])
        )
        .ok();
    }
    text
}

fn word(value: &Value) -> String {
    plain(value.as_str().unwrap_or_default())
}

/// A terminal would interpret control characters of a name.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn duration(nanos: &Value) -> String {
    let nanos: u64 = nanos.as_str().and_then(|nanos| nanos.parse().ok()).unwrap_or_default();
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{}.{} µs", nanos / 1_000, nanos / 100 % 10),
        1_000_000..1_000_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10),
        _ => format!("{}.{} s", nanos / 1_000_000_000, nanos / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trace_is_a_line_and_a_span_an_indented_line() {
        let page = json!({"traces": [{
            "id": "5759e988bd862e3fe1be46a994272793", "duration": "1500000", "status": "ok", "status_code": 200,
            "spans": 2, "root": {"service": "api", "name": "GET /\u{1b}[31m"},
        }]});
        let line = "5759e988bd862e3fe1be46a994272793     1.5 ms  200          2 spans  api  GET /\u{fffd}[31m\n";
        assert_eq!(list(&page), line);
        let trace = json!({"spans": [
            {"name": "a", "depth": 0, "duration": "12345678901", "status": "ok", "telling": null},
            {"name": "b", "depth": 1, "duration": "42", "status": "fault", "telling": "t"},
        ]});
        assert_eq!(tree(&trace), "   12.3 s  a\n    42 ns    b  t  fault\n");
    }
}
