#![doc = include_str!("../README.md")]

mod bundle;
mod detect;
mod redact;

pub use bundle::{
    Answer, Backtest, Bundle, Case, CaseResult, Changed, Counters, Counts, Decision,
    EvaluationError, Example, Facts, Fault, FindingFact, LoadError, Mode, Outcome, Policies,
    PolicyCounts, PolicyInfo, Recorded, Scanner, Severity, Source, Stage, Violation, WordError,
    body, facts, scan, schema_text, starter,
};
pub use detect::{
    CustomKind, DataClass, DetectorError, DetectorSettings, Detectors, Finding, HookAnswer,
    HookError, HookSettings, Kind, OnHookFailure,
};
pub use redact::{Document, Found, NotJson, Reads, Redactor, Scan, Tokens};
