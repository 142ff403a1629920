//! What a policy says of itself in its annotations.

use super::error::{Fault, place};
use super::outcome::{Answer, Mode, Outcome, Severity, Stage, WordError};
use cedar_policy_core::ast::{ActionConstraint, Annotation, Effect, Policy};
use cedar_policy_core::parser::Loc;
use serde::Serialize;
use std::sync::Arc;

const KNOWN: [&str; 8] =
    ["id", "outcome", "severity", "message", "mode", "stage", "stream", "reviewers"];
const ID_CHARS_MAX: usize = 128;
const MESSAGE_CHARS_MAX: usize = 1_000;
const REVIEWERS_MAX: u32 = 5;

/// What a policy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyInfo {
    /// `@id`
    pub id: Arc<str>,
    /// `@outcome`
    pub outcome: Outcome,
    /// `@severity`
    pub severity: Severity,
    /// `@message`
    pub message: Arc<str>,
    /// `@mode`
    pub mode: Mode,
    /// `@stage`, or what follows from the action.
    pub stage: Stage,
    /// `@stream`, or what follows from outcome and mode.
    pub stream: Answer,
    /// `@reviewers`
    pub reviewers: u32,
    /// The file.
    pub file: String,
    /// The line where the policy begins.
    pub line: usize,
}

/// Reads one policy's annotations and collects what is wrong with them.
pub(super) struct Reading<'a> {
    pub(super) policy: &'a Policy,
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) faults: &'a mut Vec<Fault>,
}

// === impl Reading ===

