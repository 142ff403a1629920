//! What all requests share, and whether calls can be taken.

use crate::merge::Refusals;
use crate::policies::Guard;
use crate::settings::Settings;
use crate::targets::Targets;
use crate::upstream::Upstream;
use control::Control;
use recorder::Recorder;
use std::sync::Arc;
use tokio::sync::watch;
use wire::Prices;

/// Characters read beyond a preview's end, so that redaction sees what the end would cut.
const PREVIEW_CHARS_BEYOND: usize = 64;

/// What all requests share.
pub(crate) struct Shared {
    pub settings: Settings,
    pub recorder: Recorder,
    pub keys: Arc<Control>,
    pub upstream: Upstream,
    /// None where no models are configured.
    pub targets: Option<Targets>,
    pub prices: Prices,
    pub redactor: policy::Redactor,
    /// None where no policies are configured.
    pub guard: Option<Guard>,
    pub refusals: Arc<Refusals>,
    pub ready: watch::Receiver<Readiness>,
    /// True once the process is told to stop: who waits for a person need not wait on.
    pub stopping: watch::Sender<bool>,
}

impl Shared {
    /// A preview as it may be stored: redacted first, then cut, so that a number or a secret
    /// that the cut would halve is still recognised.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = self.redactor.redact(text).into_owned();
        let chars_max = self.settings.preview_chars;
        if text.len() > chars_max
            && let Some((end, _)) = text.char_indices().nth(chars_max)
        {
            text.truncate(end);
        }
        text
    }

    /// Characters that are read for a preview.
    pub(crate) const fn preview_chars_read(&self) -> usize {
        self.settings.preview_chars + PREVIEW_CHARS_BEYOND
    }
}

/// Whether calls can be taken, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Calls can be taken.
    Ready,
    /// Calls cannot be taken, for this reason.
    NotReady(String),
}
