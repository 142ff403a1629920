//! Which processor a thread stays on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::sync::Arc;

/// The processors that a program may use. A clone is cheap.
#[derive(Clone)]
pub(crate) struct Processors {
    allowed: Arc<CpuSet>,
    each: Arc<[usize]>,
}

// === impl Processors ===

impl Processors {
    /// Those that the calling thread may use, the one that it is on first: so the first thread of
    /// each of several programs, the one that works where there is little to do, is not always on
    /// the same processor. `None` where they are not as many as `threads`: then the program has a
    /// share of more processors than it has threads for (a quota), and none of its own.
    pub fn for_threads(threads: usize) -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut each: Vec<_> = (0..CpuSet::MAX_CPU).filter(|it| allowed.is_set(*it)).collect();
        let here = each.iter().position(|it| *it == sched_getcpu()).unwrap_or_default();
        each.rotate_left(here);
        (each.len() == threads).then(|| Self { allowed: Arc::new(allowed), each: each.into() })
    }

    /// Keeps the calling thread, the `index`-th, on a processor of its own. (Left to itself, Linux
    /// lets two of them wait for each other on one processor while another has nothing to do.)
    pub fn stay(&self, index: usize) {
        let Some(processor) = self.each.get(index) else { return };
        let mut one = CpuSet::new();
        one.set(*processor);
        set(&one);
    }

    /// Lets the calling thread, one that was started by a thread that stays, go anywhere.
    pub fn leave(&self) {
        set(&self.allowed);
    }
}

// === functions ===

fn set(processors: &CpuSet) {
    if let Err(error) = sched_setaffinity(None, processors) {
        tracing::debug!(%error, "the thread keeps the processors that it has");
    }
}
