//! Compression of pieces before they are sealed.

use crate::{Error, Result};
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// Plain bytes of one piece at most.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
const LEVEL: i32 = 1;
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
