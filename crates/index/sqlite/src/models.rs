//! The models that decisions name: sums from roll-ups, first and last from the decisions.

use crate::conditions::Conditions;
use crate::metrics::{add_row, base_rows};
use crate::pool::Answer;
use crate::rollup::{DIMS_ALL, SPAN_DAY};
use event::Timestamp;
use index::{MODELS_MAX, MetricsQuery, ModelQuery, ModelSeen, Tally};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::BTreeMap;

/// Sums of one model; the first and last time in microseconds.
struct Seen {
    tally: Tally,
    first: i64,
    last: i64,
}

/// By provider (empty: unknown) and model.
type Models = BTreeMap<(String, String), Seen>;

/// Lists them.
pub fn models(connection: &Connection, query: &ModelQuery) -> Answer<Vec<ModelSeen>> {
    let mut models = Models::new();
    if query.user_id.is_some() {
        of_user(connection, query, &mut models)?;
    } else {
        of_all(connection, query, &mut models)?;
    }
    let mut list: Vec<ModelSeen> = models.into_iter().map(shown).collect();
    list.sort_by_key(|seen| std::cmp::Reverse(seen.decisions));
    list.truncate(MODELS_MAX);
    Ok(list)
}

fn shown(((provider, model), seen): ((String, String), Seen)) -> ModelSeen {
    let sums = seen.tally.measures();
    ModelSeen {
        provider: (!provider.is_empty()).then_some(provider),
        model,
        first_seen: Timestamp::from_micros(seen.first),
        last_seen: Timestamp::from_micros(seen.last),
        decisions: sums.requests,
        errors: sums.errors,
        total_tokens: sums.total_tokens,
        cost_usd: sums.cost_usd,
    }
}

/// The sums of a model, which was seen then.
fn of(models: &mut Models, provider: String, model: String, at: i64) -> &mut Tally {
    let fresh = || Seen { tally: Tally::default(), first: at, last: at };
    let seen = models.entry((provider, model)).or_insert_with(fresh);
    seen.first = seen.first.min(at);
    seen.last = seen.last.max(at);
    &mut seen.tally
}

fn of_user(connection: &Connection, query: &ModelQuery, models: &mut Models) -> Answer<()> {
    let wanted = MetricsQuery {
        source: query.source.clone(),
        user_id: query.user_id.clone(),
        ..MetricsQuery::default()
    };
    base_rows(connection, &wanted, None, None, |decision| {
        let model = decision.model.as_ref().or(decision.model_requested.as_ref());
        if let Some(model) = model {
            let provider = decision.provider.clone().unwrap_or_default();
            let at = decision.timestamp.as_micros();
            of(models, provider, model.clone(), at).count(decision, 1);
        }
        Ok(())
    })?;
    Ok(())
}

fn of_all(connection: &Connection, query: &ModelQuery, models: &mut Models) -> Answer<()> {
    let mut all = Conditions::default();
    all.add("span = ?", [Value::Integer(SPAN_DAY)]);
    all.add("dims = ?", [Value::Integer(DIMS_ALL.into())]);
    all.add("model <> ?", [Value::Text(String::new())]);
    all.equal("source", query.source.clone());
    let sql = format!(
        "SELECT start, provider, requests, running, errors, blocked, escalated, input_tokens, \
         output_tokens, total_tokens, cost_pico, cost_unknown, latency, model FROM rollups{}",
        all.clause()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(all.values()))?;
    while let Some(row) = rows.next()? {
        let at = row.get::<_, i64>(0)?.saturating_mul(1_000_000);
        add_row(of(models, row.get(1)?, row.get(13)?, at), row)?;
    }
    for ((provider, model), seen) in models.iter_mut() {
        let end = |newest| end_of(connection, query, (provider, model), newest);
        if let (Some(first), Some(last)) = (end(false)?, end(true)?) {
            (seen.first, seen.last) = (first.as_micros(), last.as_micros());
        }
    }
    Ok(())
}

/// The first or last decision that this model answered; none where it never did.
fn end_of(
    connection: &Connection,
    query: &ModelQuery,
    (provider, model): (&str, &str),
    newest: bool,
) -> Answer<Option<Timestamp>> {
    let mut all = Conditions::default();
    all.equal("model", Some(model.to_owned()));
    all.equal("provider", (!provider.is_empty()).then(|| provider.to_owned()));
    all.equal("source", query.source.clone());
    let order = if newest { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT timestamp FROM audit_logs INDEXED BY audit_logs_model{} ORDER BY _row {order} \
         LIMIT 1",
        all.clause()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_row(params_from_iter(all.values()), |row| crate::decision_row::parsed(row, 0))
        .optional()?;
    Ok(found)
}
