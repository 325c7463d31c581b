//! The value of `X-Amzn-Trace-Id`, as in Lambda's Runtime API and in AWS services.

use std::time::SystemTime;

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::recent::is_recent;

pub(crate) const XRAY_HEADER: &str = "x-amzn-trace-id";

/// AWS's own values are shorter than 200 bytes.
const MAX_LENGTH: usize = 512;
const MAX_LINEAGE: usize = 256;

/// The content of an `X-Amzn-Trace-Id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceHeader<'a> {
    pub(crate) root: TraceId,
    pub(crate) parent: Option<SpanId>,
    /// `Sampled=1`. A value without the field, or with `?`, is not sampled: X-Ray has no parent for it.
    pub(crate) sampled: bool,
    /// The functions that the event passed through. AWS detects loops with it. Sent to AWS only.
    pub(crate) lineage: Option<&'a str>,
}

impl<'a> TraceHeader<'a> {
    /// Parses a header. Returns `None` if it is too long, repeats a field or has no valid root.
    ///
    /// Fields may have any order and case. Fields other than `Root`, `Parent`, `Sampled` and `Lineage` are ignored.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        if value.len() > MAX_LENGTH || !value.is_ascii() {
            return None;
        }
        let mut fields: [Option<&str>; 5] = [None; 5];
        for field in value.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            let (key, value) = field.split_once('=')?;
            let known = ["root", "parent", "sampled", "self", "lineage"];
            let Some(index) = known.iter().position(|known| key.trim().eq_ignore_ascii_case(known)) else { continue };
            if fields.get_mut(index)?.replace(value.trim()).is_some() {
                return None;
            }
        }
        let [root, parent, sampled, _, lineage] = fields;
        Some(Self {
            root: parse_root(root?)?,
            parent: parent.map_or(Some(None), |parent| parse_parent(parent).map(Some))?,
            sampled: match sampled {
                Some("1") => true,
                // `?` leaves the decision to the receiver.
                None | Some("0" | "?") => false,
                Some(_) => return None,
            },
            lineage: lineage.filter(|lineage| is_lineage(lineage)),
        })
    }

    /// Returns the trace id that API Gateway would adopt from a request: the recent root of its only header.
    pub(crate) fn adopted_root(headers: &HeaderMap, now: SystemTime) -> Option<TraceId> {
        let mut values = headers.get_all(XRAY_HEADER).iter();
        let header = TraceHeader::parse(values.next()?.to_str().ok()?)?;
        (values.next().is_none() && is_recent(header.root, now)).then_some(header.root)
    }

    /// Returns the context of an invocation without a readable header. X-Ray has no segment for it.
    pub(crate) fn unsampled(root: TraceId) -> Self {
        Self { root, parent: None, sampled: false, lineage: None }
    }

    /// Returns the span that sent a message; `None` without a parent.
    pub(crate) fn span_context(&self) -> Option<SpanContext> {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        Some(SpanContext::new(self.root, self.parent?, flags, true, TraceState::NONE))
    }

    /// Formats the header.
    pub(crate) fn format(&self) -> String {
        let mut text = format!("Root={}", xray_form(self.root));
        if let Some(parent) = self.parent {
            text.push_str(&format!(";Parent={parent}"));
        }
        text.push_str(if self.sampled { ";Sampled=1" } else { ";Sampled=0" });
        if let Some(lineage) = self.lineage {
            text.push_str(&format!(";Lineage={lineage}"));
        }
        text
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`
fn parse_root(value: &str) -> Option<TraceId> {
    let (version, rest) = value.split_once('-')?;
    let (epoch, unique) = rest.split_once('-')?;
    if version != "1" || epoch.len() != 8 || unique.len() != 24 {
        return None;
    }
    let (epoch, unique) = (parse_hex(epoch)?, parse_hex(unique)?);
    Some(TraceId::from(epoch << 96 | unique)).filter(|id| *id != TraceId::INVALID)
}

fn parse_parent(value: &str) -> Option<SpanId> {
    let id = parse_hex(value).filter(|_| value.len() == 16)?;
    u64::try_from(id).ok().map(SpanId::from).filter(|id| *id != SpanId::INVALID)
}

/// Only digits: no sign, no blank.
fn parse_hex(digits: &str) -> Option<u128> {
    digits.chars().try_fold(0, |number, digit| Some(number << 4 | u128::from(digit.to_digit(16)?)))
}

/// `1:a87bd80c:0`, or `a87bd80c:1|68fd508a:5`
fn is_lineage(value: &str) -> bool {
    (1..=MAX_LINEAGE).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':' || byte == b'|')
}

/// A trace id in X-Ray's own form, `1-5759e988-bd862e3fe1be46a994272793`.
pub(crate) fn xray_form(id: TraceId) -> String {
    let hex = id.to_string();
    format!("1-{}-{}", &hex[..8], &hex[8..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    fn parsed(parent: Option<u64>, sampled: bool, lineage: Option<&str>) -> Option<TraceHeader<'_>> {
        Some(TraceHeader {
            root: TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128),
            parent: parent.map(SpanId::from),
            sampled,
            lineage,
        })
    }

    #[test]
    fn full_header_is_parsed() {
        let full = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0|68fd508a:5");
        let expected = parsed(Some(0x53995c3f42cd8ad8), true, Some("1:a87bd80c:0|68fd508a:5"));
        assert_eq!(TraceHeader::parse(&full), expected);
    }

    #[test]
    fn order_case_and_unknown_fields_do_not_matter() {
        let odd = format!("sampled=1; LINEAGE=1:abcd:0;parent=53995C3F42CD8AD8; Self=1-x;Other=x;{ROOT};");
        assert_eq!(TraceHeader::parse(&odd), parsed(Some(0x53995c3f42cd8ad8), true, Some("1:abcd:0")));
    }

    #[test]
    fn header_without_a_decision_is_not_sampled() {
        assert_eq!(TraceHeader::parse(ROOT), parsed(None, false, None));
        for decision in ["", ";Sampled=?", ";Sampled=0"] {
            let header = format!("{ROOT};Parent=53995c3f42cd8ad8{decision}");
            assert_eq!(TraceHeader::parse(&header), parsed(Some(0x53995c3f42cd8ad8), false, None), "{decision}");
        }
    }

    #[test]
    fn invalid_lineage_is_ignored() {
        for lineage in ["", "a b", "a,b", &"a".repeat(257)] {
            let header = format!("{ROOT};Lineage={lineage}");
            assert_eq!(TraceHeader::parse(&header), parsed(None, false, None), "{lineage}");
        }
    }

    #[test]
    fn invalid_trace_header_is_rejected() {
        for junk in [
            "",
            "Sampled=1",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-5759e98-bd862e3fe1be46a9942727931",
            "Root=1-5759e988-bd862e3fe1be46a99427279g",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:1;Lineage=a:1",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Self=1;Self=2",
            "Root=1-5759e988-bd862e3fe1be46a994272793;junk",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=yes",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=é",
        ] {
            assert_eq!(TraceHeader::parse(junk), None, "{junk}");
        }
        assert_eq!(TraceHeader::parse(&format!("{ROOT};x={}", "a".repeat(512))), None);
    }

    #[test]
    fn trace_id_keeps_its_xray_form() {
        let header = TraceHeader::parse(ROOT).expect("valid");
        assert_eq!(xray_form(header.root), "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(header.format(), format!("{ROOT};Sampled=0"));
    }

    #[test]
    fn root_of_the_only_header_is_adopted_if_recent() {
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(0x5759_e988 + 60);
        let adopted = |values: &[&str]| {
            let values = values.iter().map(|value| (XRAY_HEADER.parse().unwrap(), value.parse().unwrap()));
            TraceHeader::adopted_root(&values.collect::<HeaderMap>(), now)
        };
        let root = Some(TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128));
        assert_eq!(adopted(&[ROOT]), root);
        assert_eq!(adopted(&[&format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=0")]), root);
        assert_eq!(adopted(&[]), None);
        assert_eq!(adopted(&[ROOT, ROOT]), None);
        for junk in
            ["", "Root=1-4759e988-bd862e3fe1be46a994272793", "Root=1-6759e988-bd862e3fe1be46a994272793", "Sampled=1"]
        {
            assert_eq!(adopted(&[junk]), None, "{junk}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_trace_header_is_bounded(text in "\\PC{0,600}") {
            if let Some(header) = TraceHeader::parse(&text) {
                prop_assert!(header.format().len() <= MAX_LENGTH);
            }
        }

        #[test]
        fn formatted_header_parses_back(
            root in 1_u128.., parent in proptest::option::of(1_u64..), sampled: bool,
            lineage in proptest::option::of("[0-9a-z:|]{1,100}"), first: prop::sample::Index,
        ) {
            let header = TraceHeader {
                root: TraceId::from(root),
                parent: parent.map(SpanId::from),
                sampled,
                lineage: lineage.as_deref(),
            };
            let text = header.format();
            let mut fields: Vec<_> = text.split(';').collect();
            let first = first.index(fields.len());
            fields.rotate_left(first);
            let text = fields.join(";");
            prop_assert_eq!(TraceHeader::parse(&text), Some(header));
        }
    }
}
