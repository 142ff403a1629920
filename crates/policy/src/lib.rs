#![doc = include_str!("../README.md")]

mod bundle;
mod redact;

pub use bundle::{
    Answer, Backtest, Bundle, Case, CaseResult, Changed, Counters, Counts, Decision,
    EvaluationError, Example, Facts, Fault, FindingFact, LoadError, Mode, Outcome, Policies,
    PolicyCounts, PolicyInfo, Recorded, Scanner, Severity, Source, Stage, Violation, WordError,
    scan, schema_text, starter,
};
pub use redact::Redactor;
