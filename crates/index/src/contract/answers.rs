//! Events, sessions, sums and free queries.

use super::{Backend, Builder, Call};
use crate::{
    DecisionFilter, Dimension, EventFilter, Interval, KeptSums, Measures, MetricsQuery, Page,
    SessionFilter, day_of,
};
use event::{Component, EventType};
use std::collections::HashMap;

fn fill(backend: &mut Backend, calls: &[Call]) {
    let mut journal = Builder::default();
    let records = journal.calls(calls);
    backend.writer.apply(&records, &journal.end()).unwrap();
}

fn call(number: u64, second: i64) -> Call {
    Call { second, number, ..Call::default() }
}

pub(super) fn events(mut backend: Backend) {
    let calls: Vec<Call> = (0..20)
        .map(|n| Call { user: if n < 5 { "u-1" } else { "u-2" }, ..call(n, n as i64 * 10) })
        .collect();
    fill(&mut backend, &calls);
    let some = EventFilter::default;
    let cases: Vec<(EventFilter, usize)> = vec![
        (some(), 80),
        (EventFilter { trace_id: Some(calls[4].trace_id()), ..some() }, 8),
        (EventFilter { decision_id: Some(calls[4].id()), ..some() }, 4),
        (EventFilter { request_id: Some("request-3".to_owned()), ..some() }, 4),
        (EventFilter { user_id: Some("u-1".to_owned()), ..some() }, 20),
        (EventFilter { event_type: Some(EventType::RequestCompleted), ..some() }, 20),
        (EventFilter { component: Some(Component::PolicyEngine), ..some() }, 20),
        (EventFilter { from: Some(Call::time(10)), to: Some(Call::time(30)), ..some() }, 8),
        (
            EventFilter {
                user_id: Some("u-1".to_owned()),
                component: Some(Component::Gateway),
                from: Some(Call::time(40)),
                ..some()
            },
            2,
        ),
    ];
    for (filter, expected) in cases {
        let mut found = Vec::new();
        let mut page = Page::first(7);
        loop {
            let events = backend.reader.events(&filter, &page).unwrap();
            found.extend(events.items.into_iter().map(|event| (event.timestamp, event.event_id)));
            let Some(cursor) = events.next_cursor else { break };
            page.cursor = Some(cursor);
        }
        assert!(found.is_sorted_by(|a, b| a.0 >= b.0), "{filter:?}");
        assert_eq!(found.len(), expected, "{filter:?}");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), expected, "{filter:?}: an event came twice");
    }
    let trace = backend.reader.trace(calls[4].trace_id()).unwrap().items;
    assert_eq!(trace.len(), 8);
    assert!(trace.is_sorted_by(|a, b| a.timestamp <= b.timestamp));
}

pub(super) fn sessions(mut backend: Backend) {
    fill(
        &mut backend,
        &[
            Call { session: Some("s-1"), ..call(0, 10) },
            Call { session: Some("s-2"), user: "u-7", ..call(1, 20) },
            Call { session: Some("s-1"), status: Some(500), cost: Some("0.5"), ..call(2, 30) },
            call(3, 40),
            Call { session: Some("s-3"), outcome: "BLOCK", status: Some(403), ..call(4, 50) },
        ],
    );
    let list = |filter: &SessionFilter, limit| {
        let mut ids = Vec::new();
        let mut page = Page::first(limit);
        loop {
            let sessions = backend.reader.sessions(filter, &page).unwrap();
            ids.extend(sessions.items.into_iter().map(|session| session.session_id));
            let Some(cursor) = sessions.next_cursor else { return ids };
            page.cursor = Some(cursor);
        }
    };
    assert_eq!(list(&SessionFilter::default(), 50), ["s-3", "s-1", "s-2"]);
    assert_eq!(list(&SessionFilter::default(), 1), ["s-3", "s-1", "s-2"]);
    let user = SessionFilter { user_id: Some("u-7".to_owned()), ..SessionFilter::default() };
    assert_eq!(list(&user, 50), ["s-2"]);
    let span = SessionFilter {
        from: Some(Call::time(15)),
        to: Some(Call::time(50)),
        ..SessionFilter::default()
    };
    assert_eq!(list(&span, 50), ["s-1", "s-2"]);
    let whole = SessionFilter::default();
    let one = backend.reader.session("s-1", &whole).unwrap().unwrap();
    assert_eq!((one.decisions, one.errors, one.blocked, one.total_tokens), (2, 1, 0, 60));
    assert_eq!((one.first_at, one.last_at), (Call::time(10), Call::time(30)));
    assert_eq!(one.cost_usd.as_deref(), Some("0.5001475"));
    assert_eq!(backend.reader.session("s-9", &whole).unwrap(), None);
}

