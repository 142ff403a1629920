//! What the index should show, projected from records: rows, and short hashes of rows.

use crate::open::OpenedRecord;
use crate::record::sha256;
use event::{Class, Decision, Event, EventType, Origin, catalogue};
use index::{Cursor, EventRow, Fold, ProjectedRecord, write_event_data};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use uuid::Uuid;

/// Decisions that have ended are kept this long, by their number, for what may still follow.
const SETTLED_MAX: usize = 65_536;
/// Fields of a decision that are about a person.
const SEALED_COLUMNS: &[&str] = &["user_id", "session_id", "prompt_preview", "response_preview"];

/// A row as names and values; `event_data` as `event_data.<name>`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row {
    values: BTreeMap<String, Value>,
    /// None for a decision.
    event_type: Option<EventType>,
}

/// Half a hash of a row.
type Short = [u8; 16];

/// One row that must be in the index.
#[derive(Debug)]
struct Entry {
    decision_id: Uuid,
    short: Short,
    partial: bool,
}

/// The rows that must be in the index and were not seen there yet.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    decisions: HashMap<Uuid, Entry>,
    events: HashMap<Uuid, Entry>,
}

/// Folds records into short hashes of rows.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    folding: HashMap<Uuid, Shown>,
    settled: VecDeque<Uuid>,
    rows: Rows,
    reopened: HashSet<Uuid>,
}

/// All rows of one decision.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub decision: Option<Decision>,
    pub events: HashMap<Uuid, Row>,
    /// Whether fields are missing because no key opened them.
    pub partial: bool,
}

// === impl Shown ===

impl Shown {
    /// Takes in the decision's next record.
    pub(crate) fn take(&mut self, record: &OpenedRecord) {
        let projected = project(record);
        self.partial |= record.closed_groups > 0;
        if self.decision.is_none() && Fold::begins(&projected) {
            self.decision = Some(Fold::start(&projected));
        }
        if let Some(decision) = &mut self.decision {
            Fold::apply(decision, &projected);
        }
        for event in &projected.events {
            let row = Row::of_projected(&projected, event, self.decision.as_ref());
            self.events.insert(event.event_id, row);
        }
    }
}

fn project(record: &OpenedRecord) -> ProjectedRecord {
    let leaf = &record.leaf;
    let at = Cursor::new(&leaf.writer, record.at.epoch, record.at.segment, record.at.offset);
    ProjectedRecord {
        next: at.clone(),
        at,
        seq: leaf.seq,
        record_id: leaf.record_id,
        tenant: leaf.tenant.clone(),
        origin: leaf.origin,
        decision_id: leaf.decision_id,
        trace_id: record.trace_id,
        request_id: record.request_id.clone(),
        ts: leaf.ts,
        events: record.events.clone(),
    }
}

// === impl Projection ===

impl Projection {
    /// Takes in the next record.
    pub(crate) fn take(&mut self, record: &OpenedRecord) {
        let id = record.leaf.decision_id;
        if self.reopened.contains(&id) {
            return;
        }
        // Administration shares no decision: its rows are settled at once.
        let alone = record.leaf.origin == Origin::Control && !self.folding.contains_key(&id);
        if self.rows.decisions.contains_key(&id) {
            self.rows.decisions.remove(&id);
            self.reopened.insert(id);
            return;
        }
        let shown = self.folding.entry(id).or_default();
        let before = shown.decision.as_ref().is_some_and(Decision::settled);
        shown.take(record);
        // Events are written once, so their rows are final.
        let partial = shown.partial;
        for (event, row) in shown.events.drain() {
            self.rows.events.insert(event, Entry::new(id, row, partial));
        }
        let settled = shown.decision.as_ref().is_some_and(Decision::settled);
        if settled && !before {
            self.settled.push_back(id);
        }
        if alone && shown.decision.is_none() {
            self.folding.remove(&id);
        }
        if self.settled.len() > SETTLED_MAX
            && let Some(oldest) = self.settled.pop_front()
        {
            self.close(oldest);
        }
    }

    fn close(&mut self, id: Uuid) {
        let Some(shown) = self.folding.remove(&id) else { return };
        if let Some(decision) = shown.decision {
            let entry = Entry::new(id, Row::of_decision(decision), shown.partial);
            self.rows.decisions.insert(id, entry);
        }
    }

    /// No more records come.
    pub(crate) fn finish(&mut self) -> Rows {
        let ids: Vec<Uuid> = self.folding.keys().copied().collect();
        for id in ids {
            self.close(id);
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.events.retain(|_, entry| !self.reopened.contains(&entry.decision_id));
        rows
    }

    /// Decisions that went on after they were closed here.
    pub(crate) fn reopened(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.reopened.iter().copied()
    }

    pub(crate) fn is_reopened(&self, id: Uuid) -> bool {
        self.reopened.contains(&id)
    }
}

// === impl Rows ===

impl Rows {
    /// Decisions that can be compared in part only.
    pub(crate) fn partial(&self) -> usize {
        self.decisions.values().filter(|entry| entry.partial).count()
    }

