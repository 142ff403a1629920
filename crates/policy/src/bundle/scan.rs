//! What detectors find, as facts.

use super::facts::FindingFact;
use crate::detect::Detectors;
use crate::redact::{Document, Reads, Scan};

/// What all built-in detectors find in a text: classes of data, and findings by kind. Where
/// several texts are looked at, `facts` with detectors that are kept is much faster.
pub fn scan(text: &str) -> (Vec<String>, Vec<FindingFact>) {
    facts(&Document::text(text.as_bytes()).scan(&Detectors::default()))
}

/// What was found in a body, as policies see it.
pub fn facts(scan: &Scan) -> (Vec<String>, Vec<FindingFact>) {
    let classes = scan.classes.iter().map(|class| class.as_str().to_owned()).collect();
    let found = scan.findings.iter().map(|found| FindingFact {
        kind: found.kind.to_string(),
        count: found.count as u64,
        score: (found.max_score * 100.0).round().clamp(0.0, 100.0) as u8,
    });
    (classes, found.collect())
}

/// What detectors find in a body whose format nobody said: JSON, a stream of events, or text.
pub fn body(bytes: &[u8], detectors: &Detectors) -> (Vec<String>, Vec<FindingFact>) {
    facts(&Reads::guess(bytes).document(bytes).scan(detectors))
}
