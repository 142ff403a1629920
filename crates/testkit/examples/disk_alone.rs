//! What the disk takes for the records of calls at a fixed rate, with no server at all, as JSON:
//! `disk_alone DIR RATE SECONDS`.
//!
//! Each call has two records, one when it is due and one 20 ms later, as if a provider had
//! answered in between. One thread writes what waits over zeros and syncs it, over and over: the
//! least that a server which makes both records durable can add.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]

use serde_json::json;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use testkit::percentiles;

/// About what one of our records takes on disk.
const RECORD_BYTES: usize = 2_560;
const PAGE_BYTES: usize = 4_096;
const FILE_BYTES: usize = 64 << 20;
/// From a call's first record to its second.
const ANSWER: Duration = Duration::from_millis(20);

type AnyError = Box<dyn Error + Send + Sync>;

/// A record that is due: of which call, and since when.
type Due = (usize, Instant);

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, rate, seconds] = &arguments[..] else {
        return Err("disk_alone DIR RATE SECONDS".into());
    };
    let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
    let calls = (rate * seconds) as usize;
    let path = Path::new(dir).join("disk-alone.bin");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    file.write_all_at(&vec![0; FILE_BYTES], 0)?;
    file.sync_all()?;
    let (records, due) = channel();
    let keeper = std::thread::spawn(move || keep_time(rate, calls, &records));
    let done = write(&file, &due, calls);
    std::fs::remove_file(&path)?;
    keeper.join().map_err(|_| "the thread that keeps time panicked")?;
    let (mut syncs, mut both) = done?;
    println!("{}", json!({"sync_ms": percentiles(&mut syncs), "call_ms": percentiles(&mut both)}));
    Ok(())
}

/// Hands over every record when it is due.
fn keep_time(rate: f64, calls: usize, records: &Sender<Due>) {
    let start = Instant::now();
    let at = |call: usize| start + Duration::from_secs_f64(call as f64 / rate);
    let (mut begun, mut answered) = (0, 0);
    while answered < calls {
        let answer = at(answered) + ANSWER;
        let (call, due) = if begun < calls && at(begun) < answer {
            begun += 1;
            (begun - 1, at(begun - 1))
        } else {
            answered += 1;
            (answered - 1, answer)
        };
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if records.send((call, due)).is_err() {
            return;
        }
    }
}

/// Writes and syncs what waits; returns milliseconds of each sync and of each call's two records.
fn write(file: &File, due: &Receiver<Due>, calls: usize) -> Result<(Vec<f64>, Vec<f64>), AnyError> {
    let (mut syncs, mut both) = (Vec::new(), vec![0.0; calls]);
    let mut at = 0;
    while let Ok(first) = due.recv() {
        let batch: Vec<Due> = std::iter::once(first).chain(due.try_iter()).collect();
        let bytes = (batch.len() * RECORD_BYTES).next_multiple_of(PAGE_BYTES).min(FILE_BYTES);
        if at + bytes > FILE_BYTES {
            at = 0;
        }
        let began = Instant::now();
        file.write_all_at(&vec![7; bytes], at as u64)?;
        file.sync_data()?;
        syncs.push(began.elapsed().as_secs_f64() * 1000.0);
        at += bytes;
        for (call, due) in batch {
            both[call] += due.elapsed().as_secs_f64() * 1000.0;
        }
    }
    Ok((syncs, both))
}
