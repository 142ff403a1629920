//! How long something has been behind the journal.

use journal::Position;
use std::time::{Duration, Instant};

/// How old what is behind the journal's end has become.
#[derive(Debug, Default)]
pub struct Age {
    /// A place that is not reached yet, and since when.
    due: Option<(Position, Instant)>,
}

// === impl Age ===

impl Age {
    /// The age, up to the time between two looks too little.
    pub fn of(&mut self, end: Position, reached: Option<Position>, now: Instant) -> Duration {
        if reached >= Some(end) {
            self.due = None;
            return Duration::ZERO;
        }
        let due = self.due.filter(|(due, _)| reached < Some(*due));
        let (_, since) = *self.due.insert(due.unwrap_or((end, now)));
        now.saturating_duration_since(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_ages_and_what_is_reached_does_not() {
        let began = Instant::now();
        let at = |offset| Some(Position::new(1, 0, offset));
        let mut age = Age::default();
        let mut of = |end, reached, ms| {
            let now = began + Duration::from_millis(ms);
            age.of(Position::new(1, 0, end), reached, now).as_millis()
        };
        assert_eq!(of(100, at(50), 0), 0);
        assert_eq!(of(150, at(99), 500), 500);
        // What came since is due later.
        assert_eq!(of(900, at(100), 990), 0);
        assert_eq!(of(950, at(899), 1_990), 1_000);
        // Nothing to do has no age.
        assert_eq!(of(990, at(990), 2_100), 0);
        assert_eq!(of(990, at(990), 9_000), 0);
        assert_eq!(of(999, at(990), 9_900), 0);
        assert_eq!(of(999, None, 10_900), 1_000);
    }
}
