#![doc = include_str!("../README.md")]

mod bundle;
mod redact;

pub use bundle::{
    Answer, Bundle, Case, CaseResult, Changed, Counters, Counts, Decision, EvaluationError, Facts,
    Fault, FindingFact, LoadError, Mode, Outcome, Policies, PolicyInfo, Scanner, Severity, Source,
    Stage, Violation, WordError, scan, schema_text, starter,
};
pub use redact::Redactor;
