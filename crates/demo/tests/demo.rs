//! Provider and traffic against each other, over TCP.
#![expect(clippy::expect_used, reason = "a helper of tests fails the test")]

use demo::{Pace, Provider, ProviderOptions, Traffic, TrafficOptions};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

async fn run(error_one_in: u64, calls: u64) -> demo::Summary {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gateway_url = format!("http://{}", listener.local_addr().expect("bound"));
    let provider = Provider::new(ProviderOptions { pace: Pace::default(), error_one_in });
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(provider.serve(listener, async move {
        let _ = stopped.await;
    }));
    let traffic = Traffic::new(TrafficOptions {
        gateway_url,
        api_key: "al_gw_demo".to_owned(),
        calls: Some(calls),
        pause: Duration::ZERO,
        seed: 7,
    });
    let summary = traffic.run().await;
    drop(stop);
    server.await.expect("the server ends when told");
    summary
}

#[tokio::test]
async fn traffic_is_answered() {
    let summary = run(0, 60).await;
    assert_eq!((summary.sent, summary.refused), (60, 0));
    assert_eq!(summary.ok + summary.broken, 60);
    assert!(summary.broken < 10, "{summary:?}");
}

#[tokio::test]
async fn some_calls_fail_where_asked_for() {
    let summary = run(4, 40).await;
    assert_eq!(summary.refused, 10, "{summary:?}");
}
