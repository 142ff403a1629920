//! One target: whether it may be called, and what is known of it.

use super::breaker::{Circuit, Health, Pass};
use super::choice::Candidate;
use super::latency::PeakAverage;
use crate::settings::{self, Breaker, Provider};
use crate::upstream::Upstream;
use metrics::{Counter, Gauge};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A target with its state.
pub(crate) struct Target {
    pub provider: Provider,
    /// The model there.
    pub model: String,
    /// `provider/model`, as in records.
    pub name: String,
    pub upstream: Upstream,
    pub first_byte: Duration,
    pub idle: Duration,
    pub total: Option<Duration>,
    pub queue: Duration,
    weight: u32,
    places: Option<Semaphore>,
    in_flight: AtomicUsize,
    state: Mutex<State>,
    figures: Figures,
}

struct State {
    circuit: Circuit,
    latency: PeakAverage,
    rests_until: Option<Instant>,
}

struct Figures {
    up: Gauge,
    in_flight: Gauge,
    answered: Counter,
    failed: Counter,
    skipped: Counter,
}

/// Why a target is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Its circuit is open.
    CircuitOpen,
    /// As many calls as allowed are under way.
    Busy,
}

/// What `/readyz` says of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// The model that callers name.
    pub model: String,
    /// `provider/model` of the target.
    pub target: String,
    /// Its circuit: `closed` (it is called), `open` (it is not), `half_open` (one call tries).
    pub circuit: &'static str,
    /// Calls under way.
    pub in_flight: usize,
}

/// Leave to call a target, until dropped.
pub(crate) struct Lease<'a> {
    target: &'a Target,
    /// None where the call's end has been told.
    pass: Option<Pass>,
    _place: Option<SemaphorePermit<'a>>,
}

// === impl TargetHealth ===

impl TargetHealth {
    /// As `/readyz` shows it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "model": self.model,
            "target": self.target,
            "circuit": self.circuit,
            "in_flight": self.in_flight,
        })
    }
}

// === impl Skipped ===

impl Skipped {
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::CircuitOpen => "circuit_open",
            Self::Busy => "busy",
        }
    }

    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::CircuitOpen => "not called: it failed too often in a row",
            Self::Busy => "not called: as many calls as allowed are under way",
        }
    }
}

// === impl Target ===

impl Target {
    pub(crate) fn new(
        logical: &str,
        settings: &settings::Target,
        provider: Provider,
        breaker: Breaker,
        upstream: Upstream,
    ) -> Self {
        let name = format!("{}/{}", settings.provider, settings.model);
        let figures = Figures::new(logical, &name);
        figures.up.set(1.0);
        Self {
            provider,
            model: settings.model.clone(),
            name,
            upstream,
            first_byte: settings.total.map_or(settings.first_byte, |t| t.min(settings.first_byte)),
            idle: settings.idle,
            total: settings.total,
            queue: settings.queue,
            weight: settings.weight,
            places: settings.concurrency_max.map(Semaphore::new),
            in_flight: AtomicUsize::new(0),
            state: Mutex::new(State {
                circuit: Circuit::new(breaker),
                latency: PeakAverage::new(Instant::now()),
                rests_until: None,
            }),
            figures,
        }
    }

