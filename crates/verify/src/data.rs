//! Verifying a data directory.

use crate::chain::{Chain, Expected};
use crate::error::VerifyError;
use crate::files::read_small;
use crate::keys::Trust;
use crate::leaf::LogName;
use crate::log::{KeptCheckpoint, LogCheck, Logs};
use crate::open::{Opener, Opening, Share, Sink};
use crate::report::{FaultKind, Mode, Place, Report};
use crate::walk::{BLOCKS_WAITING_MAX, Block, Blocks, Plan, Recycler};
use journal::format::{
    FORMAT, WATERMARK_BYTES, WATERMARK_NAME, Watermark, parse_segment_name, segment_name,
};
use journal::{Meta, Position};
use seal::KeyRing;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const META_NAME: &str = "meta.json";
/// Missing epochs that are named.
const EPOCHS_LISTED_MAX: usize = 10;
/// Threads that open records.
const OPENERS_MAX: usize = 8;

/// What to verify, and against what.
pub struct Options<'a> {
    /// The data directory.
    pub data: PathBuf,
    /// How much to read.
    pub mode: Mode,
    /// Which keys to trust.
    pub trust: Trust,
    /// Checkpoints that were kept elsewhere.
    pub kept: Vec<KeptCheckpoint>,
    /// Where the recorder keeps its last signed state (`[ledger] state_dir`).
    pub state_dir: Option<PathBuf>,
    /// Keys to open what is sealed; without them that is left out.
    pub keys: Option<&'a KeyRing>,
    /// Is told the bytes done and in total, about once for each mebibyte.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
}

/// Holds frames against each other, their leaves and the logs, in order.
struct Judge<'a> {
    expected: Expected<'a>,
    logs: Logs<'a>,
    checks: BTreeMap<u32, LogCheck>,
    chain: Option<Chain<'a>>,
    last_ts_micros: i64,
    report: Report,
}

/// The journal's segments as they were at the start.
struct Found {
    watermark: Option<Watermark>,
    segments: BTreeMap<u32, Vec<Position>>,
    bytes: u64,
}

/// Blocks on their way to one of those who look at each.
struct Received {
    blocks: Receiver<Arc<Block>>,
    recycler: Recycler,
}

// === impl Received ===

impl Received {
    fn each(self, mut look: impl FnMut(&Block)) {
        for block in self.blocks {
            look(&block);
            self.recycler.take(block);
        }
    }
}

// === impl Options ===

impl Options<'_> {
    /// Everything in this directory, by its own keys.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            mode: Mode::Full,
            trust: Trust::default(),
            kept: Vec::new(),
            state_dir: None,
            keys: None,
            progress: None,
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("data", &self.data)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

// === impl Judge ===

impl Judge<'_> {
    fn block(&mut self, block: &Block) {
        let Self { expected, logs, checks, chain, last_ts_micros, report } = self;
        let epoch = block.segment.epoch;
        if chain.as_ref().is_none_or(|chain| chain.epoch() != epoch) {
            if let Some(chain) = chain.take() {
                *last_ts_micros = chain.finish(false, report);
            }
            let log = checks.remove(&epoch).unwrap_or_else(|| logs.open(epoch, report));
            *chain = Some(Chain::new(*expected, epoch, *last_ts_micros, log));
        }
        if let Some(chain) = chain {
            chain.block(block, report);
        }
        report.bytes = block.done;
    }

    fn finish(mut self) -> Report {
        if let Some(chain) = self.chain {
            chain.finish(true, &mut self.report);
        }
        // A ledger without a journal: every record that it was signed for is gone.
        for check in self.checks.into_values() {
            check.finish(true, &mut self.report);
        }
        self.report.logs.sort_by_key(|log| log.epoch);
        self.report
    }
}

/// Verifies a data directory, beside a running server or without one.
///
/// # Errors
/// Where nothing can be verified: no journal, unreadable files, a newer format. What is found
/// wrong is no error but in the report.
pub fn verify_data(options: Options<'_>) -> Result<Report, VerifyError> {
    run(options, None)
}

