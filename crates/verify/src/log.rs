//! One log: its tree, recomputed from the leaves, against everything that was signed for it.

use crate::files::read_small;
use crate::keys::{Trust, log_keys};
use crate::leaf::LogName;
use crate::report::{FaultKind, LogReport, Place, Report};
use crate::state::{SignedState, read_states};
use crate::tiles::Tiles;
use ledger::{Builder, Checkpoint, Hash, SignedCheckpoint, TrustedKeys, VerifierKey};
use std::path::Path;

/// A checkpoint that was kept outside the data directory.
#[derive(Debug, Clone)]
pub struct KeptCheckpoint {
    /// What to call it in the report: a file name, for instance.
    pub name: String,
    /// The signed note.
    pub note: Vec<u8>,
}

/// The ledger directory, and what is to be held against it.
#[derive(Debug)]
pub(crate) struct Logs<'a> {
    data: &'a Path,
    name: Option<LogName<'a>>,
    trust: &'a Trust,
    live: bool,
    kept: Vec<(String, SignedCheckpoint)>,
    states: Vec<(String, SignedState)>,
    /// Epochs that kept checkpoints and states name.
    claimed: Vec<bool>,
}

/// A size at which the tree must have a certain root.
#[derive(Debug)]
struct Target {
    size: u64,
    root: Hash,
    kind: FaultKind,
    place: Place,
    name: String,
}

/// Follows one log as its leaves come.
#[derive(Debug)]
pub(crate) struct LogCheck {
    epoch: u32,
    builder: Builder,
    targets: Vec<Target>,
    reached: usize,
    checkpoint: Option<Checkpoint>,
    origin: Option<String>,
    tiles: Tiles,
    self_asserted_key: bool,
}

// === impl Logs ===

impl<'a> Logs<'a> {
    pub(crate) fn new(
        data: &'a Path,
        name: Option<LogName<'a>>,
        trust: &'a Trust,
        kept: &[KeptCheckpoint],
        state_dir: Option<&Path>,
        report: &mut Report,
    ) -> Self {
        let mut logs = Self {
            data,
            name,
            trust,
            live: report.live,
            kept: Vec::new(),
            states: Vec::new(),
            claimed: Vec::new(),
        };
        for kept in kept {
            match SignedCheckpoint::parse(&kept.note) {
                Ok(note) => logs.kept.push((kept.name.clone(), note)),
                Err(error) => {
                    report.fault(
                        FaultKind::KeptCheckpoint,
                        Place::file(&kept.name),
                        error.to_string(),
                    );
                }
            }
        }
        if let Some(dir) = state_dir {
            logs.states = read_states(dir, report);
        }
        logs.claimed = vec![false; logs.kept.len()];
        logs
    }

    /// Prepares the check of one epoch's log. Read before the journal is, so that the journal
    /// is never behind.
    pub(crate) fn open(&mut self, epoch: u32, report: &mut Report) -> LogCheck {
        let relative = format!("ledger/{epoch:08}");
        let dir = self.data.join(&relative);
        let ending = match self.name {
            Some(name) => format!("/{}/{}/{epoch}", name.tenant, name.writer),
            None => format!("/{epoch}"),
        };
        let mut check = LogCheck {
            epoch,
            builder: Builder::new(),
            targets: Vec::new(),
            reached: 0,
            checkpoint: None,
            origin: None,
            tiles: Tiles::list(&dir, &relative, self.live, report),
            self_asserted_key: false,
        };
        let own = Self::own_notes(&dir, &relative, report);
        let origin = own
            .iter()
            .map(|(_, note)| note)
            .chain(self.kept.iter().map(|(_, note)| note))
            .map(|note| &note.checkpoint().origin)
            .chain(self.states.iter().map(|(_, state)| &state.origin))
            .find(|origin| origin.ends_with(&ending))
            .cloned();
        let keys = log_keys(&dir, &relative, origin.as_deref(), self.trust, report);
        check.self_asserted_key = keys.self_asserted;
        for (name, note) in own {
            let is_checkpoint = name == "checkpoint";
            let place = Place::file(format!("{relative}/{name}")).epoch(epoch);
            let signed =
                check.target(FaultKind::Checkpoint, place, &note, &ending, &keys.keys, report);
            if is_checkpoint && signed {
                check.checkpoint = Some(note.checkpoint().clone());
            }
        }
        for ((name, note), claimed) in self.kept.iter().zip(&mut self.claimed) {
            if note.checkpoint().origin.ends_with(&ending) {
                *claimed = true;
                check.target(
                    FaultKind::KeptCheckpoint,
                    Place::file(name),
                    note,
                    &ending,
                    &keys.keys,
                    report,
                );
            }
        }
        for (name, state) in &self.states {
            if state.origin.ends_with(&ending) {
                check.state(name, state, &ending, &keys.keys, report);
            }
        }
        check.origin = origin;
        check.targets.sort_by_key(|target| target.size);
        check.reach(report);
        check
    }

    /// The signed notes in the log's directory.
    fn own_notes(
        dir: &Path,
        relative: &str,
        report: &mut Report,
    ) -> Vec<(&'static str, SignedCheckpoint)> {
        let mut notes = Vec::new();
        for name in ["checkpoint", "synced"] {
            let place = Place::file(format!("{relative}/{name}"));
            match read_small(&dir.join(name)) {
                Ok(Some(bytes)) => match SignedCheckpoint::parse(&bytes) {
                    Ok(note) => notes.push((name, note)),
                    Err(error) => report.fault(FaultKind::Checkpoint, place, error.to_string()),
                },
                Ok(None) if name == "checkpoint" && dir.join("synced").exists() => {
                    report.fault(
                        FaultKind::Checkpoint,
                        place,
                        "the checkpoint is missing, and there was one",
                    );
                }
                Ok(None) => {}
                Err(error) => report.fault(FaultKind::Checkpoint, place, error.to_string()),
            }
        }
        notes
    }

