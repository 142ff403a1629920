use super::sections::RecordPolicies;
use super::*;
use std::path::PathBuf;

fn with(toml: &str, vars: &[(&str, &str)]) -> Result<Config, String> {
    with_flags(toml, vars, Flags::default())
}

fn with_flags(toml: &str, vars: &[(&str, &str)], flags: Flags) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.toml");
    std::fs::write(&path, toml).unwrap();
    let vars: Vec<_> = vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let flags = Flags { config: Some(path.clone()), ..flags };
    load(&flags, &vars).map_err(|failure| {
        assert_eq!(failure.code, 2);
        failure.message.unwrap().replace(&path.display().to_string(), "FILE")
    })
}

fn error(toml: &str, vars: &[(&str, &str)]) -> String {
    let line = with(toml, vars).unwrap_err();
    assert!(!line.contains('\n'), "{line:?} is not one line");
    line
}

#[test]
fn defaults_are_the_contract_s() {
    let config = with("", &[]).unwrap();
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.gateway.body_bytes_max, 33_554_432);
    assert_eq!(config.capture.preview_chars, 2048);
    assert_eq!(config.data, PathBuf::from("audit-data"));
    assert_eq!(config.index_file(), PathBuf::from("audit-data/index.db"));
    assert_eq!(config.gateway.authentication, Authentication::ApiKey);
    assert_eq!(config.journal.durability, Durability::Disk);
    assert!(!config.ledger.public);
}

#[test]
fn the_contract_s_example_is_taken() {
    let policies = tempfile::tempdir().unwrap();
    let example = r#"
        [gateway]
        listen = "127.0.0.1:8000"
        authentication = "api-key"
        required_headers = ["x-llm-source", "x-llm-user", "x-llm-request-type"]
        body_bytes_max = 33554432
        on_record_failure = "refuse"
        base_path = "/prod"
        trusted_proxies = ["10.0.0.0/8"]
        [capture]
        preview_chars = 2048
        [journal]
        durability = "process"
        [[providers]]
        name = "local-vllm"
        kind = "azure-openai"
        base_url = "http://127.0.0.1:8001"
        api_key = "env:PATH"
        [[models]]
        name = "mistral-8b"
        strategy = "least-latency"
        targets = [{ provider = "local-vllm", model = "mistral-8b", weight = 1 }]
        [policies]
        directory = "POLICIES"
        [tls]
        terminated = false
        [index]
        url = "sqlite:audit-data/index.db"
    "#;
    let toml = example.replace("POLICIES", &policies.path().display().to_string());
    let config = with(&toml, &[]).unwrap();
    assert_eq!(config.policies.folder(), Some(policies.path()));
    assert_eq!(config.policies.record, RecordPolicies::Matched);
    assert_eq!(config.providers[0].kind, ProviderKind::AzureOpenAi);
    assert_eq!(config.models[0].strategy, Strategy::LeastLatency);
    assert_eq!(config.journal.durability, Durability::Process);
}

