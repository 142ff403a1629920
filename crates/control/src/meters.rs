//! How much keys are used: in memory on the hot path, saved now and then.

use crate::Result;
use crate::identity::IdentityStore;
use crate::limits::{DayUse, KeyLimits, Usd};
use event::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Requests in a time.
    Rate,
    /// Requests of a day.
    RequestsPerDay,
    /// Tokens of a day.
    TokensPerDay,
    /// Cost of a day.
    CostPerDay,
}

/// A request that is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    /// Which limit.
    pub kind: LimitKind,
    /// When it may be worth another try.
    pub retry_after: Duration,
    /// What of the day was used so far.
    pub used: DayUse,
}

/// Counts the use of one key.
#[derive(Debug, Default)]
pub struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// When the rate's allowance is whole again (the generic cell rate algorithm).
    whole_at: Option<Instant>,
    used: DayUse,
    saved: DayUse,
}

/// The meters of all keys that have limits.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    by_key: RwLock<HashMap<String, Arc<Meter>>>,
}

// === impl Meter ===

impl Meter {
    fn new(used: DayUse) -> Self {
        Self { state: Mutex::new(State { whole_at: None, used, saved: used }) }
    }

    /// Lets one request through and counts it, or says which limit was reached. Tokens and cost
    /// are known only afterwards, so calls that are under way may pass a day's limit.
    ///
    /// # Errors
    /// [`LimitReached`].
    pub fn admit(
        &self,
        limits: &KeyLimits,
        now: Instant,
        today: Timestamp,
    ) -> std::result::Result<(), LimitReached> {
        let mut state = self.lock();
        state.turn_to(today);
        let used = state.used;
        let full = |used: u64, max: Option<u64>| max.is_some_and(|max| used >= max);
        let kind = if full(used.requests, limits.requests_per_day) {
            Some(LimitKind::RequestsPerDay)
        } else if full(used.tokens, limits.tokens_per_day) {
            Some(LimitKind::TokensPerDay)
        } else if full(used.cost.as_nanos(), limits.cost_per_day.map(Usd::as_nanos)) {
            Some(LimitKind::CostPerDay)
        } else {
            None
        };
        if let Some(kind) = kind {
            return Err(LimitReached { kind, retry_after: until_tomorrow(today), used });
        }
        if let Some(rate) = limits.rate {
            let interval = rate.interval();
            let whole_at = state.whole_at.map_or(now, |at| at.max(now));
            let slack = interval * (limits.burst() - 1);
            let behind = whole_at.duration_since(now);
            if behind > slack {
                let (kind, retry_after) = (LimitKind::Rate, behind.saturating_sub(slack));
                return Err(LimitReached { kind, retry_after, used });
            }
            state.whole_at = Some(whole_at + interval);
        }
        state.used.requests += 1;
        Ok(())
    }

    /// Counts what a call turned out to use.
    pub fn spend(&self, tokens: u64, cost: Option<Usd>, today: Timestamp) {
        let mut state = self.lock();
        state.turn_to(today);
        let used = &mut state.used;
        used.tokens = used.tokens.saturating_add(tokens);
        let cost = cost.unwrap_or_default().as_nanos();
        used.cost = Usd::from_nanos(used.cost.as_nanos().saturating_add(cost));
    }

    /// What was used on the day.
    pub fn used(&self, today: Timestamp) -> DayUse {
        let mut state = self.lock();
        state.turn_to(today);
        state.used
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// A new day begins at nothing; a clock that goes back ends none.
    fn turn_to(&mut self, today: Timestamp) {
        let day = day_of(today);
        if day > self.used.day {
            self.used = DayUse { day, ..DayUse::default() };
        }
    }
}

// === impl Meters ===

impl Meters {
    pub(crate) fn load(store: &dyn IdentityStore) -> Result<Self> {
        let used = store.key_use()?.into_iter();
        let by_key = used.map(|(key_id, used)| (key_id, Arc::new(Meter::new(used)))).collect();
        Ok(Self { by_key: RwLock::new(by_key) })
    }

    pub(crate) fn of(&self, key_id: &str) -> Arc<Meter> {
        let known = self.by_key.read().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned();
        known.unwrap_or_else(|| {
            let mut by_key = self.by_key.write().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(Meter::new(DayUse::default()));
            by_key.entry(key_id.to_owned()).or_insert_with(fresh).clone()
        })
    }

