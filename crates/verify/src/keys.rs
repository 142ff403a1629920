//! Which keys a log's checkpoints must verify under.

use crate::files::read_small;
use crate::report::{FaultKind, Place, Report};
use ledger::{KeyKind, VerifierKey};
use std::path::Path;

/// The keys to trust. Where none is given, the data directory's own statement is taken, and the
/// report says so.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Verifier keys that were pinned: at least one of a log's name must have signed.
    pub pinned: Vec<VerifierKey>,
    /// Ed25519 public keys that are trusted for every log here, such as that of `keys/signing`.
    pub public: Vec<[u8; 32]>,
}

/// The keys of one log.
#[derive(Debug, Default)]
pub(crate) struct LogKeys {
    pub keys: Vec<VerifierKey>,
    pub self_asserted: bool,
}

/// Finds the keys of one log. Pinned keys come before all others.
pub(crate) fn log_keys(
    dir: &Path,
    relative: &str,
    origin: Option<&str>,
    trust: &Trust,
    report: &mut Report,
) -> LogKeys {
    let place = Place::file(format!("{relative}/vkey"));
    let stated = read_vkey(dir, &place, report);
    let Some(origin) = origin else { return LogKeys::default() };
    let keys: Vec<VerifierKey> = if trust.pinned.is_empty() {
        trust
            .public
            .iter()
            .filter_map(|public| VerifierKey::new(origin, KeyKind::Ed25519, *public).ok())
            .collect()
    } else {
        trust.pinned.iter().filter(|key| key.name() == origin).cloned().collect()
    };
    if !trust.pinned.is_empty() || !trust.public.is_empty() {
        if let Some(stated) = stated.filter(|stated| !keys.contains(stated)) {
            report.fault(
                FaultKind::VerifierKey,
                place,
                format!("the log's key {stated} is not the trusted one"),
            );
        }
        return LogKeys { keys, self_asserted: false };
    }
    if stated.is_none() {
        report.fault(
            FaultKind::VerifierKey,
            place,
            "no key is known for this log: give its verifier key (--vkey)",
        );
    }
    LogKeys { keys: stated.into_iter().collect(), self_asserted: true }
}

/// The key that the log's directory names: one line, as written.
fn read_vkey(dir: &Path, place: &Place, report: &mut Report) -> Option<VerifierKey> {
    let bytes = match read_small(&dir.join("vkey")) {
        Ok(bytes) => bytes?,
        Err(error) => {
            report.fault(FaultKind::VerifierKey, place.clone(), error.to_string());
            return None;
        }
    };
    let parsed = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_suffix('\n'))
        .and_then(|line| line.parse::<VerifierKey>().ok())
        .filter(|key| format!("{key}\n").as_bytes() == bytes);
    if parsed.is_none() {
        report.fault(FaultKind::VerifierKey, place.clone(), "the verifier key is damaged");
    }
    parsed
}