#[test]
fn detectors_are_configured() {
    let toml = r#"
        [detectors]
        off = ["ip_address"]
        score_min = 0.6
        [[detectors.custom]]
        name = "project"
        pattern = '\bPRJ-\d{4}\b'
        words = ["operation sunrise"]
        class = "secret"
        [detectors.hook]
        url = "http://127.0.0.1:5002/analyze"
        on_failure = "ignore"
    "#;
    let detectors = with(toml, &[]).unwrap().detectors;
    assert_eq!(detectors.custom[0].class, policy::DataClass::Secret);
    assert_eq!(detectors.hook.unwrap().timeout_ms, 1_000);
    for (toml, says) in [
        ("[detectors]\noff = [\"mail\"]", "detectors.off: found \"mail\", allowed: "),
        ("[[detectors.custom]]\nname = \"a\"", "has neither a pattern nor words"),
        ("[detectors]\non = []", "detectors.on: unknown key; allowed here: off, "),
        ("[detectors.hook]\nurl = \"localhost\"", "detectors.hook.url: found no URL"),
    ] {
        let error = with(toml, &[]).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_folder_of_policies_that_is_configured_has_to_be_there() {
    assert_eq!(with("", &[]).unwrap().policies.folder(), None);
    let missing = "[policies]\ndirectory = \"no/such/folder\"";
    let said = error(missing, &[]);
    assert!(
        said.starts_with(
            "policies.directory: found \"no/such/folder\", which is no folder; create it"
        ),
        "{said}"
    );
    let off = format!("{missing}\nenabled = false");
    assert_eq!(with(&off, &[]).unwrap().policies.folder(), None);
}

#[test]
fn flags_stand_above_the_environment_above_the_file_above_defaults() {
    let toml = "data = \"from-file\"\n[gateway]\nlisten = \"127.0.0.1:1\"\nbody_read_ms = 7";
    let vars = [
        ("AUDIT_LAYER__GATEWAY__LISTEN", "127.0.0.1:2"),
        ("AUDIT_LAYER__API__LISTEN", "localhost:3"),
        ("AUDIT_LAYER__GATEWAY__REQUIRED_HEADERS", "[\"x-a\", \"x-b\"]"),
        ("AUDIT_LAYER_ADMIN_PASSWORD", "is not a key"),
    ];
    let flags = Flags { api_listen: Some("[::1]:4".to_owned()), ..Flags::default() };
    let config = with_flags(toml, &vars, flags).unwrap();
    assert_eq!(config.data, PathBuf::from("from-file"));
    assert_eq!(config.gateway.body_read_ms, 7);
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.api.listen.to_string(), "[::1]:4");
    assert_eq!(config.gateway.required_headers, ["x-a", "x-b"]);
}

#[test]
fn aliases_mean_preview_chars_and_stand_below_the_key_s_own_variable() {
    let preview = |vars: &[(&str, &str)]| with("", vars).unwrap().capture.preview_chars;
    assert_eq!(preview(&[("MAX_PREVIEW_CHARS", "100")]), 100);
    assert_eq!(preview(&[("AUDIT_BODY_PREVIEW", "200"), ("MAX_PREVIEW_CHARS", "100")]), 200);
    let own = ("AUDIT_LAYER__CAPTURE__PREVIEW_CHARS", "300");
    assert_eq!(preview(&[own, ("AUDIT_BODY_PREVIEW", "200")]), 300);
    assert_eq!(
        error("", &[("AUDIT_BODY_PREVIEW", "lots")]),
        "capture.preview_chars: found string \"lots\", allowed: a whole number (from environment variable AUDIT_BODY_PREVIEW)"
    );
}

#[test]
fn an_unknown_key_is_named_with_those_allowed() {
    let line = error("[gateway]\nlisten_on = 1", &[]);
    assert!(line.starts_with("gateway.listen_on: unknown key; allowed here: listen, "), "{line}");
    assert!(line.ends_with("(from FILE)"), "{line}");
    let line = error("", &[("AUDIT_LAYER__GATEWY__LISTEN", "x")]);
    assert!(line.starts_with("gatewy: unknown key; allowed here: data, gateway, "), "{line}");
    assert!(line.ends_with("(from environment variable AUDIT_LAYER__GATEWY__LISTEN)"), "{line}");
    let line = error(
        "[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://h\"\nkey = \"x\"",
        &[],
    );
    assert!(line.contains("key: unknown key; allowed here: name, kind, base_url"), "{line}");
}

#[test]
fn wrong_values_are_named_with_what_is_allowed() {
    let cases = [
        (
            "[gateway]\nlisten = \"nowhere\"",
            "gateway.listen: found \"nowhere\", allowed: ADDRESS:PORT",
        ),
        (
            "[gateway]\nauthentication = \"maybe\"",
            "gateway.authentication: found \"maybe\", allowed: api-key, none",
        ),
        (
            "[gateway]\nbody_bytes_max = 0",
            "gateway.body_bytes_max: found 0, allowed: 1 to 1073741824",
        ),
        ("[gateway]\nbody_bytes_max = \"much\"", "gateway.body_bytes_max: found string \"much\""),
        (
            "[gateway]\nbase_path = \"prod\"",
            "gateway.base_path: found \"prod\", allowed: empty, or a path",
        ),
        (
            "[gateway]\nrequired_headers = [\"X-Upper\"]",
            "gateway.required_headers: found \"X-Upper\"",
        ),
        (
            "[gateway]\nupstream = \"ftp://x\"",
            "gateway.upstream: found \"ftp://x\", allowed: http://HOST",
        ),
        ("[journal]\nsegment_bytes = 1", "journal.segment_bytes: found 1, allowed: 65536 to"),
        ("[ledger]\norigin = \"a b\"", "ledger.origin: found \"a b\", allowed: 1 to 64 letters"),
        (
            "[index]\nurl = \"postgres://u:secret@h/d\"",
            "index.url: found the scheme \"postgres\", allowed: sqlite:PATH",
        ),
        ("[log]\nformat = \"xml\"", "log.format: found \"xml\", allowed: pretty, json"),
        (
            "[api]\nlisten = \"127.0.0.1:8000\"",
            "api.listen: found 127.0.0.1:8000, where the gateway listens",
        ),
        ("not toml", "the configuration: "),
    ];
    for (toml, expected) in cases {
        let line = error(toml, &[]);
        assert!(line.starts_with(expected), "{toml:?} gave {line:?}");
    }
}

#[test]
fn a_listener_that_others_reach_needs_tls_in_front() {
    let toml = "[gateway]\nlisten = \"0.0.0.0:8000\"";
    let line = error(toml, &[]);
    assert!(line.starts_with("gateway.listen: found 0.0.0.0:8000, which other machines"), "{line}");
    with(&format!("{toml}\n[tls]\nterminated = true"), &[]).unwrap();
    let line = error("[api]\nlisten = \"[::]:8080\"", &[]);
    assert!(line.starts_with("api.listen: "), "{line}");
}

#[test]
fn secrets_come_by_reference_and_are_never_shown() {
    let provider = |key: &str| {
        format!(
            "[[providers]]\nname = \"p\"\nkind = \"openai\"\nbase_url = \"http://h\"\napi_key = {key}"
        )
    };
    let line = error(&provider("\"sk-very-secret\""), &[]);
    assert!(line.contains("api_key") && line.contains("env:NAME or file:PATH"), "{line}");
    assert!(!line.contains("very-secret"), "{line}");
    let line = error(&provider("734512"), &[]);
    assert!(!line.contains("734512"), "{line}");
    let line = error("[gateway]\nupstream = \"http://user:hunter2@h\"", &[]);
    assert!(!line.contains("hunter2") && line.contains("credentials"), "{line}");
    let line = error(&provider("\"env:SURELY_NOT_SET_ANYWHERE\""), &[]);
    assert!(line.contains("SURELY_NOT_SET_ANYWHERE is not set"), "{line}");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "sk-hidden\n").unwrap();
    let config = with(&provider(&format!("\"file:{}\"", path.display())), &[]).unwrap();
    let secret = config.providers[0].api_key.as_ref().unwrap().read().unwrap();
    assert_eq!(secret.expose(), "sk-hidden");
    assert!(!format!("{secret:?} {config:?}").contains("hidden"));
}