    /// What was used on the day, by key, as far as anything was ever counted.
    pub(crate) fn used(&self, today: Timestamp) -> HashMap<String, DayUse> {
        let by_key = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        by_key.iter().map(|(id, meter)| (id.clone(), meter.used(today))).collect()
    }

    /// A key that replaces another one goes on where that one is.
    pub(crate) fn inherit(&self, from: &str, to: &str) {
        let used = self.of(from).lock().used;
        self.of(to).lock().used = used;
    }

    pub(crate) fn save(&self, store: &dyn IdentityStore) -> Result<()> {
        let changed: Vec<(String, Arc<Meter>, DayUse)> = {
            let by_key = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
            let all = by_key.iter().map(|(key_id, meter)| (key_id, meter, *meter.lock()));
            let changed = all.filter(|(.., state)| state.used != state.saved);
            changed
                .map(|(key_id, meter, state)| (key_id.clone(), meter.clone(), state.used))
                .collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> =
            changed.iter().map(|(key_id, _, used)| (key_id.clone(), *used)).collect();
        store.save_key_use(&rows)?;
        for (_, meter, used) in changed {
            meter.lock().saved = used;
        }
        Ok(())
    }
}

fn day_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(DAY_US)
}

fn until_tomorrow(now: Timestamp) -> Duration {
    Duration::from_micros((DAY_US - now.as_micros().rem_euclid(DAY_US)).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: Timestamp = Timestamp::from_micros(DAY_US / 2);

    fn limits(rate: &str, burst: u32) -> KeyLimits {
        KeyLimits { rate: rate.parse().ok(), burst: Some(burst), ..KeyLimits::default() }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let meter = Meter::new(DayUse::default());
        let limits = limits("10/s", 3);
        let start = Instant::now();
        for _ in 0..3 {
            meter.admit(&limits, start, NOON).unwrap();
        }
        let reached = meter.admit(&limits, start, NOON).unwrap_err();
        assert_eq!(reached.kind, LimitKind::Rate);
        assert_eq!(reached.retry_after, Duration::from_millis(100));
        let later = start + reached.retry_after;
        meter.admit(&limits, later, NOON).unwrap();
        assert!(meter.admit(&limits, later, NOON).is_err());
    }

    #[test]
    fn a_day_s_quota_ends_with_the_day() {
        let meter = Meter::new(DayUse::default());
        let limits = KeyLimits {
            requests_per_day: Some(3),
            tokens_per_day: Some(100),
            cost_per_day: Usd::parse_up("0.01"),
            ..KeyLimits::default()
        };
        let now = Instant::now();
        let tomorrow = Timestamp::from_micros(DAY_US + 5);
        let kind = |today| meter.admit(&limits, now, today).map_err(|reached| reached.kind);
        kind(NOON).unwrap();
        meter.spend(100, None, NOON);
        assert_eq!(kind(NOON), Err(LimitKind::TokensPerDay));
        let reached = meter.admit(&limits, now, NOON).unwrap_err();
        assert_eq!(reached.retry_after, Duration::from_secs(12 * 60 * 60));
        kind(tomorrow).unwrap();
        meter.spend(1, Usd::parse_up("0.01"), tomorrow);
        assert_eq!(kind(tomorrow), Err(LimitKind::CostPerDay));
        assert_eq!(kind(NOON), Err(LimitKind::CostPerDay), "a clock that goes back ends no day");
    }

    proptest! {
        /// Whatever the arrivals: in any span, never more than the burst and the span's share.
        #[test]
        fn never_more_than_burst_and_rate(
            gaps in proptest::collection::vec(0..400_u64, 1..120), burst in 1..9_u32
        ) {
            let meter = Meter::new(DayUse::default());
            let limits = limits("10/s", burst);
            let mut now = Instant::now();
            let mut passed: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                match meter.admit(&limits, now, NOON) {
                    Ok(()) => passed.push(now),
                    Err(reached) => {
                        prop_assert!(reached.retry_after <= Duration::from_millis(100));
                    }
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let share = to.duration_since(*from).as_millis() as usize / 100 + 1;
                    prop_assert!(last - first < share + burst as usize);
                }
            }
        }
    }
}
