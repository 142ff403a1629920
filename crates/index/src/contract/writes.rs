//! What the writer must do.

use super::{Backend, Builder, Call};
use crate::{DecisionFilter, EventFilter, IndexReader, MetricsQuery, Page};
use event::{Access, Component, Event, EventType, Origin, ReviewCreated};
use serde_json::Value;

/// Everything that a reader shows, to compare two indexes by.
fn everything(reader: &dyn IndexReader) -> String {
    let decisions = reader.list(&DecisionFilter::default(), &Page::first(500)).unwrap();
    let events = reader.events(&EventFilter::default(), &Page::first(500)).unwrap();
    let metrics = reader.metrics(&MetricsQuery::default()).unwrap();
    let records: Vec<_> =
        decisions.items.iter().map(|item| reader.records(item.id).unwrap()).collect();
    let status = reader.status().unwrap();
    serde_json::to_string_pretty(&(decisions, events, metrics, records, status)).unwrap()
}

fn some_calls() -> Vec<Call> {
    vec![
        Call { number: 0, second: 1, ..Call::default() },
        Call {
            number: 1,
            second: 2,
            user: "u-43",
            outcome: "BLOCK",
            status: Some(403),
            ..Call::default()
        },
        Call { number: 2, second: 70, status: None, cost: None, ..Call::default() },
        Call {
            number: 3,
            second: 4_000,
            source: "hr-app",
            session: Some("s-1"),
            ..Call::default()
        },
    ]
}

pub(super) fn records_become_decisions_and_events(mut backend: Backend) {
    assert_eq!(backend.writer.cursor(), None);
    assert_eq!(backend.reader.status().unwrap().cursor, None);
    let call = Call { session: Some("s-1"), violations: &["pii"], ..Call::default() };
    let mut journal = Builder::default();
    let (intent, outcome) = (journal.intent(&call), journal.outcome(&call));

    backend.writer.apply(std::slice::from_ref(&intent), &intent.next).unwrap();
    let running = backend.reader.decision(call.id()).unwrap().unwrap();
    assert_eq!((running.status_code, running.model.as_deref()), (None, None));
    assert_eq!(running.timestamp, call.at());
    assert_eq!(backend.reader.status().unwrap().cursor.as_ref(), Some(&intent.next));

    backend.writer.apply(std::slice::from_ref(&outcome), &outcome.next).unwrap();
    let mut expected = event::Decision::new(
        call.id(),
        call.at(),
        call.trace_id(),
        call.request_id(),
        Origin::Observed,
    );
    for event in intent.events.iter().chain(&outcome.events) {
        expected.apply(event);
    }
    assert_eq!(backend.reader.decision(call.id()).unwrap().unwrap(), expected);
    let listed = backend.reader.list(&DecisionFilter::default(), &Page::default()).unwrap();
    assert_eq!(listed.items, [expected]);
    assert_eq!(listed.as_of.as_ref(), Some(&outcome.next));
    assert_eq!(listed.next_cursor, None);

    let events = backend.reader.events_of(call.id()).unwrap();
    let types: Vec<EventType> = events.items.iter().map(|event| event.event_type).collect();
    assert_eq!(
        types,
        [
            EventType::RequestReceived,
            EventType::RoutingStart,
            EventType::PolicyEvaluationComplete,
            EventType::RequestCompleted
        ]
    );
    assert!(!events.truncated);
    let records = backend.reader.records(call.id()).unwrap();
    let places: Vec<_> = records.iter().map(|record| (record.seq, &record.at)).collect();
    assert_eq!(places, [(0, &intent.at), (1, &outcome.at)]);
    assert_eq!(records[1].record_id, outcome.record_id);

    let status = backend.reader.status().unwrap();
    assert_eq!((status.records, status.events, status.decisions), (2, 4, 1));
    assert_eq!(status.next_seq, 2);
    assert_eq!(status.newest_ts, Some(outcome.ts));
    assert_eq!(backend.writer.cursor(), Some(outcome.next));
}

pub(super) fn event_data_shows_the_decision(mut backend: Backend) {
    let call = Call { outcome: "FLAG", ..Call::default() };
    let mut journal = Builder::default();
    let records = journal.calls(std::slice::from_ref(&call));
    backend.writer.apply(&records, &journal.end()).unwrap();
    let events = backend.reader.events_of(call.id()).unwrap().items;
    for (place, event) in events.iter().enumerate() {
        let data: Value = serde_json::from_str(event.event_data.get()).unwrap();
        assert_eq!(data["user_id"], "u-42", "{data}");
        assert_eq!(data["source"], "finance-app", "{data}");
        // Rows are written once: those of the first record cannot know the outcome.
        let outcome = if place < 2 { Value::Null } else { "FLAG".into() };
        assert_eq!(data.get("outcome").cloned().unwrap_or_default(), outcome, "{data}");
    }
}

pub(super) fn applying_twice_changes_nothing(mut backend: Backend) {
    let mut journal = Builder::default();
    let records = journal.calls(&some_calls());
    backend.writer.apply(&records, &journal.end()).unwrap();
    let before = everything(&*backend.reader);
    backend.writer.apply(&records, &journal.end()).unwrap();
    backend.writer.apply(&records[2..5], &records[4].next).unwrap();
    assert_eq!(everything(&*backend.reader), before);
    assert_eq!(backend.writer.cursor(), Some(journal.end()));

    let more = journal.calls(&[Call { number: 9, second: 5_000, ..Call::default() }]);
    let overlapping: Vec<_> = records.iter().chain(&more).cloned().collect();
    backend.writer.apply(&overlapping, &journal.end()).unwrap();
    assert_eq!(backend.reader.status().unwrap().decisions, 5);
    assert_eq!(backend.reader.status().unwrap().records, 10);
}

