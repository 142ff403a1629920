//! Failed sign-ins, and how long they hold up further ones.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures of one name from one address that cost nothing: people mistype.
const FREE_FAILURES: u32 = 5;
/// Failures of one name from wherever: many machines may try.
const FREE_FAILURES_ANYWHERE: u32 = 50;
/// The delay doubles with each failure up to here.
const DELAY_S_MAX: u64 = 15 * 60;
/// From many addresses somebody could lock others out, so this stays short.
const DELAY_ANYWHERE_S_MAX: u64 = 30;
/// Failures are forgotten after this time.
const MEMORY: Duration = Duration::from_hours(1);
/// Names and addresses remembered at most; the oldest are forgotten.
const REMEMBERED_MAX: usize = 8_192;

struct Failures {
    count: u32,
    last: Instant,
}

/// Failures by who tried.
#[derive(Default)]
pub(crate) struct Attempts {
    failures: Mutex<HashMap<Who, Failures>>,
}

/// A name, from one address or from anywhere.
type Who = (String, Option<String>);

impl Attempts {
    /// Whole seconds that this one has to wait; none: may try now.
    pub(crate) fn wait_s(&self, username: &str, from: &str, now: Instant) -> Option<u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let [here, anywhere] = keys(username, from);
        let here = wait(failures.get(&here), FREE_FAILURES, DELAY_S_MAX, now);
        let anywhere =
            wait(failures.get(&anywhere), FREE_FAILURES_ANYWHERE, DELAY_ANYWHERE_S_MAX, now);
        here.max(anywhere)
    }

    pub(crate) fn failed(&self, username: &str, from: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, entry| now.duration_since(entry.last) < MEMORY);
        for key in keys(username, from) {
            if failures.len() >= REMEMBERED_MAX {
                let oldest = failures.iter().min_by_key(|(_, entry)| entry.last);
                if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                    failures.remove(&key);
                }
            }
            let entry = failures.entry(key).or_insert(Failures { count: 0, last: now });
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
        }
    }

    /// Forgets the failures from there. Those from elsewhere were somebody else's.
    pub(crate) fn succeeded(&self, username: &str, from: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let [here, _] = keys(username, from);
        failures.remove(&here);
    }
}

fn wait(failures: Option<&Failures>, free: u32, delay_s_max: u64, now: Instant) -> Option<u64> {
    let failures = failures?;
    let over = failures.count.checked_sub(free)?;
    let delay_s = 1_u64.checked_shl(over).unwrap_or(delay_s_max).min(delay_s_max);
    let until = failures.last + Duration::from_secs(delay_s);
    (now < until).then(|| (until - now).as_secs() + 1)
}

fn keys(username: &str, from: &str) -> [Who; 2] {
    let cut = |text: &str| text.chars().take(128).collect::<String>().to_lowercase();
    [(cut(username), Some(cut(from))), (cut(username), None)]
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
        let mut before = 0;
        for _ in 0..20 {
            let wait = attempts.wait_s("alice", "192.0.2.1", start).unwrap();
            assert!(wait > before || wait == DELAY_S_MAX + 1, "the delay grows: {wait}");
            before = wait;
            attempts.failed("alice", "192.0.2.1", start);
        }
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", start), Some(DELAY_S_MAX + 1));
        let later = start + Duration::from_secs(DELAY_S_MAX);
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", later), None);
        attempts.succeeded("alice", "192.0.2.1");
        assert_eq!(attempts.wait_s("alice", "192.0.2.1", start), None);
    }

    #[test]
    fn failures_from_many_addresses_slow_down_the_name() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for n in 0..FREE_FAILURES_ANYWHERE + 10 {
            attempts.failed("alice", &format!("192.0.2.{n}"), start);
        }
        assert_eq!(attempts.wait_s("alice", "198.51.100.1", start), Some(DELAY_ANYWHERE_S_MAX + 1));
        assert_eq!(attempts.wait_s("bob", "198.51.100.1", start), None);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for n in 0..REMEMBERED_MAX {
            attempts.failed(&n.to_string(), "", start);
        }
        assert!(attempts.failures.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
