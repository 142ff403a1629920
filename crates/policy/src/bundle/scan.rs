//! What detectors find, as facts.

use super::facts::FindingFact;
use crate::redact::Redactor;

/// What detectors find in a text: classes of data, and findings by kind.
pub fn scan(text: &str) -> (Vec<String>, Vec<FindingFact>) {
    let redacted = Redactor::new().redact(text).into_owned();
    let known = [
        ("<EMAIL_", "email", "pii"),
        ("<CARD_", "credit_card", "pii"),
        ("<SECRET_", "secret", "secret"),
    ];
    let mut classes: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    for (token, kind, class) in known {
        let count = redacted.matches(token).count() as u64;
        if count > 0 {
            findings.push(FindingFact { kind: kind.to_owned(), count, score: 100 });
            if !classes.iter().any(|known| known == class) {
                classes.push(class.to_owned());
            }
        }
    }
    (classes, findings)
}
