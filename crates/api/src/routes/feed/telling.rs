//! One feed: what it has told, and what it tells next. How it is sent is not its business.

use super::params::FeedParams;
use crate::audit::Note;
use crate::caller::Caller;
use crate::feed::{self, Ending, FeedMessage, News, Presented, Seat};
use crate::gate;
use crate::problem::Problem;
use crate::roles::{Action, Grant};
use crate::state::Shared;
use axum::extract::ws::Utf8Bytes;
use event::Timestamp;
use index::Search;
use journal::Position;
use std::sync::Arc;
use std::time::Duration;

/// A feed says at least this often that it lives, and where it is.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long it waits where the index has not reached what it goes on behind.
const CATCH_UP_WAIT: Duration = Duration::from_millis(100);

/// A feed that is open.
pub(super) struct Telling {
    shared: Arc<Shared>,
    caller: Caller,
    presented: Presented,
    search: Search,
    seat: Seat,
    /// Everything up to here was told.
    at: Position,
    /// Whether the past is told.
    live: bool,
    told: u64,
}

/// A message, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub kind: &'static str,
    pub cursor: String,
    pub text: Utf8Bytes,
}

impl Telling {
    /// Checks what was asked for, records it, and takes a place.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        caller: Caller,
        presented: Presented,
        params: FeedParams,
        last: Option<String>,
    ) -> Result<Self, Problem> {
        let since = last.or_else(|| params.since.clone()).filter(|since| !since.is_empty());
        let search = params.filter(&caller.sight())?.to_search();
        let since = match since {
            Some(cursor) => Some(check_place(shared, &cursor).await?),
            None => None,
        };
        let (seat, now) =
            shared.hub.join(search.clone(), since.is_none()).ok_or_else(Problem::busy)?;
        let filter = format!("{search}{}", if since.is_some() { " (resumed)" } else { "" });
        shared.record(&caller, Note::done("feed").filter(Some(&filter))).await?;
        Ok(Self {
            shared: shared.clone(),
            caller,
            presented,
            search,
            seat,
            at: since.unwrap_or(now),
            live: since.is_none(),
            told: 0,
        })
    }

    /// What is said first.
    pub(super) fn hello(&self) -> Message {
        let filter = self.search.to_string();
        self.message("hello", |message| FeedMessage {
            filter: Some(filter),
            at: Some(Timestamp::now()),
            ..message
        })
    }

    /// That it lives; none where it must end, because who listens is no longer let in.
    pub(super) fn heartbeat(&mut self) -> Option<Message> {
        if !self.is_admitted() {
            return None;
        }
        if self.live
            && let Some(at) = self.seat.place()
        {
            self.at = at.max(self.at);
        }
        let at = Some(Timestamp::now());
        Some(self.message("heartbeat", |message| FeedMessage { at, ..message }))
    }

    /// What is said last.
    pub(super) fn closing(&self) -> Message {
        self.message("closing", |message| message)
    }

    fn message(
        &self,
        kind: &'static str,
        with: impl FnOnce(FeedMessage<'_>) -> FeedMessage<'_>,
    ) -> Message {
        let cursor = self.shared.hub.cursor(self.at);
        let text = with(FeedMessage::new(kind, &cursor)).text().into();
        Message { kind, cursor, text }
    }

    /// What is to be said next; waits until there is something. Nothing is lost where the waiting
    /// is given up.
    pub(super) async fn next(&mut self) -> Result<Vec<Message>, Problem> {
        loop {
            let endings = if self.live { self.news() } else { self.past().await? };
            match endings {
                Some(messages) if !messages.is_empty() => return Ok(messages),
                Some(_) => {}
                None => self.seat.ready().await,
            }
        }
    }

    /// The next piece of the past; empty where none of it fits.
    async fn past(&mut self) -> Result<Option<Vec<Message>>, Problem> {
        let Some(until) = self.seat.go_live(self.at) else {
            self.live = true;
            return Ok(Some(Vec::new()));
        };
        let (endings, at) = self.shared.hub.past.read(self.at, until).await?;
        if at <= self.at {
            // Nothing more to be read yet.
            tokio::time::sleep(CATCH_UP_WAIT).await;
        }
        let fit = |ending: &&Arc<Ending>| self.search.fits(&ending.decision);
        let messages: Vec<Message> = endings.iter().filter(fit).map(|one| decision(one)).collect();
        self.at = at.max(self.at);
        self.told += messages.len() as u64;
        Ok(Some(messages))
    }

    /// What has ended meanwhile; none: nothing.
    fn news(&mut self) -> Option<Vec<Message>> {
        let (news, at) = self.seat.take();
        self.at = at.max(self.at);
        match news {
            News::Nothing => None,
            News::Decisions(endings) => {
                self.told += endings.len() as u64;
                Some(endings.iter().map(|ending| decision(ending)).collect())
            }
            News::Missed(count) => {
                let count = Some(count);
                Some(vec![self.message("missed", |message| FeedMessage { count, ..message })])
            }
        }
    }

    /// Whether who listens would be let in again, and would see the same.
    fn is_admitted(&self) -> bool {
        let Some(who) = gate::identify(&self.shared, &self.presented) else { return false };
        let grant = who.grant(Action::Feed);
        let again = Caller { who, peer: self.caller.peer, grant };
        grant != Grant::No
            && again.own_user() == self.caller.own_user()
            && again.own_source() == self.caller.own_source()
    }
}

impl Drop for Telling {
    /// That it ended, and how much it showed. What cannot be recorded any more was shown under the
    /// record of its opening.
    fn drop(&mut self) {
        let (shared, caller) = (self.shared.clone(), self.caller.clone());
        let note = Note::done("feed_end").records(usize::try_from(self.told).unwrap_or(usize::MAX));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { shared.record(&caller, note).await.is_ok() });
        }
    }
}

fn decision(ending: &Ending) -> Message {
    Message { kind: "decision", cursor: ending.cursor.clone(), text: ending.text.clone() }
}

/// The place of a cursor, where a record can begin.
async fn check_place(shared: &Shared, cursor: &str) -> Result<Position, Problem> {
    let at = shared.hub.position(cursor)?;
    let end = shared.progress.borrow().end;
    if at > end {
        return Err(feed::refused());
    }
    // Whether one does shows when it is read; what was read is kept for what follows.
    let indexed = *shared.parts.indexed.borrow();
    shared.hub.past.read(at, indexed.unwrap_or(at).max(at)).await?;
    Ok(at)
}
