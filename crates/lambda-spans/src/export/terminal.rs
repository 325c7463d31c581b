//! Prints a trace as a tree of spans with start, duration and a bar for both.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{
    AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS, AWS_DYNAMODB_COUNT, AWS_DYNAMODB_INDEX_NAME, AWS_SDK_ATTEMPTS,
    DB_COLLECTION_NAME, ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE,
};
use crate::trace::finished::FinishedSpans;

const BAR: usize = 24;
const NAME_WIDTH: usize = 44;

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

#[expect(clippy::print_stderr, reason = "a terminal is what it is for")]
pub(crate) fn print(finished: &FinishedSpans) {
    eprint!("{}", tree(&finished.spans));
}

fn tree(spans: &[SpanData]) -> String {
    let mut text = String::new();
    let ids: Vec<SpanId> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let roots = sorted(spans.iter().filter(|span| !ids.contains(&span.parent_span_id)));
    for root in roots {
        text.push_str(&format!("\ntrace {}\n", root.span_context.trace_id()));
        let view = TraceView { begin: root.start_time, length: length(root), spans };
        view.draw(&mut text, root, "", "");
    }
    text
}

struct TraceView<'a> {
    begin: SystemTime,
    length: Duration,
    spans: &'a [SpanData],
}

impl TraceView<'_> {
    fn draw(&self, text: &mut String, span: &SpanData, branch: &str, indent: &str) {
        let name = format!("{branch}{}", span.name);
        let mark = if matches!(span.status, Status::Error { .. }) { " ✗" } else { "" };
        text.push_str(&format!(
            "{name:<NAME_WIDTH$} {:>9.2} ms {}{mark}{}\n",
            length(span).as_secs_f64() * 1000.0,
            self.bar(span),
            attributes(span),
        ));
        let children = sorted(self.spans.iter().filter(|child| child.parent_span_id == span.span_context.span_id()));
        for (index, child) in children.iter().enumerate() {
            let (branch, below) = if index + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.draw(text, child, &format!("{indent}{branch}"), &format!("{indent}{below}"));
        }
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

fn sorted<'a>(spans: impl Iterator<Item = &'a SpanData>) -> Vec<&'a SpanData> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| span.start_time);
    spans
}

fn length(span: &SpanData) -> Duration {
    span.end_time.duration_since(span.start_time).unwrap_or_default()
}
