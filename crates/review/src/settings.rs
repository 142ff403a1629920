//! What an operator chooses.

use std::time::Duration;

/// What becomes of a review that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExpiry {
    /// The call is refused.
    Reject,
    /// The call goes through.
    Approve,
}

/// How reviews are kept.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a caller waits before it is told to come back.
    pub wait: Duration,
    /// How long persons have to answer.
    pub expire: Duration,
    /// What becomes of a review that nobody answered.
    pub on_expiry: OnExpiry,
    /// How long a stored answer can be fetched, and an approved call picked up.
    pub keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(25),
            expire: Duration::from_hours(24),
            on_expiry: OnExpiry::Reject,
            keep: Duration::from_hours(24),
        }
    }
}
