//! How OTLP requests are compressed.

use super::gzip::Gzip;

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
            Self::Gzip => Compressor::Gzip(Gzip::new()),
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
            Self::Gzip(gzip) => Some((gzip.compress(body)?, "gzip")),
            Self::None => None,
        }
    }
}
