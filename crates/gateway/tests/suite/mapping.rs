//! Which model a call means, and how its request looks at each provider.

use crate::harness::{Harness, provider, settings, with_model};
use crate::models::chat;
use gateway::{Gateway, GatewayError, Provider, ProviderKind, Settings};
use serde_json::json;
use testkit::{Behaviour, MockProvider, Received};

const DATED: &str = "2024-10-21";

fn of_kind(kind: ProviderKind, name: &str, url: &str) -> Provider {
    Provider { kind, ..provider(name, url) }
}

/// The request of a call at a provider of this kind.
async fn seen(
    kind: ProviderKind,
    api_version: Option<&str>,
    path: &str,
    body: &str,
) -> (Received, Harness) {
    let mock = MockProvider::start(Behaviour::good()).await;
    let there = Provider {
        api_version: api_version.map(str::to_owned),
        ..of_kind(kind, "there", &mock.url())
    };
    let harness = Harness::with(with_model(vec![there])).await;
    // The mock has no answer on some of these paths; it still sees what it is asked.
    harness.post(path, body.to_owned()).await;
    (mock.received().remove(0), harness)
}

#[tokio::test]
async fn azure_gets_its_deployment_and_version_wherever_a_call_comes_from() {
    let azure = ProviderKind::AzureOpenAi;
    let (openai, deployed) = ("/v1/chat/completions", "/openai/deployments/m/chat/completions");
    let at_deployment = "/openai/deployments/m-at-there/chat/completions";
    let cases = [
        (azure, Some(DATED), openai, format!("{at_deployment}?api-version={DATED}")),
        (
            azure,
            Some(DATED),
            "/v1/embeddings?x=1",
            format!("/openai/deployments/m-at-there/embeddings?x=1&api-version={DATED}"),
        ),
        (azure, Some(DATED), "/v1/responses", format!("/openai/responses?api-version={DATED}")),
        (azure, None, openai, "/openai/v1/chat/completions".to_owned()),
        (
            azure,
            None,
            "/openai/v1/chat/completions?a=b",
            "/openai/v1/chat/completions?a=b".to_owned(),
        ),
        (
            azure,
            Some(DATED),
            &format!("{deployed}?api-version=2023-05-15"),
            format!("{at_deployment}?api-version=2023-05-15"),
        ),
        (
            azure,
            None,
            &format!("{deployed}?api-version=2023-05-15"),
            format!("{at_deployment}?api-version=2023-05-15"),
        ),
        (
            ProviderKind::OpenAi,
            None,
            &format!("{deployed}?api-version=x&a=b"),
            "/v1/chat/completions?a=b".to_owned(),
        ),
        (
            ProviderKind::OpenAi,
            None,
            "/openai/v1/chat/completions",
            "/v1/chat/completions".to_owned(),
        ),
        (ProviderKind::Generic, None, deployed, at_deployment.to_owned()),
    ];
    for (kind, version, path, expected) in cases {
        let (seen, _harness) = seen(kind, version, path, &chat("m")).await;
        assert_eq!(seen.target, expected, "{path}");
        assert_eq!(seen.body, chat("m-at-there"), "{path}");
    }
}

#[tokio::test]
async fn a_model_that_only_the_path_names_is_put_where_the_target_reads_it() {
    let path = "/openai/deployments/m/chat/completions?api-version=1";
    let body = r#"{"messages": []}"#;
    let (at_azure, _harness) = seen(ProviderKind::AzureOpenAi, None, path, body).await;
    assert_eq!(at_azure.body, body);
    let (at_openai, harness) = seen(ProviderKind::OpenAi, None, path, body).await;
    assert_eq!(at_openai.body, r#"{"model":"m-at-there","messages": []}"#);
    let told = harness.ended(1).await.remove(0);
    assert_eq!(told.parts[&("upstream_request", 0)], at_openai.body);
}

#[tokio::test]
async fn gemini_s_model_is_in_the_path() {
    for action in ["generateContent", "streamGenerateContent?alt=sse", "countTokens"] {
        let path = format!("/v1beta/models/m:{action}");
        let body = r#"{"contents":[{"parts":[{"text":"model"}]}], "model": "m"}"#;
        let (seen, _harness) = seen(ProviderKind::Gemini, None, &path, body).await;
        assert_eq!(seen.target, format!("/v1beta/models/m-at-there:{action}"));
        assert_eq!(seen.body, body);
    }
}

#[tokio::test]
async fn anthropic_s_model_is_in_the_body() {
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        let (seen, _harness) = seen(ProviderKind::Anthropic, None, path, &chat("m")).await;
        assert_eq!((seen.target.as_str(), &seen.body[..]), (path, chat("m-at-there").as_bytes()));
    }
}

