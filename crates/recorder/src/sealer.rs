//! The sealer: behind the journal, takes leaves into the Merkle tree and signs checkpoints.

use crate::files::LedgerFiles;
use crate::state::{SignedState, StateError, StateStore};
use journal::{FrameKind, Position, Progress, Reader};
use ledger::{Builder, Checkpoint, Hash, SignedCheckpoint, TileId};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A checkpoint is signed this often at most.
pub(crate) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Tiles are forced to the disk this often; what is younger is made again after a crash.
const SYNC_INTERVAL: Duration = Duration::from_secs(30);
/// Leaves taken in between two writes of tiles at most.
const LEAVES_MAX: usize = 65_536;

/// Why leaves cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealerError {
    /// The journal has fewer leaves than were signed for.
    #[error(
        "the data directory is older than its last signed state ({journal} leaves, signed for \
         {signed}): it was restored from a backup or truncated. Restore the newer copy, or run \
         `audit-layer recover --new-epoch` to go on under a new epoch"
    )]
    RolledBack {
        /// Leaves in the journal.
        journal: u64,
        /// Leaves in the signed state.
        signed: u64,
    },
    /// The journal's leaves lead to another root than was signed.
    #[error(
        "the journal's first {size} leaves are not those that were signed for: records were \
         altered or exchanged. Run `audit-layer verify`; nothing more is signed"
    )]
    Rewritten {
        /// Size of the signed state.
        size: u64,
    },
    /// The last checkpoint is another key's.
    #[error(
        "the last checkpoint of this log was not signed by keys/signing: restore the key that \
         signed it, or run `audit-layer recover --new-epoch` to go on under this one"
    )]
    OtherKey,
    /// The signed state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The ledger's files cannot be used.
    #[error(
        "the ledger's files cannot be used: {0}; check the disk, or remove the ledger directory (it is derived)"
    )]
    Io(#[from] io::Error),
    /// The log's name or key is not usable.
    #[error(transparent)]
    Key(#[from] ledger::KeyError),
    /// The ledger refuses.
    #[error(transparent)]
    Checkpoint(#[from] ledger::CheckpointError),
}

/// Seals one log.
pub(crate) struct Sealer {
    files: LedgerFiles,
    state: StateStore,
    signer: LogSigner,
    journal: PathBuf,
    epoch: u32,
    tree: Builder,
    at: Option<Position>,
    signed: Option<SignedState>,
    synced: u64,
    /// Tiles that became full since the last checkpoint.
    full: Vec<TileId>,
    last_sync: Instant,
    sizes: watch::Sender<u64>,
}

/// Signs for one log.
pub(crate) struct LogSigner {
    pub name: String,
    pub key: seal::SigningKey,
}

impl ledger::Signer for LogSigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        ledger::key_id(&self.name, ledger::KeyKind::Ed25519, &self.key.public())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message)
    }
}

impl LogSigner {
    pub(crate) fn vkey(&self) -> Result<ledger::VerifierKey, ledger::KeyError> {
        ledger::VerifierKey::new(&self.name, ledger::KeyKind::Ed25519, self.key.public())
    }
}

impl Sealer {
    /// Takes the log up where it stands, and holds it against what was signed before.
    pub(crate) fn open(
        data: &Path,
        state_dir: &Path,
        journal: &Path,
        epoch: u32,
        signer: LogSigner,
        progress: Progress,
    ) -> Result<(Self, watch::Receiver<u64>), SealerError> {
        let files = LedgerFiles::new(&data.join("ledger"), epoch);
        let vkey = signer.vkey()?;
        let state = StateStore::open(state_dir, &signer.name)?;
        let signed = state.load()?;
        if signed.as_ref().is_some_and(|signed| !signed.is_by(&vkey)) {
            return Err(SealerError::OtherKey);
        }
        files.create(&vkey.to_string())?;
        if let Some(signed) = signed.as_ref().filter(|signed| signed.size > progress.next_seq) {
            return Err(SealerError::RolledBack {
                journal: progress.next_seq,
                signed: signed.size,
            });
        }
        let (tree, at) = resume(&files, signed.as_ref())?;
        let (sizes, receiver) = watch::channel(0);
        let synced = tree.size();
        let mut sealer = Self {
            files,
            state,
            signer,
            journal: journal.to_owned(),
            epoch,
            tree,
            at,
            signed,
            synced,
            full: Vec::new(),
            last_sync: Instant::now(),
            sizes,
        };
        sealer.catch_up(progress)?;
        Ok((sealer, receiver))
    }

