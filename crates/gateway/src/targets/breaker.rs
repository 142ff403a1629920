//! A circuit breaker: closed, open for a while after failures in a row, then half open for one
//! call that tries. A plain state machine; the time is given.

use crate::settings::Breaker;
use std::time::Duration;
use tokio::time::Instant;

/// The circuit of one target.
#[derive(Debug)]
pub(crate) struct Circuit {
    failures_max: u32,
    open_for: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// Leave to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// The circuit is closed.
    Normal,
    /// The one call that tries whether the target is back.
    Probe,
}

/// What a circuit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Closed,
    Open,
    HalfOpen,
}

impl Health {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Circuit {
    pub(crate) fn new(settings: Breaker) -> Self {
        Self {
            failures_max: settings.failures.max(1),
            open_for: settings.open,
            state: State::Closed { failures: 0 },
        }
    }

    /// Leave to call now; none while the circuit is open, or another call tries.
    pub(crate) fn enter(&mut self, now: Instant) -> Option<Pass> {
        match self.state {
            State::Closed { .. } => Some(Pass::Normal),
            State::Open { until } if until <= now => {
                self.state = State::HalfOpen;
                Some(Pass::Probe)
            }
            State::Open { .. } | State::HalfOpen => None,
        }
    }

    /// Whether [`Self::enter`] would let a call through.
    pub(crate) fn lets(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => until <= now,
            State::HalfOpen => false,
        }
    }

    /// The call went well. One that began before the circuit opened says nothing of now.
    pub(crate) fn succeeded(&mut self, pass: Pass) {
        if pass == Pass::Probe || matches!(self.state, State::Closed { .. }) {
            self.state = State::Closed { failures: 0 };
        }
    }

    /// The call failed.
    pub(crate) fn failed(&mut self, pass: Pass, now: Instant) {
        let failures = match (self.state, pass) {
            (State::Closed { failures }, _) => failures + 1,
            (State::HalfOpen, Pass::Probe) => self.failures_max,
            _ => return,
        };
        self.state = if failures >= self.failures_max {
            State::Open { until: now + self.open_for }
        } else {
            State::Closed { failures }
        };
    }

    /// The call ended without telling anything of the target: another one may try.
    pub(crate) fn abandoned(&mut self, pass: Pass, now: Instant) {
        if pass == Pass::Probe && self.state == State::HalfOpen {
            self.state = State::Open { until: now };
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.state {
            State::Closed { .. } => Health::Closed,
            State::Open { .. } => Health::Open,
            State::HalfOpen => Health::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAILURES: u32 = 3;
    const OPEN: Duration = Duration::from_secs(10);

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Enter,
        Succeed(usize),
        Fail(usize),
        Abandon(usize),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Enter),
            1 => any::<usize>().prop_map(Step::Succeed),
            4 => any::<usize>().prop_map(Step::Fail),
            1 => any::<usize>().prop_map(Step::Abandon),
            2 => (0..15_000_u64).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Under any order of calls and outcomes: never two probes at once, nothing passes while
        /// open, it opens after so many failures in a row and not before, and never stays shut.
        #[test]
        fn bounds_hold(steps in steps()) {
            let mut circuit = Circuit::new(Breaker { failures: FAILURES, open: OPEN });
            let mut now = Instant::now();
            let mut under_way: Vec<Pass> = Vec::new();
            let (mut in_a_row, mut opened_at) = (0, None::<Instant>);
            for step in steps {
                let before = circuit.health();
                match step {
                    Step::Wait(ms) => now += Duration::from_millis(ms),
                    Step::Enter => {
                        let lets = circuit.lets(now);
                        let pass = circuit.enter(now);
                        prop_assert_eq!(lets, pass.is_some());
                        match pass {
                            Some(Pass::Probe) => {
                                prop_assert!(!under_way.contains(&Pass::Probe));
                                prop_assert!(opened_at.is_none_or(|at| now >= at + OPEN));
                            }
                            Some(Pass::Normal) => prop_assert_eq!(before, Health::Closed),
                            None => prop_assert_ne!(before, Health::Closed),
                        }
                        under_way.extend(pass);
                    }
                    Step::Succeed(n) | Step::Fail(n) | Step::Abandon(n) => {
                        if under_way.is_empty() {
                            continue;
                        }
                        let pass = under_way.swap_remove(n % under_way.len());
                        match step {
                            Step::Succeed(_) => circuit.succeeded(pass),
                            Step::Fail(_) => circuit.failed(pass, now),
                            _ => circuit.abandoned(pass, now),
                        }
                        in_a_row = match (step, before) {
                            (Step::Fail(_), Health::Closed) => in_a_row + 1,
                            (Step::Succeed(_), Health::Closed) => 0,
                            _ => in_a_row,
                        };
                        let opened = before == Health::Closed && circuit.health() == Health::Open;
                        prop_assert_eq!(opened, before == Health::Closed && in_a_row == FAILURES);
                        if circuit.health() == Health::Open && before != Health::Open {
                            opened_at = Some(now).filter(|_| !matches!(step, Step::Abandon(_)));
                            in_a_row = 0;
                        }
                        if circuit.health() == Health::Closed && before != Health::Closed {
                            in_a_row = 0;
                        }
                    }
                }
            }
            for pass in under_way {
                circuit.abandoned(pass, now);
            }
            prop_assert!(circuit.lets(now + OPEN), "a target must be tried again some time");
        }
    }
}
