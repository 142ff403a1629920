//! What is held, and what comes back when it is picked up.

use crate::ReviewError;
use control::{Fingerprint, Review, ReviewStage, ReviewState, ReviewViolation, Reviews};
use event::{Component, Event, ReviewCreated, Timestamp};
use recorder::{DecisionWriter, Persons};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A review that is about to be opened: its id stands in the decision's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The review's id.
    pub id: String,
    /// What is held.
    pub stage: ReviewStage,
    /// How many persons must approve.
    pub reviewers_needed: u32,
    /// From now on it is held.
    pub created_at: Timestamp,
    /// From then on nobody can decide any more.
    pub expires_at: Timestamp,
}

impl Opening {
    /// The event that opens the review, to be recorded before [`Desk::hold`](crate::Desk::hold).
    pub fn event(&self) -> Event {
        let data = ReviewCreated {
            review_id: Some(self.id.clone()),
            stage: Some(self.stage.as_str().to_owned()),
            reviewers_needed: Some(u64::from(self.reviewers_needed)),
            expires_at: Some(self.expires_at.to_string()),
        };
        Event::new(Component::Hitl, self.created_at, data)
    }
}

/// What reviewers see that is about persons. Sealed under their keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The calling user.
    pub user_id: Option<String>,
    /// The user's e-mail address.
    pub user_email: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The persons the call is about, where not the user.
    pub subjects: Vec<String>,
    /// Redacted beginning of the prompt.
    pub prompt_preview: Option<String>,
    /// What the policies saw.
    pub facts: Option<Value>,
}

/// A call to hold.
#[derive(Debug, Clone)]
pub struct Hold {
    /// The review, as the decision's records name it.
    pub opening: Opening,
    /// What makes a request the same one; see [`fingerprint`].
    pub fingerprint: Fingerprint,
    /// When the call arrived.
    pub arrived_at: Timestamp,
    /// The policies that hold it.
    pub policy_ids: Vec<String>,
    /// What the policies said.
    pub violations: Vec<ReviewViolation>,
    /// The caller's key.
    pub api_key_id: Option<String>,
    /// The calling application.
    pub source: Option<String>,
    /// The logical action.
    pub request_type: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// What reviewers see that is about persons.
    pub about: About,
    /// What is held back: whatever is needed to go on, in the caller's own form.
    pub held: Vec<u8>,
}

/// A call that could not be held. Its writer comes back: end the call with it.
#[derive(Debug)]
pub struct NotHeld {
    /// The decision's writer.
    pub writer: Box<DecisionWriter>,
    /// Why it is not held.
    pub error: ReviewError,
}

/// An approved review, in the hands of the one that goes on with it.
#[derive(Debug)]
pub struct PickedUp {
    /// The review, running.
    pub review: Review,
    /// What it says about persons.
    pub about: About,
    /// The keys of those persons.
    pub persons: Persons,
    /// Writes the decision's next records; ends the call, whatever becomes of it.
    pub writer: DecisionWriter,
    /// What was held: exactly the bytes that were reviewed.
    pub held: Vec<u8>,
    /// Keep it until the answer is stored.
    pub under_way: UnderWay,
}

/// A review that is running. When this is dropped before the answer is stored
/// ([`Desk::answered`](crate::Desk::answered)), the review has failed, whatever happened.
pub struct UnderWay {
    pub(crate) reviews: Arc<Reviews>,
    pub(crate) id: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the next start says the same.
        let Ok(runtime) = Handle::try_current() else { return };
        let (reviews, id) = (self.reviews.clone(), std::mem::take(&mut self.id));
        runtime.spawn_blocking(move || {
            // Where it is answered, it is not running any more, and this changes nothing.
            if let Err(error) = reviews.fail(&id, ReviewState::Running) {
                tracing::error!(%error, review = id, "a failed review stays running");
            }
        });
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What makes a request the same one: SHA-256 over key, method, path with query, user and body,
/// each behind its length.
pub fn fingerprint(
    api_key_id: Option<&str>,
    method: &str,
    path_and_query: &str,
    user: Option<&str>,
    body: &[u8],
) -> Fingerprint {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let parts = [
        api_key_id.unwrap_or_default().as_bytes(),
        method.as_bytes(),
        path_and_query.as_bytes(),
        user.unwrap_or_default().as_bytes(),
        body,
    ];
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