/// As [`verify_data`], and hands over every record, opened as far as keys allow.
pub(crate) fn run(options: Options<'_>, sink: Option<Sink<'_>>) -> Result<Report, VerifyError> {
    let Options { data, mode, trust, kept, state_dir, keys, mut progress } = options;
    let journal = data.join("journal");
    let mut report = Report { mode, live: is_live(&data), ..Report::default() };
    let epochs = epochs_listed(&journal)?;
    let meta = read_meta(&journal, &mut report)?;
    let name = meta.as_ref().map(|meta| LogName { tenant: &meta.tenant, writer: &meta.writer });
    let mut logs = Logs::new(&data, name, &trust, &kept, state_dir.as_deref(), &mut report);
    // The ledger is read before the journal's end is looked up: a server may write both.
    let checks = open_logs(&data, &epochs, &mut logs, &mut report)?;
    logs.unclaimed(&mut report);
    let watermark = read_watermark(&journal, &mut report)?;
    let found = find(&journal, watermark, report.live)?;
    let mut blocks = Blocks::start(Plan {
        journal,
        segments: found.segments.values().flatten().copied().collect(),
        until: found.watermark.filter(|_| report.live).map(|mark| mark.end),
        mode,
    })?;
    let expected = Expected { log: name, mode, watermark: found.watermark };
    let wanted = mode == Mode::Full && (keys.is_some() || sink.is_some());
    let opening = name.filter(|_| wanted).map(|name| Opening { keys, tenant: name.tenant });
    // Where somebody takes the records, he wants them in order.
    let shares = if sink.is_some() { 1 } else { openers() };
    let share = |number| Share { number, of: shares };
    let mut own = opening.map(|opening| Opener::new(opening, share(0), sink));
    let mut judge = Judge { expected, logs, checks, chain: None, last_ts_micros: 0, report };
    let mut opened = Report::default();
    // Hashes and structure are judged on another thread than what is sealed is opened on.
    let mut report = thread::scope(|scope| {
        let (send, received) = queue(&blocks);
        let judging = scope.spawn(move || {
            received.each(|block| judge.block(block));
            judge.finish()
        });
        let mut helping = Vec::new();
        let mut sends = vec![send];
        for (number, opening) in (1..shares).filter_map(|number| Some((number, opening?))) {
            let (send, received) = queue(&blocks);
            sends.push(send);
            helping.push(scope.spawn(move || {
                let mut opener = Opener::new(opening, share(number), None);
                let mut opened = Report::default();
                received.each(|block| opener.block(block, &mut opened));
                opened
            }));
        }
        while let Some(block) = blocks.next()? {
            let block = Arc::new(block);
            if sends.iter().any(|send| send.send(block.clone()).is_err()) {
                break;
            }
            if let Some(opener) = &mut own {
                opener.block(&block, &mut opened);
            }
            if let Some(progress) = &mut progress {
                progress(block.done.min(found.bytes), found.bytes);
            }
            blocks.recycler().take(block);
        }
        drop(sends);
        for helping in helping {
            opened.take_in(helping.join().map_err(|_| VerifyError::Thread)?);
        }
        judging.join().map_err(|_| VerifyError::Thread)
    })?;
    report.take_in(opened);
    check_whole(meta.as_ref(), &found, &mut report);
    Ok(report)
}

fn queue(blocks: &Blocks) -> (SyncSender<Arc<Block>>, Received) {
    let (send, received) = sync_channel(BLOCKS_WAITING_MAX);
    (send, Received { blocks: received, recycler: blocks.recycler() })
}

/// How many threads open records, where nobody wants them in order.
fn openers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(OPENERS_MAX)
}

