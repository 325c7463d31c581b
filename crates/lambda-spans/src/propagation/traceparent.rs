//! The W3C `traceparent` header.

use http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The maximum length. A later version may append fields, which are ignored.
const MAX_LENGTH: usize = 256;
const LENGTH: usize = 55;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// Parses `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
///
/// Returns `None` for version `ff`, uppercase letters, an id of zeros, and extra text in version 00. Reads only the
/// fields of version 00 of a later version.
pub(crate) fn parse(value: &str) -> Option<SpanContext> {
    if value.len() > MAX_LENGTH || !value.is_ascii() {
        return None;
    }
    let (fields, rest) = value.split_at_checked(LENGTH)?;
    let mut parts = fields.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = (version.len(), trace_id.len(), span_id.len(), flags.len());
    let lower_hex = [version, trace_id, span_id, flags]
        .iter()
        .all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let complete = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    if lengths != (2, 32, 16, 2) || parts.next().is_some() || !lower_hex || !complete {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let context = SpanContext::new(
        TraceId::from_hex(trace_id).ok()?,
        SpanId::from_hex(span_id).ok()?,
        if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() },
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

/// Returns the span in a request's header, or `None` if there are two headers, which contradict each other.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { parse(value) }
}

/// Returns the trace id in a `traceparent`: 32 lowercase hexadecimal digits. Returns `None` if it is invalid.
#[must_use]
pub fn trace_id_of(traceparent: &str) -> Option<String> {
    parse(traceparent).map(|writer| writer.trace_id().to_string())
}

/// Formats the header for a span that is recorded.
pub(crate) fn format(trace_id: TraceId, span_id: SpanId) -> String {
    format!("00-{trace_id}-{span_id}-01")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parsed(sampled: bool) -> Option<SpanContext> {
        let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let trace_id = TraceId::from(0x4bf92f3577b34da6a3ce929d0e0e4736_u128);
        Some(SpanContext::new(trace_id, SpanId::from(0x00f067aa0ba902b7), flags, true, TraceState::NONE))
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HEADER, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn duplicate_traceparent_is_ignored() {
        assert_eq!(from_headers(&headers(&[PARENT])), parsed(true));
        assert_eq!(from_headers(&headers(&[PARENT, PARENT])), None);
    }

    #[test]
    fn traceparent_has_ids_and_the_sampled_flag() {
        assert_eq!(parse(&format!("00-{TRACE}-{SPAN}-01")), parsed(true));
        assert_eq!(parse(&format!("00-{TRACE}-{SPAN}-02")), parsed(false));
        assert_eq!(trace_id_of(PARENT).as_deref(), Some(TRACE));
    }

    #[test]
    fn later_version_is_parsed_like_version_00() {
        assert_eq!(parse(&format!("cc-{TRACE}-{SPAN}-01")), parsed(true));
        assert_eq!(parse(&format!("cc-{TRACE}-{SPAN}-01-what-comes")), parsed(true));
        assert_eq!(parse(&format!("cc-{TRACE}-{SPAN}-01.what-comes")), None);
    }

    #[test]
    fn invalid_traceparent_is_rejected() {
        for junk in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{TRACE}{SPAN}--01"),
            format!("cc-{TRACE}-{SPAN}-01-{}", "x".repeat(256)),
        ] {
            assert_eq!(parse(&junk), None, "{junk}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(
            text in "\\PC{0,300}|[0-9a-fA-F]{2}-[0-9a-f]{30,34}-[0-9a-f]{14,18}-[0-9a-f]{2}-?",
        ) {
            if let Some(context) = parse(&text) {
                prop_assert!(context.is_valid() && context.trace_state() == &TraceState::NONE);
            }
        }

        #[test]
        fn formatted_header_parses_back(trace_id in 1_u128.., span_id in 1_u64..) {
            let context = parse(&format(TraceId::from(trace_id), SpanId::from(span_id))).expect("valid");
            prop_assert_eq!(context.trace_id(), TraceId::from(trace_id));
            prop_assert_eq!(context.span_id(), SpanId::from(span_id));
        }
    }
}
