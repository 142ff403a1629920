//! A search that is made from a filter finds what the filter finds; and what is found is what
//! fits, decision by decision.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use event::{Decision, Origin};
use index::contract::{Builder, Call};
use index::{DecisionFilter, IndexReader as _, IndexWriter as _, Page, Search, StatusFilter};
use index_sqlite::{SqliteReader, SqliteWriter};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::sync::LazyLock;

const CALLS: u64 = 96;
const SOURCES: [&str; 3] = ["finance-app", "hr-app", "two words"];
const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "claude"];
const PROMPTS: [&str; 4] = [
    "Refund the customer, please",
    "客户要求退款和发票",
    "O'Brien wants a refund now",
    "summarise: a*b",
];

struct Filled {
    reader: SqliteReader,
    all: Vec<Decision>,
    _directory: tempfile::TempDir,
}

fn pick<T: Copy>(from: &[T], number: u64, step: u64) -> T {
    from[usize::try_from(number / step).unwrap() % from.len()]
}

fn call(number: u64) -> Call {
    let outcome = pick(&["ALLOW", "FLAG", "BLOCK", "ALLOW", "two words"], number, 1);
    let status = pick(&[Some(200), None, Some(429), Some(503)], number, 3);
    Call {
        number,
        second: i64::try_from(number * 37 % CALLS).unwrap(),
        source: pick(&SOURCES, number, 1),
        user: pick(&["u-1", "u-2", "\"odd\" \\ user"], number, 2),
        session: pick(&[None, Some("s-1"), Some("s-2")], number, 5),
        model: pick(&MODELS, number, 4),
        status: if outcome == "BLOCK" { Some(403) } else { status },
        outcome,
        latency_ms: pick(&[0.5, 100.0, 500.0, 501.25], number, 2),
        cost: pick(&[None, Some("0.01"), Some("0.25"), Some("1")], number, 7),
        prompt: pick(&PROMPTS, number, 1),
        answer: pick(&["ok", "A refund was made", "発行しました"], number, 3),
        violations: pick(&[&[], &["pii"], &["secrets", "pii"]], number, 6),
    }
}

static FILLED: LazyLock<Filled> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let mut journal = Builder::default();
    let calls: Vec<Call> = (0..CALLS).map(call).collect();
    let mut records = journal.calls(&calls);
    // And some that run.
    records.extend((CALLS..CALLS + 4).map(|number| journal.intent(&call(number))));
    SqliteWriter::open(&path).unwrap().apply(&records, &journal.end()).unwrap();
    let reader = SqliteReader::open(&path).unwrap();
    let all = reader.list(&DecisionFilter::default(), &Page::first(500)).unwrap().items;
    assert_eq!(all.len() as u64, CALLS + 4);
    Filled { reader, all, _directory: directory }
});

fn found(filter: &DecisionFilter) -> Vec<uuid::Uuid> {
    let listed = FILLED.reader.list(filter, &Page::first(500)).unwrap();
    listed.items.iter().map(|decision| decision.id).collect()
}

fn fitting(search: &Search) -> Vec<uuid::Uuid> {
    FILLED.all.iter().filter(|one| search.fits(one)).map(|one| one.id).collect()
}

fn maybe(names: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.25, select(names).prop_map(str::to_owned))
}

const SEARCHES: &[&str] = &[
    "refund",
    "refund customer",
    "-refund",
    "ref*",
    "退款",
    "\"refund the\"",
    "\"a refund\" OR 発行",
    "refund \"a refund\"",
    "source:(finance-app OR hr-app)",
    "-source:finance-app user:u-*",
    "model:gpt-4o* -model:gpt-4o",
    "latency:>500 OR -latency:<=500",
    "latency:(>=100 <501)",
    "cost:>=0.01 cost:<1",
    "-cost:>0",
    "status:>=400 -status:429",
    "status:(4xx OR running)",
    "-status:error",
    "has:violation -policy:secrets",
    "-policy:p*",
    "has:session (outcome:block OR outcome:flag)",
    "-(has:cost has:tokens)",
    "error:interrupted",
    "from:2026-11-21T00:00:10Z -time:>=2026-11-21T00:00:50Z",
    "time:2026-11-21 ending:complete",
    "origin:observed -origin:reported request:request-7*",
    "trace:550e8400-e29b-41d4-a716-446655440003",
    "tokens:30 input:<21 output:>=10 -cached:>=0",
    "user:\"\\\"odd\\\" \\\\ user\" has:answer -has:review -has:flag has:stream",
];

