//! Where reviews are held, read and picked up.

use crate::error::ReviewError;
use crate::hold::{About, Hold, NotHeld, Opening, PickedUp, UnderWay};
use crate::settings::Settings;
use control::{
    NewReview, Review, ReviewFilter, ReviewPage, ReviewStage, ReviewState, Reviews, new_review_id,
};
use event::Timestamp;
use recorder::{DecisionIds, DecisionWriter, HeldPart, PersonNames, Persons, Recorder};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Other processes change reviews without telling this one: waiters look again this often.
const POLL: Duration = Duration::from_secs(1);
/// Reviewers that a policy can ask for at most: their votes stand in one record.
const REVIEWERS_MAX: u32 = 16;

/// Holds calls for persons, takes verdicts, gives back what was let through. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(crate) inner: Arc<Inner>,
}

/// What every clone shares.
pub(crate) struct Inner {
    pub reviews: Arc<Reviews>,
    pub recorder: Recorder,
    pub settings: Settings,
    /// One at a time records decided reviews, so that each is recorded once. Holds the number of
    /// the next record of those that are recorded and could not be marked yet.
    pub recording: Mutex<HashMap<String, u32>>,
}

/// A review with what it says about persons; none of that where one of them was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The review.
    pub review: Review,
    /// What it says about persons.
    pub about: Option<About>,
}

impl Desk {
    /// A desk over one open data directory. Call [`settle`](Self::settle) before anything else.
    pub fn new(reviews: Arc<Reviews>, recorder: Recorder, settings: Settings) -> Self {
        let recording = Mutex::default();
        Self { inner: Arc::new(Inner { reviews, recorder, settings, recording }) }
    }

    /// What the operator chose.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The store of reviews: what is live, claims, and what changed.
    pub fn reviews(&self) -> &Arc<Reviews> {
        &self.inner.reviews
    }

    // --- for the gateway ---

    /// Begins to open a review: gives its id and event. To be recorded, then
    /// [`hold`](Self::hold).
    pub fn opening(&self, stage: ReviewStage, reviewers_needed: u32) -> Opening {
        let created_at = Timestamp::now();
        let expire = i64::try_from(self.inner.settings.expire.as_micros()).unwrap_or(i64::MAX);
        Opening {
            id: new_review_id(),
            stage,
            reviewers_needed: reviewers_needed.clamp(1, REVIEWERS_MAX),
            created_at,
            expires_at: Timestamp::from_micros(created_at.as_micros().saturating_add(expire)),
        }
    }

    /// Stores a call that its records say is held (they end with
    /// [`Opening::event`]), and sets its writer aside.
    ///
    /// # Errors
    /// Where it could not be stored; the writer comes back to end the call.
    pub async fn hold(
        &self,
        writer: DecisionWriter,
        persons: &Persons,
        hold: Hold,
    ) -> Result<Review, NotHeld> {
        match self.store(&writer, persons, hold).await {
            Ok(review) => {
                writer.set_aside();
                Ok(review)
            }
            Err(error) => Err(NotHeld { writer: Box::new(writer), error }),
        }
    }

    async fn store(
        &self,
        writer: &DecisionWriter,
        persons: &Persons,
        hold: Hold,
    ) -> Result<Review, ReviewError> {
        let id = hold.opening.id.clone();
        let about = serde_json::to_vec(&hold.about)
            .map_err(|error| ReviewError::Damaged { id: id.clone(), what: error.to_string() })?;
        let recorder = &self.inner.recorder;
        let ids = writer.ids();
        let new = NewReview {
            about: recorder.seal_held(persons, &id, HeldPart::About, &about)?,
            held: recorder.seal_held(persons, &id, HeldPart::Held, &hold.held)?,
            id,
            decision_id: ids.decision_id,
            trace_id: ids.trace_id,
            request_id: ids.request_id.clone(),
            stage: hold.opening.stage,
            fingerprint: hold.fingerprint,
            arrived_at: hold.arrived_at,
            created_at: hold.opening.created_at,
            expires_at: hold.opening.expires_at,
            policy_ids: hold.policy_ids,
            violations: hold.violations,
            api_key_id: hold.api_key_id,
            source: hold.source,
            request_type: hold.request_type,
            model: hold.model,
            reviewers_needed: hold.opening.reviewers_needed,
            next_record: writer.number(),
        };
        Ok(self.ask(move |reviews| reviews.insert(&new)).await??)
    }

    /// Waits until the caller can be told something: approved, rejected or expired (and recorded
    /// as such), answered or failed; or until `deadline`, and then gives the review as it is.
    ///
    /// # Errors
    /// Where there is no such review, or the store fails.
    pub async fn wait(&self, id: &str, deadline: Instant) -> Result<Review, ReviewError> {
        let mut changed = self.inner.reviews.changed();
        loop {
            changed.borrow_and_update();
            let review = self.get(id).await?;
            let open = matches!(review.state, ReviewState::Pending | ReviewState::Running);
            if (!open && review.recorded) || Instant::now() >= deadline {
                return Ok(review);
            }
            let look_again = deadline.min(Instant::now() + POLL);
            // Which of the two ended the wait makes no difference.
            let _ended = tokio::time::timeout_at(look_again, changed.changed()).await;
        }
    }

