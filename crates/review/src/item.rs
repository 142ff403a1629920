//! A review as people and programs see it.

use crate::hold::About;
use control::{Review, ReviewOutcome, ReviewStage, ReviewState, ReviewViolation};
use event::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A review. What is not known, or erased, is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// The decision that is held.
    pub decision_id: Uuid,
    /// What is held.
    pub stage: ReviewStage,
    /// Where it stands.
    pub state: ReviewState,
    /// When it was opened.
    pub created_at: Timestamp,
    /// From when on nobody can decide any more.
    pub expires_at: Timestamp,
    /// The policies that hold it.
    pub policy_ids: Vec<String>,
    /// What the policies said.
    pub violations: Vec<ReviewViolation>,
    /// The calling application.
    pub source: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// The logical action.
    pub request_type: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// How many persons must approve.
    pub reviewers_needed: u32,
    /// What persons said, oldest first.
    pub votes: Vec<ItemVote>,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// How it was decided.
    pub outcome: Option<ReviewOutcome>,
    /// Redacted beginning of the prompt.
    pub prompt_preview: Option<String>,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemVote {
    /// Who.
    pub reviewer: String,
    /// `approved` or `rejected`.
    pub verdict: String,
    /// Why.
    pub rationale: String,
    /// When.
    pub at: Timestamp,
}

impl Item {
    /// The review, with what it says about persons where that may be shown.
    pub fn new(review: &Review, about: Option<&About>) -> Self {
        let votes = review.votes.iter().map(|vote| ItemVote {
            reviewer: vote.reviewer.clone(),
            verdict: if vote.approve { "approved" } else { "rejected" }.to_owned(),
            rationale: vote.rationale.clone(),
            at: vote.at,
        });
        Self {
            id: review.id.clone(),
            decision_id: review.decision_id,
            stage: review.stage,
            state: review.state,
            created_at: review.created_at,
            expires_at: review.expires_at,
            policy_ids: review.policy_ids.clone(),
            violations: review.violations.clone(),
            source: review.source.clone(),
            user_id: about.and_then(|about| about.user_id.clone()),
            request_type: review.request_type.clone(),
            model: review.model.clone(),
            reviewers_needed: review.reviewers_needed,
            votes: votes.collect(),
            decided_at: review.decided_at,
            outcome: review.outcome,
            prompt_preview: about.and_then(|about| about.prompt_preview.clone()),
        }
    }
}
