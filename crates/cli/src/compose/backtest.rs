//! Tries a bundle on the recorded decisions of policies: straight from the journal, a segment to
//! each worker, opened with the keys of this data directory.

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use event::{EventData, EventType, Headers, PolicyEvaluationComplete, Timestamp};
use journal::Position;
use journal::format::{SEGMENT_HEADER_BYTES, SegmentHeader, parse_segment_name, segment_name};
use policy::{Backtest, Bundle, Detectors, Facts, Reads, Recorded, Scan, Stage};
use recorder::{OpenedRecord, ReadError, RecordReader, Role, StoredRecord};
use seal::{KeyRing, LocalKeyFile};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const WORKERS_MAX: usize = 16;

/// What is tried on what.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The bundle that is tried.
    pub bundle: &'a Bundle,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until when, that time left out.
    pub to: Option<Timestamp>,
    /// Whether detectors run again over the bodies.
    pub redetect: bool,
    /// Examples at most.
    pub examples_max: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Tried {
    /// What was decided, and what would have been.
    pub backtest: Backtest,
    /// Decisions that cannot be opened because a person was erased.
    pub erased: u64,
    /// Decisions from before policies saw facts that could be read back.
    pub without_facts: u64,
    /// Decisions whose body was not there to run detectors over; the recorded findings stand.
    pub without_body: u64,
}

/// The recorded journal.
struct Recording {
    journal: PathBuf,
    keys: KeyRing,
    detectors: Detectors,
    /// Each with what is known of the times of its records: later than, and not later than.
    segments: Vec<(Position, i64, i64)>,
    end: Position,
}

