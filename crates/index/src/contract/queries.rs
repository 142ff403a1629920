//! Free SQL.

use super::{Backend, Builder, Call};
use crate::{Error, Relation, SqlLimits};
use serde_json::Value;

/// The queries that the audit-trail document prints, character for character.
pub const PRINTED: [&str; 6] = [
    "SELECT * FROM audit_events \nWHERE trace_id = '550e8400-e29b-41d4-a716-446655440000'\nORDER BY timestamp;\n",
    "SELECT * FROM audit_events \nWHERE request_id = 'request-uuid-here'\nORDER BY timestamp;\n",
    "SELECT * FROM audit_events \nWHERE event_data->>'user_id' = 'user123'\nORDER BY timestamp DESC;\n",
    "SELECT * FROM audit_events \nWHERE event_type IN ('request_blocked', 'response_blocked', 'request_escalated', 'response_escalated')\nORDER BY timestamp DESC;\n",
    "SELECT * FROM audit_events \nWHERE event_type = 'policy_evaluation_complete'\nAND timestamp > NOW() - INTERVAL '24 hours';\n",
    "SELECT * FROM audit_events \nWHERE timestamp BETWEEN '2024-01-01' AND '2024-01-31'\nAND event_data->>'outcome' = 'BLOCK'\nORDER BY timestamp DESC;\n",
];

fn fill(backend: &mut Backend, calls: &[Call]) {
    let mut journal = Builder::default();
    let records = journal.calls(calls);
    backend.writer.apply(&records, &journal.end()).unwrap();
}

fn call(number: u64, second: i64) -> Call {
    Call { second, number, ..Call::default() }
}

pub(super) fn printed_queries(mut backend: Backend) {
    let mut journal = Builder::default();
    let now = event::Timestamp::now();
    let mut recent = journal.calls(&[call(0, 1)]);
    let mut january = journal.calls(&[
        Call { user: "user123", outcome: "BLOCK", status: Some(403), ..call(2, 2) },
        call(4, 3),
    ]);
    for record in &mut january {
        record.request_id = "request-uuid-here".to_owned();
        for event in &mut record.events {
            event.timestamp = "2024-01-15T10:00:00Z".parse().unwrap();
        }
    }
    for event in recent.iter_mut().flat_map(|record| &mut record.events) {
        event.timestamp = now;
    }
    recent.append(&mut january);
    backend.writer.apply(&recent, &journal.end()).unwrap();
    let rows = PRINTED.map(|sql| {
        let answer = backend.reader.sql(sql, &[], &SqlLimits::default()).unwrap();
        let columns: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
        assert_eq!(
            columns,
            [
                "event_id",
                "decision_id",
                "trace_id",
                "request_id",
                "event_type",
                "component",
                "timestamp",
                "event_data"
            ]
        );
        answer.rows.len()
    });
    assert_eq!(rows, [4, 8, 4, 1, 1, 2]);
}

