//! Real recorded traffic through the gateway.

use crate::harness::{Harness, Told, settings, with_bundle};
use std::path::Path;
use testkit::{Exchange, ReplayServer, read_exchanges};

/// What they say about injections is a signal, and these speak of them.
const SIGNALS: &str = "test_google_model_armor_prompt_template_text_gets_blocked";

fn exchanges() -> Vec<Exchange> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/fixtures");
    let exchanges = read_exchanges(&fixtures).unwrap();
    assert!(exchanges.len() > 500, "{} exchanges", exchanges.len());
    exchanges
}

/// Sends each and expects its answer, byte for byte; gives what is recorded.
async fn replayed(harness: &Harness, exchanges: &[Exchange]) -> Vec<Told> {
    for exchange in exchanges {
        let url = format!("{}{}", harness.url, exchange.path);
        let headers: Vec<_> =
            harness.headers().into_iter().chain([ReplayServer::choose(exchange)]).collect();
        let answer =
            harness.client.call(&exchange.method, &url, &headers, exchange.request_bytes()).await;
        assert_eq!(answer.status, exchange.status, "{}: {}", exchange.name, answer.text());
        assert_eq!(answer.body, exchange.response_bytes(), "{}", exchange.name);
    }
    harness.ended(exchanges.len()).await
}

#[tokio::test]
async fn every_recorded_exchange_comes_back_byte_identical() {
    let exchanges = exchanges();
    let replay = ReplayServer::start(exchanges.clone()).await;
    let harness = Harness::start(&replay.url()).await;
    let told = replayed(&harness, &exchanges).await;
    for (told, exchange) in told.iter().zip(&exchanges) {
        assert_eq!(told.decision.status_code, Some(exchange.status), "{}", exchange.name);
        assert_eq!(
            told.bodies.get("upstream_response").map_or(0, Vec::len),
            exchange.response_bytes().len(),
            "{}",
            exchange.name
        );
        let body = String::from_utf8(exchange.response_bytes().to_vec()).unwrap();
        let counted = body.contains("\"total_tokens\"") && !body.contains("\"usage\": null");
        if counted && exchange.status == 200 && exchange.method == "POST" {
            assert!(told.decision.total_tokens.is_some(), "{} has no tokens", exchange.name);
        }
    }
}

/// Nothing personal is in them: nothing is refused, held or taken out.
#[tokio::test]
async fn every_recorded_exchange_passes_the_starter_bundle_unharmed() {
    let exchanges = exchanges();
    let replay = ReplayServer::start(exchanges.clone()).await;
    let bundle = policy::Bundle::starter().unwrap();
    let stages = [policy::Stage::Request, policy::Stage::Response];
    assert!(stages.into_iter().all(|stage| bundle.has_stage(stage)));
    let harness = Harness::with(with_bundle(settings(&replay.url()), bundle)).await;
    let told = replayed(&harness, &exchanges).await;
    let mut marked = 0;
    for (told, exchange) in told.iter().zip(&exchanges) {
        let name = &exchange.name;
        let flag = name.contains(SIGNALS);
        marked += u32::from(flag);
        let outcome = if flag { "FLAG" } else { "ALLOW" };
        assert_eq!(told.decision.outcome.as_deref(), Some(outcome), "{name}");
        let judged = told.fields("policy_evaluation_complete", "stage");
        assert_eq!(judged, ["request", "response"], "{name}");
        // But for the usage that is asked for, bytes stay as they are.
        if let Some(sent) = told.bodies.get("upstream_request") {
            let sent = String::from_utf8(sent.clone()).unwrap();
            assert!(sent.contains("include_usage"), "{name}: {sent}");
            assert!(!sent.contains("<EMAIL_1>"), "{name}: {sent}");
        }
    }
    assert!(marked > 0);
}
