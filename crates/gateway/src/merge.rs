//! Refusals before authentication, beyond a rate from one address, merged into one counted
//! record a second: a flood of bad keys must not fill the journal.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals of one address in a second that each get a record of their own.
const SINGLE_PER_SECOND_MAX: u32 = 10;
/// Addresses watched at once; beyond that all share one window.
const ADDRESSES_MAX: usize = 4_096;
const WINDOW: Duration = Duration::from_secs(1);

/// A refused call that can be recorded for itself and for others like it.
pub(crate) trait Merged: Send {
    /// Records it, as standing for `count` refusals.
    fn record(self: Box<Self>, count: u64) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Windows by address.
#[derive(Default)]
pub(crate) struct Refusals {
    windows: Mutex<HashMap<Option<IpAddr>, Window>>,
}

struct Window {
    since: Instant,
    single: u32,
    merged: u64,
    /// The first refused call beyond the rate: the record that stands for all.
    first: Option<Box<dyn Merged>>,
}

impl Refusals {
    /// Takes a refused call; hands it back where it gets a record of its own.
    pub(crate) fn take<M: Merged + 'static>(&self, address: IpAddr, refused: M) -> Option<M> {
        let mut windows = self.lock();
        let full = windows.len() >= ADDRESSES_MAX;
        let address = Some(address).filter(|a| !full || windows.contains_key(&Some(*a)));
        let window = windows.entry(address).or_insert_with(|| Window {
            since: Instant::now(),
            single: 0,
            merged: 0,
            first: None,
        });
        if window.single < SINGLE_PER_SECOND_MAX {
            window.single += 1;
            return Some(refused);
        }
        window.merged += 1;
        window.first.get_or_insert_with(|| Box::new(refused));
        None
    }

    fn take_ended(&self) -> Vec<(Box<dyn Merged>, u64)> {
        let mut ended = Vec::new();
        self.lock().retain(|_, window| {
            let over = window.since.elapsed() >= WINDOW;
            if over && let Some(first) = window.first.take() {
                ended.push((first, window.merged));
            }
            !over
        });
        ended
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Option<IpAddr>, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records what was merged, each second.
pub(crate) async fn flush_each_second(refusals: Arc<Refusals>) {
    let mut ticks = tokio::time::interval(WINDOW);
    loop {
        ticks.tick().await;
        for (first, count) in refusals.take_ended() {
            first.record(count).await;
        }
    }
}
