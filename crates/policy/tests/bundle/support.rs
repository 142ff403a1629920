//! Bundles made of text.

use policy::{Bundle, Facts, LoadError, Source};

/// A bundle of one file.
pub fn bundle(text: &str) -> Bundle {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The same, as it comes.
pub fn parse(text: &str) -> Result<Bundle, LoadError> {
    Bundle::parse(&[Source { name: "a.cedar".to_owned(), text: text.to_owned() }])
}

/// The first fault, as people see it.
pub fn fault(text: &str) -> String {
    parse(text).expect_err("it loads").faults()[0].to_string()
}

/// A call as most are.
pub fn call() -> Facts {
    Facts {
        source: "finance-app".to_owned(),
        user: "u-42".to_owned(),
        request_type: "summarise".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        provider: "openai".to_owned(),
        request_bytes: 2_048,
        estimated_tokens: 512,
        roles: vec!["system".to_owned(), "user".to_owned()],
        // Wednesday, 4 March 2026, 10:30 UTC
        at: 1_772_620_200_000_000,
        ..Facts::default()
    }
}
