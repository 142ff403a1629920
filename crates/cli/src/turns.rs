//! Short turns on the processor for the threads that serve calls.

use std::io;
use std::mem::size_of;

/// How long a turn is where others wait for the processor; the shortest that Linux takes. Who asks
/// for shorter turns than others gets them sooner, and a program that wakes up (the provider's, as
/// each request reaches it) does not take the processor away in the middle of one.
const TURN_NANOSECONDS: u64 = 100_000;

/// Asks for short turns for the calling thread, unless it has a policy of its own. Linux before
/// 6.12 takes no notice of it.
pub(crate) fn take_short() {
    if let Err(error) = set() {
        tracing::debug!(%error, "the thread keeps the turns that it has");
    }
}

#[allow(unsafe_code, reason = "no library has these two system calls for ordinary threads")]
fn set() -> io::Result<()> {
    const THIS_THREAD: libc::pid_t = 0;
    let size = size_of::<libc::sched_attr>() as u32;
    // SAFETY: zeros are a valid value of a struct of integers.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most `size` bytes to the struct, which has as many.
    check(unsafe {
        libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut attributes, size, 0)
    })?;
    if attributes.sched_policy != libc::SCHED_OTHER as u32 {
        return Ok(());
    }
    attributes.size = size;
    attributes.sched_runtime = TURN_NANOSECONDS;
    // SAFETY: the kernel reads `size` bytes of the struct, which has as many.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, 0) })
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_thread_may_ask() {
        set().unwrap();
    }
}
