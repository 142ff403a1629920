//! A bundle: policies that were loaded together and have one version.

use super::annotation::PolicyInfo;
use super::check::{self, Checked};
use super::context::Shapes;
use super::decision::Decision;
use super::engine::Engine;
use super::error::{Fault, LoadError};
use super::facts::Facts;
use super::outcome::{Answer, Stage};
use super::sources::{self, Source};
use super::starter::starter;
use std::path::Path;

/// Policies that were loaded together and have one version.
#[derive(Debug)]
pub struct Bundle {
    hash: String,
    policies: Vec<PolicyInfo>,
    warnings: Vec<Fault>,
    engine: Engine,
}

// === impl Bundle ===

impl Bundle {
    /// Loads a folder: every `.cedar` file, and `schema.cedarschema` where there is one.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        Self::parse(&sources::policies(dir)?).map_err(|error| error.within(dir))
    }

    /// The bundle that ships with the program.
    pub fn starter() -> Result<Self, LoadError> {
        Self::parse(&starter())
    }

    /// Makes a bundle of files in memory; those that hold no policies are passed over.
    pub fn parse(sources: &[Source]) -> Result<Self, LoadError> {
        let sources = &sources::of_bundle(sources);
        let Checked { rules, warnings } = check::check(sources)?;
        let policies = rules.iter().map(|rule| PolicyInfo::clone(&rule.info)).collect();
        let engine = Engine::new(Shapes::new()?, rules);
        Ok(Self { hash: sources::hash(sources), policies, warnings, engine })
    }

    /// The version: `sha256:` and the hash over names and bytes of the files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What the policies say of themselves, by file and line.
    pub fn policies(&self) -> &[PolicyInfo] {
        &self.policies
    }

    /// What is allowed but looks wrong, as a policy that never matches.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// Whether there is a policy for a stage.
    pub fn has_stage(&self, stage: Stage) -> bool {
        self.policies.iter().any(|policy| policy.stage == stage)
    }

    /// Whether a streamed answer has to be judged before it is released.
    pub fn buffers_streams(&self) -> bool {
        let answers = self.policies.iter().filter(|policy| policy.stage == Stage::Response);
        answers.into_iter().any(|policy| policy.stream == Answer::Buffer)
    }

    /// Asks the policies of the call's stage; the strongest outcome wins.
    pub fn decide(&self, facts: &Facts) -> Decision {
        self.engine.decide(facts)
    }
}