prop_compose! {
    fn filters()(
        source in maybe(&["finance-app", "hr-app", "two words", "nobody", "-x"]),
        user_id in maybe(&["u-1", "u-2", "\"odd\" \\ user", "*"]),
        session_id in maybe(&["s-1", "s-2", ""]),
        decision_type in maybe(&["summarise", "ask"]),
        provider in maybe(&["openai", ">x"]),
        model in maybe(&["gpt-4o", "gpt-4o-2024-08-06", "claude", "gpt*"]),
        outcome in maybe(&["ALLOW", "BLOCK", "block", "two words"]),
        policy_id in maybe(&["pii", "secrets", "p"]),
        status in prop::option::weighted(0.25, select(&[
            StatusFilter::Code(200), StatusFilter::Class(4), StatusFilter::Class(5),
            StatusFilter::Error, StatusFilter::Running,
        ][..])),
        reported in prop::option::weighted(0.1, any::<bool>()),
        trace in prop::option::weighted(0.1, any::<Index>()),
        times in prop::option::weighted(0.3, (0..120_i64, 0..120_i64)),
        min_latency_ms in prop::option::weighted(0.25, select(&[0.0, 0.5, 100.1, 501.25][..])),
        cost in prop::option::weighted(0.25, select(&["0", "0.01", "0.010000000001", "1"][..])),
        q in prop::option::weighted(0.5, select(SEARCHES)),
    ) -> DecisionFilter {
        DecisionFilter {
            source, user_id, session_id, decision_type, provider, model, outcome, policy_id, status,
            origin: reported.map(|yes| if yes { Origin::Reported } else { Origin::Observed }),
            trace_id: trace.map(|at| FILLED.all[at.index(FILLED.all.len())].trace_id),
            from: times.map(|(from, _)| Call::time(from)),
            to: times.map(|(_, to)| Call::time(to)),
            min_latency_ms,
            min_cost_usd: cost.map(|cost| cost.parse().unwrap()),
            q: q.map(|text| text.parse().unwrap()),
            ..DecisionFilter::default()
        }
    }
}

#[test]
fn each_search_finds_what_fits_it() {
    for text in SEARCHES {
        let search: Search = text.parse().unwrap();
        let expected = fitting(&search);
        assert!(!expected.is_empty() && expected.len() < FILLED.all.len(), "{text} tells nothing");
        assert_eq!(
            found(&DecisionFilter { q: Some(search), ..<_>::default() }),
            expected,
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_search_made_from_a_filter_finds_what_the_filter_finds(filter in filters()) {
        let search = filter.to_search();
        let by_filter = found(&filter);
        let read: Search = search.to_string().parse().unwrap();
        prop_assert_eq!(fitting(&read), by_filter.clone(), "{}", search);
        let by_search = found(&DecisionFilter { q: Some(read), ..<_>::default() });
        prop_assert_eq!(by_search, by_filter, "{}", search);
    }

    #[test]
    fn two_searches_in_any_combination_find_what_fits(
        one in select(SEARCHES), other in select(SEARCHES), either: bool, not: bool,
    ) {
        let between = if either { "OR" } else { "AND" };
        let not = if not { "-" } else { "" };
        let search: Search = format!("({one}) {between} {not}({other})").parse().unwrap();
        let by_search = found(&DecisionFilter { q: Some(search.clone()), ..<_>::default() });
        prop_assert_eq!(by_search, fitting(&search), "{}", search);
    }
}