    /// Takes in all leaves up to what the journal acknowledged, then signs.
    pub(crate) fn catch_up(&mut self, progress: Progress) -> Result<(), SealerError> {
        while self.tree.size() < progress.next_seq {
            self.take_in(progress)?;
        }
        let size = self.tree.size();
        let root = self.tree.root();
        if self.signed.as_ref().is_some_and(|signed| signed.size == size) {
            if self.signed.as_ref().and_then(SignedState::root) != Some(root) {
                return Err(SealerError::Rewritten { size });
            }
            self.republish()?;
        } else if size > 0 {
            self.sign(size, root)?;
        }
        if self.last_sync.elapsed() >= SYNC_INTERVAL {
            self.sync()?;
        }
        Ok(())
    }

    /// Reads leaves from the journal into the tree: at most [`LEAVES_MAX`], and no further than
    /// the signed size where that is not reached yet, so that its root can be compared.
    fn take_in(&mut self, progress: Progress) -> Result<(), SealerError> {
        let first = self.tree.size();
        let signed = self.signed.as_ref().map_or(0, |signed| signed.size);
        let stop = if first < signed { signed } else { progress.next_seq };
        let stop = stop.min(first + LEAVES_MAX as u64);
        let start = self.at.unwrap_or_else(|| Position::new(self.epoch, 0, 0));
        let mut frames = Reader::open(&self.journal, Some(start))?;
        let mut places = Vec::new();
        while self.tree.size() < stop {
            let Some(frame) = frames.next(Some(progress.end))? else {
                break;
            };
            self.at = Some(frame.next);
            if frame.kind == FrameKind::Leaf && frame.seq == self.tree.size() {
                self.tree.append_leaf(&frame.payload);
                places.push(frame.at);
            }
        }
        if places.is_empty() {
            return Err(SealerError::RolledBack { journal: first, signed: progress.next_seq });
        }
        self.files.write_places(first, &places)?;
        let full = self.tree.take_full_tiles();
        self.files.write_tiles(&full)?;
        self.full.extend(full.iter().map(|tile| tile.id));
        if self.tree.size() == signed
            && self.signed.as_ref().and_then(SignedState::root) != Some(self.tree.root())
        {
            return Err(SealerError::Rewritten { size: signed });
        }
        Ok(())
    }

    fn sign(&mut self, size: u64, root: Hash) -> Result<(), SealerError> {
        self.files.write_tiles(&self.tree.take_tiles())?;
        let checkpoint = Checkpoint::new(self.signer.name.clone(), size, root)?;
        let signed: SignedCheckpoint = checkpoint.sign(&self.signer)?;
        let next = SignedState {
            origin: self.signer.name.clone(),
            size,
            root: root.to_base64(),
            checkpoint: signed.to_string(),
        };
        self.state.set(self.signed.as_ref(), &next)?;
        self.files.publish(&next.checkpoint)?;
        self.signed = Some(next);
        for full in self.full.drain(..) {
            self.files.remove_partials_of(full);
        }
        self.sizes.send_replace(size);
        Ok(())
    }

    /// The checkpoint was signed before, its files may be gone.
    fn republish(&mut self) -> Result<(), SealerError> {
        if let Some(signed) = &self.signed
            && *self.sizes.borrow() != signed.size
        {
            self.files.write_tiles(&self.tree.take_tiles())?;
            self.files.publish(&signed.checkpoint)?;
            self.sizes.send_replace(signed.size);
        }
        Ok(())
    }

    /// Forces what is written to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), SealerError> {
        self.last_sync = Instant::now();
        if let Some(signed) = &self.signed
            && signed.size > self.synced
        {
            self.files.sync(self.synced, &signed.checkpoint, signed.size)?;
            self.synced = signed.size;
        }
        Ok(())
    }
}

/// The tree as far as its files are known to be on the disk, and where its next leaf is looked
/// for. Files that do not fit each other are dropped and made again from the journal.
fn resume(
    files: &LedgerFiles,
    signed: Option<&SignedState>,
) -> io::Result<(Builder, Option<Position>)> {
    let Some(checkpoint) = files
        .synced()?
        .and_then(|text| SignedCheckpoint::parse(text.as_bytes()).ok())
        .map(|synced| synced.checkpoint().clone())
        .filter(|synced| signed.is_some_and(|signed| fits(synced, signed)))
    else {
        return Ok((Builder::new(), None));
    };
    let last = files.place(checkpoint.size.saturating_sub(1))?;
    match (Builder::from_tiles(files, checkpoint.size, &checkpoint.root), last) {
        (Ok(tree), Some(last)) => Ok((tree, Some(last))),
        (tree, _) => {
            if let Err(error) = tree {
                tracing::warn!(%error, "the ledger's tiles are made again from the journal");
            }
            let vkey = files.vkey()?.unwrap_or_default();
            files.drop_all()?;
            files.create(vkey.trim_end())?;
            Ok((Builder::new(), None))
        }
    }
}

/// Whether synced files can belong to what was signed: not larger, and the same where as large.
fn fits(synced: &Checkpoint, signed: &SignedState) -> bool {
    synced.size < signed.size || (synced.size == signed.size && signed.root() == Some(synced.root))
}
