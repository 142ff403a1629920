//! `kill -9` under load, a hundred times.

use crate::support::{builder, call, decisions, verify};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::{Behaviour, Client, MockProvider};

const ROUNDS: u64 = 100;
const CALLERS: usize = 8;

/// What a caller saw end whole.
async fn load(
    url: String,
    key: String,
    numbers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let client = Client::new();
    let mut answered = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let id = format!("r-{number}");
        match call(&client, &url, &key, &id, number.is_multiple_of(3)).await {
            Some(answer) if answer.status == 200 => answered.push(id),
            Some(answer) => panic!("{}: {}", answer.status, answer.text()),
            None => break,
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_call_lacks_its_record_over_a_hundred_kills() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let mut server = builder().upstream(&provider.url()).prepare();
    server.start().await;
    let key = server.key("finance-app").await;
    let numbers = Arc::new(AtomicU64::new(0));
    let mut answered = HashSet::new();
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (url, key) = (server.gateway_url().to_owned(), key.clone());
                tokio::spawn(load(url, key, numbers.clone(), stop.clone()))
            })
            .collect();
        // Moments that differ without a random source: a stride that is prime to the span.
        let wanted = provider.count() + 5 + (round * 37 % 101) as usize;
        tokio::time::timeout(Duration::from_secs(60), provider.wait_for(wanted)).await.unwrap();
        server.kill().await;
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            answered.extend(caller.await.unwrap());
        }
        server.start().await;
    }
    assert!(server.stop().await.success());
    let told = decisions(server.data());
    for id in &answered {
        let decision =
            &told.get(id).unwrap_or_else(|| panic!("{id} was answered, not recorded")).decision;
        assert_eq!(decision.ending.as_deref(), Some("complete"), "{id}");
        assert!(decision.output_tokens.is_some(), "{id}");
    }
    for received in provider.received() {
        let id = received.header("x-request-id").unwrap();
        assert!(told.contains_key(id), "{id} reached the provider and was not recorded");
    }
    let cut_off =
        told.values().filter(|told| told.decision.error_code.as_deref() == Some("interrupted"));
    assert!(cut_off.count() > 0, "no kill hit a call: the test shows nothing");
    for (id, told) in &told {
        assert!(told.decision.settled(), "{id} has no end");
        assert!(told.records <= 3, "{id} has {} records", told.records);
    }
    let (code, text) = verify(&server, &["--index"]).await;
    assert_eq!(code, 0, "{text}");
}
