//! What users and sources did of late: requests and tokens of the last minute, hour and day.
//! Kept in memory; a restart begins at zero.

use event::Timestamp;
use policy::{Counters, Counts};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Users, and sources, that are remembered at once. Beyond it the longest idle are forgotten.
const NAMES_MAX: usize = 65_536;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;

/// Slots of a minute; a window covers so many, the newest included.
const MINUTE_SLOTS: usize = 12;
const HOUR_SLOTS: usize = 12;
const DAY_SLOTS: usize = 24;

/// The windows of every user and every source.
#[derive(Debug, Default)]
pub(super) struct Windows {
    users: Mutex<HashMap<String, Window>>,
    sources: Mutex<HashMap<String, Window>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    requests: u64,
    tokens: u64,
}

/// What one user or source did.
#[derive(Debug)]
struct Window {
    minute: Ring<MINUTE_SLOTS>,
    hour: Ring<HOUR_SLOTS>,
    day: Ring<DAY_SLOTS>,
    last_us: i64,
}

/// The newest slots of a span.
#[derive(Debug)]
struct Ring<const SLOTS: usize> {
    slot_us: i64,
    /// Number of the newest slot, counted from 1970.
    newest: i64,
    slots: [Used; SLOTS],
}

// === impl Windows ===

impl Windows {
    /// What was done before, and one request more from now on.
    pub(super) fn arrive(&self, user: &str, source: &str, at: Timestamp) -> Counters {
        let now = at.as_micros();
        let one = Used { requests: 1, tokens: 0 };
        let of_user = with(&self.users, user, now, |window| window.read_and_add(now, one));
        let of_source = with(&self.sources, source, now, |window| window.read_and_add(now, one));
        Counters {
            user_requests: counts(of_user, |used| used.requests),
            user_tokens: counts(of_user, |used| used.tokens),
            source_requests: counts(of_source, |used| used.requests),
            source_tokens: counts(of_source, |used| used.tokens),
        }
    }

    /// A call used so many tokens.
    pub(super) fn spend(&self, user: &str, source: &str, tokens: u64, at: Timestamp) {
        let now = at.as_micros();
        let used = Used { requests: 0, tokens };
        with(&self.users, user, now, |window| window.add(now, used));
        with(&self.sources, source, now, |window| window.add(now, used));
    }
}

fn counts(of: [Used; 3], what: impl Fn(&Used) -> u64) -> Counts {
    let [minute, hour, day] = &of;
    Counts { minute: what(minute), hour: what(hour), day: what(day) }
}

fn with<T>(
    all: &Mutex<HashMap<String, Window>>,
    name: &str,
    now: i64,
    change: impl FnOnce(&mut Window) -> T,
) -> T {
    let mut all: MutexGuard<'_, _> = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(window) = all.get_mut(name) {
        return change(window);
    }
    for idle_us in [DAY_US, HOUR_US, MINUTE_US, 0] {
        if all.len() < NAMES_MAX {
            break;
        }
        all.retain(|_, window| now - window.last_us < idle_us);
    }
    change(all.entry(name.to_owned()).or_insert_with(Window::new))
}

// === impl Window ===

impl Window {
    fn new() -> Self {
        Self {
            minute: Ring::over(MINUTE_US),
            hour: Ring::over(HOUR_US),
            day: Ring::over(DAY_US),
            last_us: 0,
        }
    }

    fn read_and_add(&mut self, now: i64, more: Used) -> [Used; 3] {
        let before = [self.minute.sum(now), self.hour.sum(now), self.day.sum(now)];
        self.add(now, more);
        before
    }

    fn add(&mut self, now: i64, more: Used) {
        self.last_us = self.last_us.max(now);
        self.minute.add(now, more);
        self.hour.add(now, more);
        self.day.add(now, more);
    }
}

// === impl Ring ===

impl<const SLOTS: usize> Ring<SLOTS> {
    const fn over(span_us: i64) -> Self {
        Self {
            slot_us: span_us / SLOTS as i64,
            newest: i64::MIN,
            slots: [Used { requests: 0, tokens: 0 }; SLOTS],
        }
    }

    /// Empties the slots between the newest and now. A clock that goes back counts as standing.
    fn turn(&mut self, now: i64) {
        let slot = now.div_euclid(self.slot_us);
        if slot <= self.newest {
            return;
        }
        let passed = slot.saturating_sub(self.newest).min(SLOTS as i64);
        for back in 0..passed {
            let place = (slot - back).rem_euclid(SLOTS as i64) as usize;
            if let Some(used) = self.slots.get_mut(place) {
                *used = Used::default();
            }
        }
        self.newest = slot;
    }

    fn add(&mut self, now: i64, more: Used) {
        self.turn(now);
        let place = self.newest.rem_euclid(SLOTS as i64) as usize;
        if let Some(used) = self.slots.get_mut(place) {
            used.requests = used.requests.saturating_add(more.requests);
            used.tokens = used.tokens.saturating_add(more.tokens);
        }
    }

    fn sum(&mut self, now: i64) -> Used {
        self.turn(now);
        self.slots.iter().fold(Used::default(), |sum, used| Used {
            requests: sum.requests.saturating_add(used.requests),
            tokens: sum.tokens.saturating_add(used.tokens),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(1_772_620_200_000_000 + us)
    }

    #[test]
    fn each_window_forgets_in_its_own_time() {
        let windows = Windows::default();
        assert_eq!(windows.arrive("u", "s", at(0)), Counters::default());
        windows.spend("u", "s", 50, at(SECOND_US));
        windows.arrive("other", "s", at(2 * SECOND_US));
        let seen = windows.arrive("u", "s", at(3 * SECOND_US));
        assert_eq!(seen.user_requests, Counts::from([1, 1, 1]));
        assert_eq!(seen.source_requests, Counts::from([2, 2, 2]));
        assert_eq!(seen.user_tokens, Counts::from([50, 50, 50]));
        let seen = windows.arrive("u", "s", at(2 * MINUTE_US));
        assert_eq!(seen.user_requests, Counts::from([0, 2, 2]));
        let seen = windows.arrive("u", "s", at(2 * HOUR_US));
        assert_eq!(seen.user_tokens, Counts::from([0, 0, 50]));
        let seen = windows.arrive("u", "s", at(30 * DAY_US));
        assert_eq!(seen, Counters::default());
    }

    #[test]
    fn names_are_bounded_and_the_busy_stay() {
        let windows = Windows::default();
        windows.arrive("idle", "s", at(0));
        for name in 0..NAMES_MAX {
            windows.arrive(&name.to_string(), "s", at(2 * HOUR_US));
        }
        assert!(windows.users.lock().unwrap().len() <= NAMES_MAX);
        let seen = windows.arrive("7", "s", at(2 * HOUR_US));
        assert_eq!(seen.user_requests.minute, 1);
    }
}
