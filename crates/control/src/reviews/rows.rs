//! Reviews as rows.

use super::model::{Fingerprint, NewReview, Review, ReviewFilter, ReviewPage, Vote};
use crate::{Error, Result, store};
use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use uuid::Uuid;

/// Every column but what is held back.
const COLUMNS: &str = "id, decision_id, trace_id, request_id, stage, state, outcome, version, \
    fingerprint, arrived_us, created_us, expires_us, decided_us, finished_us, policy_ids, \
    violations, api_key_id, source, request_type, model, reviewers_needed, about, next_record, \
    recorded";

pub(super) fn insert(connection: &Connection, new: &NewReview) -> Result<()> {
    let json = |error: serde_json::Error| Error::Store { what: error.to_string() };
    connection.execute(
        "INSERT INTO reviews (id, decision_id, trace_id, request_id, stage, state, version, \
         fingerprint, findable, arrived_us, created_us, expires_us, policy_ids, violations, \
         api_key_id, source, request_type, model, reviewers_needed, about, held, next_record, \
         recorded) VALUES (?1, ?2, ?3, ?4, ?5, 'pending', 0, ?6, 1, ?7, ?8, ?9, ?10, ?11, ?12, \
         ?13, ?14, ?15, ?16, ?17, ?18, ?19, 1)",
        params![
            new.id,
            new.decision_id.to_string(),
            new.trace_id.to_string(),
            new.request_id,
            new.stage.as_str(),
            new.fingerprint,
            new.arrived_at.as_micros(),
            new.created_at.as_micros(),
            new.expires_at.as_micros(),
            serde_json::to_string(&new.policy_ids).map_err(json)?,
            serde_json::to_string(&new.violations).map_err(json)?,
            new.api_key_id,
            new.source,
            new.request_type,
            new.model,
            new.reviewers_needed.max(1),
            new.about,
            new.held,
            new.next_record,
        ],
    )?;
    Ok(())
}

pub(super) fn one(connection: &Connection, id: &str) -> Result<Review> {
    select(connection, "id = ?1", &[&id])?
        .pop()
        .ok_or_else(|| Error::NotFound { what: "review", id: id.to_owned() })
}

/// The review that an equal request joins.
pub(super) fn findable(
    connection: &Connection,
    fingerprint: &Fingerprint,
) -> Result<Option<Review>> {
    Ok(select(connection, "fingerprint = ?1 AND findable = 1", &[fingerprint])?.pop())
}

/// Reviews that a condition on columns fits.
pub(super) fn select(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Review>> {
    let sql = format!("SELECT {COLUMNS} FROM reviews WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    let mut reviews: Vec<Review> = rows.collect::<rusqlite::Result<_>>()?;
    for review in &mut reviews {
        review.votes = votes(connection, &review.id)?;
    }
    Ok(reviews)
}

/// Newest first; ids grow with time.
pub(super) fn list(connection: &Connection, filter: &ReviewFilter) -> Result<ReviewPage> {
    let state = filter.state.map(super::model::ReviewState::as_str);
    let decision = filter.decision_id.map(|id| id.to_string());
    let condition = "(?1 IS NULL OR state = ?1) AND (?2 IS NULL OR decision_id = ?2) \
                     AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4";
    let one_more = filter.limit as i64 + 1;
    let mut items = select(connection, condition, &[&state, &decision, &filter.after, &one_more])?;
    let more = items.len() > filter.limit;
    items.truncate(filter.limit);
    let next = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(ReviewPage { items, next })
}

/// What equal requests can find, at the start.
pub(super) fn fingerprints(connection: &Connection) -> Result<Vec<Fingerprint>> {
    let mut statement = connection.prepare("SELECT fingerprint FROM reviews WHERE findable = 1")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn blob(connection: &Connection, id: &str, column: &str) -> Result<Option<Vec<u8>>> {
    let sql = format!("SELECT {column} FROM reviews WHERE id = ?1");
    let found = connection.query_row(&sql, [id], |row| row.get(0)).optional()?;
    found.ok_or_else(|| Error::NotFound { what: "review", id: id.to_owned() })
}

fn votes(connection: &Connection, id: &str) -> Result<Vec<Vote>> {
    let sql = "SELECT reviewer, approve, rationale, at_us FROM review_votes WHERE review_id = ?1 \
               ORDER BY at_us, reviewer";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([id], |row| {
        Ok(Vote {
            reviewer: row.get("reviewer")?,
            approve: row.get("approve")?,
            rationale: row.get("rationale")?,
            at: store::time(row, "at_us")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Review> {
    Ok(Review {
        id: row.get("id")?,
        decision_id: uuid(row, "decision_id")?,
        trace_id: uuid(row, "trace_id")?,
        request_id: row.get("request_id")?,
        stage: store::named(row, "stage")?,
        state: store::named(row, "state")?,
        outcome: match row.get_ref("outcome")?.as_str_or_null()? {
            Some(text) => Some(store::parsed(text, 0)?),
            None => None,
        },
        version: row.get("version")?,
        fingerprint: row.get("fingerprint")?,
        arrived_at: store::time(row, "arrived_us")?,
        created_at: store::time(row, "created_us")?,
        expires_at: store::time(row, "expires_us")?,
        decided_at: store::maybe_time(row, "decided_us")?,
        finished_at: store::maybe_time(row, "finished_us")?,
        policy_ids: json(row, "policy_ids")?,
        violations: json(row, "violations")?,
        api_key_id: row.get("api_key_id")?,
        source: row.get("source")?,
        request_type: row.get("request_type")?,
        model: row.get("model")?,
        reviewers_needed: row.get("reviewers_needed")?,
        votes: Vec::new(),
        about: row.get("about")?,
        next_record: row.get("next_record")?,
        recorded: row.get("recorded")?,
    })
}

fn uuid(row: &Row<'_>, column: &str) -> rusqlite::Result<Uuid> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| broken(Box::new(error)))
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| broken(Box::new(error)))
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
}

/// Drops what is held of reviews that ended before `keep_from`, and those that ended before
/// `rows_from` altogether.
pub(super) fn purge(
    connection: &Connection,
    keep_from: Timestamp,
    rows_from: Timestamp,
) -> Result<usize> {
    let dropped = connection.execute(
        "UPDATE reviews SET held = NULL, answer = NULL, findable = 0 WHERE finished_us < ?1 \
         AND (held IS NOT NULL OR answer IS NOT NULL OR findable = 1)",
        [keep_from.as_micros()],
    )?;
    let old = [rows_from.as_micros()];
    for table in ["review_votes", "review_hooks"] {
        let sql = format!(
            "DELETE FROM {table} WHERE review_id IN \
             (SELECT id FROM reviews WHERE finished_us < ?1 AND recorded = 1)"
        );
        connection.execute(&sql, old)?;
    }
    connection.execute("DELETE FROM reviews WHERE finished_us < ?1 AND recorded = 1", old)?;
    Ok(dropped)
}
