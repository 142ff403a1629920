//! Verdicts of persons.

use crate::desk::{Desk, Shown};
use crate::error::ReviewError;
use crate::hold::About;
use control::{NewVote, Review, VerdictError};
use event::Timestamp;

/// Who gives a verdict.
#[derive(Debug, Clone)]
pub struct Reviewer {
    /// The name that is recorded.
    pub name: String,
    /// The end user of decisions whom the reviewer stands for: these calls are their own, too.
    pub user_id: Option<String>,
}

impl From<&str> for Reviewer {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), user_id: None }
    }
}

impl Desk {
    /// A person approves. The review that comes back is approved and recorded, or still pending
    /// where it needs more persons.
    ///
    /// # Errors
    /// [`ReviewError::Verdict`] where it did not count, and which outcome stands;
    /// [`ReviewError::OwnCall`], [`ReviewError::Erased`], or where something fails.
    pub async fn approve(
        &self,
        id: &str,
        reviewer: impl Into<Reviewer>,
        rationale: &str,
    ) -> Result<Shown, ReviewError> {
        self.verdict(id, reviewer.into(), rationale, true).await
    }

    /// A person rejects: that ends the review, however many have approved.
    ///
    /// # Errors
    /// As [`approve`](Self::approve); one's own call may be rejected.
    pub async fn reject(
        &self,
        id: &str,
        reviewer: impl Into<Reviewer>,
        rationale: &str,
    ) -> Result<Shown, ReviewError> {
        self.verdict(id, reviewer.into(), rationale, false).await
    }

    /// Goes on without the caller, so that what was decided is recorded.
    async fn verdict(
        &self,
        id: &str,
        reviewer: Reviewer,
        rationale: &str,
        approve: bool,
    ) -> Result<Shown, ReviewError> {
        let (desk, id) = (self.clone(), id.to_owned());
        let vote = NewVote {
            reviewer: reviewer.name.clone(),
            approve,
            rationale: rationale.trim().to_owned(),
        };
        let task = tokio::spawn(async move { desk.decide(&id, &reviewer, vote).await });
        task.await.map_err(|error| {
            tracing::error!(%error, "a verdict failed inside");
            ReviewError::Internal
        })?
    }

    async fn decide(
        &self,
        id: &str,
        reviewer: &Reviewer,
        vote: NewVote,
    ) -> Result<Shown, ReviewError> {
        let Shown { review, about } = self.show(id).await?;
        if vote.approve && review.outcome.is_none() {
            may_approve(&review, about.as_ref(), reviewer)?;
        }
        let now = Timestamp::now();
        let (taken, given) = (id.to_owned(), vote.clone());
        let voted = self.ask(move |reviews| reviews.vote(&taken, &given, now)).await?;
        let review = match voted {
            Ok(review) => review,
            Err(VerdictError::Due { .. }) => {
                self.expire_due(now).await?;
                let id = id.to_owned();
                // It says now that it has expired.
                self.ask(move |reviews| reviews.vote(&id, &vote, now)).await??
            }
            Err(error) => return Err(error.into()),
        };
        let review = if review.outcome.is_some() { self.record(&review.id).await? } else { review };
        Ok(Shown { review, about })
    }
}

fn may_approve(
    review: &Review,
    about: Option<&About>,
    reviewer: &Reviewer,
) -> Result<(), ReviewError> {
    let Some(about) = about else {
        return Err(ReviewError::Erased { id: review.id.clone() });
    };
    let named = [about.user_id.as_deref(), about.user_email.as_deref()];
    let theirs = [Some(reviewer.name.as_str()), reviewer.user_id.as_deref()];
    let is_one = |name: &str, other: &str| name.trim().eq_ignore_ascii_case(other.trim());
    let own = |name: &str| theirs.into_iter().flatten().any(|other| is_one(name, other));
    if named.into_iter().flatten().any(own) {
        let (id, reviewer) = (review.id.clone(), reviewer.name.clone());
        return Err(ReviewError::OwnCall { id, reviewer });
    }
    Ok(())
}
