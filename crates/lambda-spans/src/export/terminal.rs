//! Prints traces on standard error: trees of spans with start, duration and a bar for both, or one line per request.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{
    AWS_DYNAMODB_CONSUMED_CAPACITY_UNITS, AWS_DYNAMODB_COUNT, AWS_DYNAMODB_INDEX_NAME, AWS_SDK_ATTEMPTS,
    DB_COLLECTION_NAME, ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, URL_PATH,
};
use crate::trace::finished::FinishedSpans;
use crate::trace::tree::{SpanTree, is_root};

const BAR: usize = 24;
const NAME_WIDTH: usize = 44;
const ROUTE_WIDTH: usize = 44;
/// The maximum indentation in characters. Deeper spans are drawn at the same place.
const MAX_INDENT: usize = 60;
/// As many consecutive siblings of the same name, without children and errors, are one line.
const MIN_FOLDED: usize = 5;

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

/// How traces are printed on standard error.
#[derive(Clone, Debug)]
pub(crate) enum Terminal {
    /// Each trace as a tree of spans.
    Trees,
    /// Each HTTP request as one line that ends with `link` and the trace id.
    Lines { link: String },
}

impl Terminal {
    pub(crate) fn print(&self, finished: &FinishedSpans) {
        let text = match self {
            Self::Trees => tree(&finished.spans),
            Self::Lines { link } => lines(&finished.spans, link),
        };
        // Without a standard error there is no terminal.
        std::io::stderr().write_all(text.as_bytes()).ok();
    }
}

fn lines(spans: &[SpanData], link: &str) -> String {
    let requests = spans.iter().filter(|span| span.span_kind == SpanKind::Server && is_root(span));
    requests.map(|span| line(span, link)).collect()
}

fn line(span: &SpanData, link: &str) -> String {
    let method = attribute(span, HTTP_REQUEST_METHOD).unwrap_or_default();
    let route =
        attribute(span, HTTP_ROUTE).or_else(|| attribute(span, URL_PATH)).unwrap_or_else(|| span.name.to_string());
    let status = attribute(span, HTTP_RESPONSE_STATUS_CODE).unwrap_or_else(|| "-".to_owned());
    let (duration, trace_id) = (milliseconds(length(span)), span.span_context.trace_id());
    format!("{method:<7} {route:<ROUTE_WIDTH$} {status:>3} {duration:>12}  {link}{trace_id}\n")
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
    Some(attribute.value.to_string())
}

fn tree(spans: &[SpanData]) -> String {
    let mut text = String::new();
    let tree = SpanTree::new(spans);
    let table = only_table(spans);
    let in_table = table.as_ref().map(|table| format!("  table={table}")).unwrap_or_default();
    let one_table = table.is_some();
    let tops = tree.order().iter().copied().filter(|position| tree.parent(*position).is_none());
    for (position, top) in sorted(spans, tops) {
        text.push_str(&format!("\ntrace {}{in_table}\n", top.span_context.trace_id()));
        let view = TraceView { begin: top.start_time, length: length(top), spans, tree: &tree, one_table };
        view.draw(&mut text, (position, top));
    }
    text
}

/// Returns the table of all spans that have one, if it is the same. The lines of the spans then leave it out.
fn only_table(spans: &[SpanData]) -> Option<String> {
    let mut tables = spans.iter().filter_map(|span| attribute(span, DB_COLLECTION_NAME));
    let first = tables.next()?;
    tables.all(|table| table == first).then_some(first)
}

struct TraceView<'a> {
    begin: SystemTime,
    length: Duration,
    spans: &'a [SpanData],
    tree: &'a SpanTree,
    /// Whether the trace's first line names the table of all spans.
    one_table: bool,
}

