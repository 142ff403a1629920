//! Delays that are as long as they say. The runtime's timers tick once a millisecond: a request
//! that arrives 0.3 ms later would be answered 0 or 1 ms later, whichever the tick makes of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A thread that keeps time; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Timer {
    alarms: Sender<Alarm>,
}

#[derive(Debug)]
struct Alarm {
    at: Instant,
    wake: oneshot::Sender<()>,
}

// === impl Timer ===

impl Timer {
    pub(crate) fn start() -> Self {
        let (alarms, received) = channel();
        thread::spawn(move || keep_time(&received));
        Self { alarms }
    }

    /// Waits for so long.
    pub(crate) async fn sleep(&self, delay: Duration) {
        let (wake, woken) = oneshot::channel();
        let alarm = Alarm { at: Instant::now() + delay, wake };
        self.alarms.send(alarm).expect("the thread waits for alarms");
        woken.await.expect("the thread wakes all");
    }
}

fn keep_time(alarms: &Receiver<Alarm>) {
    let mut waiting = BinaryHeap::new();
    loop {
        let next = waiting.peek().map(|Reverse(alarm): &Reverse<Alarm>| alarm.at);
        let received = match next {
            Some(at) => alarms.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => alarms.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(alarm) => waiting.push(Reverse(alarm)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while waiting.peek().is_some_and(|Reverse(alarm)| alarm.at <= Instant::now()) {
            if let Some(Reverse(alarm)) = waiting.pop() {
                // Who no longer waits was cut off.
                let _gone = alarm.wake.send(());
            }
        }
    }
}

// === impl Alarm ===

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
