//! Verifying the index: the journal is projected again, and every row held against it.
//!
//! A first pass keeps a short hash of each row that should be there and strikes them out against
//! the rows that are. Decisions where something differs, and those that grew again long after
//! they had ended, are compared in full in a second pass, which tells what differs. The sums that
//! the index keeps are held against its rows.

use crate::data::{Options, run};
use crate::error::VerifyError;
use crate::open::OpenedRecord;
use crate::projection::{Projection, Row, Shown, open_view};
use crate::report::{FaultKind, Place, Report};
use crate::sums;
use event::{Decision, Timestamp};
use index::{Cursor, DecisionFilter, EventFilter, EventRow, IndexReader, PAGE_LIMIT_MAX, Page};
use seal::KeyRing;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use uuid::Uuid;

/// Decisions that are compared in full at most.
const SUSPECTS_MAX: usize = 50_000;

/// How far the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Until(u32, u32, u64);

/// The decisions to look at again.
#[derive(Debug, Default)]
struct Suspects {
    ids: BTreeSet<Uuid>,
    left_out: u64,
}

/// Verifies a data directory in full, then every row of `audit_logs` and `audit_events` against
/// its records. What keys do not open (or no keys were given for) is compared in its open fields
/// only, and the report says so. Sums are compared with the rows that they are sums of; search terms
/// are not compared.
///
/// # Errors
/// Where nothing can be verified; what is found wrong is in the report.
pub fn verify_index(options: Options<'_>, index: &dyn IndexReader) -> Result<Report, VerifyError> {
    let (data, keys) = (options.data.clone(), options.keys);
    let until = until(index)?;
    let mut projection = Projection::default();
    let mut behind = 0_u64;
    let mut report = run(
        options,
        Some(&mut |record: OpenedRecord, _: &mut Report| {
            if until.is_some_and(|until| until.covers(&record)) {
                projection.take(&record);
            } else {
                behind += 1;
            }
        }),
    )?;
    let mut suspects = Suspects::default();
    let mut days = BTreeSet::new();
    let (expected, partial) = strike_out(projection, index, &mut suspects, &mut days)?;
    for id in expected {
        suspects.add(id);
    }
    if partial > 0 {
        report.note(format!(
            "{partial} decisions have fields that no key here opens: of these, only open fields \
             were compared"
        ));
    }
    if behind > 0 {
        report.note(format!("{behind} records are not indexed yet"));
    }
    if !suspects.ids.is_empty() {
        compare(&data, keys, index, &suspects, &mut report)?;
    }
    sums::compare(index, days, &mut report)?;
    if suspects.left_out > 0 {
        report.fault(
            FaultKind::Limit,
            Place::file("index.db"),
            format!("{} more decisions differ: run `audit-layer rebuild`", suspects.left_out),
        );
    }
    Ok(report)
}

fn until(index: &dyn IndexReader) -> Result<Option<Until>, VerifyError> {
    let place = |cursor: Cursor| Until(cursor.epoch, cursor.segment, cursor.offset);
    Ok(index.status()?.cursor.map(place))
}

/// Holds all rows against the hashes, and notes the days they are of. Yields the decisions of
/// rows that are missing, and how many decisions could be compared in part only.
fn strike_out(
    mut projection: Projection,
    index: &dyn IndexReader,
    suspects: &mut Suspects,
    days: &mut BTreeSet<Timestamp>,
) -> Result<(Vec<Uuid>, usize), VerifyError> {
    let mut rows = projection.finish();
    for id in projection.reopened() {
        suspects.add(id);
    }
    let partial = rows.partial();
    each_decision(index, |row| {
        days.insert(index::day_of(row.timestamp));
        if !rows.strike_decision(&row) && !projection.is_reopened(row.id) {
            suspects.add(row.id);
        }
    })?;
    each_event(index, |row| {
        if !rows.strike_event(&row) && !projection.is_reopened(row.decision_id) {
            suspects.add(row.decision_id);
        }
    })?;
    Ok((rows.left_over(), partial))
}

fn each_decision(
    index: &dyn IndexReader,
    mut take: impl FnMut(Decision),
) -> Result<(), VerifyError> {
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let found = index.list(&DecisionFilter::default(), &page)?;
        found.items.into_iter().for_each(&mut take);
        match found.next_cursor {
            Some(next) => page.cursor = Some(next),
            None => return Ok(()),
        }
    }
}

fn each_event(index: &dyn IndexReader, mut take: impl FnMut(EventRow)) -> Result<(), VerifyError> {
    each_event_of(index, &EventFilter::default(), &mut take)
}

