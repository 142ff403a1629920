//! Reading small files whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A checkpoint, a state file, a vkey or a watermark is shorter than this.
const SMALL_FILE_BYTES_MAX: u64 = 2 << 20;

/// A small file; `None` where there is none.
pub(crate) fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(SMALL_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
