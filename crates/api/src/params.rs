//! The parameters of lists and sums. Names that are not known are refused.
#![allow(clippy::large_stack_arrays, reason = "the document's parameters, made once")]

use crate::caller::Sight;
use crate::problem::Problem;
use control::ReviewFilter;
use http::StatusCode;
use index::{
    DecisionFilter, Dimension, EventFilter, MetricsQuery, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page,
    Search, SessionFilter,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;
use utoipa::IntoParams;

const PURPOSE_CHARS_MAX: usize = 1_024;

/// `GET /api/v1/audit/logs`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
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
    /// A status (`429`), a class (`4xx`), `error` or `running`.
    pub status: Option<String>,
    /// What policies decided.
    #[param(example = "ALLOW")]
    pub outcome: Option<String>,
    /// A violated policy.
    pub policy_id: Option<String>,
    /// `observed` or `reported`.
    pub origin: Option<String>,
    /// The trace.
    pub trace_id: Option<String>,
    /// Not before: RFC 3339 or a date.
    #[param(example = "2026-11-21T00:00:00Z")]
    pub from: Option<String>,
    /// Before.
    #[param(example = "2026-11-22")]
    pub to: Option<String>,
    /// At least this slow.
    #[param(value_type = Option<f64>)]
    pub min_latency_ms: Option<String>,
    /// At least this dear, as a decimal.
    #[param(example = "0.01")]
    pub min_cost_usd: Option<String>,
    /// A search: words of the previews, `field:value`, `-`, `OR`, brackets (docs/search.md).
    #[param(example = "source:finance-app -model:gpt-4o latency:>500 \"free text\"")]
    pub q: Option<String>,
    /// `-timestamp`, `timestamp`, `-latency_ms` or `-cost_usd`.
    pub sort: Option<String>,
    /// Items on a page, 1 to 500.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// `GET /api/v1/audit/events`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// The trace.
    pub trace_id: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The decision.
    pub decision_id: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The type.
    #[param(example = "request_completed")]
    pub event_type: Option<String>,
    /// The owning component.
    #[param(example = "gateway")]
    pub component: Option<String>,
    /// Not before: RFC 3339 or a date.
    pub from: Option<String>,
    /// Before.
    pub to: Option<String>,
    /// Items on a page, 1 to 500.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// `GET /api/v1/audit/sessions`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionParams {
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// Last active not before: RFC 3339 or a date.
    pub from: Option<String>,
    /// Last active before.
    pub to: Option<String>,
    /// Items on a page, 1 to 500.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// `GET /api/v1/metrics`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsParams {
    /// Not before: RFC 3339 or a date; taken down to the minute.
    pub from: Option<String>,
    /// Before; taken up to the minute.
    pub to: Option<String>,
    /// Step of the series: `minute`, `hour` or `day`; none: no series.
    pub interval: Option<String>,
    /// One or two, with a comma between, of `source`, `user`, `model`, `provider`,
    /// `decision_type` and `outcome`.
    #[param(example = "source,model")]
    pub group_by: Option<String>,
    /// The calling application.
    pub source: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The logical action.
    pub decision_type: Option<String>,
    /// What policies decided.
    pub outcome: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
}

/// `GET /api/v1/audit/logs/{id}/proof`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofParams {
    /// Leaves the keys out: the proof then shows that something was recorded, and not what.
    #[param(value_type = Option<bool>)]
    pub sealed: Option<String>,
}

/// `GET /api/v1/audit/logs/{id}`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowParams {
    /// Shows bodies and headers as they are. Needs a purpose, and is recorded with it.
    #[param(value_type = Option<bool>)]
    pub reveal: Option<String>,
    /// What for: 1 to 1024 characters.
    #[param(example = "complaint 4711")]
    pub purpose: Option<String>,
}