impl Reading<'_> {
    /// The annotations; none where they are wrong, or where the policy only says that calls are
    /// allowed, which they are anyway.
    pub(super) fn read(mut self) -> Option<PolicyInfo> {
        let before = self.faults.len();
        if self.policy.effect() == Effect::Permit {
            self.permit();
            return None;
        }
        self.names();
        let id = self.id();
        let outcome = self.outcome();
        let mode = self.word("mode", Mode::Enforce);
        let severity = self.word("severity", Severity::Medium);
        let stage = self.stage();
        let stream = self.stream(outcome, mode, stage);
        let reviewers = self.reviewers(outcome);
        let message = self.message(&id);
        (self.faults.len() == before).then(|| PolicyInfo {
            id: id.into(),
            outcome,
            severity,
            message: message.into(),
            mode,
            stage,
            stream,
            reviewers,
            file: self.file.to_owned(),
            line: place(self.text, self.start()).0,
        })
    }

    fn permit(&mut self) {
        let policy = self.policy;
        let anything = policy.non_scope_constraints().is_none()
            && policy.principal_constraint().as_inner().get_euid().is_none()
            && policy.resource_constraint().as_inner().get_euid().is_none()
            && *policy.action_constraint() == ActionConstraint::Any;
        if !anything {
            self.fault(self.start(), "a permit policy restricts nothing: calls are allowed unless a forbid policy matches; write forbid (…) unless { … }");
        }
    }

    fn names(&mut self) {
        let unknown = self
            .policy
            .annotations()
            .filter(|(name, _)| !KNOWN.contains(&name.as_ref()))
            .map(|(name, annotation)| (name.as_ref().to_owned(), self.offset(annotation)))
            .collect::<Vec<_>>();
        let known = KNOWN.map(|name| format!("@{name}")).join(", ");
        for (name, offset) in unknown {
            self.fault(offset, format!("found the annotation @{name}; write one of {known}"));
        }
    }

    fn id(&mut self) -> String {
        let Some((value, offset)) = self.value("id") else {
            self.fault(self.start(), "this policy has no id; write @id(\"a-name\") above it");
            return String::new();
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        if value.is_empty() || value.len() > ID_CHARS_MAX || !value.chars().all(plain) {
            self.fault(offset, format!("found @id({value:?}); write 1 to {ID_CHARS_MAX} letters, digits and any of - _ . / :"));
        }
        value
    }

    fn outcome(&mut self) -> Outcome {
        const WRITE: &str = "write @outcome(\"BLOCK\"), @outcome(\"ESCALATE\"), @outcome(\"REDACT\") or @outcome(\"FLAG\")";
        match self.value("outcome") {
            None => {
                self.fault(self.start(), format!("this policy has no outcome; {WRITE} above it"));
            }
            Some((value, offset)) => match value.parse() {
                Ok(Outcome::Allow) | Err(_) => {
                    self.fault(offset, format!("found @outcome({value:?}); {WRITE}"));
                }
                Ok(outcome) => return outcome,
            },
        }
        Outcome::Block
    }

    fn stage(&mut self) -> Stage {
        let by_action: Vec<Stage> = match self.policy.action_constraint() {
            ActionConstraint::Any => Stage::ALL.to_vec(),
            ActionConstraint::Eq(action) => stage_of(action.eid().as_ref()).into_iter().collect(),
            ActionConstraint::In(actions) => {
                actions.iter().filter_map(|action| stage_of(action.eid().as_ref())).collect()
            }
        };
        let any = *self.policy.action_constraint() == ActionConstraint::Any;
        if self.value("stage").is_none() {
            return match by_action[..] {
                [stage] => stage,
                [] => Stage::Request,
                _ if any => Stage::Request,
                _ => {
                    self.fault(self.start(), "this policy names both actions; write @stage(\"request\") or @stage(\"response\") above it, and a second policy for the other");
                    Stage::Request
                }
            };
        }
        let stage = self.word("stage", Stage::Request);
        if !by_action.is_empty() && !by_action.contains(&stage) {
            let action = if stage == Stage::Request { "prompt" } else { "answer" };
            let offset = self.value("stage").map_or(0, |(_, offset)| offset);
            self.fault(offset, format!("at this stage the action is another one, so that the policy never matches; write action == Action::\"{action}\", or the other stage"));
        }
        stage
    }

    fn stream(&mut self, outcome: Outcome, mode: Mode, stage: Stage) -> Answer {
        if let Some((_, offset)) = self.value("stream") {
            let stream = self.word("stream", Answer::Buffer);
            if stage == Stage::Request {
                self.fault(
                    offset,
                    "@stream is about answers; write @stage(\"response\"), or take it out",
                );
            }
            return stream;
        }
        if outcome > Outcome::Flag && mode == Mode::Enforce && stage == Stage::Response {
            Answer::Buffer
        } else {
            Answer::Observe
        }
    }

    fn reviewers(&mut self, outcome: Outcome) -> u32 {
        let Some((value, offset)) = self.value("reviewers") else { return 1 };
        if outcome != Outcome::Escalate {
            self.fault(
                offset,
                "@reviewers is about reviews; write @outcome(\"ESCALATE\"), or take it out",
            );
        }
        match value.parse() {
            Ok(number @ 1..=REVIEWERS_MAX) => number,
            _ => {
                self.fault(offset, format!("found @reviewers({value:?}); write a number from 1 to {REVIEWERS_MAX}, as @reviewers(\"2\")"));
                1
            }
        }
    }

    fn message(&mut self, id: &str) -> String {
        match self.value("message") {
            None => format!("The policy {id} does not allow this."),
            Some((value, offset)) => {
                let fits = value.chars().count() <= MESSAGE_CHARS_MAX;
                if value.trim().is_empty() || !fits || value.chars().any(char::is_control) {
                    self.fault(offset, format!("write 1 to {MESSAGE_CHARS_MAX} characters on one line, as @message(\"Ask the data office first.\")"));
                }
                value
            }
        }
    }

    /// A word of a fixed list.
    fn word<T: std::str::FromStr<Err = WordError>>(&mut self, name: &str, otherwise: T) -> T {
        let Some((value, offset)) = self.value(name) else { return otherwise };
        value.parse().unwrap_or_else(|error: WordError| {
            let allowed: Vec<_> =
                error.allowed.split(", ").map(|word| format!("@{name}(\"{word}\")")).collect();
            self.fault(offset, format!("found @{name}({value:?}); write {}", allowed.join(" or ")));
            otherwise
        })
    }

    fn value(&self, name: &str) -> Option<(String, usize)> {
        let (_, annotation) =
            self.policy.annotations().find(|(known, _)| AsRef::<str>::as_ref(*known) == name)?;
        Some((annotation.val.to_string(), self.offset(annotation)))
    }

    fn offset(&self, annotation: &Annotation) -> usize {
        annotation.loc.as_ref().map_or_else(|| self.start(), Loc::start)
    }

    fn start(&self) -> usize {
        self.policy.loc().map_or(0, Loc::start)
    }

    fn fault(&mut self, offset: usize, message: impl Into<String>) {
        self.faults.push(Fault::at(self.file, self.text, offset, message));
    }
}

fn stage_of(action: &str) -> Option<Stage> {
    match action {
        "prompt" => Some(Stage::Request),
        "answer" => Some(Stage::Response),
        _ => None,
    }
}
