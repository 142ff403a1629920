//! How long a target takes, of late: a peak-sensitive moving average (as in Finagle). A slow
//! answer counts at once, a fast one gradually, and what is old fades.

use std::time::Duration;
use tokio::time::Instant;

/// How long an observation counts.
const FADES_OVER: Duration = Duration::from_secs(10);

/// The average of one target.
#[derive(Debug)]
pub(crate) struct PeakAverage {
    seconds: f64,
    at: Instant,
}

impl PeakAverage {
    pub(crate) fn new(now: Instant) -> Self {
        Self { seconds: 0.0, at: now }
    }

    pub(crate) fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let faded = self.weight(now);
        self.seconds =
            if took > self.seconds { took } else { self.seconds * faded + took * (1.0 - faded) };
        self.at = self.at.max(now);
    }

    /// What one more call is likely to cost: nothing where nothing is known, so that every
    /// target is tried.
    pub(crate) fn cost(&self, in_flight: usize, now: Instant) -> f64 {
        self.seconds * self.weight(now) * (in_flight as f64 + 1.0)
    }

    fn weight(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at);
        (-age.as_secs_f64() / FADES_OVER.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_count_at_once_and_fade() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut average = PeakAverage::new(start);
        assert!(average.cost(7, start) == 0.0);
        average.observe(Duration::from_millis(10), start);
        average.observe(Duration::from_secs(2), after(1));
        assert!(average.cost(0, after(1)) >= 2.0);
        assert!(average.cost(1, after(1)) >= 4.0);
        average.observe(Duration::from_millis(10), after(2));
        assert!(average.cost(0, after(2)) > 1.0, "one fast answer does not make up for a peak");
        assert!(average.cost(0, after(60)) < 0.1, "what is old counts no more");
    }
}