/// `GET /api/v1/reviews`
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReviewParams {
    /// `pending`, `approved`, `rejected`, `expired`, `running`, `answered` or `failed`.
    #[param(example = "pending")]
    pub state: Option<String>,
    /// The decision that is held.
    pub decision_id: Option<String>,
    /// Items on a page, 1 to 500.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A route that takes no parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

// === impl ===

impl ListParams {
    pub(crate) fn filter(self, sight: &Sight) -> Result<(DecisionFilter, Page), Problem> {
        let page = page(self.limit, self.cursor)?;
        let min_latency_ms: Option<f64> = parse("min_latency_ms", self.min_latency_ms)?;
        if min_latency_ms.is_some_and(|ms| !ms.is_finite()) {
            return Err(Problem::invalid("min_latency_ms: must be a finite number"));
        }
        let filter = DecisionFilter {
            source: Sight::narrow(sight.source.as_ref(), text(self.source), "source")?,
            user_id: Sight::narrow(sight.user_id.as_ref(), text(self.user_id), "user")?,
            session_id: text(self.session_id),
            decision_type: text(self.decision_type),
            provider: text(self.provider),
            model: text(self.model),
            status: parse("status", self.status)?,
            outcome: text(self.outcome),
            policy_id: text(self.policy_id),
            origin: parse("origin", self.origin)?,
            trace_id: parse("trace_id", self.trace_id)?,
            from: parse("from", self.from)?,
            to: parse("to", self.to)?,
            min_latency_ms,
            min_cost_usd: parse("min_cost_usd", self.min_cost_usd)?,
            q: search(self.q)?,
            sort: parse("sort", self.sort)?.unwrap_or_default(),
        };
        Ok((filter, page))
    }
}

impl EventParams {
    pub(crate) fn filter(self, sight: &Sight) -> Result<(EventFilter, Page), Problem> {
        let page = page(self.limit, self.cursor)?;
        let filter = EventFilter {
            trace_id: parse("trace_id", self.trace_id)?,
            request_id: text(self.request_id),
            decision_id: parse("decision_id", self.decision_id)?,
            user_id: Sight::narrow(sight.user_id.as_ref(), text(self.user_id), "user")?,
            event_type: parse("event_type", self.event_type)?,
            component: parse("component", self.component)?,
            target: None,
            from: parse("from", self.from)?,
            to: parse("to", self.to)?,
        };
        Ok((filter, page))
    }
}

impl SessionParams {
    pub(crate) fn filter(self, sight: &Sight) -> Result<(SessionFilter, Page), Problem> {
        let page = page(self.limit, self.cursor)?;
        let filter = SessionFilter {
            source: Sight::narrow(sight.source.as_ref(), text(self.source), "source")?,
            user_id: Sight::narrow(sight.user_id.as_ref(), text(self.user_id), "user")?,
            from: parse("from", self.from)?,
            to: parse("to", self.to)?,
        };
        Ok((filter, page))
    }
}

impl MetricsParams {
    pub(crate) fn query(self, sight: &Sight) -> Result<MetricsQuery, Problem> {
        Ok(MetricsQuery {
            from: parse("from", self.from)?,
            to: parse("to", self.to)?,
            interval: named("interval", self.interval)?,
            group_by: dimensions(self.group_by)?,
            source: Sight::narrow(sight.source.as_ref(), text(self.source), "source")?,
            model: text(self.model),
            provider: text(self.provider),
            decision_type: text(self.decision_type),
            outcome: text(self.outcome),
            user_id: Sight::narrow(sight.user_id.as_ref(), text(self.user_id), "user")?,
        })
    }
}

impl ReviewParams {
    pub(crate) fn filter(self) -> Result<ReviewFilter, Problem> {
        let Page { limit, cursor } = page(self.limit, self.cursor)?;
        if cursor.as_ref().is_some_and(|cursor| !cursor.starts_with("rev_")) {
            let detail = "cursor: not one of this list; pass next_cursor of the page before";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail));
        }
        Ok(ReviewFilter {
            state: parse("state", self.state)?,
            decision_id: parse("decision_id", self.decision_id)?,
            after: cursor,
            limit: limit as usize,
        })
    }
}

impl ShowParams {
    /// The purpose, where something is to be revealed.
    pub(crate) fn purpose(self) -> Result<Option<String>, Problem> {
        let reveal = match self.reveal.as_deref() {
            // `?reveal` alone means what it says.
            Some("") => true,
            _ => parse("reveal", self.reveal)?.unwrap_or(false),
        };
        let purpose =
            self.purpose.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        match (reveal, purpose) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Problem::invalid("purpose: only together with reveal=true")),
            (true, None) => {
                Err(Problem::invalid("purpose: say what for; it is recorded with the reveal"))
            }
            (true, Some(purpose)) if purpose.chars().count() > PURPOSE_CHARS_MAX => {
                Err(Problem::invalid(format!("purpose: at most {PURPOSE_CHARS_MAX} characters")))
            }
            (true, purpose) => Ok(purpose),
        }
    }
}

impl ProofParams {
    pub(crate) fn wants_sealed(self) -> Result<bool, Problem> {
        match self.sealed.as_deref() {
            // `?sealed` alone means what it says.
            Some("") => Ok(true),
            _ => Ok(parse("sealed", self.sealed)?.unwrap_or(false)),
        }
    }
}

/// A parameter given as nothing is one that is not given.
fn text(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

fn search(value: Option<String>) -> Result<Option<Search>, Problem> {
    text(value).map(|text| text.parse().map_err(|error| Problem::bad_search(&error))).transpose()
}

fn parse<T: FromStr<Err: Display>>(
    name: &str,
    value: Option<String>,
) -> Result<Option<T>, Problem> {
    text(value)
        .map(|value| value.parse().map_err(|error| Problem::invalid(format!("{name}: {error}"))))
        .transpose()
}

/// A name of a closed vocabulary that serde knows.
fn named<T: DeserializeOwned>(name: &str, value: Option<String>) -> Result<Option<T>, Problem> {
    text(value)
        .map(|value| {
            serde_json::from_value(value.into())
                .map_err(|error| Problem::invalid(format!("{name}: {error}")))
        })
        .transpose()
}

/// What to group by.
fn dimensions(value: Option<String>) -> Result<Vec<Dimension>, Problem> {
    let Some(names) = text(value) else { return Ok(Vec::new()) };
    let parsed: Result<Vec<Dimension>, _> =
        names.split(',').map(|name| name.trim().parse()).collect();
    let all = parsed.map_err(|error| Problem::invalid(format!("group_by: {error}")))?;
    match all.as_slice() {
        [_] => Ok(all),
        [a, b] if a != b => Ok(all),
        _ => Err(Problem::invalid("group_by: one or two different dimensions")),
    }
}

fn page(limit: Option<String>, cursor: Option<String>) -> Result<Page, Problem> {
    let limit = parse("limit", limit)?.unwrap_or(PAGE_LIMIT_DEFAULT);
    if !(1..=PAGE_LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("limit: {limit} is not 1 to {PAGE_LIMIT_MAX}")));
    }
    Ok(Page { limit, cursor: text(cursor) })
}