/// Tries a bundle; beside a running server, what it has acknowledged until now.
pub fn backtest(
    config: &Config,
    trial: &Trial<'_>,
    progress: impl FnMut(u64, u64) + Send,
) -> Outcome<Tried> {
    let recording = Recording::open(config)?;
    let from = trial.from.map_or(i64::MIN, Timestamp::as_micros);
    let to = trial.to.map_or(i64::MAX, Timestamp::as_micros);
    let within = |(_, after, last): &&(Position, i64, i64)| *last >= from && *after < to;
    let starts: Vec<Position> = recording.segments.iter().filter(within).map(|at| at.0).collect();
    let (next, progress) = (AtomicUsize::new(0), Mutex::new(progress));
    let work = || {
        let mut tried = Tried::new(trial);
        while let Some(start) = starts.get(next.fetch_add(1, Ordering::Relaxed)) {
            recording.segment(*start, trial, &mut tried)?;
            let done = next.load(Ordering::Relaxed).min(starts.len()) as u64;
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress(done, starts.len() as u64);
        }
        Ok::<_, ReadError>(tried)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    let results: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut all = Tried::new(trial);
    for result in results {
        let tried = result.map_err(|_| Failure::failed("a worker ended early; report this"))?;
        all.merge(tried.map_err(|error| Failure::failed(error.to_string()))?);
    }
    Ok(all)
}

// === impl Tried ===

impl Tried {
    fn new(trial: &Trial<'_>) -> Self {
        Self { backtest: Backtest::new(trial.examples_max), ..Self::default() }
    }

    fn merge(&mut self, other: Self) {
        self.backtest.merge(other.backtest);
        self.erased += other.erased;
        self.without_facts += other.without_facts;
        self.without_body += other.without_body;
    }
}

// === impl Recording ===

impl Recording {
    fn open(config: &Config) -> Outcome<Self> {
        let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
        let journal = config.data.join("journal");
        let end = journal::read_watermark(&journal).map_err(|error| failed(&error))?;
        let Some(end) = end.map(|mark| mark.end) else {
            return Err(Failure::failed(format!(
                "{} holds no journal with records; give the data directory with --data",
                config.data.display()
            )));
        };
        let provider =
            LocalKeyFile::load(&config.data.join("keys")).map_err(|error| failed(&error))?;
        let keys = KeyRing::open_read_only(&config.data.join("subjects.db"), Arc::new(provider))
            .map_err(|error| failed(&error))?;
        let segments = segments(&journal)?;
        Ok(Self { journal, keys, detectors: super::policies::detectors(config)?, segments, end })
    }

    fn segment(
        &self,
        start: Position,
        trial: &Trial<'_>,
        tried: &mut Tried,
    ) -> Result<(), ReadError> {
        let following = self.segments.iter().map(|(at, ..)| *at).find(|at| *at > start);
        let until = following.map_or(self.end, |following| following.min(self.end));
        let mut records = RecordReader::open(&self.journal, Some(start), trial.redetect)?;
        while let Some(record) = records.next(Some(until))? {
            let at = record.leaf.ts;
            let judged =
                |event: &event::LeafEvent| event.event_type == EventType::PolicyEvaluationComplete;
            if trial.from.is_some_and(|from| at < from)
                || trial.to.is_some_and(|to| at >= to)
                || !record.leaf.events.iter().any(judged)
            {
                continue;
            }
            self.record(&record, trial, tried)?;
        }
        Ok(())
    }

    fn record(
        &self,
        record: &StoredRecord,
        trial: &Trial<'_>,
        tried: &mut Tried,
    ) -> Result<(), ReadError> {
        let opened = record.opened(&record.leaf.tenant, &self.keys)?;
        let erased = opened.erased_groups > 0;
        let said = Said::of(&opened);
        for event in judged(opened) {
            let facts = event.context.as_ref().and_then(|facts| Facts::deserialize(facts).ok());
            let outcome = event.outcome.as_deref().and_then(|outcome| outcome.parse().ok());
            let (Some(mut facts), Some(outcome)) = (facts, outcome) else {
                *(if erased { &mut tried.erased } else { &mut tried.without_facts }) += 1;
                continue;
            };
            if trial.redetect && !self.redetect(record, &said, &mut facts)? {
                tried.without_body += 1;
            }
            let now = trial.bundle.decide(&facts);
            let violations = event.violations.unwrap_or_default();
            let decision_id = record.leaf.decision_id.into_bytes();
            tried.backtest.add(&Recorded { decision_id, facts, outcome, violations }, &now);
        }
        Ok(())
    }

    /// Runs the detectors again; false where the body stands in another record, or is erased.
    fn redetect(
        &self,
        record: &StoredRecord,
        said: &Said,
        facts: &mut Facts,
    ) -> Result<bool, ReadError> {
        let bodies = record.bodies(&self.journal, &record.leaf.tenant, &self.keys)?;
        let role = match facts.stage {
            Stage::Request => Role::ClientRequest,
            Stage::Response => Role::UpstreamResponse,
        };
        let body = bodies.into_iter().rfind(|body| body.role == role).and_then(|body| body.bytes);
        let Some(body) = body else { return Ok(false) };
        let reads = said.reads(facts.stage, &body);
        let scan = match reads {
            Reads::Opaque => Scan::default(),
            _ => reads.document(&body).scan(&self.detectors),
        };
        (facts.data_classes, facts.findings) = policy::facts(&scan);
        Ok(true)
    }
}

/// What a record says of how its bodies read.
#[derive(Debug, Default)]
struct Said {
    request_type: Option<String>,
    /// The request's format is none that is known.
    generic: bool,
    answer_type: Option<String>,
}

impl Said {
    fn of(opened: &OpenedRecord) -> Self {
        let mut said = Self::default();
        for event in &opened.events {
            match &event.data {
                EventData::RequestReceived(data) => {
                    let mut headers = data.headers.iter().flat_map(Headers::iter);
                    let named = headers.find(|(name, _)| *name == "content-type");
                    said.request_type = named.map(|(_, value)| value.to_owned());
                    said.generic = data.format.as_deref() == Some("generic");
                }
                EventData::RequestCompleted(data) => {
                    said.answer_type.clone_from(&data.content_type);
                }
                _ => {}
            }
        }
        said
    }

    /// As the gateway read it.
    fn reads(&self, stage: Stage, body: &[u8]) -> Reads {
        match (stage, &self.answer_type) {
            (Stage::Request, _) => Reads::of(self.request_type.as_deref(), !self.generic),
            (Stage::Response, Some(media)) => Reads::of(Some(media), true),
            (Stage::Response, None) => Reads::guess(body),
        }
    }
}

fn judged(opened: OpenedRecord) -> impl Iterator<Item = PolicyEvaluationComplete> {
    opened.events.into_iter().filter_map(|event| match event.data {
        EventData::PolicyEvaluationComplete(data) => Some(*data),
        _ => None,
    })
}

/// The segments in order. The records of each are later than its own `last_ts_micros` and not
/// later than the next one's.
fn segments(journal: &Path) -> Outcome<Vec<(Position, i64, i64)>> {
    let listed =
        std::fs::read_dir(journal).map_err(|error| Failure::file("read", journal, &error))?;
    let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<_> = names.filter_map(|name| parse_segment_name(&name)).collect();
    all.sort_unstable();
    let mut segments: Vec<(Position, i64, i64)> = Vec::with_capacity(all.len());
    for (epoch, segment) in all {
        let place = Position { epoch, segment, offset: 0 };
        let path = journal.join(segment_name(epoch, segment));
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map_err(|error| Failure::file("read", &path, &error))?;
        // A file that was prepared and not begun holds nothing yet.
        let Ok(header) = SegmentHeader::decode(&bytes, place) else { continue };
        if let Some((_, _, last)) = segments.last_mut() {
            *last = header.last_ts_micros;
        }
        let start = Position { offset: SEGMENT_HEADER_BYTES, ..place };
        segments.push((start, header.last_ts_micros, i64::MAX));
    }
    Ok(segments)
}
