//! What is refused, where, and what to write instead.

use crate::support::{fault, parse};
use policy::{Answer, Bundle, LoadError, Mode, Outcome, Severity, Source, Stage, schema_text};

const HEAD: &str = "@id(\"x\")\n@outcome(\"BLOCK\")\n";

fn with(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn annotations_are_read() {
    let text = r#"
        @id("two-people")
        @outcome("ESCALATE")
        @severity("high")
        @message("Two people have to look at this.")
        @mode("shadow")
        @stage("response")
        @stream("observe")
        @reviewers("2")
        forbid (principal, action, resource);
    "#;
    let bundle = parse(text).unwrap();
    let policy = &bundle.policies()[0];
    assert_eq!(&*policy.id, "two-people");
    assert_eq!(policy.outcome, Outcome::Escalate);
    assert_eq!(policy.severity, Severity::High);
    assert_eq!(&*policy.message, "Two people have to look at this.");
    assert_eq!((policy.mode, policy.stage), (Mode::Shadow, Stage::Response));
    assert_eq!((policy.stream, policy.reviewers), (Answer::Observe, 2));
    assert_eq!((policy.file.as_str(), policy.line), ("a.cedar", 2));
}

#[test]
fn what_is_not_said_follows() {
    let stage = |rest: &str| parse(&with(rest)).unwrap().policies()[0].clone();
    let request = stage("forbid (principal, action, resource);");
    assert_eq!((request.stage, request.mode), (Stage::Request, Mode::Enforce));
    assert_eq!((request.reviewers, request.severity), (1, Severity::Medium));
    let answer = stage("forbid (principal, action == Action::\"answer\", resource);");
    assert_eq!((answer.stage, answer.stream), (Stage::Response, Answer::Buffer));
    let flag =
        "@id(\"f\") @outcome(\"FLAG\") @stage(\"response\") forbid (principal, action, resource);";
    assert_eq!(parse(flag).unwrap().policies()[0].stream, Answer::Observe);
}

#[test]
fn an_unknown_attribute_is_refused_with_what_there_is() {
    let said =
        fault(&with("forbid (principal, action, resource)\nwhen { context.modle == \"gpt-4o\" };"));
    assert!(said.starts_with("a.cedar:4:8: "), "{said}");
    assert!(said.contains("modle") && said.contains("did you mean `model`"), "{said}");
    assert!(said.contains("estimated_tokens"), "{said}");
}

#[test]
fn a_type_error_is_refused() {
    let said =
        fault(&with("forbid (principal, action, resource)\nwhen { context.hour == \"ten\" };"));
    assert!(said.starts_with("a.cedar:4:"), "{said}");
    assert!(said.contains("Long") && said.contains("String"), "{said}");
}

#[test]
fn what_may_be_absent_has_to_be_asked_for() {
    let rest = "forbid (principal, action, resource)\nwhen { context.session == \"s\" };";
    let said = fault(&with(rest));
    assert!(said.contains("context has session"), "{said}");
    let guarded = rest.replace("{ context", "{ context has session && context");
    assert!(parse(&with(&guarded)).is_ok());
}

#[test]
fn a_second_policy_of_one_id_is_refused() {
    let policy = with("forbid (principal, action, resource);\n");
    let said = fault(&format!("{policy}{policy}"));
    assert_eq!(said, "a.cedar:4:1: the id \"x\" is taken by a.cedar:1; write another @id");
}

#[test]
fn wrong_words_are_refused_with_the_right_ones() {
    let cases = [
        ("@id(\"x\") @outcome(\"DENY\")", "1:10", "@outcome(\"BLOCK\")"),
        ("@id(\"x\") @outcome(\"ALLOW\")", "1:10", "@outcome(\"BLOCK\")"),
        ("@id(\"x\") @outcome(\"BLOCK\") @mode(\"off\")", "1:28", "@mode(\"shadow\")"),
        ("@id(\"x\") @outcome(\"BLOCK\") @stage(\"prompt\")", "1:28", "@stage(\"request\")"),
        ("@id(\"x\") @outcome(\"BLOCK\") @severity(\"7\")", "1:28", "@severity(\"critical\")"),
        ("@id(\"x\") @outcome(\"BLOCK\") @owner(\"me\")", "1:28", "write one of @id,"),
        ("@id(\"x\") @outcome(\"BLOCK\") @reviewers(\"2\")", "1:28", "@outcome(\"ESCALATE\")"),
        ("@id(\"x\") @outcome(\"ESCALATE\") @reviewers(\"0\")", "1:31", "from 1 to 5"),
        ("@id(\"x\") @outcome(\"BLOCK\") @stream(\"buffer\")", "1:28", "@stage(\"response\")"),
        ("@id(\"a b\") @outcome(\"BLOCK\")", "1:1", "letters, digits"),
        ("@outcome(\"BLOCK\")", "1:1", "write @id(\"a-name\")"),
        ("@id(\"x\")", "1:1", "has no outcome"),
        ("@id(\"x\") @outcome(\"BLOCK\") @message(\"\")", "1:28", "@message("),
    ];
    for (head, place, advice) in cases {
        let said = fault(&format!("{head}\nforbid (principal, action, resource);"));
        assert!(said.starts_with(&format!("a.cedar:{place}: ")), "{head}: {said}");
        assert!(said.contains(advice), "{head}: {said}");
    }
}

#[test]
fn what_never_matches_is_refused() {
    let stage = "@id(\"x\") @outcome(\"BLOCK\") @stage(\"request\")\nforbid (principal, action == Action::\"answer\", resource);";
    assert!(fault(stage).contains("action == Action::\"prompt\""), "{}", fault(stage));
    let both =
        with("forbid (principal, action in [Action::\"prompt\", Action::\"answer\"], resource);");
    assert!(fault(&both).contains("a second policy"), "{}", fault(&both));
    let user = with("forbid (principal == Model::\"gpt-4o\", action, resource);");
    assert!(parse(&user).is_err() || !parse(&user).unwrap().warnings().is_empty());
}

#[test]
fn a_permit_policy_restricts_nothing() {
    let base = "permit (principal, action, resource);";
    assert!(parse(base).unwrap().policies().is_empty());
    let narrow = "permit (principal, action, resource) when { context.hour < 18 };";
    assert!(fault(narrow).contains("write forbid (…) unless"), "{}", fault(narrow));
}

#[test]
fn what_is_no_cedar_is_refused_at_its_place() {
    let said =
        fault("@id(\"x\")\nforbid (principal, action, resource) when { context.hour >< 3 };");
    assert!(said.starts_with("a.cedar:2:"), "{said}");
    let said =
        fault("@id(\"x\") @outcome(\"BLOCK\") forbid (principal == ?principal, action, resource);");
    assert!(said.contains("?principal"), "{said}");
}

#[test]
fn all_faults_are_listed() {
    let one = with("forbid (principal, action, resource) when { context.nope };\n");
    let two = "@id(\"y\") @outcome(\"NO\") forbid (principal, action, resource);";
    let error = parse(&format!("{one}{two}")).unwrap_err();
    assert_eq!(error.faults().len(), 2);
    assert!(error.to_string().ends_with("(and 1 more)"));
}

fn files(schema: &str) -> Result<Bundle, LoadError> {
    let policy = with("forbid (principal, action, resource) when { context.model == \"m\" };");
    Bundle::parse(&[
        Source { name: "a.cedar".to_owned(), text: policy },
        Source { name: "schema.cedarschema".to_owned(), text: schema.to_owned() },
    ])
}

#[test]
fn a_folder_may_have_a_schema_of_its_own() {
    assert!(files(&schema_text()).is_ok());
    let less = "entity Source; entity User in [Source]; entity Provider; entity Model in [Provider];
        action prompt, answer appliesTo { principal: User, resource: Model, context: { model: String, session?: String } };";
    assert!(files(less).is_ok());
    let more = less.replace("model: String,", "model: String,\n colour: String,");
    let said = files(&more).unwrap_err().to_string();
    assert!(said.starts_with("schema.cedarschema:3:2: calls have no context.colour"), "{said}");
    let other = less.replace("model: String", "model: Long");
    let said = files(&other).unwrap_err().to_string();
    assert!(said.contains("context.model is declared as Long; it is String"), "{said}");
    let always = less.replace("session?", "session");
    assert!(files(&always).unwrap_err().to_string().contains("write session?: …"));
    let said = files("entity User;").unwrap_err().to_string();
    assert!(said.contains("action prompt, answer"), "{said}");
    assert!(files("entity").unwrap_err().to_string().starts_with("schema.cedarschema:1:"));
}

#[test]
fn the_version_depends_on_names_and_bytes_alone() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let (a, b) = (with("forbid (principal, action, resource);"), "// nothing\n");
    let hash = |sources: &[Source]| Bundle::parse(sources).unwrap().hash().to_owned();
    let one = hash(&[source("a.cedar", &a), source("b.cedar", b)]);
    assert_eq!(one.len(), "sha256:".len() + 64);
    assert_eq!(one, hash(&[source("b.cedar", b), source("a.cedar", &a)]));
    assert_ne!(one, hash(&[source("a.cedar", &a), source("c.cedar", b)]));
    assert_ne!(one, hash(&[source("a.cedar", &format!("{a} ")), source("b.cedar", b)]));
}
