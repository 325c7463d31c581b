//! Ids of traces and spans, in W3C's and in X-Ray's form.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::clock::Nanos;

/// The id of a trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// The id of a span; never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

impl TraceId {
    /// Returns the id of exactly 16 bytes that are not all zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id = u128::from_be_bytes(bytes.try_into().ok()?);
        (id != 0).then_some(Self(id))
    }

    /// Parses 32 hexadecimal digits, or X-Ray's form `1-5759e988-bd862e3fe1be46a994272793`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = match text.split_once('-') {
            Some((version, rest)) => {
                let (epoch, random) = rest.split_once('-')?;
                if version != "1" || epoch.len() != 8 || random.len() != 24 {
                    return None;
                }
                [epoch, random].concat()
            }
            None => text.to_owned(),
        };
        Self::parse_hexadecimal(&digits)
    }

    /// Parses 32 hexadecimal digits.
    #[must_use]
    pub fn parse_hexadecimal(digits: &str) -> Option<Self> {
        let id = hexadecimal(digits, 32)?;
        (id != 0).then_some(Self(id))
    }

    /// Returns a stable id for an X-Ray id that is not hexadecimal, so that its trace can be kept and addressed.
    #[must_use]
    pub fn of_invalid(text: &str) -> Self {
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            (seed, text).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        Self((half(1) << 64 | half(2)).max(1))
    }

    /// Returns X-Ray's form of the id.
    #[must_use]
    pub fn xray(self) -> String {
        let digits = self.to_string();
        let (epoch, random) = digits.split_at(8);
        format!("1-{epoch}-{random}")
    }

    /// Returns the time in the id, if it is an id of X-Ray: its first four bytes are seconds since the Unix epoch.
    #[must_use]
    pub fn epoch(self) -> Nanos {
        u64::try_from(self.0 >> 96).unwrap_or_default() * 1_000_000_000
    }
}

impl SpanId {
    /// Returns the id of exactly 8 bytes that are not all zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id = u64::from_be_bytes(bytes.try_into().ok()?);
        (id != 0).then_some(Self(id))
    }

    /// Parses 16 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = u64::try_from(hexadecimal(text, 16)?).ok()?;
        (id != 0).then_some(Self(id))
    }

    /// Returns a stable id for an X-Ray id that is not hexadecimal.
    #[must_use]
    pub fn of_invalid(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(hasher.finish().max(1))
    }
}

fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    if text.len() != digits || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl serde::Serialize for SpanId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_the_same_trace() {
        let id = TraceId::parse("1-5759e988-bd862e3fe1be46a994272793").unwrap();
        assert_eq!(TraceId::parse("5759E988bd862e3fe1be46a994272793"), Some(id));
        assert_eq!(id.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(id.xray(), "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(id.epoch(), 0x5759_e988 * 1_000_000_000);
    }

    #[test]
    fn ids_of_wrong_length_or_zero_are_rejected() {
        for text in [
            "",
            "0",
            "5759e988bd862e3fe1be46a99427279",
            "1-5759e98-8bd862e3fe1be46a994272793",
            "+759e988bd862e3fe1be46a994272793",
        ] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
        assert_eq!(TraceId::parse(&"0".repeat(32)), None);
        assert_eq!(TraceId::from_bytes(&[1; 15]), None);
        assert_eq!(SpanId::from_bytes(&[0; 8]), None);
        assert_eq!(SpanId::parse("00f067aa0000002"), None);
        assert_eq!(SpanId::parse("00f067aa0ba902b7").unwrap().to_string(), "00f067aa0ba902b7");
    }
}
