//! Real recorded traffic through the gateway.

use crate::harness::Harness;
use std::path::Path;
use testkit::{ReplayServer, read_exchanges};

#[tokio::test]
async fn every_recorded_exchange_comes_back_byte_identical() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/fixtures");
    let exchanges = read_exchanges(&fixtures).unwrap();
    assert!(exchanges.len() > 500, "{} exchanges", exchanges.len());
    let replay = ReplayServer::start(exchanges.clone()).await;
    let harness = Harness::start(&replay.url()).await;
    for exchange in &exchanges {
        let url = format!("{}{}", harness.url, exchange.path);
        let headers: Vec<_> =
            harness.headers().into_iter().chain([ReplayServer::choose(exchange)]).collect();
        let answer =
            harness.client.call(&exchange.method, &url, &headers, exchange.request_bytes()).await;
        assert_eq!(answer.status, exchange.status, "{}: {}", exchange.name, answer.text());
        assert_eq!(answer.body, exchange.response_bytes(), "{}", exchange.name);
    }
    let told = harness.ended(exchanges.len()).await;
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
