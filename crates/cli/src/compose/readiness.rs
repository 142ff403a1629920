//! Whether calls can be taken: the journal writes, the supervised command listens, and nobody
//! asked to stop.

use gateway::Readiness;
use journal::Journal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const CHECK_EVERY: Duration = Duration::from_millis(100);

/// What readiness depends on.
#[derive(Debug)]
pub struct Watch {
    /// The journal.
    pub journal: Arc<Journal>,
    /// Why the supervised command does not answer, where it does not.
    pub command: Option<watch::Receiver<Option<String>>>,
    /// Whether the process is ending.
    pub stop: watch::Receiver<bool>,
}

// === impl Watch ===

impl Watch {
    /// What holds now.
    pub fn now(&self) -> Readiness {
        if *self.stop.borrow() {
            return Readiness::NotReady("the server is stopping".to_owned());
        }
        if let Some(cause) = self.journal.poison_cause() {
            return Readiness::NotReady(cause.to_string());
        }
        let command = self.command.as_ref().and_then(|command| command.borrow().clone());
        command.map_or(Readiness::Ready, Readiness::NotReady)
    }

    /// Keeps the value current until nobody reads it.
    pub async fn follow(mut self, sender: watch::Sender<Readiness>) {
        loop {
            let now = self.now();
            sender.send_if_modified(|value| {
                let changed = *value != now;
                if changed {
                    tracing::info!(readiness = ?now, "readiness changed");
                    *value = now;
                }
                changed
            });
            tokio::select! {
                () = sender.closed() => return,
                _ = self.stop.wait_for(|stop| *stop), if !*self.stop.borrow() => {}
                () = tokio::time::sleep(CHECK_EVERY) => {}
            }
        }
    }
}
