//! Compression of pieces before they are sealed.

use crate::{Error, Result};
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// Plain bytes of one piece at most.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
const LEVEL: i32 = 1;
/// Shorter pieces are stored as they are. Of 343 recorded bodies below 384 bytes level −5 makes
/// 0.5 % more, of the 100 from there to 512 bytes 9 % less, and takes longer than all else that
/// is done to them.
const STORED_BYTES: usize = 512;
/// Short pieces are most of the calls: entropy tables cost them more time than they save bytes.
const SHORT_BYTES: usize = 2 * 1024;
const LEVEL_SHORT: i32 = -5;

const FAILED: Error = Error::Piece { bytes_max: PIECE_BYTES_MAX };

thread_local! {
    // Scratch memory, not state: a context takes half a megabyte and longer to set up than a
    // short piece takes to compress, so each thread keeps one.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static COMPRESSOR_SHORT: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses and decompresses pieces (zstd). Free to make.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codec {}

impl Codec {
    /// Compresses a piece.
    ///
    /// # Errors
    /// Where the piece is longer than [`PIECE_BYTES_MAX`].
    pub fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        if plain.len() > PIECE_BYTES_MAX {
            return Err(FAILED);
        }
        if plain.len() < STORED_BYTES {
            return Ok(stored(plain));
        }
        let (compressor, level) = if plain.len() < SHORT_BYTES {
            (&COMPRESSOR_SHORT, LEVEL_SHORT)
        } else {
            (&COMPRESSOR, LEVEL)
        };
        compressor.with_borrow_mut(|slot| {
            let compressor = match slot {
                Some(compressor) => compressor,
                None => slot.insert(Compressor::new(level).map_err(|_| FAILED)?),
            };
            compressor.compress(plain).map_err(|_| FAILED)
        })
    }

    /// Decompresses a piece.
    ///
    /// # Errors
    /// Where it is damaged, or would be longer than [`PIECE_BYTES_MAX`].
    pub fn decompress(&mut self, packed: &[u8]) -> Result<Vec<u8>> {
        // The frame's own statement saves memory where it is true; where it lies, the output
        // does not fit and that is an error.
        let stated = zstd::zstd_safe::get_frame_content_size(packed).map_err(|_| FAILED)?;
        let bytes =
            stated.map_or(PIECE_BYTES_MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if bytes > PIECE_BYTES_MAX {
            return Err(FAILED);
        }
        DECOMPRESSOR.with_borrow_mut(|slot| {
            let decompressor = match slot {
                Some(decompressor) => decompressor,
                None => slot.insert(Decompressor::new().map_err(|_| FAILED)?),
            };
            decompressor.decompress(packed, bytes).map_err(|_| FAILED)
        })
    }
}

/// A frame of one raw block (RFC 8878, section 3.1.1) that states its size.
fn stored(plain: &[u8]) -> Vec<u8> {
    const MAGIC: u32 = 0xFD2F_B528;
    const SINGLE_SEGMENT: u8 = 1 << 5;
    const SIZE_OF_TWO_BYTES: u8 = 1 << 6;
    const LAST_RAW_BLOCK: u32 = 1;
    let mut out = Vec::with_capacity(plain.len() + 10);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    let size = plain.len();
    match u8::try_from(size) {
        Ok(size) => out.extend_from_slice(&[SINGLE_SEGMENT, size]),
        // The field holds 256 less.
        Err(_) => {
            out.push(SINGLE_SEGMENT | SIZE_OF_TWO_BYTES);
            out.extend_from_slice(&(size as u16).wrapping_sub(256).to_le_bytes());
        }
    }
    out.extend_from_slice(&((size as u32) << 3 | LAST_RAW_BLOCK).to_le_bytes()[..3]);
    out.extend_from_slice(plain);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_short_length_read_back() {
        let mut codec = Codec::default();
        for bytes in 0..=STORED_BYTES + 1 {
            let plain: Vec<u8> = (0..bytes).map(|n| (n * 7) as u8).collect();
            let packed = codec.compress(&plain).unwrap();
            assert!(bytes >= STORED_BYTES || packed.len() <= bytes + 10);
            let stated = zstd::zstd_safe::get_frame_content_size(&packed).unwrap();
            assert_eq!(stated, Some(bytes as u64));
            assert_eq!(zstd::decode_all(packed.as_slice()).unwrap(), plain);
            assert_eq!(codec.decompress(&packed).unwrap(), plain);
        }
    }
}
