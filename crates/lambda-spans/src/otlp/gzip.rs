//! gzip with one compressor for the life of the process: creating its tables costs more than compressing a few spans.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use flate2::read::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The size of a trailer: checksum and length.
const TRAILER: usize = 8;

/// The compressor is created on first use, because it takes 300 KB and small bodies do not need it.
#[derive(Debug, Default)]
pub(super) struct Gzip(Mutex<Option<Compress>>);

impl Gzip {
    /// Returns `plain` as a gzip member, or `None` if the compressor fails; the caller then sends it uncompressed.
    pub(super) fn compress(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut compressor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Spans repeat the same keys, which the fastest level already finds.
        let compressor = compressor.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        compressor.reset();
        let mut packed = Vec::with_capacity(HEADER.len() + plain.len() / 2 + 64 + TRAILER);
        packed.extend_from_slice(&HEADER);
        loop {
            let taken = usize::try_from(compressor.total_in()).ok()?;
            let status = compressor.compress_vec(plain.get(taken..)?, &mut packed, FlushCompress::Finish).ok()?;
            match status {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => packed.reserve(packed.capacity()),
            }
        }
        let mut checksum = Crc::new();
        checksum.update(plain);
        packed.extend_from_slice(&checksum.sum().to_le_bytes());
        packed.extend_from_slice(&checksum.amount().to_le_bytes());
        Some(packed)
    }
}

/// Returns the content of a gzip member, or `None` if it is none.
pub(super) fn decompress(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressor_can_be_reused() {
        let gzip = Gzip::default();
        let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for plain in [b"".as_slice(), b"a", &[7; 100_000], &noise, b"spans"] {
            let packed = gzip.compress(plain).unwrap();
            assert_eq!(decompress(&packed).unwrap(), plain);
        }
    }
}