#[tokio::test]
async fn each_provider_gets_its_own_credential_and_the_caller_s_only_where_it_has_none() {
    let (a, b) = (
        MockProvider::start(Behaviour::parse("status=500")).await,
        MockProvider::start(Behaviour::good()).await,
    );
    let mut settings = with_model(vec![
        Provider {
            api_key: Some("sk-azure".parse().unwrap()),
            ..of_kind(ProviderKind::AzureOpenAi, "a", &a.url())
        },
        Provider { api_key: Some("sk-openai".parse().unwrap()), ..provider("b", &b.url()) },
    ]);
    settings.authentication = gateway::Authentication::None;
    let harness = Harness::with(settings).await;
    let headers = [
        ("authorization", "Bearer sk-theirs"),
        ("x-llm-source", "app"),
        ("x-llm-user", "u"),
        ("x-llm-request-type", "ask"),
    ];
    let url = format!("{}/v1/chat/completions", harness.url);
    assert_eq!(harness.client.call("POST", &url, &headers, chat("m")).await.status, 200);
    let (at_a, at_b) = (&a.received()[0], &b.received()[0]);
    assert_eq!((at_a.header("api-key"), at_a.header("authorization")), (Some("sk-azure"), None));
    assert_eq!(at_b.header("authorization"), Some("Bearer sk-openai"));
    assert_eq!(at_b.header("api-key"), None);
}

#[tokio::test]
async fn a_model_that_is_none_of_ours_is_a_404_in_the_route_s_format() {
    let mock = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::with(with_model(vec![provider("a", &mock.url())])).await;
    let answer = harness.post("/v1/chat/completions", chat("gpt-4o")).await;
    assert_eq!(answer.status, 404);
    let error = &answer.json()["error"];
    assert_eq!((&error["code"], &error["param"]), (&json!("model_not_found"), &json!("model")));
    let told = harness.decision_of(&answer);
    assert_eq!(told.types(), ["request_received", "request_rejected"]);
    assert_eq!(told.bodies["client_request"], chat("gpt-4o").as_bytes());
    // The target's own name is no name of ours, no name is none, and a format is not another.
    for (path, body) in [
        ("/v1/chat/completions", chat("m-at-a")),
        ("/v1/chat/completions", r#"{"messages":[]}"#.to_owned()),
        ("/openai/deployments/other/chat/completions", chat("m")),
        ("/v1beta/models/other:generateContent", "{}".to_owned()),
    ] {
        assert_eq!(harness.post(path, body).await.status, 404, "{path}");
    }
    let other_format = harness.post("/v1/messages", chat("m")).await;
    assert_eq!((other_format.status, mock.count()), (404, 0));
    assert_eq!(other_format.json()["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn what_names_no_model_goes_to_the_provider_of_its_format() {
    let mock = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::with(with_model(vec![provider("a", &mock.url())])).await;
    harness.post("/v1/files", "{}").await;
    harness.post("/passthrough/a/v1/chat/completions", chat("any")).await;
    let targets: Vec<_> = mock.received().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/v1/files", "/v1/chat/completions"]);
}

#[tokio::test]
async fn models_are_listed_by_the_names_that_callers_use() {
    let mock = MockProvider::start(Behaviour::good()).await;
    let harness = Harness::with(with_model(vec![provider("a", &mock.url())])).await;
    let get = |path: &str| {
        let (url, headers) = (format!("{}{path}", harness.url), harness.headers());
        let client = harness.client.clone();
        async move { client.get(&url, &headers).await }
    };
    let answer = get("/v1/models").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"][0]["id"], "m");
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 1);
    let told = harness.decision_of(&answer);
    assert_eq!(told.types(), ["request_received", "request_completed"]);
    assert_eq!(told.bodies["client_response"], answer.body);
    assert_eq!(get("/v1/models/m").await.json()["id"], "m");
    let unknown = get("/v1/models/x").await;
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    assert_eq!(get("/v1beta/models").await.json(), json!({"models": []}));
    assert_eq!(mock.count(), 0);
    let stranger = harness.client.get(&format!("{}/v1/models", harness.url), &[]).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn models_that_make_no_sense_are_refused() {
    let both =
        || vec![provider("a", "http://h"), of_kind(ProviderKind::Anthropic, "b", "http://h")];
    let mut twice = with_model(vec![provider("a", "http://h")]);
    twice.models.push(twice.models[0].clone());
    let mut unknown = with_model(vec![provider("a", "http://h")]);
    unknown.models[0].targets[0].provider = "x".to_owned();
    let mut none = with_model(vec![provider("a", "http://h")]);
    none.models[0].targets.clear();
    let cases: [(Settings, &str); 4] = [
        (with_model(both()), "\"m\" mixes \"a\" and \"b\""),
        (twice, "has no name of its own"),
        (unknown, "names the provider \"x\""),
        (none, "has 0 targets"),
    ];
    for (settings, expected) in cases {
        let error = refused(settings).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

async fn refused(wrong: Settings) -> GatewayError {
    let harness = Harness::with(settings("http://127.0.0.1:9")).await;
    let (_ready, readiness) = tokio::sync::watch::channel(gateway::Readiness::Ready);
    Gateway::new(wrong, harness.recorder(), harness.control.clone(), readiness)
        .err()
        .expect("the models make no sense")
}
