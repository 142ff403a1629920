//! Refusals before authentication, beyond a rate from one address, merged into one counted
//! record a second: a flood of bad keys must not fill the journal.

use crate::call::Call;
use crate::refusal::Refusal;
use crate::server::Shared;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals of one address in a second that each get a record of their own.
const SINGLE_PER_SECOND_MAX: u32 = 10;
/// Addresses watched at once; beyond that all share one window.
const ADDRESSES_MAX: usize = 4_096;
const WINDOW: Duration = Duration::from_secs(1);

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
    first: Option<(Call, Refusal)>,
}

impl Refusals {
    /// Whether this refusal gets a record of its own; else it is counted.
    pub(crate) fn record_alone(&self, call: Call, refusal: &Refusal) -> Option<Call> {
        let mut windows = self.lock();
        let full = windows.len() >= ADDRESSES_MAX;
        let address = Some(call.address).filter(|a| !full || windows.contains_key(&Some(*a)));
        let window = windows.entry(address).or_insert_with(|| Window {
            since: Instant::now(),
            single: 0,
            merged: 0,
            first: None,
        });
        if window.single < SINGLE_PER_SECOND_MAX {
            window.single += 1;
            return Some(call);
        }
        window.merged += 1;
        window.first.get_or_insert_with(|| (call, refusal.clone()));
        None
    }

    fn take_ended(&self) -> Vec<(Call, Refusal, u64)> {
        let mut ended = Vec::new();
        self.lock().retain(|_, window| {
            let over = window.since.elapsed() >= WINDOW;
            if over && let Some((call, refusal)) = window.first.take() {
                ended.push((call, refusal, window.merged));
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
pub(crate) async fn flush_each_second(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(WINDOW);
    loop {
        ticks.tick().await;
        for (call, refusal, count) in shared.refusals.take_ended() {
            if let Err(error) = call.record_rejection(&refusal, &[], Some(count)).await {
                tracing::error!(%error, count, "merged refusals were not recorded");
            }
        }
    }
}