    /// Leave to call now, or why not.
    pub(crate) fn enter(&self, now: Instant) -> Result<Lease<'_>, Skipped> {
        let place = match &self.places {
            Some(places) => Some(places.try_acquire().map_err(|_| self.skip(Skipped::Busy))?),
            None => None,
        };
        self.lease(place, now)
    }

    /// Leave to call, waiting for a place as long as configured.
    pub(crate) async fn enter_queued(&self) -> Option<Lease<'_>> {
        let places = self.places.as_ref()?;
        let place = tokio::time::timeout(self.queue, places.acquire()).await.ok()?.ok()?;
        self.lease(Some(place), Instant::now()).ok()
    }

    fn lease<'a>(
        &'a self,
        place: Option<SemaphorePermit<'a>>,
        now: Instant,
    ) -> Result<Lease<'a>, Skipped> {
        let entered = self.change(|state| state.circuit.enter(now));
        let pass = entered.ok_or_else(|| self.skip(Skipped::CircuitOpen))?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.figures.in_flight.increment(1.0);
        Ok(Lease { target: self, pass: Some(pass), _place: place })
    }

    fn skip(&self, skipped: Skipped) -> Skipped {
        self.figures.skipped.increment(1);
        skipped
    }

    /// Whether its circuit would let a call through.
    pub(crate) fn lets(&self, now: Instant) -> bool {
        self.lock().circuit.lets(now)
    }

    /// It asked to be left alone.
    pub(crate) fn rest(&self, until: Instant) {
        self.lock().rests_until = Some(until);
    }

    /// How it looks to the one who chooses.
    pub(crate) fn candidate(&self, now: Instant) -> Candidate {
        let state = self.lock();
        Candidate {
            available: state.circuit.lets(now),
            rests: state.rests_until.is_some_and(|until| now < until),
            weight: self.weight,
            cost: state.latency.cost(self.in_flight.load(Ordering::Relaxed), now),
        }
    }

    pub(crate) fn health(&self, model: &str) -> TargetHealth {
        TargetHealth {
            model: model.to_owned(),
            target: self.name.clone(),
            circuit: self.lock().circuit.health().as_str(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }

    /// Changes the state and says so where the circuit's changed with it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.circuit.health();
        let done = change(&mut state);
        let after = state.circuit.health();
        drop(state);
        if before != after {
            self.figures.up.set(match after {
                Health::Closed => 1.0,
                Health::HalfOpen => 0.5,
                Health::Open => 0.0,
            });
            tracing::info!(target_name = %self.name, circuit = after.as_str(), "a circuit changed");
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Figures ===

impl Figures {
    fn new(model: &str, target: &str) -> Self {
        let labels = [("model", model.to_owned()), ("target", target.to_owned())];
        let attempts = |result: &'static str| {
            metrics::counter!(
                "audit_layer_target_attempts_total",
                "model" => model.to_owned(), "target" => target.to_owned(), "result" => result
            )
        };
        Self {
            up: metrics::gauge!("audit_layer_target_up", &labels),
            in_flight: metrics::gauge!("audit_layer_target_in_flight", &labels),
            answered: attempts("answered"),
            failed: attempts("failed"),
            skipped: attempts("skipped"),
        }
    }
}

// === impl Lease ===

impl Lease<'_> {
    /// The head of an answer came.
    pub(crate) fn answered(&mut self, took: Duration) {
        self.target.figures.answered.increment(1);
        let now = Instant::now();
        let pass = self.pass;
        self.target.change(|state| {
            state.latency.observe(took, now);
            // A long stream must not keep others waiting for word that the target is back.
            if pass == Some(Pass::Probe) {
                state.circuit.succeeded(Pass::Probe);
            }
        });
        self.pass = pass.map(|_| Pass::Normal);
    }

    /// No usable answer came; it counts against the target, or not.
    pub(crate) fn failed(mut self, counts: bool) {
        self.target.figures.failed.increment(1);
        let Some(pass) = self.pass.take() else { return };
        self.target.change(|state| match (counts, pass) {
            (true, _) => state.circuit.failed(pass, Instant::now()),
            // It answers, if only to say that it is asked too often.
            (false, Pass::Probe) => state.circuit.succeeded(pass),
            (false, Pass::Normal) => {}
        });
    }

    /// The answer came whole.
    pub(crate) fn whole(mut self) {
        let Some(pass) = self.pass.take() else { return };
        self.target.change(|state| state.circuit.succeeded(pass));
    }

    /// The answer broke off.
    pub(crate) fn broke_off(mut self) {
        let Some(pass) = self.pass.take() else { return };
        self.target.change(|state| state.circuit.failed(pass, Instant::now()));
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.target.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.target.figures.in_flight.decrement(1.0);
        if let Some(pass) = self.pass.take() {
            self.target.change(|state| state.circuit.abandoned(pass, Instant::now()));
        }
    }
}
