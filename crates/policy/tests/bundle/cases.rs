//! Test cases of policies.

use crate::support::bundle;
use policy::{Bundle, Case, FindingFact, Source, starter};

fn cases(text: &str) -> Result<Vec<Case>, String> {
    let source = Source { name: "tests.toml".to_owned(), text: text.to_owned() };
    Case::parse(&[source]).map_err(|error| error.to_string())
}

/// Finds addresses, as far as these tests need it.
fn scan(text: &str) -> (Vec<String>, Vec<FindingFact>) {
    match text.matches('@').count() {
        0 => (Vec::new(), Vec::new()),
        count => (vec!["pii".to_owned()], vec![FindingFact::new("email", count as u64, 1.0)]),
    }
}

const POLICY: &str = "
    @id(\"mail\") @outcome(\"REDACT\") forbid (principal, action, resource)
    when { context.findings.email.count > 0 };
    @id(\"late\") @outcome(\"BLOCK\") @mode(\"shadow\") forbid (principal, action, resource)
    when { context.hour >= 20 };";

#[test]
fn a_case_passes_or_says_what_it_found() {
    let text = "
[defaults]
source = \"s\"

[[case]]
name = \"right\"
prompt = \"to a@example.com\"
expect = { outcome = \"REDACT\", violations = [\"mail\"], shadow = [] }

[[case]]
name = \"wrong\"
prompt = \"to a@example.com\"
facts = { at = 2026-03-04T20:00:00Z }
expect = { outcome = \"ALLOW\", violations = [], shadow = [] }
";
    let bundle = bundle(POLICY);
    let results: Vec<_> =
        cases(text).unwrap().iter().map(|case| case.run(&bundle, &scan)).collect();
    assert!(results[0].passed, "{:?}", results[0]);
    assert_eq!((results[1].file.as_str(), results[1].line), ("tests.toml", 10));
    assert_eq!(
        results[1].differences,
        [
            "expected the outcome ALLOW, found REDACT",
            "expected violations [], found [mail]",
            "expected shadow [], found [late]",
        ]
    );
}

#[test]
fn a_case_that_makes_no_sense_is_refused_at_its_place() {
    let expect = "expect = { outcome = \"ALLOW\" }";
    let wrong = [
        (
            format!("[[case]]\nname = \"n\"\nprompt = \"p\"\nanswer = \"a\"\n{expect}"),
            "write one of them",
        ),
        (
            format!("[[case]]\nname = \"n\"\nfacts = {{ colour = 1 }}\n{expect}"),
            "unknown field `colour`",
        ),
        (
            format!(
                "[[case]]\nname = \"n\"\nfacts = {{ at = 2026-03-04 }}\nprompts = \"\"\n{expect}"
            ),
            "unknown field `prompts`",
        ),
        (
            format!("[[case]]\nname = \"n\"\nfacts = {{ at = 10:00:00 }}\n{expect}"),
            "write a time in UTC",
        ),
        ("[[case]]\nname = \"n\"\nexpect = { outcome = \"block\" }".to_owned(), "`BLOCK`"),
        ("[[case]]\nname = ".to_owned(), "tests.toml:2:"),
    ];
    for (text, advice) in wrong {
        let said = cases(&text).unwrap_err();
        assert!(said.contains(advice), "{text}: {said}");
        assert!(said.starts_with("tests.toml:"), "{said}");
    }
}

#[test]
fn the_starter_bundle_loads_without_a_warning() {
    let bundle = Bundle::starter().unwrap();
    assert!(bundle.policies().len() >= 8);
    assert_eq!(bundle.warnings(), []);
    assert!(!bundle.buffers_streams(), "streams flow with the starter bundle");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let folder = Bundle::load(folder.as_ref()).unwrap();
    assert_eq!(folder.hash(), bundle.hash(), "a file of the folder is not in the program");
}

#[test]
fn the_starter_bundle_passes_its_cases() {
    let bundle = Bundle::starter().unwrap();
    let cases = Case::parse(&starter()).unwrap();
    let failed: Vec<_> = cases
        .iter()
        .map(|case| case.run(&bundle, &policy::scan))
        .filter(|result| !result.passed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // Every policy is shown by a case that violates it, and by one that does not.
    assert!(cases.len() >= 2 * bundle.policies().len() - 2, "{}", cases.len());
}