/// Queries and what they give of [`free_queries`]' calls.
const ANSWERED: &[(&str, &str)] = &[
    ("SELECT count(*) FROM audit_logs", "[[3]]"),
    (
        "SELECT id FROM audit_logs WHERE cost_usd > 9.5 AND streamed = true",
        r#"[["0191e4c2-7f00-7000-8000-000000000001"]]"#,
    ),
    ("SELECT cost_usd FROM audit_logs ORDER BY cost_usd DESC LIMIT 1", r#"[["12.5"]]"#),
    ("SELECT max(cost_usd), min(cost_usd) FROM public.audit_logs", "[[12.5,0.0001475]]"),
    (
        "SELECT source, count(*) AS n FROM audit_logs GROUP BY 1 HAVING count(*) > 1",
        r#"[["finance-app",2]]"#,
    ),
    (
        "SELECT count(*) FROM audit_logs WHERE prompt_preview ILIKE '%LATE%' AND prompt_preview NOT LIKE '%LATE%'",
        "[[1]]",
    ),
    ("SELECT count(*) FROM audit_logs WHERE prompt_preview = 'It''s late'", "[[1]]"),
    ("SELECT count(*) FROM audit_events WHERE event_data->>'status_code' = '500'", "[[1]]"),
    (
        "SELECT (event_data->>'latency_ms')::numeric FROM audit_events WHERE event_type = 'request_completed' AND (event_data->>'latency_ms')::float > 100.5",
        "[[900]]",
    ),
    (
        "SELECT event_data->'usage'->>'input_tokens', event_data #>> '{usage,output_tokens}' FROM audit_events WHERE event_type = 'request_completed' LIMIT 1",
        r#"[["20","10"]]"#,
    ),
    (
        "SELECT event_data->>'stream' FROM audit_events WHERE event_type = 'request_received' LIMIT 1",
        r#"[["true"]]"#,
    ),
    (
        "SELECT date_trunc('day', timestamp) AS day, count(*) FROM audit_logs GROUP BY day ORDER BY day",
        r#"[["2026-11-21T00:00:00.000000Z",2],["2026-11-22T00:00:00.000000Z",1]]"#,
    ),
    ("SELECT count(*) FROM audit_logs WHERE timestamp::date = '2026-11-21'", "[[2]]"),
    (
        "SELECT count(*) FROM audit_logs WHERE timestamp >= '2026-11-21' AND timestamp < timestamp '2026-11-21' + interval '1 hour'",
        "[[1]]",
    ),
    ("SELECT count(*) FROM audit_logs WHERE timestamp <= '2026-11-21 01:00+00'", "[[2]]"),
    ("SELECT extract(hour FROM timestamp)::int FROM audit_logs WHERE source = 'hr-app'", "[[1]]"),
    (
        "SELECT count(*) FILTER (WHERE status_code >= 500), round(avg(latency_ms)::numeric, 1) FROM audit_logs",
        "[[1,366.7]]",
    ),
    (
        "WITH slow AS (SELECT * FROM audit_logs WHERE latency_ms > 500) SELECT source FROM slow",
        r#"[["hr-app"]]"#,
    ),
    (
        "SELECT l.source, e.event_type FROM audit_logs l JOIN audit_events e ON e.decision_id = l.id WHERE l.id = (SELECT id FROM audit_logs ORDER BY timestamp LIMIT 1 OFFSET 1) AND e.component = 'model_router'",
        r#"[["hr-app","routing_start"]]"#,
    ),
    ("SELECT session_id, decisions, total_tokens FROM sessions", r#"[["s-1",1,30]]"#),
    (
        "SELECT model, decisions FROM model_metadata ORDER BY first_seen LIMIT 1",
        r#"[["gpt-4o-2024-08-06",3]]"#,
    ),
    ("SELECT outcome, reason, decided_by FROM decision_outcomes", "[]"),
    ("SELECT count(*) FROM compliance_reports", "[[0]]"),
    ("SELECT violations FROM audit_logs WHERE violations LIKE '%pii%'", r#"[[["pii"]]]"#),
    (
        "SELECT source FROM audit_logs UNION SELECT user_id FROM audit_logs ORDER BY 1",
        r#"[["finance-app"],["hr-app"],["u-42"]]"#,
    ),
    (
        "SELECT source FROM (SELECT source, row_number() OVER (ORDER BY timestamp DESC) AS n FROM audit_logs) t WHERE n = 2",
        r#"[["hr-app"]]"#,
    ),
    (
        "SELECT CASE WHEN status_code >= 500 THEN 'bad' ELSE 'good' END, coalesce(session_id, '-') FROM audit_logs ORDER BY timestamp DESC LIMIT 1",
        r#"[["bad","-"]]"#,
    ),
    (
        "SELECT now() > '2026-01-01'::timestamptz, left(source, 2), position('app' in source) FROM audit_logs WHERE source = 'hr-app' -- comment",
        r#"[[1,"hr",4]]"#,
    ),
];

/// Queries that are refused, and what the refusal says.
const REFUSED: &[(&str, &str)] = &[
    ("", "empty"),
    ("SELECT 1; SELECT 2", "more than one"),
    ("DELETE FROM audit_logs", "DELETE is not allowed"),
    ("UPDATE audit_logs SET source = 'x'", "UPDATE is not allowed"),
    ("INSERT INTO audit_logs (id) VALUES ('x')", "INSERT is not allowed"),
    ("DROP TABLE audit_logs", "DROP is not allowed"),
    ("PRAGMA user_version", "PRAGMA is not allowed"),
    ("ATTACH DATABASE 'x' AS y", "ATTACH is not allowed"),
    ("SELECT * INTO copy FROM audit_logs", "SELECT INTO"),
    ("SELECT * FROM audit_logs FOR UPDATE", "FOR UPDATE"),
    ("SELECT * FROM users", "no table users"),
    ("SELECT * FROM sqlite_master", "no table sqlite_master"),
    ("SELECT * FROM audit_search", "no table"),
    ("SELECT * FROM rollups", "no table"),
    ("SELECT * FROM other.audit_logs", "no table"),
    ("SELECT * FROM generate_series(1, 10)", "not supported in FROM"),
    ("SELECT * FROM pragma_table_info('audit_logs')", "not supported in FROM"),
    ("SELECT _row FROM audit_logs", "no column"),
    ("SELECT load_extension('x')", "no function load_extension"),
    ("SELECT pg_sleep(10)", "no function pg_sleep"),
    ("SELECT zeroblob(1000000000)", "no function zeroblob"),
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
        "RECURSIVE",
    ),
    ("SELECT * FROM audit_logs WHERE timestamp > 'soon'", "\"soon\" is not a time"),
    ("SELECT now() - interval 'a while'", "not an interval"),
    ("SELECT * FROM audit_logs WHERE source ~ 'x'", "regular expressions"),
    ("SELECT * FROM audit_logs WHERE id = ANY(ARRAY['x'])", "ANY"),
    ("SELECT DISTINCT ON (source) * FROM audit_logs", "DISTINCT ON"),
    ("SELECT nothing FROM audit_logs", "nothing"),
    ("SELECT \"no such\" FROM audit_logs", "no such"),
    ("SELECT $1", "parameters"),
    ("SELEKT", "SELEKT"),
    ("SELECT 'unterminated", "read"),
];

/// Rows that come with a query are read like a table, and hidden by one of its own.
fn rows_beside(backend: &Backend) {
    let people = |rows: Vec<Vec<Value>>| Relation {
        name: "users",
        columns: &["username", "created_at", "disabled"],
        rows,
    };
    let ann = vec![Value::from("ann's \\ \"u-42\""), Value::Null, Value::from(true)];
    let bob = vec![Value::from("u-42"), Value::from("2026-11-21"), Value::from(false)];
    let both = [people(vec![ann, bob])];
    for (sql, expected) in [
        (
            "SELECT * FROM Users ORDER BY username",
            r#"[["ann's \\ \"u-42\"",null,1],["u-42","2026-11-21",0]]"#,
        ),
        (
            "SELECT count(*) FROM audit_logs WHERE user_id IN (SELECT username FROM public.users)",
            "[[3]]",
        ),
        ("WITH few AS (SELECT * FROM users LIMIT 1) SELECT count(*) FROM few, users", "[[2]]"),
        ("WITH users AS (SELECT 1 AS one) SELECT * FROM users", "[[1]]"),
    ] {
        let answer = backend.reader.sql(sql, &both, &SqlLimits::default());
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(serde_json::to_value(answer.unwrap().rows).unwrap(), expected, "{sql}");
    }
    let none = [people(Vec::new())];
    let answer = backend.reader.sql("SELECT * FROM users", &none, &SqlLimits::default()).unwrap();
    assert_eq!(answer.columns, ["username", "created_at", "disabled"]);
    assert!(answer.rows.is_empty());
    let refused = backend.reader.sql("SELECT * FROM users", &[], &SqlLimits::default());
    assert!(matches!(refused, Err(Error::BadQuery(text)) if text.contains("no table users")));
}

fn ask(backend: &Backend, sql: &str) -> Vec<Vec<Value>> {
    match backend.reader.sql(sql, &[], &SqlLimits::default()) {
        Ok(answer) => answer.rows,
        Err(error) => panic!("{sql}: {error}"),
    }
}

pub(super) fn free_queries(mut backend: Backend) {
    let calls = [
        Call { session: Some("s-1"), prompt: "It's late", violations: &["pii"], ..call(0, 0) },
        Call { source: "hr-app", cost: Some("12.5"), latency_ms: 900.0, ..call(1, 3_600) },
        Call { status: Some(500), cost: Some("9"), ..call(2, 90_000) },
    ];
    fill(&mut backend, &calls);
    for (sql, expected) in ANSWERED {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let mut found = serde_json::to_value(ask(&backend, sql)).unwrap();
        same_numbers(&mut found);
        let mut wanted = expected.clone();
        same_numbers(&mut wanted);
        assert_eq!(found, wanted, "{sql}");
    }
    rows_beside(&backend);
    // Bounds.
    let few = SqlLimits { rows_max: 2, ..SqlLimits::default() };
    let answer = backend.reader.sql("SELECT * FROM audit_events", &[], &few).unwrap();
    assert!(answer.truncated && answer.rows.len() == 2);
    let small = SqlLimits { bytes_max: 100, ..SqlLimits::default() };
    let answer = backend.reader.sql("SELECT * FROM audit_events", &[], &small).unwrap();
    assert!(answer.truncated && answer.rows.len() == 1);
    let short = SqlLimits { time_ms: 50, ..SqlLimits::default() };
    let bomb = "SELECT count(*) FROM audit_events a, audit_events b, audit_events c, audit_events d, audit_events e, audit_events f, audit_events g, audit_events h, audit_events i";
    assert!(matches!(backend.reader.sql(bomb, &[], &short), Err(Error::Timeout { limit_ms: 50 })));
    assert_eq!(ask(&backend, "SELECT count(*) FROM audit_logs"), [[Value::from(3)]]);
}

/// Backends may give a whole number as integer, float or truth value.
fn same_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(same_numbers),
        Value::Bool(truth) => *value = f64::from(u8::from(*truth)).into(),
        Value::Number(number) => {
            let float = number.as_f64().unwrap();
            *value = float.into();
        }
        _ => {}
    }
}

pub(super) fn refused_queries(mut backend: Backend) {
    fill(&mut backend, &[call(0, 0)]);
    for (sql, part) in REFUSED {
        match backend.reader.sql(sql, &[], &SqlLimits::default()) {
            Err(Error::BadQuery(message)) => {
                assert!(message.contains(part), "{sql}: {message:?} does not say {part:?}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let chain = format!("SELECT 1{} FROM audit_logs", " + 1".repeat(5_000));
    for sql in [deep, chain] {
        let refused = backend.reader.sql(&sql, &[], &SqlLimits::default());
        assert!(matches!(refused, Err(Error::BadQuery(_))), "{refused:?}");
    }
    assert_eq!(ask(&backend, "SELECT count(*) FROM audit_logs"), [[Value::from(1)]]);
}
