//! Policies: a folder of Cedar files, checked, hashed and asked.

mod annotation;
mod backtest;
mod cases;
mod check;
mod context;
mod decision;
mod engine;
mod error;
mod facts;
mod holder;
mod loaded;
mod outcome;
mod quick;
mod scan;
mod schema;
mod scope;
mod sources;
mod starter;

pub use annotation::PolicyInfo;
pub use backtest::{Backtest, Example, PolicyCounts, Recorded};
pub use cases::{Case, CaseResult, Scanner};
pub use decision::{Decision, EvaluationError, Violation};
pub use error::{Fault, LoadError};
pub use facts::{Counters, Counts, Facts, FindingFact};
pub use holder::{Changed, Policies};
pub use loaded::Bundle;
pub use outcome::{Answer, Mode, Outcome, Severity, Stage, WordError};
pub use scan::{body, facts, scan};
pub use schema::schema_text;
pub use sources::Source;
pub use starter::starter;