/// Whoever shares a session with others, or guesses its name, learns nothing of theirs.
pub(super) fn shared_sessions(mut backend: Backend) {
    fill(
        &mut backend,
        &[
            Call { session: Some("s-1"), user: "u-7", ..call(0, 10) },
            Call { session: Some("s-1"), user: "u-8", cost: Some("0.5"), ..call(1, 20) },
            Call { session: Some("s-2"), user: "u-7", ..call(2, 30) },
            Call { session: Some("s-1"), user: "u-8", source: "other-app", ..call(3, 40) },
        ],
    );
    let of = |user: &str, source: Option<&str>| SessionFilter {
        user_id: Some(user.to_owned()),
        source: source.map(str::to_owned),
        ..SessionFilter::default()
    };
    let list = |filter: &SessionFilter| {
        let sessions = backend.reader.sessions(filter, &Page::first(50)).unwrap().items;
        let facts = sessions.into_iter().map(|one| (one.session_id, one.decisions, one.user_id));
        facts.map(|(id, count, user)| (id, count, user.unwrap_or_default())).collect::<Vec<_>>()
    };
    let row = |id: &str, count, user: &str| (id.to_owned(), count, user.to_owned());
    assert_eq!(list(&of("u-7", None)), [row("s-2", 1, "u-7"), row("s-1", 1, "u-7")]);
    assert_eq!(list(&of("u-8", None)), [row("s-1", 2, "u-8")]);
    assert_eq!(list(&of("u-8", Some("other-app"))), [row("s-1", 1, "u-8")]);
    assert_eq!(list(&SessionFilter::default()), [row("s-1", 3, "u-8"), row("s-2", 1, "u-7")]);
    let one = backend.reader.session("s-1", &of("u-7", None)).unwrap().unwrap();
    assert_eq!((one.decisions, one.first_at, one.last_at), (1, Call::time(10), Call::time(10)));
    assert_eq!(one.user_id.as_deref(), Some("u-7"));
    assert_eq!(backend.reader.session("s-2", &of("u-8", None)).unwrap(), None);
}

fn metrics_calls() -> Vec<Call> {
    let one = |n: u64| Call {
        source: ["a", "b", "c"][n as usize % 3],
        model: ["m", "n"][n as usize % 2],
        status: [Some(200), Some(200), Some(500), None][n as usize % 4],
        cost: if n % 4 == 3 { None } else { Some("0.01") },
        latency_ms: 100.0 + n as f64,
        user: if n.is_multiple_of(5) { "u-5" } else { "u-1" },
        // Over three days, with edges inside minutes.
        ..call(n, n as i64 * 647)
    };
    (0..400).map(one).collect()
}

pub(super) fn kept_sums(mut backend: Backend) {
    fill(&mut backend, &metrics_calls());
    let days = backend.reader.kept_days().unwrap();
    let mut listed = Vec::new();
    let mut page = Page::first(100);
    loop {
        let found = backend.reader.list(&DecisionFilter::default(), &page).unwrap();
        listed.extend(found.items);
        let Some(cursor) = found.next_cursor else { break };
        page.cursor = Some(cursor);
    }
    assert_eq!(listed.len(), 400);
    for day in &days {
        let kept = backend.reader.kept_sums(*day).unwrap().unwrap();
        let mut expected = KeptSums { kinds: kept.kinds.clone(), ..KeptSums::default() };
        let of_day = listed.iter().filter(|decision| day_of(decision.timestamp) == *day);
        of_day.for_each(|decision| expected.count(decision, 1));
        assert!(!kept.kinds.is_empty() && !kept.sums.is_empty());
        assert_eq!(kept.differences(&expected), HashMap::default(), "{day}");
        listed.retain(|decision| day_of(decision.timestamp) != *day);
    }
    assert!(days.is_empty() || listed.is_empty(), "a day is missing");
}

/// Whether a call belongs to what a query sums.
fn counts(query: &MetricsQuery, call: &Call) -> bool {
    let served = if call.status.is_some() { "-2024-08-06" } else { "" };
    let model = format!("{}{served}", call.model);
    query.from.is_none_or(|from| call.at() >= from)
        && query.to.is_none_or(|to| call.at() < to)
        && query.source.as_deref().is_none_or(|source| source == call.source)
        && query.user_id.as_deref().is_none_or(|user| user == call.user)
        && query.model.as_deref().is_none_or(|wanted| wanted == model)
}