    /// Kept checkpoints that belong to none of the logs that were found.
    pub(crate) fn unclaimed(&self, report: &mut Report) {
        for ((name, note), _) in
            self.kept.iter().zip(&self.claimed).filter(|(_, claimed)| !**claimed)
        {
            report.fault(
                FaultKind::KeptCheckpoint,
                Place::file(name),
                format!(
                    "it is of the log {:?}, which is not in this data directory: \
                     the log was removed, or the checkpoint is another deployment's",
                    note.checkpoint().origin,
                ),
            );
        }
    }
}

// === impl LogCheck ===

impl LogCheck {
    /// Verifies a note and, where it is good, holds the tree against it. True where it is good.
    fn target(
        &mut self,
        kind: FaultKind,
        place: Place,
        note: &SignedCheckpoint,
        ending: &str,
        keys: &[VerifierKey],
        report: &mut Report,
    ) -> bool {
        let checkpoint = note.checkpoint();
        report.checkpoints += 1;
        let keys = TrustedKeys { log: keys.to_vec(), ..TrustedKeys::default() };
        let wrong = if checkpoint.origin.ends_with(ending) {
            note.verify(&keys).err().map(|error| error.to_string())
        } else {
            Some(format!(
                "it is of the log {:?}, not of one that ends in {ending:?}",
                checkpoint.origin
            ))
        };
        if let Some(wrong) = wrong {
            report.fault(kind, place, wrong);
            return false;
        }
        let name = place.file.clone().unwrap_or_default();
        let (size, root) = (checkpoint.size, checkpoint.root);
        self.targets.push(Target { size, root, kind, place, name });
        true
    }

    /// The state's checkpoint must be good, say the same, and not be older than the log's own.
    fn state(
        &mut self,
        name: &str,
        state: &SignedState,
        ending: &str,
        keys: &[VerifierKey],
        report: &mut Report,
    ) {
        let place = Place::file(name).epoch(self.epoch);
        let note = match SignedCheckpoint::parse(state.checkpoint.as_bytes()) {
            Ok(note) => note,
            Err(error) => return report.fault(FaultKind::SignedState, place, error.to_string()),
        };
        let stated = note.checkpoint();
        if stated.origin != state.origin
            || stated.size != state.size
            || Hash::from_base64(&state.root) != Some(stated.root)
        {
            report.fault(
                FaultKind::SignedState,
                place.clone(),
                "the state and the checkpoint in it differ",
            );
        }
        let published = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        if stated.size < published {
            report.fault(
                FaultKind::SignedState,
                place.clone(),
                format!("it is older ({} records) than the log's checkpoint ({published}): it was put back, or another signer is at work", stated.size),
            );
        }
        self.target(FaultKind::SignedState, place, &note, ending, keys, report);
    }

    /// Takes in the next leaf's hash.
    pub(crate) fn append(&mut self, hash: Hash, report: &mut Report) {
        self.builder.append(hash);
        if self.builder.full_tiles_waiting() > 0 {
            let sealed = self.sealed();
            for tile in self.builder.take_full_tiles() {
                self.tiles.compare(&tile, sealed, report);
            }
        }
        self.reach(report);
    }

    fn sealed(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size)
    }

    /// Compares roots, where the tree has the size of a checkpoint.
    fn reach(&mut self, report: &mut Report) {
        let size = self.builder.size();
        while let Some(target) = self.targets.get(self.reached).filter(|target| target.size == size)
        {
            if self.builder.root() != target.root {
                report.fault(
                    target.kind,
                    target.place.clone(),
                    format!(
                        "the journal's first {size} records are not those that it was signed for: \
                         records were altered, removed or exchanged",
                    ),
                );
            }
            self.reached += 1;
        }
    }

    /// The epoch has no more leaves. Where a later epoch follows, records that were signed for
    /// and are gone are a loss that was declared by beginning it.
    pub(crate) fn finish(mut self, last: bool, report: &mut Report) {
        let leaves = self.builder.size();
        let root = self.builder.root().to_base64();
        for target in self.targets.iter().skip(self.reached) {
            if !last && target.kind == FaultKind::SignedState {
                report.note(format!(
                    "epoch {}: {} records were signed for and {leaves} are here: the newest were \
                     lost before the next epoch began",
                    self.epoch, target.size
                ));
                continue;
            }
            report.fault(
                target.kind,
                target.place.clone(),
                format!(
                    "{} was signed for {} records, the journal has {leaves}: \
                     the newest records were removed",
                    target.name, target.size,
                ),
            );
        }
        let sealed = self.sealed();
        for tile in self.builder.take_tiles() {
            self.tiles.compare(&tile, sealed, report);
        }
        self.tiles.finish(leaves, report);
        if self.checkpoint.is_none() && leaves > 0 {
            report.note(format!(
                "epoch {}: no checkpoint covers its {leaves} records yet",
                self.epoch
            ));
        }
        report.logs.push(LogReport {
            epoch: self.epoch,
            origin: self.origin,
            leaves,
            root,
            checkpoint_size: self.checkpoint.map(|checkpoint| checkpoint.size),
            unsealed: leaves.saturating_sub(sealed),
            self_asserted_key: self.self_asserted_key,
        });
    }
}