    /// Takes an approved review to go on with it: exactly one caller gets it, the others none
    /// (wait for its answer then).
    ///
    /// # Errors
    /// [`ReviewError::Erased`]: the review has failed, and the call has ended. Otherwise where the
    /// store or the journal fails; try again then.
    pub async fn pick_up(&self, id: &str) -> Result<Option<PickedUp>, ReviewError> {
        let review = self.get(id).await?;
        if review.state != ReviewState::Approved || !review.recorded {
            return Ok(None);
        }
        let desk = self.clone();
        let opening = review.clone();
        let opened = self
            .ask(move |reviews| {
                let sealed = reviews.held(&opening.id)?.unwrap_or_default();
                let about = desk.about(&opening)?;
                let held = desk.inner.recorder.open_held(&opening.id, HeldPart::Held, &sealed)?;
                Ok::<_, ReviewError>(about.zip(held))
            })
            .await??;
        let Some((about, held)) = opened else {
            self.abandon(&review).await?;
            return Err(ReviewError::Erased { id: review.id });
        };
        let names = PersonNames { user: about.user_id.clone(), subjects: about.subjects.clone() };
        let persons = self.inner.recorder.persons(&names).await?;
        let taken = id.to_owned();
        let Some(review) = self.ask(move |reviews| reviews.pick_up(&taken)).await?? else {
            return Ok(None);
        };
        let under_way = UnderWay { reviews: self.inner.reviews.clone(), id: review.id.clone() };
        let writer =
            self.inner.recorder.resume(ids(&review), Some(persons.clone()), review.next_record);
        Ok(Some(PickedUp { review, about, persons, writer, held, under_way }))
    }

    /// Stores the answer of a review that was picked up, after the call's end was recorded:
    /// whatever is needed to give it again, in the caller's own form.
    ///
    /// # Errors
    /// Where it cannot be stored; the answer can still be given, this once.
    pub async fn answered(
        &self,
        id: &str,
        persons: &Persons,
        writer: &DecisionWriter,
        answer: &[u8],
    ) -> Result<bool, ReviewError> {
        let sealed = self.inner.recorder.seal_held(persons, id, HeldPart::Answer, answer)?;
        let (id, next) = (id.to_owned(), writer.number());
        Ok(self.ask(move |reviews| reviews.finish(&id, &sealed, next)).await??)
    }

    /// Ends a review that was picked up and came to nothing, after the call's end was recorded.
    /// Dropping [`PickedUp::under_way`] does the same, later.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn failed(&self, id: &str) -> Result<bool, ReviewError> {
        let id = id.to_owned();
        Ok(self.ask(move |reviews| reviews.fail(&id, ReviewState::Running)).await??)
    }

    /// The stored answer of an answered review; none where it is gone or erased.
    ///
    /// # Errors
    /// Where the store fails, or the answer is damaged.
    pub async fn answer(&self, id: &str) -> Result<Option<Vec<u8>>, ReviewError> {
        let (desk, id) = (self.clone(), id.to_owned());
        self.ask(move |reviews| {
            let Some(sealed) = reviews.answer(&id)? else { return Ok(None) };
            Ok(desk.inner.recorder.open_held(&id, HeldPart::Answer, &sealed)?)
        })
        .await?
    }

    /// The caller of a rejected or expired review was told. Equal requests are new ones from here
    /// on.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn told(&self, id: &str) -> Result<bool, ReviewError> {
        let id = id.to_owned();
        Ok(self.ask(move |reviews| reviews.told(&id)).await??)
    }

    /// One review.
    ///
    /// # Errors
    /// Where there is none, or the store fails.
    pub async fn get(&self, id: &str) -> Result<Review, ReviewError> {
        let id = id.to_owned();
        Ok(self.ask(move |reviews| reviews.get(&id)).await??)
    }

    // --- for reviewers ---

    /// One review, with what it says about persons.
    ///
    /// # Errors
    /// Where there is none, or the store fails.
    pub async fn show(&self, id: &str) -> Result<Shown, ReviewError> {
        let (desk, id) = (self.clone(), id.to_owned());
        self.ask(move |reviews| desk.shown(reviews.get(&id)?)).await?
    }

    /// A page of reviews, newest first, and where the next goes on.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(
        &self,
        filter: ReviewFilter,
    ) -> Result<(Vec<Shown>, Option<String>), ReviewError> {
        let desk = self.clone();
        self.ask(move |reviews| {
            let ReviewPage { items, next } = reviews.list(&filter)?;
            let items: Result<_, _> = items.into_iter().map(|one| desk.shown(one)).collect();
            Ok((items?, next))
        })
        .await?
    }

    // --- inside ---

    fn shown(&self, review: Review) -> Result<Shown, ReviewError> {
        let about = self.about(&review)?;
        Ok(Shown { review, about })
    }

    /// What a review says about persons. Blocks.
    pub(crate) fn about(&self, review: &Review) -> Result<Option<About>, ReviewError> {
        let recorder = &self.inner.recorder;
        let opened = recorder.open_held(&review.id, HeldPart::About, &review.about)?;
        opened.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(|error| {
            ReviewError::Damaged { id: review.id.clone(), what: error.to_string() }
        })
    }

    /// Asks the store on a thread where that may block.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reviews) -> T + Send + 'static,
    ) -> Result<T, ReviewError> {
        let reviews = self.inner.reviews.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&reviews));
        asked.await.map_err(|error| {
            tracing::error!(%error, "a thread of the review store failed");
            ReviewError::Internal
        })
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// Ids of the review's decision.
pub(crate) fn ids(review: &Review) -> DecisionIds {
    DecisionIds {
        decision_id: review.decision_id,
        trace_id: review.trace_id,
        request_id: review.request_id.clone(),
    }
}
