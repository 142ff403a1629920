//! Sums per minute, hour and day, kept as records are indexed.
//!
//! A batch's changes are added up by full minute key in memory, and written once. Hours and days
//! have rows for all dimensions together, for each one alone and for none, so that what
//! dashboards ask reads few rows however many combinations there are.

use event::Decision;
use index::{Dimension, Tally};
use rusqlite::{Connection, Statement};
use std::collections::{BTreeMap, HashMap};

/// Dimension masks: bit `i` stands for `Dimension::ALL[i]`.
pub const DIMS_ALL: u8 = 0b1_1111;
/// The masks that hours and days have rows for.
pub const DIMS_COARSE: [u8; 7] = [DIMS_ALL, 0, 0b1, 0b10, 0b100, 0b1000, 0b1_0000];
/// Spans in seconds.
pub const SPAN_MINUTE: i64 = 60;
/// An hour.
pub const SPAN_HOUR: i64 = 3_600;
/// A day.
pub const SPAN_DAY: i64 = 86_400;

/// The smallest mask with rows that tells these dimensions apart.
pub fn mask_for(needed: u8, span: i64) -> u8 {
    if span == SPAN_MINUTE || !DIMS_COARSE.contains(&needed) { DIMS_ALL } else { needed }
}

// Two statements and not one `ON CONFLICT DO UPDATE`: for that SQLite keeps copies of the pages
// that it changes, in case the statement fails half-way.
const INSERT: &str = "INSERT OR IGNORE INTO rollups VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
    ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

const UPDATE: &str = "UPDATE rollups SET requests = requests + ?9, \
    running = running + ?10, errors = errors + ?11, blocked = blocked + ?12, \
    escalated = escalated + ?13, input_tokens = input_tokens + ?14, \
    output_tokens = output_tokens + ?15, total_tokens = total_tokens + ?16, \
    cost_pico = cost_pico + ?17, cost_unknown = cost_unknown + ?18, \
    latency = latency_merge(latency, ?19) \
    WHERE span = ?1 AND dims = ?2 AND start = ?3 \
    AND source = ?4 AND model = ?5 AND provider = ?6 AND decision_type = ?7 AND outcome = ?8";

const CLEAR: &str = "DELETE FROM rollups WHERE span = ?1 AND dims = ?2 AND start = ?3 \
    AND source = ?4 AND model = ?5 AND provider = ?6 AND decision_type = ?7 AND outcome = ?8 \
    AND requests = 0";

/// Names by number, for the length of a batch. Number 0 is the unknown.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

type Values = [u32; Dimension::ALL.len()];

/// A row's key.
struct Key<'n> {
    span: i64,
    dims: u8,
    start: i64,
    values: [&'n str; Dimension::ALL.len()],
}

/// A batch's changes.
#[derive(Debug, Default)]
pub struct Deltas {
    names: Names,
    minutes: HashMap<(i64, Values), Tally>,
}

// === impl Names ===

impl Names {
    fn number(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return 0 };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.texts.push(name.to_owned());
        let number = self.texts.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn text(&self, number: u32) -> &str {
        let at = (number as usize).checked_sub(1);
        at.and_then(|at| self.texts.get(at)).map_or("", String::as_str)
    }
}

// === impl Deltas ===

impl Deltas {
    /// Adds a decision as it is now, or (−1) takes it away as it was.
    pub fn count(&mut self, decision: &Decision, sign: i64) {
        let values = Dimension::ALL.map(|dimension| self.names.number(dimension.of(decision)));
        let seconds = decision.timestamp.as_micros() / 1_000_000;
        let start = seconds - seconds % SPAN_MINUTE;
        self.minutes.entry((start, values)).or_default().count(decision, sign);
    }

    /// Writes the changes.
    pub fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { names, minutes } = self;
        let mut coarse: BTreeMap<(i64, u8, i64, Values), Tally> = BTreeMap::new();
        for ((start, values), tally) in minutes {
            for span in [SPAN_HOUR, SPAN_DAY] {
                for dims in DIMS_COARSE {
                    let key = (span, dims, start - start % span, masked(values, dims));
                    coarse.entry(key).or_default().merge(&tally);
                }
            }
            coarse.insert((SPAN_MINUTE, DIMS_ALL, start, values), tally);
        }
        let mut insert = connection.prepare_cached(INSERT)?;
        let mut update = connection.prepare_cached(UPDATE)?;
        let mut clear = connection.prepare_cached(CLEAR)?;
        for ((span, dims, start, values), tally) in coarse {
            if tally == Tally::default() {
                continue;
            }
            let key = Key { span, dims, start, values: values.map(|number| names.text(number)) };
            // Minutes are mostly new, hours and days mostly there: try the likely one first.
            let (first, second) = if span == SPAN_MINUTE {
                (&mut insert, &mut update)
            } else {
                (&mut update, &mut insert)
            };
            if key.run(first, &tally)? == 0 {
                key.run(second, &tally)?;
            }
            if tally.requests < 0 {
                key.bind(&mut clear)?;
                clear.raw_execute()?;
            }
        }
        Ok(())
    }
}

// === impl Key ===

impl Key<'_> {
    fn bind(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(1, self.span)?;
        statement.raw_bind_parameter(2, self.dims)?;
        statement.raw_bind_parameter(3, self.start)?;
        for (at, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(4 + at, value)?;
        }
        Ok(())
    }

    fn run(&self, statement: &mut Statement<'_>, tally: &Tally) -> rusqlite::Result<usize> {
        let cost = tally.cost_pico.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        let numbers = [
            tally.requests,
            tally.running,
            tally.errors,
            tally.blocked,
            tally.escalated,
            tally.input_tokens,
            tally.output_tokens,
            tally.total_tokens,
            cost,
            tally.cost_unknown,
        ];
        self.bind(statement)?;
        for (at, number) in numbers.iter().enumerate() {
            statement.raw_bind_parameter(9 + at, number)?;
        }
        statement.raw_bind_parameter(19, tally.latency.to_bytes())?;
        statement.raw_execute()
    }
}

fn masked(mut values: Values, dims: u8) -> Values {
    for (at, value) in values.iter_mut().enumerate() {
        if dims & (1 << at) == 0 {
            *value = 0;
        }
    }
    values
}
