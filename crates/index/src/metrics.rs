//! Sums over decisions: the dashboard's questions.

use crate::{FilterError, Histogram, Money};
use event::{Decision, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Dimensions that sums can be grouped by at once.
pub const GROUP_BY_MAX: usize = 2;

/// What to sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsQuery {
    /// Not before; taken down to the full minute. None: from the first decision on.
    pub from: Option<Timestamp>,
    /// Before; taken up to the full minute. None: to the last decision.
    pub to: Option<Timestamp>,
    /// Width of the series' steps; none: no series.
    pub interval: Option<Interval>,
    /// One sum for each value of this, or of both of these; [`GROUP_BY_MAX`] at most. Sums by
    /// user are taken from base rows, and so bounded.
    pub group_by: Vec<Dimension>,
    /// The calling application.
    pub source: Option<String>,
    /// The model (as served; as asked for where none served).
    pub model: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The logical action.
    pub decision_type: Option<String>,
    /// What policies decided.
    pub outcome: Option<String>,
    /// The end user. Sums by user are taken from base rows, and so bounded.
    pub user_id: Option<String>,
}

/// What sums can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The calling application.
    Source,
    /// The model.
    Model,
    /// The provider.
    Provider,
    /// The logical action.
    DecisionType,
    /// What policies decided.
    Outcome,
    /// The end user. No sums are kept by it.
    User,
}

/// Width of a step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days (UTC).
    Day,
}

/// Sums as they are added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Decisions.
    pub requests: i64,
    /// Those not ended.
    pub running: i64,
    /// Those that went wrong: status of 400 and above without a policy's block, or cut off.
    pub errors: i64,
    /// Those that a policy blocked.
    pub blocked: i64,
    /// Those that a policy sent to a person.
    pub escalated: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Both.
    pub total_tokens: i64,
    /// Sum of known costs in picodollars.
    pub cost_pico: i128,
    /// Ended decisions without a known cost.
    pub cost_unknown: i64,
    /// Times from arrival to end.
    pub latency: Histogram,
}

/// Sums as they are shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measures {
    /// Decisions.
    pub requests: i64,
    /// Those not ended.
    pub running: i64,
    /// Those that went wrong.
    pub errors: i64,
    /// Those that a policy blocked.
    pub blocked: i64,
    /// Those that a policy sent to a person.
    pub escalated: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Both.
    pub total_tokens: i64,
    /// Sum of known costs, exact.
    pub cost_usd: String,
    /// Ended decisions without a known cost.
    pub cost_unknown: i64,
    /// Median latency.
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile.
    pub latency_p95_ms: Option<f64>,
    /// 99th percentile.
    pub latency_p99_ms: Option<f64>,
}

/// Sums of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The value of the first dimension; null where it is not known.
    pub value: Option<String>,
    /// The values of all dimensions, in the order asked for.
    pub values: Vec<Option<String>>,
    /// Its sums.
    #[serde(flatten)]
    pub measures: Measures,
}

/// One step of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Begin of the step.
    pub start: Timestamp,
    /// The value of the first dimension, where grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Option<String>>,
    /// The values of all dimensions, where grouped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Option<String>>,
    /// Its sums.
    #[serde(flatten)]
    pub measures: Measures,
}

/// The answer to a [`MetricsQuery`]. Steps without decisions are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// From where, as taken; none where unbounded.
    pub from: Option<Timestamp>,
    /// To where, as taken; none where unbounded.
    pub to: Option<Timestamp>,
    /// Over everything.
    pub totals: Measures,
    /// By value, most decisions first; empty where not grouped.
    pub groups: Vec<Group>,
    /// By time, oldest first; empty without an interval.
    pub series: Vec<Point>,
    /// Whether a bound cut off what was read (sums by user).
    pub truncated: bool,
}

// === impl Dimension ===

impl Dimension {
    /// Those that sums are kept by.
    pub const ALL: [Self; 5] =
        [Self::Source, Self::Model, Self::Provider, Self::DecisionType, Self::Outcome];

