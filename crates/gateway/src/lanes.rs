//! The threads that serve connections. Each has a runtime of its own: a connection, its calls and
//! their connections to providers stay on one thread, and the thread on one processor, so that what
//! a call touches stays in its caches. Large calls are the exception (`server.rs`).

use crate::processors::Processors;
use std::convert::Infallible;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// A timer that ends sooner than any of a connection's. (A runtime writes to a descriptor of its
/// own, to cut its rest short, for each timer that ends before all that it knew of when it last
/// rested: without this one for nearly every request.)
const TICK: Duration = Duration::from_secs(1);

/// The threads that serve connections, until dropped.
pub struct Lanes {
    lanes: Vec<Lane>,
    stop: watch::Sender<bool>,
}

struct Lane {
    runtime: Handle,
    /// Shared with each of its connections.
    connections: Arc<()>,
    thread: Option<thread::JoinHandle<()>>,
}

// === impl Lanes ===

impl Lanes {
    /// Starts as many threads. Each runs `at_start` first, and stays on a processor of its own where
    /// they are as many as the processors that the caller may use.
    ///
    /// # Errors
    /// Where a thread or its runtime cannot be made.
    pub fn start(count: NonZeroUsize, at_start: fn()) -> io::Result<Self> {
        let stop = watch::Sender::new(false);
        let processors = Processors::for_threads(count.get());
        let start = |index| {
            let processors = processors.clone();
            Lane::start(index, processors, at_start, stop.subscribe())
        };
        let lanes = (0..count.get()).map(start);
        Ok(Self { lanes: lanes.collect::<io::Result<_>>()?, stop })
    }

    /// Runs something on each thread, for as long as it lives.
    pub(crate) fn on_each<F>(&self, make: impl Fn() -> F)
    where
        F: Future<Output = Infallible> + Send + 'static,
    {
        for lane in &self.lanes {
            lane.runtime.spawn(make());
        }
    }

    /// Serves a connection on the thread that has the fewest. Among equals it is the first: where
    /// there is little to do, one thread does it, and finds its connections to providers open.
    pub(crate) fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let Some(lane) = self.lanes.iter().min_by_key(|lane| Arc::strong_count(&lane.connections))
        else {
            return;
        };
        let counted = lane.connections.clone();
        lane.runtime.spawn(async move {
            connection.await;
            drop(counted);
        });
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for lane in &mut self.lanes {
            if let Some(Err(_)) = lane.thread.take().map(thread::JoinHandle::join) {
                tracing::error!("a thread that serves connections has panicked");
            }
        }
    }
}

// === impl Lane ===

impl Lane {
    fn start(
        index: usize,
        processors: Option<Processors>,
        at_start: fn(),
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        if let Some(processors) = processors.clone() {
            // Threads for what blocks: they would stay where the one is that needs them first.
            builder.on_thread_start(move || processors.leave());
        }
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            if let Some(processors) = processors {
                processors.stay(index);
            }
            at_start();
            run(&runtime, stop);
        })?;
        Ok(Self { runtime: handle, connections: Arc::default(), thread: Some(thread) })
    }
}

// === functions ===

fn run(runtime: &Runtime, mut stop: watch::Receiver<bool>) {
    runtime.block_on(async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::ThreadId;
    use tokio::sync::oneshot;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    /// What `ask` finds on each thread, in their order.
    fn on_each<T: Send + 'static>(
        lanes: &Lanes,
        ask: impl Fn() -> T + Copy + Send + 'static,
    ) -> Vec<T> {
        let found = lanes.lanes.iter().map(|lane| {
            let (tell, told) = std::sync::mpsc::channel();
            lane.runtime.spawn(async move { tell.send(ask()).unwrap() });
            told.recv().unwrap()
        });
        found.collect()
    }

    fn processors() -> Vec<usize> {
        let set = rustix::thread::sched_getaffinity(None).unwrap();
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|it| set.is_set(*it)).collect()
    }

    /// A connection that tells its thread and stays until told to end.
    fn connect(lanes: &Lanes) -> (ThreadId, oneshot::Sender<()>) {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        lanes.serve(async move {
            tell.send(thread::current().id()).unwrap();
            let _dropped = ended.await;
        });
        (told.recv().unwrap(), end)
    }

    #[test]
    fn a_connection_goes_where_the_fewest_are() {
        let lanes = Lanes::start(TWO, || ()).unwrap();
        let (first, end_first) = connect(&lanes);
        let (second, _end_second) = connect(&lanes);
        assert_ne!(first, second);
        let (third, _end_third) = connect(&lanes);
        assert_eq!(first, third, "the first of equals");
        let (fourth, end_fourth) = connect(&lanes);
        assert_eq!(second, fourth);
        end_fourth.send(()).unwrap();
        // Until its end is counted, both have two.
        while Arc::strong_count(&lanes.lanes[1].connections) > 2 {
            thread::yield_now();
        }
        assert_eq!(connect(&lanes).0, second);
        drop(lanes);
        assert!(end_first.is_closed(), "what was under way is dropped");
    }

    #[test]
    fn each_thread_runs_what_it_is_told_first() {
        thread_local! { static STARTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) } }
        let lanes = Lanes::start(TWO, || STARTED.set(true)).unwrap();
        for _ in 0..2 {
            let (tell, told) = std::sync::mpsc::channel();
            lanes.serve(async move {
                tell.send(STARTED.get()).unwrap();
                std::future::pending::<()>().await;
            });
            assert!(told.recv().unwrap());
        }
    }

    #[test]
    fn each_thread_has_a_processor_of_its_own() {
        let all = processors();
        let lanes = Lanes::start(NonZeroUsize::new(all.len()).unwrap(), || ()).unwrap();
        let mut each = on_each(&lanes, processors);
        each.sort_unstable();
        assert_eq!(each, all.iter().map(|it| vec![*it]).collect::<Vec<_>>());
        let runtime = &lanes.lanes[0].runtime;
        let blocking = runtime.spawn(async { tokio::task::spawn_blocking(processors).await });
        assert_eq!(runtime.block_on(blocking).unwrap().unwrap(), all);
    }

    #[test]
    fn threads_that_are_not_as_many_as_the_processors_go_where_they_want() {
        let all = processors();
        let lanes = Lanes::start(NonZeroUsize::new(all.len() + 1).unwrap(), || ()).unwrap();
        assert!(on_each(&lanes, processors).iter().all(|it| *it == all));
    }
}
