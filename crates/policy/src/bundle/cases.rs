//! Test cases beside the policies, in TOML: what comes in, what has to be decided.

use super::error::{Fault, LoadError, place};
use super::facts::{Counters, Counts, Facts, FindingFact};
use super::loaded::Bundle;
use super::outcome::{Mode, Outcome, Stage};
use super::sources::{self, Source};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use toml::value::Table;
use toml::{Spanned, Value};

/// Bytes of text for one token, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

/// What detectors find in a text: classes of data, and findings by kind.
pub type Scanner<'a> = dyn Fn(&str) -> (Vec<String>, Vec<FindingFact>) + 'a;

/// One test case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line where it begins.
    pub line: usize,
    facts: Facts,
    text: Option<String>,
    expect: Expect,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// What it shows.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line where it begins.
    pub line: usize,
    /// Whether it is as expected.
    pub passed: bool,
    /// What is not as expected, and what was found.
    pub differences: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Table,
    #[serde(default)]
    case: Vec<Spanned<CaseText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: String,
    prompt: Option<String>,
    answer: Option<String>,
    #[serde(default)]
    facts: Table,
    expect: Expect,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: Outcome,
    violations: Option<BTreeSet<String>>,
    shadow: Option<BTreeSet<String>>,
}

/// Facts as people write them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FactsText {
    source: String,
    user: String,
    request_type: String,
    session: Option<String>,
    stage: Option<Stage>,
    model: String,
    provider: String,
    baa: bool,
    data_classes: Vec<String>,
    findings: BTreeMap<String, FoundText>,
    request_bytes: Option<u64>,
    answer_bytes: Option<u64>,
    estimated_tokens: Option<u64>,
    roles: Option<Vec<String>>,
    tools_offered: Vec<String>,
    tools_called: Vec<String>,
    streamed: bool,
    counters: CountersText,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FoundText {
    Count(u64),
    Scored { count: u64, score: u8 },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CountersText {
    user_requests: CountsText,
    user_tokens: CountsText,
    source_requests: CountsText,
    source_tokens: CountsText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CountsText {
    minute: u64,
    hour: u64,
    day: u64,
}

// === impl Case ===

impl Case {
    /// Reads the test cases of a folder: `tests.toml` and `*.test.toml`.
    pub fn load(dir: &Path) -> Result<Vec<Self>, LoadError> {
        let mut cases = Self::parse(&sources::cases(dir)?).map_err(|error| error.within(dir))?;
        for case in &mut cases {
            case.file = dir.join(&case.file).display().to_string();
        }
        Ok(cases)
    }

    /// Reads the cases of some files, those that hold none passed over; all faults, where there are any.
    pub fn parse(sources: &[Source]) -> Result<Vec<Self>, LoadError> {
        let mut cases = Vec::new();
        let mut faults = Vec::new();
        for Source { name, text } in sources::of_cases(sources) {
            let file: File = match toml::from_str(text) {
                Ok(file) => file,
                Err(error) => {
                    faults.push(fault(name, text, error.span(), error.message()));
                    continue;
                }
            };
            for case in file.case {
                let span = case.span();
                match Self::new(name, text, &file.defaults, case) {
                    Ok(case) => cases.push(case),
                    Err(what) => faults.push(fault(name, text, Some(span), &what)),
                }
            }
        }
        if faults.is_empty() { Ok(cases) } else { Err(LoadError::Faults(faults)) }
    }

    fn new(
        file: &str,
        text: &str,
        defaults: &Table,
        case: Spanned<CaseText>,
    ) -> Result<Self, String> {
        let (line, _) = place(text, case.span().start);
        let case = case.into_inner();
        let mut table = defaults.clone();
        table.extend(case.facts);
        let at = table.remove("at").map(at).transpose()?.unwrap_or_default();
        let given: FactsText = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| format!("facts: {}", error.message()))?;
        let (stage, said) = match (case.prompt, case.answer) {
            (Some(_), Some(_)) => return Err("found prompt and answer; write one of them".into()),
            (Some(prompt), None) => (Stage::Request, Some(prompt)),
            (None, Some(answer)) => (Stage::Response, Some(answer)),
            (None, None) => (given.stage.unwrap_or_default(), None),
        };
        let facts = given.facts(stage, said.as_deref(), at);
        Ok(Self {
            name: case.name,
            file: file.to_owned(),
            line,
            facts,
            text: said,
            expect: case.expect,
        })
    }

    /// Asks the bundle; the text of the case, where it has one, goes through the scanner.
    pub fn run(&self, bundle: &Bundle, scan: &Scanner<'_>) -> CaseResult {
        let mut facts = self.facts.clone();
        if let Some(text) = &self.text {
            let (classes, findings) = scan(text);
            facts.data_classes.extend(classes);
            facts.findings.extend(findings);
        }
        let decision = bundle.decide(&facts);
        let mut differences = Vec::new();
        if decision.outcome != self.expect.outcome {
            let (wanted, found) = (self.expect.outcome, decision.outcome);
            differences.push(format!("expected the outcome {wanted}, found {found}"));
        }
        let ids = |enforced: bool| {
            let of = decision
                .violations
                .iter()
                .filter(|violation| (violation.mode == Mode::Enforce) == enforced);
            of.map(|violation| violation.policy_id.to_string()).collect::<BTreeSet<_>>()
        };
        let pairs =
            [("violations", &self.expect.violations, true), ("shadow", &self.expect.shadow, false)];
        for (what, wanted, enforced) in pairs {
            let found = ids(enforced);
            if wanted.as_ref().is_some_and(|wanted| *wanted != found) {
                let wanted = wanted.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
                let found = found.into_iter().collect::<Vec<_>>().join(", ");
                differences.push(format!("expected {what} [{wanted}], found [{found}]"));
            }
        }
        let failed = decision.errors.iter();
        differences.extend(failed.map(|error| {
            format!("the policy {} cannot be evaluated: {}", error.policy_id, error.message)
        }));
        CaseResult {
            name: self.name.clone(),
            file: self.file.clone(),
            line: self.line,
            passed: differences.is_empty(),
            differences,
        }
    }
}

// === impl FactsText ===

impl FactsText {
    fn facts(self, stage: Stage, said: Option<&str>, at: i64) -> Facts {
        let bytes = said.map_or(0, str::len) as u64;
        let (asked, answered) = match stage {
            Stage::Request => (bytes, 0),
            Stage::Response => (0, bytes),
        };
        let request_bytes = self.request_bytes.unwrap_or(asked);
        let findings = self.findings.into_iter().map(|(kind, found)| match found {
            FoundText::Count(count) => FindingFact { kind, count, score: 100 },
            FoundText::Scored { count, score } => FindingFact { kind, count, score },
        });
        Facts {
            source: self.source,
            user: self.user,
            request_type: self.request_type,
            session: self.session,
            stage,
            model: self.model,
            provider: self.provider,
            baa: self.baa,
            data_classes: self.data_classes,
            findings: findings.collect(),
            request_bytes,
            answer_bytes: self.answer_bytes.unwrap_or(answered),
            estimated_tokens: self.estimated_tokens.unwrap_or(request_bytes / BYTES_PER_TOKEN),
            roles: self.roles.unwrap_or_else(|| vec!["user".to_owned()]),
            tools_offered: self.tools_offered,
            tools_called: self.tools_called,
            streamed: self.streamed,
            at,
            counters: self.counters.into(),
        }
    }
}

impl From<CountersText> for Counters {
    fn from(text: CountersText) -> Self {
        Self {
            user_requests: text.user_requests.into(),
            user_tokens: text.user_tokens.into(),
            source_requests: text.source_requests.into(),
            source_tokens: text.source_tokens.into(),
        }
    }
}

impl From<CountsText> for Counts {
    fn from(CountsText { minute, hour, day }: CountsText) -> Self {
        Self { minute, hour, day }
    }
}

/// A time, in microseconds since 1970.
fn at(value: Value) -> Result<i64, String> {
    let text = match value {
        Value::Datetime(time) => time.to_string(),
        Value::String(text) => text,
        other => other.type_str().to_owned(),
    };
    let parsed = text.parse::<event::Timestamp>();
    parsed.map(event::Timestamp::as_micros).map_err(|_| {
        format!("facts.at: found {text}; write a time in UTC, as 2026-03-04T10:00:00Z")
    })
}

fn fault(file: &str, text: &str, span: Option<Range<usize>>, what: &str) -> Fault {
    let what = what.trim().replace('\n', " ");
    Fault::at(file, text, span.map_or(0, |span| span.start), what)
}
