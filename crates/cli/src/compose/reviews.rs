//! What time does to reviews, and who is told of them.

use super::webhook::Webhook;
use review::Desk;
use std::time::Duration;

/// How often time is looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Expires, records and drops reviews as time passes, until it is aborted.
pub async fn sweep(desk: Desk) {
    loop {
        if let Err(error) = desk.sweep(event::Timestamp::now()).await {
            tracing::error!(%error, "reviews are not taken care of; trying again");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// Tells of reviews as they are opened and decided, until it is aborted.
pub async fn tell(desk: Desk, webhook: Option<Webhook>) {
    let Some(webhook) = webhook else { return };
    let mut changed = desk.reviews().changed();
    loop {
        changed.borrow_and_update();
        if let Err(error) = webhook.send_due(&desk, event::Timestamp::now()).await {
            tracing::error!(%error, "webhooks are not taken care of; trying again");
        }
        // Which of the two ended the wait makes no difference: retries become due by time.
        let _ended = tokio::time::timeout(SWEEP_EVERY, changed.changed()).await;
    }
}
