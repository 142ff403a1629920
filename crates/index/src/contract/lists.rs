//! Lists of decisions.

use super::{Backend, Builder, Call};
use crate::{DecisionFilter, Error, IndexReader, Page, Search, Sort, StatusFilter};
use event::Origin;

fn fill(backend: &mut Backend, calls: &[Call]) {
    let mut journal = Builder::default();
    let records = journal.calls(calls);
    backend.writer.apply(&records, &journal.end()).unwrap();
}

fn numbers(reader: &dyn IndexReader, filter: &DecisionFilter, page: &Page) -> Vec<u64> {
    let listed = reader.list(filter, page).unwrap();
    listed.items.iter().map(|item| (item.id.as_u128() & 0xffff) as u64).collect()
}

fn search_for(text: &str) -> Search {
    text.parse().unwrap()
}

fn filter_calls() -> Vec<Call> {
    vec![
        Call { number: 0, second: 10, ..Call::default() },
        Call { number: 1, second: 20, source: "hr-app", user: "u-7", ..Call::default() },
        Call { number: 2, second: 30, session: Some("s-1"), model: "claude", ..Call::default() },
        Call { number: 3, second: 40, status: Some(503), latency_ms: 2_000.0, ..Call::default() },
        Call {
            number: 4,
            second: 50,
            outcome: "BLOCK",
            status: Some(451),
            violations: &["secrets", "pii"],
            ..Call::default()
        },
        Call { number: 5, second: 60, status: None, cost: None, ..Call::default() },
        Call { number: 6, second: 70, cost: Some("1.25"), ..Call::default() },
    ]
}

fn filter_cases() -> Vec<(DecisionFilter, &'static [u64])> {
    let text = |text: &str| Some(text.to_owned());
    let some = DecisionFilter::default;
    vec![
        (some(), &[7, 6, 5, 4, 3, 2, 1, 0]),
        (DecisionFilter { source: text("hr-app"), ..some() }, &[1]),
        (DecisionFilter { user_id: text("u-7"), ..some() }, &[1]),
        (DecisionFilter { session_id: text("s-1"), ..some() }, &[2]),
        (DecisionFilter { decision_type: text("summarise"), ..some() }, &[7, 6, 5, 4, 3, 2, 1, 0]),
        (DecisionFilter { decision_type: text("chat"), ..some() }, &[]),
        (DecisionFilter { provider: text("openai"), ..some() }, &[6, 3, 2, 1, 0]),
        (DecisionFilter { model: text("claude"), ..some() }, &[2]),
        (DecisionFilter { model: text("claude-2024-08-06"), ..some() }, &[2]),
        (DecisionFilter { status: Some(StatusFilter::Code(503)), ..some() }, &[3]),
        (DecisionFilter { status: Some(StatusFilter::Class(4)), ..some() }, &[4]),
        (DecisionFilter { status: Some(StatusFilter::Error), ..some() }, &[5, 4, 3]),
        (DecisionFilter { status: Some(StatusFilter::Running), ..some() }, &[7]),
        (DecisionFilter { outcome: text("BLOCK"), ..some() }, &[4]),
        (DecisionFilter { policy_id: text("pii"), ..some() }, &[4]),
        (DecisionFilter { policy_id: text("pi"), ..some() }, &[]),
        (DecisionFilter { origin: Some(Origin::Reported), ..some() }, &[]),
        (DecisionFilter { policy_id: text("pii"), source: text("hr-app"), ..some() }, &[]),
        (DecisionFilter { policy_id: text("pii"), source: text("finance-app"), ..some() }, &[4]),
        (DecisionFilter { min_latency_ms: Some(1_000.0), ..some() }, &[3]),
        (DecisionFilter { min_cost_usd: Some("1.25".parse().unwrap()), ..some() }, &[6]),
    ]
}