/// A line of a tree: one span with its position, or several equal ones.
enum Line<'a> {
    Span(usize, &'a SpanData),
    Folded(Vec<&'a SpanData>),
}

impl<'a> TraceView<'a> {
    fn draw(&self, text: &mut String, top: (usize, &'a SpanData)) {
        self.draw_span(text, top.1, "");
        // The lines below each open span that are not drawn yet, and their indentation.
        let mut open = vec![(self.below(top.0).into_iter(), String::new())];
        while let Some((lines, indent)) = open.last_mut() {
            let Some(line) = lines.next() else {
                open.pop();
                continue;
            };
            let is_last = lines.len() == 0;
            let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let branch = format!("{indent}{branch}");
            match line {
                Line::Folded(spans) => self.draw_folded(text, &spans, &branch),
                Line::Span(position, span) => {
                    self.draw_span(text, span, &branch);
                    let deep = indent.chars().count() >= MAX_INDENT;
                    let indent = if deep { indent.clone() } else { format!("{indent}{below}") };
                    open.push((self.below(position).into_iter(), indent));
                }
            }
        }
    }

    /// Returns the lines of a span's children by start.
    fn below(&self, position: usize) -> Vec<Line<'a>> {
        let children = sorted(self.spans, self.tree.children(position));
        let equal = children.chunk_by(|(one, first), (other, second)| {
            first.name == second.name && self.is_plain(*one, first) && self.is_plain(*other, second)
        });
        let lines = equal.flat_map(|equal| match equal.len() >= MIN_FOLDED {
            true => vec![Line::Folded(equal.iter().map(|(_, span)| *span).collect())],
            false => equal.iter().map(|(position, span)| Line::Span(*position, span)).collect(),
        });
        lines.collect()
    }

    fn is_plain(&self, position: usize, span: &SpanData) -> bool {
        !failed(span) && self.tree.children(position).next().is_none()
    }

    fn draw_span(&self, text: &mut String, span: &SpanData, branch: &str) {
        let mark = if failed(span) { " ✗" } else { "" };
        let bar = self.bar(span.start_time, length(span));
        let attributes = format!("{mark}{}", self.attributes(span));
        draw_line(text, &format!("{branch}{}", span.name), length(span), &bar, &attributes);
    }

    fn draw_folded(&self, text: &mut String, spans: &[&SpanData], branch: &str) {
        let Some(first) = spans.first() else { return };
        let end = spans.iter().map(|span| span.end_time).max().unwrap_or(first.end_time);
        let wall = end.duration_since(first.start_time).unwrap_or_default();
        let lengths = spans.iter().map(|span| length(span));
        let (sum, least, most) =
            (lengths.clone().sum(), lengths.clone().min().unwrap_or_default(), lengths.max().unwrap_or_default());
        let name = format!("{branch}{} × {}", spans.len(), first.name);
        let each = format!("  each={}–{}  sum={}", milliseconds(least), milliseconds(most), milliseconds(sum));
        draw_line(text, &name, wall, &self.bar(first.start_time, wall), &each);
    }

    /// The position of a span in the trace.
    fn bar(&self, start: SystemTime, length: Duration) -> String {
        let cells = |duration: Duration| {
            let share = duration.as_secs_f64() / self.length.as_secs_f64().max(f64::EPSILON);
            (share * BAR as f64).round() as usize
        };
        let offset = cells(start.duration_since(self.begin).unwrap_or_default()).min(BAR - 1);
        let width = cells(length).clamp(1, BAR - offset);
        format!("{}{}{}", " ".repeat(offset), "━".repeat(width), " ".repeat(BAR - offset - width))
    }

    fn attributes(&self, span: &SpanData) -> String {
        let shown = span.attributes.iter().filter(|attribute| {
            let key = attribute.key.as_str();
            let is_repeated = self.one_table && key == DB_COLLECTION_NAME;
            !is_repeated && (key.starts_with("app.") || SHOWN.contains(&key))
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
}

fn draw_line(text: &mut String, name: &str, length: Duration, bar: &str, attributes: &str) {
    text.push_str(&format!("{name:<NAME_WIDTH$} {:>12} {bar}{attributes}\n", milliseconds(length)));
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

fn failed(span: &SpanData) -> bool {
    matches!(span.status, Status::Error { .. })
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
    use opentelemetry::KeyValue;

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

    fn with(mut span: SpanData, attributes: &[(&'static str, &'static str)]) -> SpanData {
        span.attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect();
        span
    }

    #[test]
    fn five_equal_siblings_are_one_line() {
        let query = |id, length| SpanData { name: "Query".into(), ..span(id, 1, length) };
        let mut spans: Vec<_> = (2..=6).map(|id| query(id, id)).collect();
        spans.push(SpanData { status: Status::error(""), ..query(7, 1) });
        spans.push(span(1, 0, 9));
        let names: Vec<_> =
            tree(&spans).lines().skip(2).map(|line| line.split("  ").next().unwrap().to_owned()).collect();
        assert_eq!(names, ["span 1", "├─ 5 × Query", "└─ Query"]);
    }

    #[test]
    fn table_of_all_spans_is_shown_once() {
        let table = |id, parent, name| with(span(id, parent, 1), &[(DB_COLLECTION_NAME, name)]);
        let same = tree(&[table(2, 1, "cruddur"), table(3, 1, "cruddur"), span(1, 0, 1)]);
        assert_eq!(same.matches("table=cruddur").count(), 1);
        let different = tree(&[table(2, 1, "cruddur"), table(3, 1, "users"), span(1, 0, 1)]);
        assert_eq!(different.matches("table=").count(), 2);
    }

    #[test]
    fn only_requests_are_lines() {
        let mut request = with(
            span(1, 0, 12),
            &[(HTTP_REQUEST_METHOD, "GET"), (HTTP_ROUTE, "/items/{id}"), (HTTP_RESPONSE_STATUS_CODE, "200")],
        );
        request.span_kind = SpanKind::Server;
        let text = lines(&[span(2, 1, 1), request, span(3, 0, 1)], "http://127.0.0.1:4318/#/trace/");
        let words: Vec<_> = text.split_whitespace().collect();
        let link = "http://127.0.0.1:4318/#/trace/5759e988bd862e3fe1be46a994272793";
        assert_eq!(words, ["GET", "/items/{id}", "200", "12.00", "ms", link]);
    }

    #[test]
    fn ten_thousand_levels_are_drawn() {
        let spans: Vec<_> = (1..=10_000).rev().map(|id| span(id, id - 1, 1)).collect();
        let text = tree(&spans);
        assert_eq!(text.lines().count(), 10_002);
        assert!(text.len() < 4_000_000);
    }
}
