//! Who is to be told of reviews elsewhere: an outbox in the same file.

use super::model::{Review, ReviewState};
use crate::{Result, store};
use event::Timestamp;
use rusqlite::{Connection, params};

/// What to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookKind {
    /// A review was opened.
    Created,
    /// A review was decided.
    Decided,
}

impl HookKind {
    /// The name in messages and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "review.created",
            Self::Decided => "review.decided",
        }
    }
}

/// Something that is still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The review.
    pub review_id: String,
    /// What of it.
    pub kind: HookKind,
    /// How often it was tried.
    pub tries: u32,
    /// When it happened.
    pub at: Timestamp,
}

pub(super) fn put(connection: &Connection, review: &Review, now: Timestamp) -> Result<()> {
    let kind = match review.state {
        ReviewState::Pending => HookKind::Created,
        _ => HookKind::Decided,
    };
    connection.execute(
        "INSERT OR IGNORE INTO review_hooks (review_id, kind, tries, at_us, next_us) \
         VALUES (?1, ?2, 0, ?3, ?3)",
        params![review.id, kind.as_str(), now.as_micros()],
    )?;
    Ok(())
}

/// What is to be told now, oldest first.
pub(super) fn due(connection: &Connection, now: Timestamp, at_most: usize) -> Result<Vec<Hook>> {
    let sql = "SELECT review_id, kind, tries, at_us FROM review_hooks WHERE next_us <= ?1 \
               ORDER BY at_us, kind LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![now.as_micros(), at_most as i64], |row| {
        let decided = row.get_ref("kind")?.as_str()? == HookKind::Decided.as_str();
        Ok(Hook {
            review_id: row.get("review_id")?,
            kind: if decided { HookKind::Decided } else { HookKind::Created },
            tries: row.get("tries")?,
            at: store::time(row, "at_us")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// It was told, or is given up.
pub(super) fn done(connection: &Connection, hook: &Hook) -> Result<()> {
    connection.execute(
        "DELETE FROM review_hooks WHERE review_id = ?1 AND kind = ?2",
        params![hook.review_id, hook.kind.as_str()],
    )?;
    Ok(())
}

/// It is to be tried again.
pub(super) fn again(connection: &Connection, hook: &Hook, next: Timestamp) -> Result<()> {
    connection.execute(
        "UPDATE review_hooks SET tries = tries + 1, next_us = ?3 \
         WHERE review_id = ?1 AND kind = ?2",
        params![hook.review_id, hook.kind.as_str(), next.as_micros()],
    )?;
    Ok(())
}
