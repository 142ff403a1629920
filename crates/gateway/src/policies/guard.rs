//! What judges calls: the policies in force, what is looked for, what was done of late.

use super::content::Content;
use super::windows::Windows;
use crate::settings::PolicySettings;
use crate::upstream::Upstream;
use event::Timestamp;
use policy::{Bundle, Decision, Detectors, EvaluationError, Mode, Outcome, Stage};
use std::sync::Arc;

/// Stands for a policy where it is the detectors that failed.
pub(super) const DETECTORS: &str = "detectors";

/// Judges calls.
pub(crate) struct Guard {
    pub(super) settings: PolicySettings,
    pub(super) content: Content,
    pub(super) windows: Windows,
}

impl Guard {
    /// A guard that has seen nothing yet.
    pub(crate) fn new(
        settings: PolicySettings,
        detectors: Arc<Detectors>,
        upstream: Upstream,
    ) -> Self {
        let content = Content::new(detectors, upstream);
        Self { settings, content, windows: Windows::default() }
    }

    /// The bundle in force; one stage of a call keeps what it got.
    pub(super) fn bundle(&self) -> Arc<Bundle> {
        self.settings.policies.current()
    }

    /// Whether answers are judged, too: they have to be readable then.
    pub(crate) fn judges_answers(&self) -> bool {
        self.bundle().has_stage(Stage::Response)
    }

    /// A call used so many tokens.
    pub(crate) fn spend(&self, user: Option<&str>, source: Option<&str>, tokens: u64) {
        let (user, source) = (user.unwrap_or_default(), source.unwrap_or_default());
        self.windows.spend(user, source, tokens, Timestamp::now());
    }
}

/// What is not seen blocks, as what cannot be evaluated does.
pub(super) fn fail_closed(decision: &mut Decision, missed: Option<&'static str>) {
    let Some(message) = missed.map(str::to_owned) else { return };
    let policy_id = DETECTORS.into();
    decision.errors.push(EvaluationError { policy_id, mode: Mode::Enforce, message });
    decision.outcome = Outcome::Block;
}

/// Whether anything is taken out: what is held for persons is held as it may go on, so that they
/// see, and let through, exactly that.
pub(super) fn redacts(outcome: Outcome, mut asked: impl Iterator<Item = Outcome>) -> bool {
    match outcome {
        Outcome::Redact => true,
        Outcome::Escalate => asked.any(|one| one == Outcome::Redact),
        _ => false,
    }
}

/// Whether a policy can change a plain answer, which is then judged before it goes out.
pub(super) fn changes_answers(bundle: &Bundle) -> bool {
    bundle.policies().iter().any(|policy| {
        policy.stage == Stage::Response
            && policy.mode == Mode::Enforce
            && policy.outcome > Outcome::Flag
    })
}