fn conjunction_cases() -> Vec<(DecisionFilter, &'static [u64])> {
    let text = |text: &str| Some(text.to_owned());
    let some = DecisionFilter::default;
    vec![
        (
            DecisionFilter {
                source: text("hr-app"),
                outcome: text("ALLOW"),
                status: Some(StatusFilter::Code(200)),
                ..some()
            },
            &[1],
        ),
        (
            DecisionFilter {
                status: Some(StatusFilter::Code(200)),
                provider: text("openai"),
                decision_type: text("summarise"),
                from: Some(Call::time(20)),
                to: Some(Call::time(70)),
                ..some()
            },
            &[2, 1],
        ),
        (
            DecisionFilter {
                status: Some(StatusFilter::Code(200)),
                decision_type: text("chat"),
                ..some()
            },
            &[],
        ),
        (
            DecisionFilter {
                trace_id: Some(Call { number: 2, ..Call::default() }.trace_id()),
                ..some()
            },
            &[3, 2],
        ),
        (
            DecisionFilter { from: Some(Call::time(30)), to: Some(Call::time(50)), ..some() },
            &[3, 2],
        ),
        (
            DecisionFilter {
                source: text("finance-app"),
                user_id: text("u-42"),
                status: Some(StatusFilter::Class(5)),
                from: Some(Call::time(0)),
                q: Some(search_for("complaint")),
                ..some()
            },
            &[3],
        ),
        (
            DecisionFilter {
                source: text("finance-app"),
                session_id: text("s-1"),
                outcome: text("ALLOW"),
                sort: Sort::Oldest,
                ..some()
            },
            &[2],
        ),
    ]
}

pub(super) fn filters(mut backend: Backend) {
    fill(&mut backend, &filter_calls());
    // And one that runs.
    let mut journal = Builder::default();
    for _ in 0..14 {
        journal.intent(&Call::default());
    }
    let running = journal.intent(&Call { number: 7, second: 80, ..Call::default() });
    backend.writer.apply(std::slice::from_ref(&running), &running.next).unwrap();
    for (filter, expected) in filter_cases().into_iter().chain(conjunction_cases()) {
        assert_eq!(numbers(&*backend.reader, &filter, &Page::default()), expected, "{filter:?}");
    }
}

fn many() -> Vec<Call> {
    (0..57)
        .map(|number| Call {
            number,
            // Out of order: the time decides, not the place in the journal.
            second: (number as i64 * 31) % 57,
            latency_ms: f64::from((number as u16 * 7) % 10),
            cost: Some(["0.5", "0.25", "0.125"][number as usize % 3]),
            prompt: if number % 2 == 0 { "even refund" } else { "odd refund" },
            source: if number % 3 == 0 { "hr-app" } else { "finance-app" },
            ..Call::default()
        })
        .collect()
}

fn walk(reader: &dyn IndexReader, filter: &DecisionFilter, limit: u32) -> Vec<u64> {
    let mut all = Vec::new();
    let mut page = Page::first(limit);
    loop {
        let listed = reader.list(filter, &page).unwrap();
        assert!(listed.items.len() <= limit as usize);
        all.extend(listed.items.iter().map(|item| (item.id.as_u128() & 0xffff) as u64));
        match listed.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => return all,
        }
    }
}

pub(super) fn pages_are_complete_and_stable(mut backend: Backend) {
    let calls = many();
    fill(&mut backend, &calls);
    let filters = [
        DecisionFilter::default(),
        DecisionFilter { sort: Sort::Oldest, ..DecisionFilter::default() },
        DecisionFilter { sort: Sort::Slowest, ..DecisionFilter::default() },
        DecisionFilter { sort: Sort::Dearest, ..DecisionFilter::default() },
        DecisionFilter { q: Some(search_for("refund")), ..DecisionFilter::default() },
        DecisionFilter { user_id: Some("u-42".to_owned()), ..DecisionFilter::default() },
    ];
    for filter in filters {
        let whole = walk(&*backend.reader, &filter, 500);
        assert_eq!(whole.len(), calls.len(), "{filter:?}");
        for limit in [1, 10, 19, 57] {
            assert_eq!(walk(&*backend.reader, &filter, limit), whole, "{filter:?} by {limit}");
        }
    }
    // What arrives while somebody pages does not shift the pages.
    let filter = DecisionFilter::default();
    let whole = walk(&*backend.reader, &filter, 500);
    let first = backend.reader.list(&filter, &Page::first(20)).unwrap();
    let mut journal = Builder::default();
    journal.calls(&calls);
    let records = journal.calls(&[Call { number: 900, second: 10_000, ..Call::default() }]);
    backend.writer.apply(&records, &journal.end()).unwrap();
    let second = Page { limit: 20, cursor: first.next_cursor };
    assert_eq!(numbers(&*backend.reader, &filter, &second), whole[20..40]);
}

pub(super) fn orders(mut backend: Backend) {
    fill(&mut backend, &many());
    let sorted = |sort| {
        let filter = DecisionFilter { sort, ..DecisionFilter::default() };
        backend.reader.list(&filter, &Page::first(500)).unwrap().items
    };
    assert!(sorted(Sort::Newest).is_sorted_by(|a, b| a.timestamp >= b.timestamp));
    assert!(sorted(Sort::Oldest).is_sorted_by(|a, b| a.timestamp <= b.timestamp));
    assert!(sorted(Sort::Slowest).is_sorted_by(|a, b| a.latency_ms >= b.latency_ms));
    assert!(sorted(Sort::Dearest).is_sorted_by(|a, b| a.cost_usd >= b.cost_usd));
}

