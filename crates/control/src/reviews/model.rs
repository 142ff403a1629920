//! What a review is.

use crate::Error;
use event::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// SHA-256 over what makes two requests the same one: key, method, path with query, user, body.
pub type Fingerprint = [u8; 32];

/// A new review's id. It stands in events that are written before the review is stored.
pub fn new_review_id() -> String {
    format!("rev_{}", Uuid::now_v7().simple())
}

macro_rules! names {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// The name in the API and the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Error::Invalid {
                        what: $what,
                        allowed: concat!("one of", $(" ", $text),+),
                    }),
                }
            }
        }
    };
}

names! {
    /// What is held.
    ReviewStage, "the stage" {
        /// The request, before the provider.
        Request = "request",
        /// The answer, before the caller.
        Response = "response",
    }
}

names! {
    /// Where a review stands: `pending`, then `approved`, `rejected` or `expired`; an approved one
    /// is `running` while its answer is fetched, then `answered` or `failed`.
    ReviewState, "the state" {
        /// Waits for a person.
        Pending = "pending",
        /// May be picked up.
        Approved = "approved",
        /// Will not go on.
        Rejected = "rejected",
        /// Nobody said anything in time, and that ends it.
        Expired = "expired",
        /// Was picked up; its answer is under way.
        Running = "running",
        /// Its answer is stored.
        Answered = "answered",
        /// Was approved and came to nothing.
        Failed = "failed",
    }
}

names! {
    /// How a review was decided. It never changes again.
    ReviewOutcome, "the outcome" {
        /// As many persons as it needs approved.
        Approved = "approved",
        /// A person rejected.
        Rejected = "rejected",
        /// Nobody decided in time; the state says whether that let it through.
        Expired = "expired",
    }
}

/// A policy that led to the review.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReviewViolation {
    /// The policy.
    pub policy_id: String,
    /// What it asks for.
    pub outcome: String,
    /// Its severity.
    pub severity: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// `enforce` or `shadow`.
    pub mode: Option<String>,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vote {
    /// Who.
    pub reviewer: String,
    /// For or against.
    pub approve: bool,
    /// Why.
    pub rationale: String,
    /// When.
    pub at: Timestamp,
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVote {
    /// Who: a name by which the same person is known again.
    pub reviewer: String,
    /// For or against.
    pub approve: bool,
    /// Why; not blank.
    pub rationale: String,
}

/// A review. What it holds back is read apart ([`Reviews::held`](crate::Reviews::held)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: String,
    /// The decision.
    pub decision_id: Uuid,
    /// The decision's trace.
    pub trace_id: Uuid,
    /// The decision's request id.
    pub request_id: String,
    /// What is held.
    pub stage: ReviewStage,
    /// Where it stands.
    pub state: ReviewState,
    /// How it was decided.
    pub outcome: Option<ReviewOutcome>,
    /// Counts the changes.
    pub version: i64,
    /// What makes a request the same one.
    pub fingerprint: Fingerprint,
    /// When the call arrived.
    pub arrived_at: Timestamp,
    /// When it was held.
    pub created_at: Timestamp,
    /// From when on nobody can decide any more.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
    /// The policies that held it.
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
    /// How many persons must approve.
    pub reviewers_needed: u32,
    /// What persons said, oldest first.
    pub votes: Vec<Vote>,
    /// Sealed: what is about persons. Empty where it is gone.
    pub about: Vec<u8>,
    /// Number of the decision's next record.
    pub next_record: u32,
    /// Whether the decision's records say what `state` says.
    pub recorded: bool,
}

impl Review {
    /// How many approved.
    pub fn approvals(&self) -> u32 {
        self.votes.iter().filter(|vote| vote.approve).count() as u32
    }
}

/// A call to hold.
#[derive(Debug, Clone)]
pub struct NewReview {
    /// From [`new_review_id`]; stands in the decision's events already.
    pub id: String,
    /// The decision.
    pub decision_id: Uuid,
    /// The decision's trace.
    pub trace_id: Uuid,
    /// The decision's request id.
    pub request_id: String,
    /// What is held.
    pub stage: ReviewStage,
    /// What makes a request the same one.
    pub fingerprint: Fingerprint,
    /// When the call arrived.
    pub arrived_at: Timestamp,
    /// When it was held.
    pub created_at: Timestamp,
    /// From when on nobody can decide any more.
    pub expires_at: Timestamp,
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
    /// How many persons must approve; at least one.
    pub reviewers_needed: u32,
    /// Sealed: what is about persons.
    pub about: Vec<u8>,
    /// Sealed: what is held back.
    pub held: Vec<u8>,
    /// Number of the decision's next record.
    pub next_record: u32,
}

/// Which reviews to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    /// In this state.
    pub state: Option<ReviewState>,
    /// Of this decision.
    pub decision_id: Option<Uuid>,
    /// Goes on behind the review with this id.
    pub after: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// Reviews, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewPage {
    /// The reviews.
    pub items: Vec<Review>,
    /// Where the next page goes on.
    pub next: Option<String>,
}
