//! Who is told that an append is durable. A thread with many appenders is told once for all of
//! them in a batch, and tells them itself: to wake a runtime from outside is a system call, each
//! time.

use crate::Error;
use crate::append::Committed;
use crate::mutex::lock;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use tokio::sync::{Notify, oneshot};

/// Where an appender waits.
pub(crate) type Reply = oneshot::Sender<Result<Committed, Error>>;

/// An appender who waits, and the thread it appended from.
pub(crate) struct Appender {
    reply: Reply,
    thread: ThreadId,
}

/// The threads that tell their appenders themselves.
#[derive(Default)]
pub(crate) struct Telling {
    threads: Mutex<Vec<Arc<Inbox>>>,
}

/// What one thread has to tell.
struct Inbox {
    thread: ThreadId,
    answers: Mutex<Vec<(Reply, Committed)>>,
    filled: Notify,
}

/// A thread's inbox, until dropped.
struct Member<'a> {
    telling: &'a Telling,
    inbox: Arc<Inbox>,
}

// === impl Appender ===

impl Appender {
    /// One who waits, on this thread.
    pub fn here(reply: Reply) -> Self {
        Self { reply, thread: thread::current().id() }
    }

    /// Tells one appender. Who has gone needs no answer.
    pub fn tell(self, answer: Result<Committed, Error>) {
        let _gone = self.reply.send(answer);
    }
}

// === impl Telling ===

impl Telling {
    /// Tells all of a batch.
    pub fn tell(&self, batch: &mut Vec<(Appender, Committed)>) {
        let here = thread::current().id();
        let threads = lock(&self.threads);
        for (appender, committed) in batch.drain(..) {
            let inbox = threads.iter().find(|inbox| inbox.thread == appender.thread);
            match inbox.filter(|inbox| inbox.thread != here) {
                Some(inbox) => lock(&inbox.answers).push((appender.reply, committed)),
                None => appender.tell(Ok(committed)),
            }
        }
        for inbox in &*threads {
            if !lock(&inbox.answers).is_empty() {
                inbox.filled.notify_one();
            }
        }
    }

    /// Tells those who append on the thread that first polls this, for as long as it is polled.
    pub async fn here(&self) -> Infallible {
        let member = Member::join(self);
        loop {
            member.inbox.filled.notified().await;
            member.inbox.empty();
        }
    }
}

// === impl Inbox ===

impl Inbox {
    fn empty(&self) {
        let answers = std::mem::take(&mut *lock(&self.answers));
        for (reply, committed) in answers {
            let _gone = reply.send(Ok(committed));
        }
    }
}

// === impl Member ===

impl<'a> Member<'a> {
    fn join(telling: &'a Telling) -> Self {
        let inbox = Arc::new(Inbox {
            thread: thread::current().id(),
            answers: Mutex::default(),
            filled: Notify::new(),
        });
        lock(&telling.threads).push(Arc::clone(&inbox));
        Self { telling, inbox }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        lock(&self.telling.threads).retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
        // Nothing can come in any more.
        self.inbox.empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const COMMITTED: Committed = Committed {
        seq: 1,
        ts_micros: 2,
        start: Position::new(1, 1, 0),
        leaf: Position::new(1, 1, 1),
        end: Position::new(1, 1, 2),
    };

    type Waiting = oneshot::Receiver<Result<Committed, Error>>;

    fn appended(from: ThreadId) -> (Waiting, (Appender, Committed)) {
        let (reply, waiting) = oneshot::channel();
        (waiting, (Appender { reply, thread: from }, COMMITTED))
    }

    fn told(waiting: &mut Waiting) -> bool {
        waiting.try_recv().is_ok_and(|answer| answer.unwrap() == COMMITTED)
    }

    /// A batch of this thread's, committed on another.
    fn tell(telling: &Telling, mut batch: Vec<(Appender, Committed)>) {
        thread::scope(|scope| scope.spawn(|| telling.tell(&mut batch)).join().unwrap());
    }

    #[test]
    fn a_thread_that_tells_its_own_does_it_when_it_is_polled() {
        let telling = Telling::default();
        let here = thread::current().id();
        let mut cx = Context::from_waker(Waker::noop());
        let mut telling_here = pin!(telling.here());
        assert!(telling_here.as_mut().poll(&mut cx).is_pending());
        let ((mut one, first), (mut two, second)) = (appended(here), appended(here));
        tell(&telling, vec![first, second]);
        assert!(!told(&mut one) && !told(&mut two));
        assert!(matches!(telling_here.as_mut().poll(&mut cx), Poll::Pending));
        assert!(told(&mut one) && told(&mut two));
    }

    #[test]
    fn others_are_told_at_once() {
        let telling = Telling::default();
        let here = thread::current().id();
        let (mut before, batch) = appended(here);
        tell(&telling, vec![batch]);
        assert!(told(&mut before), "nobody tells on this thread");
        let mut cx = Context::from_waker(Waker::noop());
        let mut telling_here = pin!(telling.here());
        assert!(telling_here.as_mut().poll(&mut cx).is_pending());
        let elsewhere = thread::scope(|scope| scope.spawn(|| thread::current().id()).join());
        let (mut other, batch) = appended(elsewhere.unwrap());
        tell(&telling, vec![batch]);
        assert!(told(&mut other), "on a thread that does not tell");
        let (mut own, batch) = appended(here);
        telling.tell(&mut vec![batch]);
        assert!(told(&mut own), "committed by its own thread");
    }

    #[test]
    fn who_stops_telling_leaves_nobody_waiting() {
        let telling = Telling::default();
        let here = thread::current().id();
        let mut cx = Context::from_waker(Waker::noop());
        let mut telling_here = Box::pin(telling.here());
        assert!(telling_here.as_mut().poll(&mut cx).is_pending());
        let (mut one, batch) = appended(here);
        tell(&telling, vec![batch]);
        drop(telling_here);
        assert!(told(&mut one));
        let (mut two, batch) = appended(here);
        tell(&telling, vec![batch]);
        assert!(told(&mut two));
    }
}
