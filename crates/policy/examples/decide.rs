//! How long a decision takes, by the number of policies.
//!
//! `cargo run --release -p policy --example decide`

use policy::{Bundle, Facts, FindingFact, Source, starter};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 2_000;

fn main() {
    measure("the starter bundle", &starter());
    for (name, text) in [
        ("50 that read the context", plain(50)),
        ("1,000 that read the context", plain(1_000)),
        ("1,000 by user, source or model", scoped(1_000)),
    ] {
        measure(name, &[Source { name: "a.cedar".to_owned(), text }]);
    }
}

fn measure(name: &str, sources: &[Source]) {
    let started = Instant::now();
    let bundle = match Bundle::parse(sources) {
        Ok(bundle) => bundle,
        Err(error) => return report(&format!("error: {error}")),
    };
    let loading = started.elapsed();
    let facts = facts();
    let mut nanos: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            black_box(bundle.decide(black_box(&facts)));
            started.elapsed().as_nanos()
        })
        .collect();
    nanos.sort_unstable();
    let at = |share: usize| nanos[ROUNDS * share / 100] as f64 / 1_000.0;
    report(&format!(
        "{name}: p50 {:.1} µs, p99 {:.1} µs (loaded in {} ms)",
        at(50),
        at(99),
        loading.as_millis()
    ));
}

#[expect(clippy::print_stdout, reason = "this is what it is run for")]
fn report(line: &str) {
    println!("{line}");
}

fn facts() -> Facts {
    Facts {
        source: "finance-app".to_owned(),
        user: "u-42".to_owned(),
        request_type: "summarise".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        provider: "openai".to_owned(),
        data_classes: vec!["pii".to_owned()],
        findings: vec![FindingFact::new("email", 2, 1.0), FindingFact::new("phone", 1, 0.8)],
        request_bytes: 2_048,
        estimated_tokens: 512,
        roles: vec!["system".to_owned(), "user".to_owned()],
        at: 1_772_620_200_000_000,
        ..Facts::default()
    }
}

fn plain(count: usize) -> String {
    let one = |at: usize| {
        format!(
            "@id(\"p{at}\") @outcome(\"FLAG\") forbid (principal, action, resource)
             when {{ context.data_classes.contains(\"pii\") && context.source == \"source-{at}\" && context.estimated_tokens > {at} }};\n"
        )
    };
    (0..count).map(one).collect()
}

fn scoped(count: usize) -> String {
    let one = |at: usize| {
        let scope = match at % 3 {
            0 => format!("principal == User::\"u-{at}\", action, resource"),
            1 => format!("principal in Source::\"s-{at}\", action, resource"),
            _ => format!("principal, action, resource == Model::\"m-{at}\""),
        };
        format!(
            "@id(\"p{at}\") @outcome(\"FLAG\") forbid ({scope}) when {{ context.findings.email.count > 1 }};\n"
        )
    };
    (0..count).map(one).collect()
}
