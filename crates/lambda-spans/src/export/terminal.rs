//! Prints a trace as a tree of spans with start, duration and a bar for both.

use std::io::Write as _;
use std::time::{Duration, SystemTime};
use std::vec;

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{
    AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS, AWS_DYNAMODB_COUNT, AWS_DYNAMODB_INDEX_NAME, AWS_SDK_ATTEMPTS,
    DB_COLLECTION_NAME, ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE,
};
use crate::trace::finished::FinishedSpans;
use crate::trace::tree::SpanTree;

const BAR: usize = 24;
const NAME_WIDTH: usize = 44;
/// The maximum indentation in characters. Deeper spans are drawn at the same place.
const MAX_INDENT: usize = 60;

/// The attributes that summarize a span. The application's own attributes are always shown.
const SHOWN: [&str; 7] = [
    HTTP_RESPONSE_STATUS_CODE,
    ERROR_TYPE,
    DB_COLLECTION_NAME,
    AWS_DYNAMODB_INDEX_NAME,
    AWS_DYNAMODB_COUNT,
    AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS,
    AWS_SDK_ATTEMPTS,
];

pub(crate) fn print(finished: &FinishedSpans) {
    // Without a standard error there is no terminal.
    std::io::stderr().write_all(tree(&finished.spans).as_bytes()).ok();
}

fn tree(spans: &[SpanData]) -> String {
    let mut text = String::new();
    let tree = SpanTree::new(spans);
    let tops = tree.order().iter().copied().filter(|position| tree.parent(*position).is_none());
    for top in sorted(spans, tops) {
        text.push_str(&format!("\ntrace {}\n", top.1.span_context.trace_id()));
        TraceView { begin: top.1.start_time, length: length(top.1), spans, tree: &tree }.draw(&mut text, top);
    }
    text
}

struct TraceView<'a> {
    begin: SystemTime,
    length: Duration,
    spans: &'a [SpanData],
    tree: &'a SpanTree,
}

impl<'a> TraceView<'a> {
    fn draw(&self, text: &mut String, top: (usize, &'a SpanData)) {
        self.draw_line(text, top.1, "");
        // The children of each open span that are not drawn yet, and the indentation below that span.
        let mut open = vec![(self.children(top.0), String::new())];
        while let Some((children, indent)) = open.last_mut() {
            let Some((position, span)) = children.next() else {
                open.pop();
                continue;
            };
            let is_last = children.len() == 0;
            let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.draw_line(text, span, &format!("{indent}{branch}"));
            let indent = if indent.chars().count() < MAX_INDENT { format!("{indent}{below}") } else { indent.clone() };
            open.push((self.children(position), indent));
        }
    }

    fn children(&self, position: usize) -> vec::IntoIter<(usize, &'a SpanData)> {
        sorted(self.spans, self.tree.children(position)).into_iter()
    }

    fn draw_line(&self, text: &mut String, span: &SpanData, branch: &str) {
        let name = format!("{branch}{}", span.name);
        let mark = if matches!(span.status, Status::Error { .. }) { " ✗" } else { "" };
        text.push_str(&format!(
            "{name:<NAME_WIDTH$} {:>9.2} ms {}{mark}{}\n",
            length(span).as_secs_f64() * 1000.0,
            self.bar(span),
            attributes(span),
        ));
    }

    /// The position of the span in the trace.
    fn bar(&self, span: &SpanData) -> String {
        let cells = |duration: Duration| {
            let share = duration.as_secs_f64() / self.length.as_secs_f64().max(f64::EPSILON);
            (share * BAR as f64).round() as usize
        };
        let offset = cells(span.start_time.duration_since(self.begin).unwrap_or_default()).min(BAR - 1);
        let width = cells(length(span)).clamp(1, BAR - offset);
        format!("{}{}{}", " ".repeat(offset), "━".repeat(width), " ".repeat(BAR - offset - width))
    }
}

fn attributes(span: &SpanData) -> String {
    let shown = span.attributes.iter().filter(|attribute| {
        let key = attribute.key.as_str();
        key.starts_with("app.") || SHOWN.contains(&key)
    });
    shown.fold(String::new(), |mut text, attribute| {
        let key = attribute.key.as_str();
        let key = match key {
            DB_COLLECTION_NAME => "table",
            _ if key.starts_with("app.") => key,
            _ => key.rsplit('.').next().unwrap_or(key),
        };
        text.push_str(&format!("  {key}={}", attribute.value));
        text
    })
}

fn sorted(spans: &[SpanData], positions: impl Iterator<Item = usize>) -> Vec<(usize, &SpanData)> {
    let mut spans: Vec<_> = positions.filter_map(|position| Some((position, spans.get(position)?))).collect();
    spans.sort_by_key(|(_, span)| span.start_time);
    spans
}

fn length(span: &SpanData) -> Duration {
    span.end_time.duration_since(span.start_time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tree::tests::span;

    #[test]
    fn children_are_drawn_below_their_parents_by_start() {
        let mut spans = vec![span(3, 2, 1), span(4, 1, 1), span(2, 1, 1), span(1, 0, 4)];
        spans[1].start_time += Duration::from_millis(1);
        spans[1].end_time += Duration::from_millis(1);
        let text = tree(&spans);
        let names: Vec<_> = text.lines().skip(2).map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(names, ["span 1", "├─ span 2", "│", "└─ span 4"]);
        assert!(text.lines().nth(4).unwrap().starts_with("│  └─ span 3"));
    }

    #[test]
    fn ten_thousand_levels_are_drawn() {
        let spans: Vec<_> = (1..=10_000).rev().map(|id| span(id, id - 1, 1)).collect();
        let text = tree(&spans);
        assert_eq!(text.lines().count(), 10_002);
        assert!(text.len() < 4_000_000);
    }
}
