//! The control socket, for the time that this process has the data directory.

use super::OpenFailure;
use crate::client::SocketPath;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::net::UnixListener;

/// Only the owner may connect: whoever can is the local operator.
const MODE: u32 = 0o600;

/// Removes the socket when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: SocketPath,
}

/// Binds the socket. The caller has the directory's lock, so one that is there is left over.
pub fn bind(data: &Path) -> Result<(UnixListener, ControlSocket), OpenFailure> {
    let path = SocketPath::of(data)
        .map_err(|failure| OpenFailure::Other(failure.message.unwrap_or_default()))?;
    let failure = |error: io::Error| {
        OpenFailure::Other(format!(
            "the control socket in {} cannot be made: {error}; check that the file system takes sockets",
            data.display()
        ))
    };
    match fs::remove_file(path.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failure(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path.path()).map_err(failure)?;
    fs::set_permissions(path.path(), Permissions::from_mode(MODE)).map_err(failure)?;
    Ok((listener, ControlSocket { path }))
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // One that stays is removed at the next start.
        let _removed = fs::remove_file(self.path.path());
    }
}
