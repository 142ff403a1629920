//! Changes of state. Each is one compare-and-set: whoever comes second changes nothing.

use super::model::{NewVote, Review, ReviewOutcome, ReviewState};
use super::refused::VerdictError;
use super::rows;
use crate::{Error, Result};
use event::Timestamp;
use rusqlite::{Connection, params};

/// Counts a vote, and decides where it is the last that was missing.
pub(super) fn vote(
    connection: &Connection,
    id: &str,
    vote: &NewVote,
    now: Timestamp,
) -> std::result::Result<Review, VerdictError> {
    let review = rows::one(connection, id)?;
    if review.state != ReviewState::Pending {
        return Err(standing(&review));
    }
    if now >= review.expires_at {
        return Err(VerdictError::Due { id: review.id });
    }
    let same = |name: &str| name.eq_ignore_ascii_case(&vote.reviewer);
    let before = review.votes.iter().find(|earlier| same(&earlier.reviewer));
    if vote.approve && before.is_some_and(|earlier| earlier.approve) {
        return Err(VerdictError::Voted { id: review.id, reviewer: vote.reviewer.clone() });
    }
    let approvals = review.approvals() + u32::from(vote.approve);
    let outcome = match (vote.approve, approvals >= review.reviewers_needed) {
        (false, _) => Some(ReviewOutcome::Rejected),
        (true, true) => Some(ReviewOutcome::Approved),
        (true, false) => None,
    };
    let set = match outcome {
        Some(ReviewOutcome::Rejected) => set(connection, &review, Next::ended("rejected"), now)?,
        Some(outcome) => set(connection, &review, Next::decided(outcome.as_str()), now)?,
        None => connection.execute(
            "UPDATE reviews SET version = version + 1 WHERE id = ?1 AND state = 'pending' \
             AND version = ?2",
            params![review.id, review.version],
        )?,
    };
    if set == 0 {
        return Err(standing(&rows::one(connection, id)?));
    }
    connection.execute(
        "INSERT OR REPLACE INTO review_votes (review_id, reviewer, approve, rationale, at_us) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![review.id, vote.reviewer, vote.approve, vote.rationale, now.as_micros()],
    )?;
    Ok(rows::one(connection, id)?)
}

/// What a decision makes of a pending review.
#[derive(Clone, Copy)]
struct Next {
    state: &'static str,
    outcome: &'static str,
    ends: bool,
}

impl Next {
    const fn decided(state: &'static str) -> Self {
        Self { state, outcome: state, ends: false }
    }

    const fn ended(state: &'static str) -> Self {
        Self { state, outcome: state, ends: true }
    }
}

/// The one way out of `pending`.
fn set(connection: &Connection, review: &Review, next: Next, now: Timestamp) -> Result<usize> {
    let changed = connection.execute(
        "UPDATE reviews SET state = ?3, outcome = ?4, decided_us = ?5, finished_us = ?6, \
         recorded = 0, version = version + 1 \
         WHERE id = ?1 AND state = 'pending' AND version = ?2",
        params![
            review.id,
            review.version,
            next.state,
            next.outcome,
            now.as_micros(),
            next.ends.then(|| now.as_micros()),
        ],
    )?;
    Ok(changed)
}

/// Expires the review, where it is pending and due; none where it is not.
pub(super) fn expire(
    connection: &Connection,
    id: &str,
    approves: bool,
    now: Timestamp,
) -> Result<Option<Review>> {
    let review = rows::one(connection, id)?;
    if review.state != ReviewState::Pending || now < review.expires_at {
        return Ok(None);
    }
    let next = if approves {
        Next { state: "approved", outcome: "expired", ends: false }
    } else {
        Next::ended("expired")
    };
    match set(connection, &review, next, now)? {
        0 => Ok(None),
        _ => rows::one(connection, id).map(Some),
    }
}

/// Pending reviews whose time is over, oldest first.
pub(super) fn due(connection: &Connection, now: Timestamp, at_most: usize) -> Result<Vec<String>> {
    let sql = "SELECT id FROM reviews WHERE state = 'pending' AND expires_us <= ?1 \
               ORDER BY expires_us LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![now.as_micros(), at_most as i64], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The decision's records say what the state says.
pub(super) fn recorded(connection: &Connection, id: &str, next_record: u32) -> Result<()> {
    let sql = "UPDATE reviews SET recorded = 1, next_record = ?2 WHERE id = ?1";
    found(connection.execute(sql, params![id, next_record])?, id)
}

/// From approved to running; none where somebody else did, or it is not approved.
pub(super) fn pick_up(connection: &Connection, id: &str) -> Result<Option<Review>> {
    let changed = connection.execute(
        "UPDATE reviews SET state = 'running', version = version + 1 \
         WHERE id = ?1 AND state = 'approved' AND recorded = 1",
        [id],
    )?;
    match changed {
        0 => Ok(None),
        _ => rows::one(connection, id).map(Some),
    }
}

/// From running to answered; false where it was not running.
pub(super) fn finish(
    connection: &Connection,
    id: &str,
    answer: &[u8],
    next_record: u32,
    now: Timestamp,
) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE reviews SET state = 'answered', held = NULL, answer = ?2, next_record = ?3, \
         finished_us = ?4, version = version + 1 WHERE id = ?1 AND state = 'running'",
        params![id, answer, next_record, now.as_micros()],
    )?;
    Ok(changed == 1)
}

/// From this state to failed; false where it was in another.
pub(super) fn fail(
    connection: &Connection,
    id: &str,
    from: ReviewState,
    now: Timestamp,
) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE reviews SET state = 'failed', held = NULL, findable = 0, recorded = 1, \
         finished_us = ?3, version = version + 1 WHERE id = ?1 AND state = ?2",
        params![id, from.as_str(), now.as_micros()],
    )?;
    Ok(changed == 1)
}

/// From approved to failed, to be recorded; false where it was not approved.
pub(super) fn abandon(connection: &Connection, id: &str, now: Timestamp) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE reviews SET state = 'failed', held = NULL, findable = 0, recorded = 0, \
         finished_us = ?2, version = version + 1 \
         WHERE id = ?1 AND state = 'approved' AND recorded = 1",
        params![id, now.as_micros()],
    )?;
    Ok(changed == 1)
}

/// The caller knows that it was refused; an equal request is a new one from here on.
pub(super) fn told(connection: &Connection, id: &str) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE reviews SET findable = 0 WHERE id = ?1 AND state IN ('rejected', 'expired') \
         AND findable = 1",
        [id],
    )?;
    Ok(changed == 1)
}

fn found(changed: usize, id: &str) -> Result<()> {
    if changed == 0 {
        return Err(Error::NotFound { what: "review", id: id.to_owned() });
    }
    Ok(())
}

/// Which outcome stands, for whoever came second.
fn standing(review: &Review) -> VerdictError {
    let outcome = review.outcome.unwrap_or(ReviewOutcome::Expired);
    let wanted = outcome == ReviewOutcome::Approved;
    let mut by: Vec<&str> = Vec::new();
    if outcome != ReviewOutcome::Expired {
        let voted = review.votes.iter().filter(|vote| vote.approve == wanted);
        by.extend(voted.map(|vote| vote.reviewer.as_str()));
    }
    VerdictError::Decided {
        id: review.id.clone(),
        outcome,
        state: review.state,
        by: if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) },
    }
}
