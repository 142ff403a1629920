//! From a decided review to the records that say so.

use crate::desk::{Desk, ids};
use crate::error::ReviewError;
use crate::events;
use control::{Review, ReviewState};
use std::collections::HashMap;

impl Desk {
    /// Records a decided review and marks it, unless somebody did already.
    pub(crate) async fn record(&self, id: &str) -> Result<Review, ReviewError> {
        let mut written = self.inner.recording.lock().await;
        let review = self.get(id).await?;
        if review.recorded {
            return Ok(review);
        }
        let next_record = match written.get(id) {
            Some(next) => *next,
            None => self.write(&review).await?,
        };
        written.insert(id.to_owned(), next_record);
        let marking = id.to_owned();
        self.ask(move |reviews| reviews.mark_recorded(&marking, next_record)).await??;
        written.remove(id);
        drop(written);
        self.get(id).await
    }

    /// Writes the decision's next record; gives the number of the one after it.
    async fn write(&self, review: &Review) -> Result<u32, ReviewError> {
        let recorder = &self.inner.recorder;
        let mut writer = recorder.resume(ids(review), None, review.next_record);
        let committed = writer.commit(&events::decided(review), Vec::new()).await;
        let next_record = writer.number();
        // Where it was not written, the store still says so, and it is tried again.
        writer.set_aside();
        match committed {
            Ok(_) => Ok(next_record),
            Err(source) => Err(ReviewError::Unrecorded { id: review.id.clone(), source }),
        }
    }

    /// Ends an approved review that nobody can or will pick up any more.
    pub(crate) async fn abandon(&self, review: &Review) -> Result<(), ReviewError> {
        let id = review.id.clone();
        if self.ask(move |reviews| reviews.abandon(&id)).await?? {
            self.record(&review.id).await?;
        }
        Ok(())
    }

    /// Takes up what a crash left: call it once, at the start, with what
    /// [`Running::held`](recorder::Running) says. Nothing is served before.
    ///
    /// # Errors
    /// Where the store fails. What cannot be recorded now is tried again by
    /// [`sweep`](Self::sweep).
    pub async fn settle(&self, held: &[recorder::HeldProgress]) -> Result<(), ReviewError> {
        let held: HashMap<_, _> = held.iter().map(|call| (call.decision_id, *call)).collect();
        for review in self.ask(control::Reviews::unsettled).await?? {
            let progress = held.get(&review.decision_id);
            let records = progress.map_or(review.next_record, |call| call.records);
            let ended = progress.is_some_and(|call| call.ended);
            let (id, state) = (review.id.clone(), review.state);
            if state == ReviewState::Running {
                // Its end is recorded: by the process that ran it, or as interrupted just now.
                self.ask(move |reviews| reviews.fail(&id, state)).await??;
            } else if !review.recorded && records > review.next_record {
                self.ask(move |reviews| reviews.mark_recorded(&id, records)).await??;
            } else if !review.recorded {
                if let Err(error) = self.record(&id).await {
                    tracing::error!(%error, review = id, "a decided review is not recorded yet");
                }
            } else if ended {
                self.ask(move |reviews| reviews.fail(&id, state)).await??;
            }
        }
        Ok(())
    }

    /// What the journal is to be told when it is opened: calls that are held must not be taken for
    /// calls that a crash cut off.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn held_calls(reviews: &control::Reviews) -> control::Result<Vec<recorder::HeldCall>> {
        let calls = reviews.unsettled()?.into_iter().map(|review| recorder::HeldCall {
            ids: ids(&review),
            records: review.next_record,
            hold: match review.state {
                ReviewState::Running => recorder::Hold::Running,
                _ => recorder::Hold::Waits,
            },
        });
        Ok(calls.collect())
    }
}
