//! How OTLP requests are compressed.

use super::gzip::Gzip;

/// The size in bytes from which a body is compressed. A smaller one needs one packet anyway, and resetting the compressor
/// clears 190 KB of tables, which costs more than compressing the body.
const MIN_BODY: usize = 1400;

/// The values of the setting, which are also the values of `Content-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compression {
    #[default]
    Gzip,
    None,
}

impl Compression {
    pub(super) const CHOICES: [(&'static str, Self); 2] = [("gzip", Self::Gzip), ("none", Self::None)];

    pub(super) fn compressor(self) -> Compressor {
        match self {
            Self::Gzip => Compressor::Gzip(Gzip::default()),
            Self::None => Compressor::None,
        }
    }
}

/// Compresses request bodies, with one state for the life of the process.
#[derive(Debug)]
pub(super) enum Compressor {
    Gzip(Gzip),
    None,
}

impl Compressor {
    pub(super) fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Returns the compressed body and its `Content-Encoding`, or `None` to send the body unchanged.
    pub(super) fn compress(&self, body: &[u8]) -> Option<(Vec<u8>, &'static str)> {
        match self {
            Self::Gzip(gzip) if body.len() >= MIN_BODY => Some((gzip.compress(body)?, "gzip")),
            Self::Gzip(_) | Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bodies_above_one_packet_are_compressed() {
        let encoding = |compression: Compression, length| {
            compression.compressor().compress(&vec![b'x'; length]).map(|(_, encoding)| encoding)
        };
        assert_eq!(encoding(Compression::Gzip, MIN_BODY), Some("gzip"));
        assert_eq!(encoding(Compression::Gzip, MIN_BODY - 1), None);
        assert_eq!(encoding(Compression::None, MIN_BODY), None);
    }
}
