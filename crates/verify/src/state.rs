//! The last signed states, which the recorder keeps outside the data directory.

use crate::files::read_small;
use crate::report::{FaultKind, Place, Report};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// State files that are looked at.
const STATE_FILES_MAX: usize = 10_000;

/// The recorder's note of what it signed last, outside the data directory.
#[derive(Debug, Deserialize)]
pub(crate) struct SignedState {
    pub origin: String,
    pub size: u64,
    pub root: String,
    pub checkpoint: String,
}

/// All states in the recorder's `state_dir`, with the names of their files.
pub(crate) fn read_states(dir: &Path, report: &mut Report) -> Vec<(String, SignedState)> {
    let mut states = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        report.note(format!(
            "{} cannot be read: the last signed state was not compared",
            dir.display()
        ));
        return states;
    };
    let mut paths: Vec<PathBuf> = entries
        .take(STATE_FILES_MAX)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "state"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.display().to_string();
        match read_small(&path) {
            Ok(Some(bytes)) if bytes.iter().all(|byte| *byte == 0) => {}
            Ok(Some(bytes)) => match record::read_slots(&bytes)
                .and_then(|slot| serde_json::from_slice(slot.value).ok())
            {
                Some(state) => states.push((name, state)),
                None => report.fault(
                    FaultKind::SignedState,
                    Place::file(name),
                    "the signed state is damaged".to_owned(),
                ),
            },
            Ok(None) => {}
            Err(error) => {
                report.fault(FaultKind::SignedState, Place::file(name), error.to_string());
            }
        }
    }
    states
}
