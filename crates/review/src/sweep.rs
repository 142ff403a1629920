//! What time does to reviews.

use crate::desk::Desk;
use crate::error::ReviewError;
use crate::settings::OnExpiry;
use event::Timestamp;
use std::time::Duration;

impl Desk {
    /// Expires what is due, records what could not be recorded before, ends what nobody picked up,
    /// and drops what was kept long enough. Call it every second or so.
    ///
    /// # Errors
    /// Where the store or the journal fails; what is left is done by the next call.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), ReviewError> {
        self.expire_due(now).await?;
        for review in self.ask(control::Reviews::unrecorded).await?? {
            self.record(&review.id).await?;
        }
        let keep = self.inner.settings.keep;
        let before = earlier(now, keep);
        for review in self.ask(move |reviews| reviews.abandoned(before)).await?? {
            self.abandon(&review).await?;
        }
        self.ask(move |reviews| reviews.purge(now, keep)).await??;
        Ok(())
    }

    /// Expires every review that is due at `now`; how many there were.
    ///
    /// # Errors
    /// Where the store or the journal fails; what is left is done by the next call.
    pub async fn expire_due(&self, now: Timestamp) -> Result<usize, ReviewError> {
        let approves = self.inner.settings.on_expiry == OnExpiry::Approve;
        let mut count = 0;
        loop {
            let expired = self.ask(move |reviews| reviews.expire_due(now, approves)).await??;
            if expired.is_empty() {
                return Ok(count);
            }
            count += expired.len();
            for review in expired {
                self.record(&review.id).await?;
            }
        }
    }
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}
