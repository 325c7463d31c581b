//! The value of `X-Amzn-Trace-Id`, as Lambda's Runtime API hands it over.

use opentelemetry::trace::{SpanId, TraceId};

/// AWS's own values stay below 200 bytes.
const MAX_LENGTH: usize = 512;

/// What an `X-Amzn-Trace-Id` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceHeader {
    pub(crate) root: TraceId,
    pub(crate) parent: Option<SpanId>,
    /// `Sampled=1`. A value without the field is not sampled: X-Ray holds no parent of it.
    pub(crate) sampled: bool,
}

impl TraceHeader {
    /// Reads a header. `None` for one that is too long, repeats a field, or holds no valid root.
    ///
    /// Fields may come in any order; those other than `Root`, `Parent` and `Sampled` are passed over.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        if value.len() > MAX_LENGTH || !value.is_ascii() {
            return None;
        }
        let (mut root, mut parent, mut sampled) = (None, None, None);
        for field in value.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            let (key, value) = field.split_once('=')?;
            let slot = match key.trim() {
                key if key.eq_ignore_ascii_case("root") => &mut root,
                key if key.eq_ignore_ascii_case("parent") => &mut parent,
                key if key.eq_ignore_ascii_case("sampled") => &mut sampled,
                _ => continue,
            };
            if slot.replace(value.trim()).is_some() {
                return None;
            }
        }
        Some(Self {
            root: parse_root(root?)?,
            parent: parent.map_or(Some(None), |parent| parse_parent(parent).map(Some))?,
            sampled: sampled == Some("1"),
        })
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`
fn parse_root(value: &str) -> Option<TraceId> {
    let (version, rest) = value.split_once('-')?;
    let (epoch, unique) = rest.split_once('-')?;
    if version != "1" || epoch.len() != 8 || unique.len() != 24 {
        return None;
    }
    let digits = format!("{epoch}{unique}");
    is_hex(&digits).then(|| TraceId::from_hex(&digits).ok()).flatten().filter(|id| *id != TraceId::INVALID)
}

fn parse_parent(value: &str) -> Option<SpanId> {
    (value.len() == 16 && is_hex(value))
        .then(|| SpanId::from_hex(value).ok())
        .flatten()
        .filter(|id| *id != SpanId::INVALID)
}

fn is_hex(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A trace id in X-Ray's own form, `1-5759e988-bd862e3fe1be46a994272793`.
pub(crate) fn xray_form(id: TraceId) -> String {
    let hex = id.to_string();
    format!("1-{}-{}", &hex[..8], &hex[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    fn parsed(parent: Option<u64>, sampled: bool) -> Option<TraceHeader> {
        Some(TraceHeader {
            root: TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128),
            parent: parent.map(SpanId::from),
            sampled,
        })
    }

    #[test]
    fn a_full_header_gives_root_parent_and_decision() {
        let full = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1");
        assert_eq!(TraceHeader::parse(&full), parsed(Some(0x53995c3f42cd8ad8), true));
    }

    #[test]
    fn order_case_spaces_and_other_fields_do_not_matter() {
        let odd = format!("sampled=1; Lineage=1:abcd:0;parent=53995C3F42CD8AD8; Self=1-x;{ROOT};");
        assert_eq!(TraceHeader::parse(&odd), parsed(Some(0x53995c3f42cd8ad8), true));
    }

    #[test]
    fn root_alone_keeps_the_root_and_is_not_sampled() {
        assert_eq!(TraceHeader::parse(ROOT), parsed(None, false));
    }

    #[test]
    fn a_parent_without_a_decision_is_not_sampled() {
        let header = format!("{ROOT};Parent=53995c3f42cd8ad8");
        assert_eq!(TraceHeader::parse(&header), parsed(Some(0x53995c3f42cd8ad8), false));
    }

    #[test]
    fn what_is_not_a_trace_header_is_refused() {
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
            "Root=1-5759e988-bd862e3fe1be46a994272793;junk",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=é",
        ] {
            assert_eq!(TraceHeader::parse(junk), None, "{junk}");
        }
        assert_eq!(TraceHeader::parse(&format!("{ROOT};x={}", "a".repeat(512))), None);
    }

    #[test]
    fn the_x_ray_form_is_what_the_header_held() {
        let header = TraceHeader::parse(ROOT).expect("valid");
        assert_eq!(xray_form(header.root), "1-5759e988-bd862e3fe1be46a994272793");
    }
}