pub(super) fn batches_do_not_matter(mut backend: Backend) {
    let calls = some_calls();
    let mut journal = Builder::default();
    for record in journal.calls(&calls) {
        backend.writer.apply(std::slice::from_ref(&record), &record.next).unwrap();
    }
    for call in &calls {
        let events = backend.reader.events_of(call.id()).unwrap().items;
        assert_eq!(events.len(), 4);
    }
    let sums = backend.reader.metrics(&MetricsQuery::default()).unwrap().totals;
    assert_eq!((sums.requests, sums.running, sums.errors, sums.blocked), (4, 0, 1, 1));
    // A late event changes the row and the sums, not the count.
    let late = Event {
        event_id: uuid::Uuid::from_u128(99),
        component: Component::Hitl,
        timestamp: Call::time(9_000),
        data: ReviewCreated::default().into(),
    };
    let record = journal.record(&calls[0], Origin::Control, vec![late]);
    backend.writer.apply(std::slice::from_ref(&record), &record.next).unwrap();
    let changed = backend.reader.decision(calls[0].id()).unwrap().unwrap();
    assert_eq!(changed.review_status.as_deref(), Some("pending"));
    assert_eq!(changed.status_code, Some(200));
    let sums = backend.reader.metrics(&MetricsQuery::default()).unwrap().totals;
    assert_eq!((sums.requests, sums.escalated, sums.blocked), (4, 1, 1));
}

pub(super) fn another_writer_is_refused(mut backend: Backend) {
    let mut ours = Builder::default();
    let records = ours.calls(&some_calls());
    backend.writer.apply(&records, &ours.end()).unwrap();
    let mut theirs = Builder::of("w-deadbeef");
    let strange = theirs.calls(&[Call { number: 7, ..Call::default() }]);
    let refused = backend.writer.apply(&strange, &theirs.end());
    assert!(matches!(refused, Err(crate::Error::OtherWriter { .. })), "{refused:?}");
    assert_eq!(backend.reader.status().unwrap().decisions, 4);
    assert_eq!(backend.writer.cursor(), Some(ours.end()));
}

pub(super) fn administration_is_no_decision(mut backend: Backend) {
    let call = Call { number: 5, ..Call::default() };
    let mut journal = Builder::default();
    let access = Event {
        event_id: uuid::Uuid::from_u128(98),
        component: Component::Api,
        timestamp: call.at(),
        data: Access { actor: Some("admin".to_owned()), ..Access::default() }.into(),
    };
    let record = journal.record(&call, Origin::Control, vec![access]);
    backend.writer.apply(std::slice::from_ref(&record), &record.next).unwrap();
    assert_eq!(backend.reader.decision(call.id()).unwrap(), None);
    assert_eq!(backend.reader.status().unwrap().decisions, 0);
    assert_eq!(backend.reader.metrics(&MetricsQuery::default()).unwrap().totals.requests, 0);
    assert_eq!(backend.reader.records(call.id()).unwrap().len(), 1);
    let filter = EventFilter { event_type: Some(EventType::Access), ..EventFilter::default() };
    let events = backend.reader.events(&filter, &Page::default()).unwrap();
    assert_eq!(events.items[0].event_data.get(), r#"{"actor":"admin"}"#);
}

pub(super) fn accesses_by_target(mut backend: Backend) {
    let mut journal = Builder::default();
    for (number, target) in ["d-1", "d-2", "d-1"].into_iter().enumerate() {
        let call = Call { number: number as u64, ..Call::default() };
        let (actor, target) = (Some(format!("actor {number}")), Some(target.to_owned()));
        let access = Event {
            event_id: uuid::Uuid::from_u128(200 + number as u128),
            component: Component::Api,
            timestamp: Call::time(number as i64),
            data: Access { actor, target, ..Access::default() }.into(),
        };
        let record = journal.record(&call, Origin::Control, vec![access]);
        backend.writer.apply(std::slice::from_ref(&record), &record.next).unwrap();
    }
    let filter = EventFilter { target: Some("d-1".to_owned()), ..EventFilter::default() };
    let events = backend.reader.events(&filter, &Page::default()).unwrap().items;
    let data: Vec<_> = events.iter().map(|event| event.event_data.get()).collect();
    let expected =
        [r#"{"actor":"actor 2","target":"d-1"}"#, r#"{"actor":"actor 0","target":"d-1"}"#];
    assert_eq!(data, expected, "newest first");
}

pub(super) fn what_was_asked_may_come_last(mut backend: Backend) {
    let call = Call { source: "late-app", user: "u-late", ..Call::default() };
    let mut journal = Builder::default();
    let (outcome, intent) = (journal.outcome(&call), journal.intent(&call));
    let mut expected = crate::Fold::start(&outcome);
    for record in [&outcome, &intent] {
        backend.writer.apply(std::slice::from_ref(record), &record.next).unwrap();
        crate::Fold::apply(&mut expected, record);
    }
    assert_eq!(backend.reader.decision(call.id()).unwrap(), Some(expected.clone()));
    let filter =
        DecisionFilter { source: Some("late-app".to_owned()), ..DecisionFilter::default() };
    let listed = backend.reader.list(&filter, &Page::default()).unwrap();
    assert_eq!(listed.items, [expected]);
    let query = MetricsQuery { source: filter.source, ..MetricsQuery::default() };
    assert_eq!(backend.reader.metrics(&query).unwrap().totals.requests, 1);
}
