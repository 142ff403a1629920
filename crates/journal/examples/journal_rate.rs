//! A measuring tool: how many appends a second the journal acknowledges, with how many
//! appenders. Usage: `journal_rate DIRECTORY [SECONDS]`; the directory must be new.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use journal::{Append, Durability, Frame, FrameKind, Journal, LeafSource, Options};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

struct Leaf;

impl LeafSource for Leaf {
    fn finish(&mut self, _: u64, seq: u64, _: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&[b'x'; 500]);
        out.extend_from_slice(&seq.to_le_bytes());
    }
}

fn record() -> Append {
    let frame = |kind, bytes| Frame { kind, keys: vec![1; 17], payload: vec![7; bytes] };
    let frames = vec![
        frame(FrameKind::Part, 300),
        frame(FrameKind::Open, 600),
        frame(FrameKind::Sealed, 300),
    ];
    Append { frames, leaf: Some(Box::new(Leaf)) }
}

fn sync_alone(dir: &Path) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(dir.join("sync-alone")).unwrap();
    file.write_all_at(&vec![0; 16 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let mut micros: Vec<u128> = (0..2000)
        .map(|i| {
            file.write_all_at(&[1; 2048], i * 2048).unwrap();
            let start = Instant::now();
            file.sync_data().unwrap();
            start.elapsed().as_micros()
        })
        .collect();
    micros.sort_unstable();
    println!("fdatasync alone: p50 {} µs, p99 {} µs", micros[1000], micros[1980]);
}

fn run(dir: &Path, durability: Durability, appenders: usize, seconds: u64) {
    let mut options = Options::new(dir.join(format!("{durability:?}-{appenders}/journal")));
    options.durability = durability;
    let (journal, _) = Journal::open(options).unwrap();
    let journal = Arc::new(journal);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let start = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|_| {
            let (journal, stop, done) =
                (Arc::clone(&journal), Arc::clone(&stop), Arc::clone(&done));
            runtime.spawn(async move {
                let mut micros = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    journal.append(record()).await.unwrap();
                    micros.push(start.elapsed().as_micros());
                    done.fetch_add(1, Ordering::Relaxed);
                }
                micros
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(seconds));
    stop.store(true, Ordering::Relaxed);
    let mut micros: Vec<u128> = runtime.block_on(async {
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    micros.sort_unstable();
    let at = |q: f64| micros[((micros.len() - 1) as f64 * q) as usize];
    let stats = journal.stats();
    println!(
        "{durability:?} {appenders:>3} appenders: {rate:>7.0}/s, p50 {} µs, p99 {} µs, \
         {:.1} per commit, sync p50 <{} µs, waits {}",
        at(0.5),
        at(0.99),
        stats.appends as f64 / stats.commits as f64,
        stats.sync_micros.quantile(0.5),
        stats.waits,
    );
}

fn main() {
    let mut args = std::env::args_os().skip(1);
    let dir = std::path::PathBuf::from(args.next().unwrap());
    let seconds = args.next().map_or(3, |s| s.to_str().unwrap().parse().unwrap());
    std::fs::create_dir_all(&dir).unwrap();
    sync_alone(&dir);
    for durability in [Durability::Disk, Durability::Process] {
        for appenders in [1, 16, 64, 256] {
            run(&dir, durability, appenders, seconds);
        }
    }
}