    /// Whether this row is one that must be there.
    pub(crate) fn strike_decision(&mut self, row: &Decision) -> bool {
        let entry = self.decisions.remove(&row.id);
        entry.is_some_and(|entry| entry.fits(row.id, Row::of_decision(row.clone())))
    }

    /// Whether this row is one that must be there.
    pub(crate) fn strike_event(&mut self, row: &EventRow) -> bool {
        let entry = self.events.remove(&row.event_id);
        entry.is_some_and(|entry| entry.fits(row.decision_id, Row::of_event(row)))
    }

    /// The decisions whose rows were not all there.
    pub(crate) fn left_over(self) -> Vec<Uuid> {
        self.decisions
            .into_values()
            .chain(self.events.into_values())
            .map(|e| e.decision_id)
            .collect()
    }
}

// === impl Entry ===

impl Entry {
    fn new(decision_id: Uuid, row: Row, partial: bool) -> Self {
        let row = if partial { open_view(row) } else { row };
        Self { decision_id, short: row.short(), partial }
    }

    fn fits(&self, decision_id: Uuid, row: Row) -> bool {
        self.decision_id == decision_id
            && Self::new(decision_id, row, self.partial).short == self.short
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn of_decision(decision: Decision) -> Self {
        // A struct of plain fields always becomes an object.
        let values = serde_json::to_value(decision).unwrap_or_default();
        let mut row = Self::default();
        row.add("", values);
        row
    }

    pub(crate) fn of_event(event: &EventRow) -> Self {
        let data = serde_json::from_str(event.event_data.get()).unwrap_or_default();
        let mut row = Self { event_type: Some(event.event_type), ..Self::default() };
        row.add(
            "",
            serde_json::json!({
                "event_id": event.event_id,
                "decision_id": event.decision_id,
                "trace_id": event.trace_id,
                "request_id": event.request_id,
                "event_type": event.event_type,
                "component": event.component,
                "timestamp": event.timestamp,
            }),
        );
        row.add("event_data.", data);
        row
    }

    fn of_projected(record: &ProjectedRecord, event: &Event, decision: Option<&Decision>) -> Self {
        let mut data = Vec::new();
        write_event_data(event, decision, &mut data);
        let data = serde_json::from_slice(&data).unwrap_or_default();
        let mut row = Self { event_type: Some(event.event_type()), ..Self::default() };
        row.add(
            "",
            serde_json::json!({
                "event_id": event.event_id,
                "decision_id": record.decision_id,
                "trace_id": record.trace_id,
                "request_id": record.request_id,
                "event_type": event.event_type(),
                "component": event.component,
                "timestamp": event.timestamp,
            }),
        );
        row.add("event_data.", data);
        row
    }

    fn add(&mut self, prefix: &str, values: Value) {
        match values {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if !value.is_null() {
                        self.values.insert(format!("{prefix}{name}"), value);
                    }
                }
            }
            other => {
                self.values.insert(prefix.to_owned(), other);
            }
        }
    }

    fn short(&self) -> Short {
        let mut bytes = Vec::with_capacity(512);
        for (name, value) in &self.values {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            // Writing a value into memory cannot fail.
            let _written = serde_json::to_writer(&mut bytes, value);
            bytes.push(0);
        }
        let mut short = Short::default();
        short.copy_from_slice(&sha256(&bytes).as_bytes()[..16]);
        short
    }

    /// The names of values that differ, as a list to read.
    pub(crate) fn differences(&self, other: &Self) -> String {
        let mut names: Vec<&str> = self
            .values
            .iter()
            .filter(|(name, value)| other.values.get(*name) != Some(value))
            .map(|(name, _)| name.as_str())
            .collect();
        let added = other.values.keys().filter(|name| !self.values.contains_key(*name));
        names.extend(added.map(String::as_str));
        names.join(", ")
    }
}

/// The row without what is about a person.
pub(crate) fn open_view(mut row: Row) -> Row {
    let Some(event_type) = row.event_type else {
        row.values.retain(|name, _| !SEALED_COLUMNS.contains(&name.as_str()));
        return row;
    };
    let fields = catalogue().iter().find(|entry| entry.event_type == event_type);
    let sealed = |name: &str| {
        fields.is_some_and(|entry| {
            entry.fields.iter().any(|f| f.name == name && f.class != Class::Open)
        })
    };
    row.values.retain(|name, _| {
        let Some(name) = name.strip_prefix("event_data.") else { return true };
        name != "user_id" && !sealed(name)
    });
    row
}
