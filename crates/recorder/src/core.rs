//! What every clone of the recorder, and every decision being written, shares.

use crate::encode::Writer;
use crate::gap::Gap;
use crate::open_calls::{GivenUp, OpenCalls};
use journal::Journal;
use seal::{KeyRing, SubjectKey};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The open data directory, as the write path needs it.
pub(crate) struct Core {
    pub journal: Arc<Journal>,
    pub journal_dir: PathBuf,
    pub keys: Arc<KeyRing>,
    pub staff: Arc<SubjectKey>,
    pub writer: Writer,
    pub tenant: Arc<str>,
    pub open_calls: Arc<OpenCalls>,
    pub gap: Gap,
    /// Calls that are given up before they have an end.
    pub late: mpsc::Sender<GivenUp>,
}