/// Whether a server holds the directory's lock. The lock is taken for an instant to find out.
fn is_live(data: &Path) -> bool {
    let Ok(lock) = File::open(data.join("lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The epochs that have segments.
fn epochs_listed(journal: &Path) -> Result<Vec<u32>, VerifyError> {
    let mut epochs: Vec<u32> = list_segments(journal)?.iter().map(|place| place.epoch).collect();
    epochs.dedup();
    if epochs.is_empty() && !journal.join(META_NAME).exists() {
        return Err(VerifyError::NoJournal { path: journal.to_owned() });
    }
    Ok(epochs)
}

fn list_segments(journal: &Path) -> Result<Vec<Position>, VerifyError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => VerifyError::NoJournal { path: journal.to_owned() },
        _ => VerifyError::io(journal, error),
    };
    let mut segments = Vec::new();
    for entry in fs::read_dir(journal).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some((epoch, segment)) = name.to_str().and_then(parse_segment_name) {
            segments.push(Position { epoch, segment, offset: 0 });
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// What `meta.json` says; none where it is damaged.
fn read_meta(journal: &Path, report: &mut Report) -> Result<Option<Meta>, VerifyError> {
    let path = journal.join(META_NAME);
    let bytes = read_small(&path).map_err(|error| VerifyError::io(&path, error))?;
    let place = Place::file(format!("journal/{META_NAME}"));
    let Some(bytes) = bytes else {
        report.fault(FaultKind::Meta, place, "the file is missing: restore it");
        return Ok(None);
    };
    match serde_json::from_slice::<Meta>(&bytes) {
        Ok(meta) if meta.format == FORMAT => Ok(Some(meta)),
        Ok(meta) => {
            report.fault(
                FaultKind::Meta,
                place,
                format!("the format is {:?}, not {FORMAT:?}: it was altered, or another version wrote it", meta.format),
            );
            Ok(None)
        }
        Err(error) => {
            report.fault(FaultKind::Meta, place, format!("the file is damaged: {error}"));
            Ok(None)
        }
    }
}

/// The logs of all epochs that have segments or a ledger.
fn open_logs(
    data: &Path,
    epochs: &[u32],
    logs: &mut Logs<'_>,
    report: &mut Report,
) -> Result<BTreeMap<u32, LogCheck>, VerifyError> {
    let ledger = data.join("ledger");
    let mut all: Vec<u32> = epochs.to_vec();
    match fs::read_dir(&ledger) {
        Ok(entries) => {
            for entry in entries {
                let name = entry.map_err(|error| VerifyError::io(&ledger, error))?.file_name();
                let epoch = name.to_str().filter(|name| name.len() == 8);
                all.extend(epoch.and_then(|name| name.parse::<u32>().ok()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(VerifyError::io(&ledger, error)),
    }
    all.sort_unstable();
    all.dedup();
    Ok(all.into_iter().map(|epoch| (epoch, logs.open(epoch, report))).collect())
}

fn read_watermark(journal: &Path, report: &mut Report) -> Result<Option<Watermark>, VerifyError> {
    let path = journal.join(WATERMARK_NAME);
    let Some(bytes) = read_small(&path).map_err(|error| VerifyError::io(&path, error))? else {
        return Ok(None);
    };
    let mark = Watermark::decode(&bytes).filter(|_| bytes.len() == WATERMARK_BYTES);
    if mark.is_none() {
        let place = Place::file(format!("journal/{WATERMARK_NAME}"));
        report.fault(
            FaultKind::Watermark,
            place,
            "the file is damaged: the next start makes it again",
        );
    }
    Ok(mark)
}

/// The segments to read. Beside a running server, those that it had acknowledged bytes in.
fn find(journal: &Path, watermark: Option<Watermark>, live: bool) -> Result<Found, VerifyError> {
    let mut found = Found { watermark, segments: BTreeMap::new(), bytes: 0 };
    for place in list_segments(journal)? {
        if watermark.is_some_and(|mark| live && place > mark.end) {
            continue;
        }
        let path = journal.join(segment_name(place.epoch, place.segment));
        let file = fs::metadata(&path).map_err(|error| VerifyError::io(&path, error))?;
        found.bytes += file.len();
        found.segments.entry(place.epoch).or_default().push(place);
    }
    Ok(found)
}

/// What concerns all epochs together.
fn check_whole(meta: Option<&Meta>, found: &Found, report: &mut Report) {
    let Some(meta) = meta else { return };
    let newest = report.logs.iter().filter(|log| log.leaves > 0).map(|log| log.epoch).max();
    if let Some(newest) = newest.filter(|newest| *newest > meta.epoch) {
        report.fault(
            FaultKind::Meta,
            Place::file(format!("journal/{META_NAME}")),
            format!("the epoch is {}, and there are records of epoch {newest}", meta.epoch),
        );
    }
    for epoch in
        (1..=meta.epoch).filter(|epoch| !found.segments.contains_key(epoch)).take(EPOCHS_LISTED_MAX)
    {
        report.fault(
            FaultKind::Segment,
            Place::file(format!("journal/{}", segment_name(epoch, 0))).epoch(epoch),
            "the epoch has no segments: restore them",
        );
    }
    if found.watermark.is_none()
        && !report.fault_counts.contains_key(&FaultKind::Watermark)
        && report.records > 0
    {
        report.fault(
            FaultKind::Watermark,
            Place::file(format!("journal/{WATERMARK_NAME}")),
            "the file is missing, so a removed end of the journal could not be told; the next start makes it again",
        );
    }
    if let Some(mark) = found.watermark.filter(|mark| !found.segments.contains_key(&mark.end.epoch))
    {
        report.fault(
            FaultKind::Truncated,
            Place::file(format!("journal/{}", segment_name(mark.end.epoch, mark.end.segment))),
            format!(
                "everything up to {} was acknowledged, and no segment of that epoch is there",
                mark.end
            ),
        );
    }
}