fn check_metrics(backend: &Backend, calls: &[Call], query: &MetricsQuery) {
    let expected: Vec<&Call> = calls.iter().filter(|call| counts(query, call)).collect();
    let errors = expected.iter().filter(|call| call.status != Some(200)).count();
    let known = expected.iter().filter(|call| call.status.is_some()).count();
    let found = backend.reader.metrics(query).unwrap();
    let sums = &found.totals;
    assert_eq!(sums.requests, expected.len() as i64, "{query:?}");
    assert_eq!(sums.errors, errors as i64, "{query:?}");
    assert_eq!(sums.total_tokens, known as i64 * 30, "{query:?}");
    let cost = crate::Money::text_of(known as i128 * 10_000_000_000);
    assert_eq!(sums.cost_usd, cost, "{query:?}");
    assert_eq!(sums.cost_unknown, (expected.len() - known) as i64, "{query:?}");
    let count = |measures: &Measures| measures.requests;
    let series: i64 = found.series.iter().map(|point| count(&point.measures)).sum();
    assert_eq!(series, if query.interval.is_some() { sums.requests } else { 0 }, "{query:?}");
    let groups: i64 = found.groups.iter().map(|group| count(&group.measures)).sum();
    assert_eq!(groups, if query.group_by.is_empty() { 0 } else { sums.requests }, "{query:?}");
    for group in &found.groups {
        assert_eq!(group.values.len(), query.group_by.len(), "{query:?}");
    }
    assert!(found.series.is_sorted_by_key(|point| point.start), "{query:?}");
}

pub(super) fn metrics(mut backend: Backend) {
    let calls = metrics_calls();
    fill(&mut backend, &calls);
    let text = |text: &str| Some(text.to_owned());
    let bounds = [
        (None, None),
        (Some(60), Some(200_040)),
        (Some(86_400), Some(172_800)),
        (Some(660), Some(720)),
    ];
    let filters = [
        MetricsQuery::default(),
        MetricsQuery { source: text("a"), ..MetricsQuery::default() },
        MetricsQuery { source: text("b"), model: text("m-2024-08-06"), ..MetricsQuery::default() },
        MetricsQuery { user_id: text("u-5"), ..MetricsQuery::default() },
    ];
    let intervals = [None, Some(Interval::Day), Some(Interval::Hour), Some(Interval::Minute)];
    for filter in &filters {
        for (from, to) in bounds {
            for interval in intervals {
                for group_by in [
                    vec![],
                    vec![Dimension::Source],
                    vec![Dimension::Outcome],
                    vec![Dimension::Model, Dimension::Source],
                    vec![Dimension::User, Dimension::Source],
                ] {
                    let (from, to) = (from.map(Call::time), to.map(Call::time));
                    let query = MetricsQuery { from, to, interval, group_by, ..filter.clone() };
                    check_metrics(&backend, &calls, &query);
                }
            }
        }
    }
    let by_two = MetricsQuery {
        group_by: vec![Dimension::Source, Dimension::User],
        ..MetricsQuery::default()
    };
    for group in backend.reader.metrics(&by_two).unwrap().groups {
        let [Some(source), Some(user)] = group.values.as_slice() else {
            panic!("{:?}", group.values);
        };
        let same = |call: &&Call| call.source == source && call.user == user;
        let expected = calls.iter().filter(same).count();
        assert_eq!(group.measures.requests, expected as i64, "{source} {user}");
    }
    let all = backend.reader.metrics(&MetricsQuery::default()).unwrap().totals;
    let p50 = all.latency_p50_ms.unwrap();
    assert!((p50 - 298.0).abs() < 298.0 / 16.0, "{p50}");
}

pub(super) fn request_ids(mut backend: Backend) {
    let mut journal = Builder::default();
    let calls = [call(0, 10), call(1, 20), call(2, 30)];
    let mut records = journal.calls(&calls);
    for record in &mut records {
        if record.decision_id != calls[2].id() {
            record.request_id = "shared".to_owned();
        }
    }
    backend.writer.apply(&records, &journal.end()).unwrap();
    let found = backend.reader.by_request_id("shared").unwrap().unwrap();
    assert_eq!(found.decision.id, calls[1].id());
    assert_eq!(found.other_ids, [calls[0].id()]);
    assert_eq!(backend.reader.by_request_id("none").unwrap(), None);
}