pub(super) fn cursors_are_bound(mut backend: Backend) {
    fill(&mut backend, &many());
    let filter = DecisionFilter::default();
    let cursor = backend.reader.list(&filter, &Page::first(5)).unwrap().next_cursor;
    let page = Page { limit: 5, cursor };
    assert_eq!(numbers(&*backend.reader, &filter, &page).len(), 5);
    let other = DecisionFilter { source: Some("hr-app".to_owned()), ..filter.clone() };
    assert!(matches!(backend.reader.list(&other, &page), Err(Error::ForeignCursor)));
    let mut tampered = page.cursor.unwrap();
    let last = if tampered.ends_with('A') { "Q" } else { "A" };
    tampered.replace_range(4..5, last);
    let page = Page { limit: 5, cursor: Some(tampered) };
    assert!(matches!(backend.reader.list(&filter, &page), Err(Error::BadCursor)));
}

/// Searches and what they find of [`search`]'s calls.
const SEARCHES: &[(&str, &[u64])] = &[
    ("refund", &[5, 4, 0]),
    ("REFUND", &[5, 4, 0]),
    ("refund ai", &[0]),
    ("ref*", &[5, 4, 0]),
    ("ref", &[]),
    ("退款", &[1]),
    ("要求退款", &[1]),
    ("票", &[1]),
    ("好的", &[1]),
    ("再発行", &[2]),
    ("استرداد", &[3]),
    ("تم", &[3]),
    ("o'brien", &[4]),
    ("\"said refund\"", &[4]),
    ("\"refund said\"", &[]),
    ("\"refund\" OR 票", &[5, 4, 1, 0]),
    ("-refund", &[3, 2, 1]),
    ("refund -(ai OR plain)", &[4]),
    ("refund ai source:finance-app", &[0]),
    ("refund source:hr-app", &[]),
    ("", &[5, 4, 3, 2, 1, 0]),
];

pub(super) fn search(mut backend: Backend) {
    fill(
        &mut backend,
        &[
            Call {
                number: 0,
                second: 1,
                prompt: "Refund for AI service",
                answer: "No",
                ..Call::default()
            },
            Call {
                number: 1,
                second: 2,
                prompt: "客户要求退款和发票",
                answer: "好的",
                ..Call::default()
            },
            Call {
                number: 2,
                second: 3,
                prompt: "領収書を再発行してください",
                answer: "承知しました",
                ..Call::default()
            },
            Call {
                number: 3,
                second: 4,
                prompt: "أريد استرداد المبلغ",
                answer: "تَمَّ",
                ..Call::default()
            },
            Call {
                number: 4,
                second: 5,
                prompt: "O'Brien said \"refund\" OR nothing",
                answer: "ok",
                ..Call::default()
            },
            Call {
                number: 5,
                second: 6,
                prompt: "plain",
                answer: "a refund was made",
                ..Call::default()
            },
        ],
    );
    for (q, expected) in SEARCHES {
        let filter = DecisionFilter { q: Some(search_for(q)), ..DecisionFilter::default() };
        assert_eq!(numbers(&*backend.reader, &filter, &Page::default()), *expected, "{q:?}");
        let filter =
            DecisionFilter { user_id: Some("u-42".to_owned()), sort: Sort::Slowest, ..filter };
        let mut found = numbers(&*backend.reader, &filter, &Page::default());
        found.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, *expected, "{q:?} with a filter and another order");
    }
}

pub(super) fn equal_times(mut backend: Backend) {
    let calls: Vec<Call> = (0..300).map(|number| Call { number, ..Call::default() }).collect();
    fill(&mut backend, &calls);
    let searched = Some(search_for("complaint"));
    for (sort, q) in [
        (Sort::Newest, None),
        (Sort::Oldest, None),
        (Sort::Newest, searched.clone()),
        (Sort::Oldest, searched),
    ] {
        let filter = DecisionFilter { q, sort, ..DecisionFilter::default() };
        let mut all = walk(&*backend.reader, &filter, 7);
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>(), "{sort:?}");
    }
    let span = DecisionFilter {
        from: Some(Call::time(0)),
        to: Some(Call::time(1)),
        ..DecisionFilter::default()
    };
    assert_eq!(walk(&*backend.reader, &span, 500).len(), 300);
}
