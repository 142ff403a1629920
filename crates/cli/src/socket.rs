//! Where the control socket is.

use crate::failure::{Failure, Outcome};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

const NAME: &str = "control.sock";
/// Bytes of a socket's path at most (`sun_path`, with its end).
const PATH_BYTES_MAX: usize = 107;

/// A path by which the socket can be reached, however deep the data directory is.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    // Keeps the short path through the descriptor valid.
    _directory: Option<File>,
}

// === impl SocketPath ===

impl SocketPath {
    /// The socket of a data directory, which must exist.
    pub fn of(data: &Path) -> Outcome<Self> {
        let path = data.join(NAME);
        if path.as_os_str().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(data).map_err(|error| Failure::file("read", data, &error))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()));
        Ok(Self { path, _directory: Some(directory) })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
