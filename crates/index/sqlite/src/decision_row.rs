//! `audit_logs` rows and decisions.

use event::{Decision, Timestamp};
use index::Money;
use rusqlite::{Row, Statement, params};
use std::str::FromStr;
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, timestamp, trace_id, request_id, origin, session_id, source, \
    user_id, decision_type, provider, model, model_requested, method, path, status_code, outcome, \
    ending, error_code, finish_reason, latency_ms, ttft_ms, input_tokens, output_tokens, \
    total_tokens, cached_tokens, reasoning_tokens, usage_origin, cost_usd, violations, \
    data_classes, review_status, flagged, stood, streamed, prompt_preview, response_preview, _row"
    };
}

macro_rules! end_columns {
    () => {
        "provider = ?10, model = ?11, status_code = ?15, outcome = ?16, ending = ?17, \
         error_code = ?18, finish_reason = ?19, latency_ms = ?20, ttft_ms = ?21, \
         input_tokens = ?22, output_tokens = ?23, total_tokens = ?24, cached_tokens = ?25, \
         reasoning_tokens = ?26, usage_origin = ?27, cost_usd = ?28, violations = ?29, \
         data_classes = ?30, review_status = ?31, flagged = ?32, stood = ?33, \
         response_preview = ?36, _cost_pico = ?38"
    };
}

// The last parameter is named so that both updates take as many as the insert.
macro_rules! update_where {
    () => {
        " WHERE _row = ?37 AND id = ?1 AND ?39 IS NOT NULL"
    };
}

/// The columns, in the order in which [`read`] takes them.
pub const COLUMNS: &str = columns!();

/// Selects a decision by its id.
pub const SELECT_BY_ID: &str = concat!("SELECT ", columns!(), " FROM audit_logs WHERE id = ?1");

/// Selects a decision by its key.
pub const SELECT_BY_ROW: &str = concat!("SELECT ", columns!(), " FROM audit_logs WHERE _row = ?1");

/// Inserts a row with [`write`]'s parameters.
pub const INSERT: &str = "INSERT INTO audit_logs (id, timestamp, trace_id, request_id, origin, \
    session_id, source, user_id, decision_type, provider, model, model_requested, method, path, \
    status_code, outcome, ending, error_code, finish_reason, latency_ms, ttft_ms, input_tokens, \
    output_tokens, total_tokens, cached_tokens, reasoning_tokens, usage_origin, cost_usd, \
    violations, data_classes, review_status, flagged, stood, streamed, prompt_preview, \
    response_preview, _row, _cost_pico, _chunk) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
    ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, \
    ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39)";

/// Updates what the end of a call adds, with [`write`]'s parameters: what the request itself said
/// is not named again, so that its indexes are left alone.
pub const UPDATE_END: &str = concat!("UPDATE audit_logs SET ", end_columns!(), update_where!());

/// Updates everything that can change, with [`write`]'s parameters.
pub const UPDATE_ALL: &str = concat!(
    "UPDATE audit_logs SET session_id = ?6, source = ?7, user_id = ?8, \
     decision_type = ?9, model_requested = ?12, method = ?13, path = ?14, streamed = ?34, \
     prompt_preview = ?35, timestamp = ?2, ",
    end_columns!(),
    update_where!()
);

/// Runs [`INSERT`], [`UPDATE_END`] or [`UPDATE_ALL`] for a decision; answers how many rows changed.
pub fn write(
    statement: &mut Statement<'_>,
    decision: &Decision,
    row: i64,
    chunk: i64,
) -> rusqlite::Result<usize> {
    let cost = decision.cost_usd.as_deref().and_then(|text| text.parse::<Money>().ok());
    statement.execute(params![
        text_of(decision.id, &mut Uuid::encode_buffer()),
        decision.timestamp.to_string(),
        text_of(decision.trace_id, &mut Uuid::encode_buffer()),
        decision.request_id,
        decision.origin.as_str(),
        decision.session_id,
        decision.source,
        decision.user_id,
        decision.decision_type,
        decision.provider,
        decision.model,
        decision.model_requested,
        decision.method,
        decision.path,
        decision.status_code,
        decision.outcome,
        decision.ending,
        decision.error_code,
        decision.finish_reason,
        decision.latency_ms,
        decision.ttft_ms,
        stored(decision.input_tokens),
        stored(decision.output_tokens),
        stored(decision.total_tokens),
        stored(decision.cached_tokens),
        stored(decision.reasoning_tokens),
        decision.usage_origin,
        decision.cost_usd,
        list_text(&decision.violations),
        list_text(&decision.data_classes),
        decision.review_status,
        decision.flagged,
        decision.stood,
        decision.streamed,
        decision.prompt_preview,
        decision.response_preview,
        row,
        cost.map(Money::as_pico),
        chunk,
    ])
}

/// Reads a row of [`COLUMNS`]: the decision and its key.
pub fn read(row: &Row<'_>) -> rusqlite::Result<(Decision, i64)> {
    let mut decision = Decision::new(
        parsed(row, 0)?,
        parsed::<Timestamp>(row, 1)?,
        parsed(row, 2)?,
        row.get(3)?,
        parsed(row, 4)?,
    );
    decision.session_id = row.get(5)?;
    decision.source = row.get(6)?;
    decision.user_id = row.get(7)?;
    decision.decision_type = row.get(8)?;
    decision.provider = row.get(9)?;
    decision.model = row.get(10)?;
    decision.model_requested = row.get(11)?;
    decision.method = row.get(12)?;
    decision.path = row.get(13)?;
    decision.status_code = row.get(14)?;
    decision.outcome = row.get(15)?;
    decision.ending = row.get(16)?;
    decision.error_code = row.get(17)?;
    decision.finish_reason = row.get(18)?;
    decision.latency_ms = row.get(19)?;
    decision.ttft_ms = row.get(20)?;
    decision.input_tokens = count(row, 21)?;
    decision.output_tokens = count(row, 22)?;
    decision.total_tokens = count(row, 23)?;
    decision.cached_tokens = count(row, 24)?;
    decision.reasoning_tokens = count(row, 25)?;
    decision.usage_origin = row.get(26)?;
    decision.cost_usd = row.get(27)?;
    decision.violations = list(row, 28)?;
    decision.data_classes = list(row, 29)?;
    decision.review_status = row.get(30)?;
    decision.flagged = row.get(31)?;
    decision.stood = row.get(32)?;
    decision.streamed = row.get(33)?;
    decision.prompt_preview = row.get(34)?;
    decision.response_preview = row.get(35)?;
    Ok((decision, row.get(36)?))
}

/// An id's text, in a buffer.
pub fn text_of(id: Uuid, buffer: &mut [u8; 45]) -> &str {
    id.as_hyphenated().encode_lower(buffer)
}

/// A column's text as a type of ours.
pub fn parsed<T: FromStr>(row: &Row<'_>, at: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(at)?.as_str()?;
    text.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}

fn stored(count: Option<u64>) -> Option<i64> {
    count.map(|count| i64::try_from(count).unwrap_or(i64::MAX))
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(|count| u64::try_from(count).unwrap_or(0)))
}

fn list_text(names: &[String]) -> String {
    if names.is_empty() {
        return "[]".to_owned();
    }
    serde_json::to_string(names).unwrap_or_else(|_| "[]".to_owned())
}

fn list(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<String>> {
    let text = row.get_ref(at)?.as_str()?;
    if text == "[]" {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}
