//! Models and limits, from the configuration and the command line to the record.

use crate::support::{call, on, run_in, server};
use serde_json::{Value, json};
use testkit::{Behaviour, Fault, MockProvider, refused_url};

fn config(first: &str, second: &str) -> String {
    format!(
        r#"
        [[providers]]
        name = "first"
        kind = "openai"
        base_url = "{first}"
        [[providers]]
        name = "second"
        kind = "azure-openai"
        base_url = "{second}"
        api_version = "2024-10-21"
        baa = true
        [[models]]
        name = "gpt-4o"
        retries = 0
        breaker_failures = 2
        targets = [
          {{ provider = "first", model = "gpt-4o-mini" }},
          {{ provider = "second", model = "our 4o" }},
        ]
        "#
    )
}

#[tokio::test]
async fn a_call_falls_back_and_its_trace_says_why() {
    let azure = MockProvider::start(Behaviour::good()).await;
    let server = server().config(&config(&refused_url().await, &azure.url())).start().await;
    let key = server.key("finance-app").await;
    for number in 0..3 {
        let id = format!("r-{number}");
        assert_eq!(call(server.client(), server.gateway_url(), &key, &id).await.status, 200);
    }
    let asked = &azure.received()[0].target;
    assert_eq!(asked, "/openai/deployments/our%204o/chat/completions?api-version=2024-10-21");
    let shown = on(&server, &["show", "r-0", "--json"]).await.json();
    assert_eq!(
        (&shown["provider"], &shown["model_requested"]),
        (&json!("second"), &json!("gpt-4o"))
    );
    let of = |kind: &str| -> Value {
        let events = shown["events"].as_array().unwrap();
        events.iter().find(|event| event["event_type"] == kind).unwrap()["event_data"].clone()
    };
    assert_eq!(of("routing_start")["candidates"], json!(["first/gpt-4o-mini", "second/our 4o"]));
    assert_eq!(of("routing_failed")["next_target"], "second/our 4o");
    assert_eq!(of("routing_success")["fallback_from"], "first/gpt-4o-mini");
    let sent = shown["request"]["upstream"].as_array().unwrap();
    assert_eq!(sent.iter().map(|sent| sent["attempt"].clone()).collect::<Vec<_>>(), [0, 1]);

    let ready = server.client().get(&format!("{}/readyz", server.gateway_url()), &[]).await;
    assert_eq!(ready.json()["targets"][0]["circuit"], "open", "{}", ready.text());
    let figures = server.client().get(&format!("{}/metrics", server.api_url()), &[]).await.text();
    let down = r#"audit_layer_target_up{model="gpt-4o",target="first/gpt-4o-mini"} 0"#;
    assert!(figures.contains(down), "{figures}");
    assert_eq!(on(&server, &["verify"]).await.code, 0);
}

#[tokio::test]
async fn limits_of_a_key_are_set_shown_and_held_across_a_restart() {
    let provider = MockProvider::start(Behaviour::fault(Fault::None)).await;
    let mut server = server().upstream(&provider.url()).start().await;
    let create = ["keys", "create", "--source", "app", "--json", "--requests-per-day", "1"];
    let more = ["--rate", "10/s", "--burst", "20", "--tokens-per-day", "1000000"];
    let cost = ["--cost-per-day", "2.50"];
    let made = on(&server, &[&create[..], &more, &cost].concat()).await.json();
    let limits = json!({
        "rate": "10/s", "burst": 20, "requests_per_day": 1, "tokens_per_day": 1_000_000,
        "cost_per_day": "2.5",
    });
    assert_eq!(made["limits"], limits);
    let listed = on(&server, &["keys", "list"]).await.stdout;
    assert!(listed.contains("10/s, 20 at once, 1 requests/day"), "{listed}");
    let key = made["key"].as_str().unwrap();
    assert_eq!(call(server.client(), server.gateway_url(), key, "r-1").await.status, 200);
    assert!(server.stop().await.success());
    server.start().await;
    let refused = call(server.client(), server.gateway_url(), key, "r-2").await;
    assert_eq!((refused.status, provider.count()), (429, 1));
    let shown = on(&server, &["show", "r-2", "--json"]).await.json();
    assert_eq!(shown["status_code"], 429);
}

#[test]
fn limits_that_make_no_sense_are_wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("--rate", "10", "--rate"),
        ("--cost-per-day", "much", "--cost-per-day"),
        ("--burst", "5", "--rate"),
    ];
    for (flag, value, named) in cases {
        let ran = run_in(directory.path(), &["keys", "create", "--source", "a", flag, value], &[]);
        ran.failed(2, named);
    }
}
