//! Somebody who listens, with what waits for them.

use super::ending::Ending;
use index::Search;
use journal::Position;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Decisions that wait for one slow reader at most.
const QUEUE_MAX: usize = 2_048;

/// Decisions that are told together at most.
const TOGETHER_MAX: usize = 256;

/// One listener.
#[derive(Debug)]
pub(super) struct Subscriber {
    wish: Search,
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<Ending>>,
    /// Left out since the queue was full; told when it is empty.
    missed: u64,
    /// What stands up to here is told otherwise.
    told: Option<Position>,
}

/// What there is to tell.
#[derive(Debug)]
pub(crate) enum News {
    Decisions(Vec<Arc<Ending>>),
    Missed(u64),
    Nothing,
}

impl Subscriber {
    /// Listens for what fits. Nothing is taken up to `told`: it is told otherwise.
    pub(super) fn new(wish: Search, told: Option<Position>) -> Self {
        let queue = Mutex::new(Queue { told, ..Queue::default() });
        Self { wish, queue, ready: Notify::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to here, and nothing else, is told otherwise.
    pub(super) fn told(&self, until: Position) {
        self.queue().told = Some(until);
    }

    /// What is wanted of these.
    pub(super) fn fitting(&self, endings: &[Arc<Ending>]) -> Vec<Arc<Ending>> {
        endings.iter().filter(|ending| self.wish.fits(&ending.decision)).cloned().collect()
    }

    /// Takes what fits, where there is room.
    pub(super) fn offer(&self, fitting: Vec<Arc<Ending>>) {
        if fitting.is_empty() {
            return;
        }
        let mut queue = self.queue();
        for ending in fitting {
            if queue.told.is_some_and(|told| ending.at <= told) {
                continue;
            }
            // Once something is missing the rest waits until that was told: order is kept.
            if queue.missed > 0 || queue.waiting.len() >= QUEUE_MAX {
                queue.missed += 1;
            } else {
                queue.waiting.push_back(ending);
            }
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// What there is to tell now.
    pub(super) fn take(&self) -> News {
        let mut queue = self.queue();
        if !queue.waiting.is_empty() {
            let count = queue.waiting.len().min(TOGETHER_MAX);
            return News::Decisions(queue.waiting.drain(..count).collect());
        }
        match std::mem::take(&mut queue.missed) {
            0 => News::Nothing,
            count => News::Missed(count),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        let queue = self.queue();
        queue.waiting.is_empty() && queue.missed == 0
    }

    /// Waits until there may be something.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::{Decision, Origin, Timestamp};
    use uuid::Uuid;

    fn ending(number: u64) -> Arc<Ending> {
        let id = Uuid::from_u128(u128::from(number));
        let request_id = String::new();
        let decision = Decision::new(id, Timestamp::default(), id, request_id, Origin::Observed);
        let at = Position { epoch: 1, segment: 0, offset: number };
        Arc::new(Ending { at, decision, cursor: String::new(), text: "".into() })
    }

    fn places(news: News) -> Vec<u64> {
        match news {
            News::Decisions(list) => list.iter().map(|one| one.at.offset).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_slow_listener_is_told_how_many_were_left_out_and_where() {
        let slow = Subscriber::new("".parse().unwrap(), None);
        let told = QUEUE_MAX as u64;
        for number in 1..=told + 5 {
            slow.offer(vec![ending(number)]);
        }
        let mut first = Vec::new();
        while first.len() < QUEUE_MAX {
            first.extend(places(slow.take()));
        }
        assert_eq!(first, (1..=told).collect::<Vec<_>>());
        // What comes before the gap was told belongs to it.
        slow.offer(vec![ending(told + 6)]);
        assert!(matches!(slow.take(), News::Missed(6)));
        slow.offer(vec![ending(told + 7)]);
        assert_eq!(places(slow.take()), [told + 7]);
        assert!(matches!(slow.take(), News::Nothing));
    }

    #[test]
    fn what_is_told_otherwise_or_does_not_fit_is_not_told() {
        let at = Position { epoch: 1, segment: 0, offset: 3 };
        let joined =
            Subscriber::new("-id:00000000-0000-0000-0000-000000000005".parse().unwrap(), Some(at));
        joined.offer(joined.fitting(&(1..=6).map(ending).collect::<Vec<_>>()));
        assert_eq!(places(joined.take()), [4, 6]);
    }
}