fn each_event_of(
    index: &dyn IndexReader,
    filter: &EventFilter,
    take: &mut dyn FnMut(EventRow),
) -> Result<(), VerifyError> {
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let found = index.events(filter, &page)?;
        found.items.into_iter().for_each(&mut *take);
        match found.next_cursor {
            Some(next) => page.cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Projects the suspects again and compares their rows in full. Rows are read first, so that
/// what a running server adds meanwhile is in the projection.
fn compare(
    data: &Path,
    keys: Option<&KeyRing>,
    index: &dyn IndexReader,
    suspects: &Suspects,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let mut found: HashMap<Uuid, (Option<Decision>, Vec<EventRow>)> = HashMap::new();
    let before = until(index)?;
    for id in &suspects.ids {
        let mut events = Vec::new();
        let filter = EventFilter { decision_id: Some(*id), ..EventFilter::default() };
        each_event_of(index, &filter, &mut |row| events.push(row))?;
        found.insert(*id, (index.decision(*id)?, events));
    }
    let moved = until(index)? != before;
    let mut shown: HashMap<Uuid, Shown> = HashMap::new();
    let options = Options { keys, ..Options::new(data) };
    run(
        options,
        Some(&mut |record: OpenedRecord, _: &mut Report| {
            let wanted = suspects.ids.contains(&record.leaf.decision_id);
            if wanted && before.is_some_and(|until| until.covers(&record)) {
                shown.entry(record.leaf.decision_id).or_default().take(&record);
            }
        }),
    )?;
    for (id, (decision, events)) in found {
        let expected = shown.remove(&id).unwrap_or_default();
        if moved && expected.ran_on(decision.as_ref()) {
            continue;
        }
        expected.compare(id, decision, events, report);
    }
    Ok(())
}

// === impl Until ===

impl Until {
    /// Whether the index has this record.
    fn covers(self, record: &OpenedRecord) -> bool {
        (record.at.epoch, record.at.segment, record.at.offset) < (self.0, self.1, self.2)
    }
}

// === impl Suspects ===

impl Suspects {
    fn add(&mut self, id: Uuid) {
        if self.ids.len() < SUSPECTS_MAX {
            self.ids.insert(id);
        } else if !self.ids.contains(&id) {
            self.left_out += 1;
        }
    }
}

// === impl Shown ===

impl Shown {
    /// Whether the index went on with this decision while it was read.
    fn ran_on(&self, decision: Option<&Decision>) -> bool {
        self.decision.as_ref().is_none_or(|own| !own.settled()) && decision.is_some()
    }

    /// Reports every row that differs.
    fn compare(
        mut self,
        id: Uuid,
        decision: Option<Decision>,
        events: Vec<EventRow>,
        report: &mut Report,
    ) {
        let place = |table: &str| Place {
            decision_id: Some(id.to_string()),
            ..Place::file(format!("index.db {table}"))
        };
        let partial = self.partial;
        let view = |row: Row| if partial { open_view(row) } else { row };
        match (self.decision.take().map(Row::of_decision), decision.map(Row::of_decision)) {
            (Some(own), Some(row)) => {
                let names = view(own).differences(&view(row));
                if !names.is_empty() {
                    let message = format!("the row differs from its records in {names}");
                    report.fault(FaultKind::Index, place("audit_logs"), message);
                }
            }
            (Some(_), None) => {
                report.fault(
                    FaultKind::Index,
                    place("audit_logs"),
                    "the decision's row is missing",
                );
            }
            (None, Some(_)) => {
                report.fault(FaultKind::Index, place("audit_logs"), "the row belongs to no record");
            }
            (None, None) => {}
        }
        let event_place = |event: Uuid| Place {
            record_id: None,
            ..place(&format!("audit_events event_id={event}"))
        };
        let mut own = std::mem::take(&mut self.events);
        for row in events {
            let event = row.event_id;
            let Some(expected) = own.remove(&event) else {
                report.fault(
                    FaultKind::Index,
                    event_place(event),
                    "the row belongs to no record of its decision, or stands here twice",
                );
                continue;
            };
            let names = view(expected).differences(&view(Row::of_event(&row)));
            if !names.is_empty() {
                let message = format!("the row differs from its record in {names}");
                report.fault(FaultKind::Index, event_place(event), message);
            }
        }
        for event in own.into_keys() {
            report.fault(FaultKind::Index, event_place(event), "the event's row is missing");
        }
    }
}
