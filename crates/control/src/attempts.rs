//! Failed sign-ins, and how long they hold up further ones.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 5;
const DELAY_S_MAX: u64 = 60;
/// Failures are forgotten after this time.
const MEMORY: Duration = Duration::from_mins(15);
/// Names and addresses remembered at most; the oldest are forgotten.
const REMEMBERED_MAX: usize = 4096;

struct Failures {
    count: u32,
    last: Instant,
}

/// Failures by who tried.
#[derive(Default)]
pub(crate) struct Attempts {
    failures: Mutex<HashMap<(String, String), Failures>>,
}

impl Attempts {
    /// Whole seconds that this one has to wait; none: may try now.
    pub(crate) fn wait_s(&self, username: &str, from: &str, now: Instant) -> Option<u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = failures.get(&key(username, from))?;
        let over = entry.count.checked_sub(FREE_FAILURES)?;
        let delay_s = 1_u64.checked_shl(over).unwrap_or(DELAY_S_MAX).min(DELAY_S_MAX);
        let until = entry.last + Duration::from_secs(delay_s);
        (now < until).then(|| (until - now).as_secs() + 1)
    }

    pub(crate) fn failed(&self, username: &str, from: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, entry| now.duration_since(entry.last) < MEMORY);
        if failures.len() >= REMEMBERED_MAX {
            let oldest = failures.iter().min_by_key(|(_, entry)| entry.last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                failures.remove(&key);
            }
        }
        let entry = failures.entry(key(username, from)).or_insert(Failures { count: 0, last: now });
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
    }

    pub(crate) fn succeeded(&self, username: &str, from: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&key(username, from));
    }
}

fn key(username: &str, from: &str) -> (String, String) {
    let cut = |text: &str| text.chars().take(128).collect::<String>().to_lowercase();
    (cut(username), cut(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_slow_down_who_made_them_and_nobody_else() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..FREE_FAILURES - 1 {
            attempts.failed("alice", "192.0.2.1", start);
        }
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", start), None);
        attempts.failed("alice", "192.0.2.1", start);
        assert!(attempts.wait_s("Alice", "192.0.2.1", start).is_some());
        assert_eq!(attempts.wait_s("alice", "192.0.2.2", start), None);
        for _ in 0..100 {
            attempts.failed("alice", "192.0.2.1", start);
        }
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", start), Some(DELAY_S_MAX + 1));
        let later = start + Duration::from_secs(DELAY_S_MAX);
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", later), None);
        attempts.succeeded("alice", "192.0.2.1");
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", start), None);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for n in 0..REMEMBERED_MAX + 50 {
            attempts.failed(&n.to_string(), "", start);
        }
        assert!(attempts.failures.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
