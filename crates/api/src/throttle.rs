//! How fast each caller may ask.

use control::{KeyLimits, Meter};
use event::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// People and keys that are known at once; beyond that all begin anew.
const CALLERS_MAX: usize = 16_384;
/// Refusals of one caller are recorded once in this time: they would be a way to fill the disk.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// The callers' meters.
#[derive(Default)]
pub(crate) struct Throttle {
    callers: Mutex<HashMap<String, Pace>>,
}

#[derive(Default)]
struct Pace {
    meter: Arc<Meter>,
    noted: Option<Instant>,
}

/// Too fast.
pub(crate) struct Refused {
    pub retry_after: Duration,
    /// Whether this is the one that is recorded.
    pub noted: bool,
}

impl Throttle {
    /// Lets one request through and counts it, or says when it may come again.
    pub(crate) fn admit(&self, who: &str, limits: &KeyLimits, now: Instant) -> Result<(), Refused> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX && !callers.contains_key(who) {
            callers.clear();
        }
        let pace = callers.entry(who.to_owned()).or_default();
        pace.meter.admit(limits, now, Timestamp::default()).map_err(|reached| {
            let noted = pace.noted.is_none_or(|at| now.duration_since(at) >= NOTED_EVERY);
            if noted {
                pace.noted = Some(now);
            }
            Refused { retry_after: reached.retry_after, noted }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_a_pace_of_its_own() {
        let throttle = Throttle::default();
        let limits = KeyLimits { rate: "2/s".parse().ok(), burst: Some(3), ..KeyLimits::default() };
        let start = Instant::now();
        let ask = |who: &str, now| throttle.admit(who, &limits, now);
        for _ in 0..3 {
            assert!(ask("a", start).is_ok());
        }
        let first = ask("a", start).err().unwrap();
        assert_eq!((first.retry_after, first.noted), (Duration::from_millis(500), true));
        assert!(!ask("a", start).err().unwrap().noted, "one of many is recorded");
        assert!(ask("b", start).is_ok());
        assert!(ask("a", start + first.retry_after).is_ok());
        assert!(ask("a", start + NOTED_EVERY).is_ok());
        for _ in 0..=CALLERS_MAX {
            let who = throttle.callers.lock().unwrap().len().to_string();
            assert!(ask(&who, start).is_ok());
        }
        assert!(throttle.callers.lock().unwrap().len() <= CALLERS_MAX);
    }
}
