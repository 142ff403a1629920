//! The worked examples of the document for policy authors.

use policy::{Bundle, Case, Source, scan};

const DOCUMENT: &str = include_str!("../../../../docs/policies.md");

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_worked_example_holds() {
    let examples: Vec<_> = DOCUMENT.split("\n### ").skip(1).collect();
    assert_eq!(examples.len(), 10);
    for example in examples {
        let title = example.lines().next().unwrap();
        let [policies] = blocks(example, "cedar")[..] else { panic!("{title}: one cedar block") };
        let [tests] = blocks(example, "toml")[..] else { panic!("{title}: one toml block") };
        let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
        let sources = [source("a.cedar", policies), source("tests.toml", tests)];
        let bundle = Bundle::parse(&sources).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert_eq!(bundle.warnings(), [], "{title}");
        let cases = Case::parse(&sources).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(cases.len() > 1, "{title}: a case that matches, and one that does not");
        for case in cases {
            let result = case.run(&bundle, &scan);
            assert!(result.passed, "{title}: {result:?}");
        }
    }
}

#[test]
fn the_document_names_what_the_schema_has() {
    let schema = policy::schema_text();
    let context = schema.split("type Context = {").nth(1).unwrap().split("};").next().unwrap();
    let names = context.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = names.filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    for name in names.map(|name| name.trim_end_matches('?')) {
        assert!(DOCUMENT.contains(&format!(".{name}")), "context.{name} is not in the document");
    }
}