    /// The name in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::DecisionType => "decision_type",
            Self::Outcome => "outcome",
            Self::User => "user",
        }
    }

    /// A decision's value.
    pub fn of(self, decision: &Decision) -> Option<&str> {
        match self {
            Self::Source => decision.source.as_deref(),
            Self::Model => decision.model.as_deref().or(decision.model_requested.as_deref()),
            Self::Provider => decision.provider.as_deref(),
            Self::DecisionType => decision.decision_type.as_deref(),
            Self::Outcome => decision.outcome.as_deref(),
            Self::User => decision.user_id.as_deref(),
        }
    }
}

impl MetricsQuery {
    /// The value that this dimension is restricted to.
    pub fn filter(&self, dimension: Dimension) -> Option<&str> {
        match dimension {
            Dimension::Source => self.source.as_deref(),
            Dimension::Model => self.model.as_deref(),
            Dimension::Provider => self.provider.as_deref(),
            Dimension::DecisionType => self.decision_type.as_deref(),
            Dimension::Outcome => self.outcome.as_deref(),
            Dimension::User => self.user_id.as_deref(),
        }
    }

    /// Whether sums that are kept cannot answer it.
    pub fn is_by_user(&self) -> bool {
        self.user_id.is_some() || self.group_by.contains(&Dimension::User)
    }
}

impl FromStr for Dimension {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let other = match text {
            "user_id" => Some(Self::User),
            "type" => Some(Self::DecisionType),
            _ => None,
        };
        let mut all = Self::ALL.into_iter().chain([Self::User]);
        other.or_else(|| all.find(|dimension| dimension.as_str() == text)).ok_or_else(|| {
            FilterError {
                what: "a dimension",
                found: text.chars().take(64).collect(),
                allowed: "source, user, model, provider, decision_type, outcome",
            }
        })
    }
}

// === impl Interval ===

impl Interval {
    /// Width in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

// === impl Tally ===

impl Tally {
    /// Adds a decision (with `sign` −1: takes it away).
    pub fn count(&mut self, decision: &Decision, sign: i64) {
        let settled = decision.settled();
        let outcome = decision.outcome.as_deref();
        let blocked = outcome == Some("BLOCK");
        let failed = decision.status_code.map_or(settled, |code| code >= 400);
        let tokens = |count: Option<u64>| sign * i64::try_from(count.unwrap_or(0)).unwrap_or(0);
        self.requests += sign;
        self.running += sign * i64::from(!settled);
        self.errors += sign * i64::from(failed && !blocked);
        self.blocked += sign * i64::from(blocked);
        self.escalated +=
            sign * i64::from(outcome == Some("ESCALATE") || decision.review_status.is_some());
        self.input_tokens += tokens(decision.input_tokens);
        self.output_tokens += tokens(decision.output_tokens);
        self.total_tokens += tokens(decision.total_tokens);
        match decision.cost_usd.as_deref().and_then(|text| text.parse::<Money>().ok()) {
            Some(cost) => self.cost_pico += i128::from(sign) * i128::from(cost.as_pico()),
            None => self.cost_unknown += sign * i64::from(settled),
        }
        if let Some(ms) = decision.latency_ms {
            self.latency.add_ms(ms, sign);
        }
    }

    /// Adds the sums of another.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.running += other.running;
        self.errors += other.errors;
        self.blocked += other.blocked;
        self.escalated += other.escalated;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.total_tokens += other.total_tokens;
        self.cost_pico += other.cost_pico;
        self.cost_unknown += other.cost_unknown;
        self.latency.merge(&other.latency);
    }

    /// As shown.
    pub fn measures(&self) -> Measures {
        Measures {
            requests: self.requests,
            running: self.running,
            errors: self.errors,
            blocked: self.blocked,
            escalated: self.escalated,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            total_tokens: self.total_tokens,
            cost_usd: Money::text_of(self.cost_pico),
            cost_unknown: self.cost_unknown,
            latency_p50_ms: self.latency.quantile_ms(0.50),
            latency_p95_ms: self.latency.quantile_ms(0.95),
            latency_p99_ms: self.latency.quantile_ms(0.99),
        }
    }
}