#[test]
fn upstream_and_providers_exclude_each_other() {
    let toml = "[[providers]]\nname = \"p\"\nkind = \"openai\"\nbase_url = \"http://h\"";
    let flags = Flags { upstream: Some("http://h".to_owned()), ..Flags::default() };
    let line = with_flags(toml, &[], flags).unwrap_err();
    assert!(line.contains("--upstream"), "{line}");
}

/// Two providers of each kind, and one model over these targets.
fn model(targets: &str, more: &str) -> String {
    let providers = ["openai", "azure-openai", "anthropic"].map(|kind| {
        format!("[[providers]]\nname = \"p-{kind}\"\nkind = \"{kind}\"\nbase_url = \"http://h\"\n")
    });
    format!("{}[[models]]\nname = \"m\"\ntargets = [{targets}]\n{more}", providers.concat())
}

fn target(kind: &str, more: &str) -> String {
    format!("{{ provider = \"p-{kind}\", model = \"x\"{more} }}")
}

#[test]
fn models_take_targets_of_one_format_with_limits_of_their_own() {
    let both = [target("openai", ", first_byte_ms = 500"), target("azure-openai", ", weight = 0")];
    let limits = "[limits]\nrate = \"600/m\"\nburst = 20\ncost_per_day = \"12.50\"";
    let config = with(&model(&both.join(","), &format!("retries = 3\n{limits}")), &[]).unwrap();
    assert_eq!(config.models[0].strategy, Strategy::Priority);
    assert_eq!(config.models[0].targets[0].first_byte_ms, Some(500));
    assert_eq!(config.limits.rate.unwrap().to_string(), "600/m");
    assert_eq!(config.limits.cost_per_day.unwrap().to_string(), "12.5");

    let mixed = [target("openai", ""), target("anthropic", "")].join(",");
    let line = error(&model(&mixed, ""), &[]);
    assert!(
        line.starts_with("models.0.targets: found p-openai (OpenAI's format) beside p-anthropic"),
        "{line}"
    );
}

