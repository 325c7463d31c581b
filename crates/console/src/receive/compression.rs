//! Decompression of bodies with a limit, which is checked while inflating.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

/// The encodings, for the header `Accept-Encoding` of a refusal.
pub(crate) const ACCEPTED: &str = "gzip, deflate, zstd, identity";
/// The maximum number of encodings of one body.
const MAX_LAYERS: usize = 2;
/// The largest window that the specification of zstd recommends to support.
const MAX_WINDOW: u64 = 8 << 20;

/// A body cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompressionError {
    /// The encoding is unknown.
    Unsupported,
    /// The body is not in this encoding.
    Malformed,
    /// The decompressed body exceeds the limit.
    TooLarge,
}

/// Decompresses a body. `encoding` is the value of `Content-Encoding`.
///
/// # Errors
/// If the encoding is unknown, the body is broken, or it has more than `limit` bytes.
pub(crate) fn decompress<'a>(body: &'a [u8], encoding: &str, limit: usize) -> Result<Cow<'a, [u8]>, CompressionError> {
    let mut bytes = Cow::Borrowed(body);
    let names: Vec<_> = encoding.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let names = names.iter().map(String::as_str).filter(|name| !matches!(*name, "" | "identity"));
    if names.clone().count() > MAX_LAYERS {
        return Err(CompressionError::Unsupported);
    }
    // The last encoding was applied last.
    for name in names.rev() {
        bytes = Cow::Owned(match name {
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*bytes), limit)?,
            "deflate" if is_zlib(&bytes) => read(ZlibDecoder::new(&*bytes), limit)?,
            // Some senders omit the header of zlib.
            "deflate" => read(DeflateDecoder::new(&*bytes), limit)?,
            "zstd" => zstd(&bytes, limit)?,
            _ => return Err(CompressionError::Unsupported),
        });
    }
    if bytes.len() > limit { Err(CompressionError::TooLarge) } else { Ok(bytes) }
}

fn is_zlib(bytes: &[u8]) -> bool {
    let [method, flags, ..] = bytes else { return false };
    method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
}

fn read(decoder: impl Read, limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut out).map_err(|_error| CompressionError::Malformed)?;
    if out.len() > limit { Err(CompressionError::TooLarge) } else { Ok(out) }
}

/// A body may have several frames.
fn zstd(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        if window(rest).is_none_or(|window| window > MAX_WINDOW.max(limit as u64)) {
            return Err(CompressionError::Malformed);
        }
        let decoder = StreamingDecoder::new(&mut rest).map_err(|_error| CompressionError::Malformed)?;
        out.extend(read(decoder, limit.saturating_sub(out.len()))?);
    }
    Ok(out)
}

/// Returns the bytes that the decoder must keep, by the header of a frame.
fn window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let byte = u64::from(*frame.get(5)?);
        let base = 1_u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * (byte & 7));
    }
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let size = [1, 2, 4, 8].get(usize::from(descriptor >> 6))?;
    let bytes = frame.get(5 + dictionary..5 + dictionary + size)?;
    let size = bytes.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    Some(if bytes.len() == 2 { size + 256 } else { size })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn every_encoding_is_decompressed() {
        let text = b"spans ".repeat(1000);
        for (encoding, body) in [
            ("", text.clone()),
            ("identity", text.clone()),
            ("gzip", gzip(&text)),
            ("GZIP", gzip(&text)),
            ("x-gzip", gzip(&text)),
            ("gzip", [gzip(&text[..3000]), gzip(&text[3000..])].concat()),
            ("deflate", zlib(&text)),
            ("deflate", deflate(&text)),
            ("zstd", zstd(&text)),
            ("zstd", [zstd(&text[..3000]), zstd(&text[3000..])].concat()),
            ("gzip, zstd", zstd(&gzip(&text))),
        ] {
            assert_eq!(decompress(&body, encoding, LIMIT).unwrap(), text, "{encoding}");
        }
    }

    #[test]
    fn broken_and_unknown_encodings_are_errors() {
        let cut = gzip(b"spans");
        for (encoding, body, error) in [
            ("br", &b"x"[..], CompressionError::Unsupported),
            ("gzip,gzip,gzip", b"x", CompressionError::Unsupported),
            ("gzip", b"no gzip", CompressionError::Malformed),
            ("gzip", &cut[..cut.len() - 4], CompressionError::Malformed),
            ("zstd", b"no zstd at all", CompressionError::Malformed),
            ("deflate", b"\x78\x9c", CompressionError::Malformed),
        ] {
            assert_eq!(decompress(body, encoding, LIMIT).unwrap_err(), error, "{encoding}");
        }
    }

    #[test]
    fn bomb_is_refused_while_inflating() {
        let zeros = vec![0; LIMIT + 1];
        let layers = gzip(&gzip(&vec![0; 64 * LIMIT]));
        for (encoding, body) in
            [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros)), ("zstd", zstd(&zeros)), ("gzip, gzip", layers)]
        {
            assert!(body.len() < LIMIT / 10);
            assert_eq!(decompress(&body, encoding, LIMIT).unwrap_err(), CompressionError::TooLarge, "{encoding}");
        }
        assert_eq!(decompress(&zeros, "", LIMIT).unwrap_err(), CompressionError::TooLarge);
    }
}
