//! What a feed can be asked for.
#![allow(clippy::large_stack_arrays, reason = "the document's parameters, made once")]

use crate::caller::Sight;
use crate::params::ListParams;
use crate::problem::Problem;
use index::DecisionFilter;
use serde::Deserialize;
use utoipa::IntoParams;

/// `GET /ws/feed`, `GET /api/v1/feed`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedParams {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The logical action (request type).
    pub decision_type: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model, as asked for or as served.
    pub model: Option<String>,
    /// A status (`429`), a class (`4xx`) or `error`.
    pub status: Option<String>,
    /// What policies decided.
    #[param(example = "BLOCK")]
    pub outcome: Option<String>,
    /// A violated policy.
    pub policy_id: Option<String>,
    /// `observed` or `reported`.
    pub origin: Option<String>,
    /// The trace.
    pub trace_id: Option<String>,
    /// Not before: RFC 3339 or a date.
    pub from: Option<String>,
    /// Before.
    pub to: Option<String>,
    /// At least this slow.
    #[param(value_type = Option<f64>)]
    pub min_latency_ms: Option<String>,
    /// At least this dear, as a decimal.
    pub min_cost_usd: Option<String>,
    /// A search, as in lists.
    pub q: Option<String>,
    /// Go on behind this cursor: a message's, or `as_of` of a list. None: begin now.
    pub since: Option<String>,
    /// A ticket, where no credential can be sent.
    pub ticket: Option<String>,
}

impl FeedParams {
    pub(super) fn filter(self, sight: &Sight) -> Result<DecisionFilter, Problem> {
        let list = ListParams {
            source: self.source,
            user_id: self.user_id,
            session_id: self.session_id,
            decision_type: self.decision_type,
            provider: self.provider,
            model: self.model,
            status: self.status,
            outcome: self.outcome,
            policy_id: self.policy_id,
            origin: self.origin,
            trace_id: self.trace_id,
            from: self.from,
            to: self.to,
            min_latency_ms: self.min_latency_ms,
            min_cost_usd: self.min_cost_usd,
            q: self.q,
            ..ListParams::default()
        };
        Ok(list.filter(sight)?.0)
    }
}
