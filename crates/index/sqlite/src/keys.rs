//! The key of `audit_logs`: a decision's time and a number that tells apart what happened in the
//! same microsecond. Ascending keys are ascending times.

use event::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;

/// Bits for decisions of one microsecond. More of them take keys of the next microseconds.
const SLOT_BITS: u32 = 8;
/// Keys are doubled for the two texts of a decision in the search table, and must stay positive:
/// times after the year 2500 share the last slots.
const MICROS_MAX: i64 = (i64::MAX >> (SLOT_BITS + 1)) - (1 << 20);

/// The smallest key of a time.
pub fn first_of(at: Timestamp) -> i64 {
    at.as_micros().min(MICROS_MAX) << SLOT_BITS
}

/// The time of a key (of one whose slot was full: a few microseconds later).
pub fn time_of(key: i64) -> Timestamp {
    Timestamp::from_micros(key >> SLOT_BITS)
}

/// Gives out keys that are free.
#[derive(Debug, Default)]
pub struct Keys {
    /// No key at or above is taken.
    above_all: i64,
    /// Given out since the last commit, by slot: the table does not hold them yet.
    pending: HashMap<i64, i64>,
}

impl Keys {
    /// Starts from what the table holds.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let last: Option<i64> =
            connection.query_row("SELECT max(_row) FROM audit_logs", [], |row| row.get(0))?;
        Ok(Self { above_all: last.map_or(0, |last| last + 1), pending: HashMap::new() })
    }

    /// A free key for this time, or the nearest after it.
    pub fn take(&mut self, connection: &Connection, at: Timestamp) -> rusqlite::Result<i64> {
        let mut slot = first_of(at) >> SLOT_BITS;
        loop {
            let first = slot << SLOT_BITS;
            let free =
                if first >= self.above_all { first } else { self.next_in(connection, slot)? };
            if free >> SLOT_BITS == slot {
                self.pending.insert(slot, free);
                self.above_all = self.above_all.max(free + 1);
                return Ok(free);
            }
            slot += 1;
        }
    }

    fn next_in(&self, connection: &Connection, slot: i64) -> rusqlite::Result<i64> {
        let first = slot << SLOT_BITS;
        if let Some(last) = self.pending.get(&slot) {
            return Ok(last + 1);
        }
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(_row) FROM audit_logs WHERE _row BETWEEN ?1 AND ?2")?
            .query_row([first, first + (1 << SLOT_BITS) - 1], |row| row.get(0))?;
        Ok(last.map_or(first, |last| last + 1))
    }

    /// The keys given out are in the table now.
    pub fn committed(&mut self) {
        self.pending.clear();
    }
}