#[test]
fn a_model_may_stand_for_the_one_upstream() {
    let toml = "[[models]]\nname = \"m\"\ntargets = [{ provider = \"upstream\", model = \"x\" }]";
    with(toml, &[]).unwrap();
    let line = error(&toml.replace("upstream", "other"), &[]);
    assert!(line.ends_with("allowed: the configured ones (upstream)"), "{line}");
}

#[test]
fn wrong_models_and_limits_are_named() {
    let one = target("openai", "");
    let cases = [
        (
            "[[providers]]\nname = \"a\"\nkind = \"azure-openai\"\nbase_url = \"http://h\"\napi_version = \"a b\""
                .to_owned(),
            "providers.0.api_version: found \"a b\", allowed: letters",
        ),
        (model("", ""), "models.0.targets: found 0 targets, allowed: 1 to 16"),
        (model(&target("other", ""), ""), "models.0.targets.0.provider: found \"p-other\""),
        (
            model(&target("openai", ", weight = 2000000"), ""),
            "models.0.targets.0.weight: found 2000000",
        ),
        (
            model(&target("openai", ", concurrency_max = 0"), ""),
            "models.0.targets.0.concurrency_max: found 0, allowed: 1 to",
        ),
        (model(&target("openai", ", idle_ms = 0"), ""), "models.0.targets.0.idle_ms: found 0"),
        (model(&one, "attempts_max = 17"), "models.0.attempts_max: found 17, allowed: 1 to 16"),
        (model(&one, "breaker_failures = 0"), "models.0.breaker_failures: found 0"),
        (
            model(&one, "stategy = \"weighted\""),
            "models.0.stategy: unknown key; allowed here: name",
        ),
        (
            model(&one, "strategy = \"random\""),
            "models.0.strategy: found \"random\", allowed: priority",
        ),
        (
            model(&one, &format!("[[models]]\nname = \"m\"\ntargets = [{one}]")),
            "models.1.name: found \"m\" a second time",
        ),
        ("[limits]\nrate = \"10\"".to_owned(), "limits.rate: the rate is not valid: 1 to 1000000"),
        ("[limits]\nburst = 0".to_owned(), "limits.burst: found 0, allowed: 1 to 1000000"),
        (
            "[api]\nuser_limits = { rate = \"1/s\", burst = 0 }".to_owned(),
            "api.user_limits.burst: found 0, allowed: 1 to 1000000",
        ),
        ("[limits]\ncost_per_day = \"free\"".to_owned(), "limits.cost_per_day: the amount"),
    ];
    for (toml, expected) in cases {
        let line = error(&toml, &[]);
        assert!(line.starts_with(expected), "{toml}\ngave {line:?}");
    }
}

#[test]
fn reviews_have_spans_an_expiry_and_a_signed_webhook() {
    let config = with("", &[]).unwrap();
    assert_eq!(config.reviews.wait.to_string(), "25s");
    assert_eq!(config.reviews.expire.to_string(), "1d");
    let text = r#"
        [reviews]
        wait = "500ms"
        expire = "2d"
        on_expiry = "approve"
        keep = "90m"
        webhook_url = "https://hooks.example/reviews?sig=hidden"
        webhook_secret = "file:SECRET"
    "#;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "0123456789abcdef").unwrap();
    let text = text.replace("SECRET", secret.path().to_str().unwrap());
    let config = with(&text, &[]).unwrap();
    assert_eq!(config.reviews.on_expiry, OnExpiry::Approve);
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains("https://hooks.example/") && !json.contains("hidden"), "{json}");
    std::fs::write(secret.path(), "short").unwrap();
    let line = with(&text, &[]).unwrap_err();
    assert!(line.contains("at least 16") && !line.contains("short\""), "{line}");
    for (toml, part) in [
        ("wait = \"25\"", "allowed: a number with ms, s, m, h or d"),
        ("wait = \"2h\"", "reviews.wait: found 2h, allowed: 0s to 1h"),
        ("expire = \"0s\"", "reviews.expire"),
        ("on_expiry = \"allow\"", "approve"),
        ("webhook_url = \"https://h.example/\"", "reviews.webhook_secret: missing"),
        ("webhook_url = \"ftp://h.example/\"", "may hold a secret"),
        ("webhook_url = \"https://u:p@h.example/\"", "may hold a secret"),
        ("webhook_secret = \"env:HOME\"", "without webhook_url"),
        ("reviewers = 2", "reviewers"),
    ] {
        let line = error(&format!("[reviews]\n{toml}\n"), &[]);
        assert!(line.contains(part), "{toml}: {line}");
    }
}
