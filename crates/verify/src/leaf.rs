//! Reading leaves fast: a leaf is one line of a fixed form, so it is held against that form
//! instead of being parsed as any JSON.

use event::{Component, EventType, Leaf, LeafError, LeafEvent, Origin, Timestamp};
use ledger::Hash;
use std::str::FromStr;
use uuid::Uuid;

/// What the verifier needs of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeafView {
    pub decision_id: [u8; 16],
    pub record_id: [u8; 16],
    pub epoch: u64,
    pub events: Vec<LeafEvent>,
    pub key_commit: Hash,
    pub open_sha256: Hash,
    pub sealed_sha256: Hash,
    pub parts_root: Hash,
    pub parts_bytes: u64,
    pub seq: u64,
    pub ts_micros: i64,
    /// Whether tenant and writer are those of the log.
    pub same_log: bool,
}

/// Why a leaf is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLeaf {
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error("the leaf has a field that is no hash; it was not written by this product")]
    Hash,
}

/// The log that leaves should belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogName<'a> {
    pub tenant: &'a str,
    pub writer: &'a str,
}

/// Reads a leaf, canonical or not at all.
pub(crate) fn read_leaf(bytes: &[u8], log: Option<LogName<'_>>) -> Result<LeafView, BadLeaf> {
    match Scanner(bytes).leaf(log) {
        Some(view) => Ok(view),
        // Rare forms (escapes in names) and errors with their reasons.
        None => from_parsed(&Leaf::read(bytes)?, log),
    }
}

fn from_parsed(leaf: &Leaf, log: Option<LogName<'_>>) -> Result<LeafView, BadLeaf> {
    let hash = |text: &str| Scanner(text.as_bytes()).hex().ok_or(BadLeaf::Hash);
    Ok(LeafView {
        decision_id: leaf.decision_id.into_bytes(),
        record_id: leaf.record_id.into_bytes(),
        epoch: leaf.epoch,
        events: leaf.events.clone(),
        key_commit: hash(&leaf.key_commit)?,
        open_sha256: hash(&leaf.open_sha256)?,
        sealed_sha256: hash(&leaf.sealed_sha256)?,
        parts_root: hash(&leaf.parts_root)?,
        parts_bytes: leaf.parts_bytes,
        seq: leaf.seq,
        ts_micros: leaf.ts.as_micros(),
        same_log: is_of(log, &leaf.tenant, &leaf.writer),
    })
}

fn is_of(log: Option<LogName<'_>>, tenant: &str, writer: &str) -> bool {
    log.is_none_or(|log| tenant == log.tenant && writer == log.writer)
}

/// The bytes not yet read.
struct Scanner<'a>(&'a [u8]);

// === impl Scanner ===

impl<'a> Scanner<'a> {
    fn leaf(mut self, log: Option<LogName<'_>>) -> Option<LeafView> {
        self.literal(b"{\"decision_id\":\"")?;
        let decision_id = self.uuid()?;
        self.literal(b"\",\"epoch\":")?;
        let epoch = self.integer()?;
        self.literal(b",\"events\":[")?;
        let events = self.events()?;
        self.literal(b",\"key_commit\":\"")?;
        let key_commit = self.hex()?;
        self.literal(b"\",\"open_sha256\":\"")?;
        let open_sha256 = self.hex()?;
        self.literal(b"\",\"origin\":\"")?;
        Origin::from_str(self.text()?).ok()?;
        self.literal(b"\",\"parts_bytes\":")?;
        let parts_bytes = self.integer()?;
        self.literal(b",\"parts_root\":\"")?;
        let parts_root = self.hex()?;
        self.literal(b"\",\"record_id\":\"")?;
        let record_id = self.uuid()?;
        self.literal(b"\",\"sealed_sha256\":\"")?;
        let sealed_sha256 = self.hex()?;
        self.literal(b"\",\"seq\":")?;
        let seq = self.integer()?;
        self.literal(b",\"tenant\":\"")?;
        let tenant = self.text()?;
        self.literal(b"\",\"ts\":\"")?;
        let ts_micros = self.time()?;
        self.literal(b"\",\"v\":\"audit-layer/leaf/1\",\"writer\":\"")?;
        let writer = self.text()?;
        self.literal(b"\"}")?;
        self.0.is_empty().then_some(LeafView {
            decision_id,
            record_id,
            epoch,
            events,
            key_commit,
            open_sha256,
            sealed_sha256,
            parts_root,
            parts_bytes,
            seq,
            ts_micros,
            same_log: is_of(log, tenant, writer),
        })
    }

    /// The events and the bracket that closes them.
    fn events(&mut self) -> Option<Vec<LeafEvent>> {
        let mut events = Vec::with_capacity(4);
        if self.literal(b"]").is_some() {
            return Some(events);
        }
        loop {
            self.literal(b"{\"component\":\"")?;
            let component = Component::from_str(self.text()?).ok()?;
            self.literal(b"\",\"event_id\":\"")?;
            let event_id = Uuid::from_bytes(self.uuid()?);
            self.literal(b"\",\"type\":\"")?;
            let event_type = EventType::from_str(self.text()?).ok()?;
            self.literal(b"\"}")?;
            events.push(LeafEvent { component, event_id, event_type });
            if self.literal(b"]").is_some() {
                return Some(events);
            }
            self.literal(b",")?;
        }
    }

    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// Printable ASCII without escapes, up to the quotation mark.
    fn text(&mut self) -> Option<&'a str> {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
        let length = self.0.iter().position(|byte| !plain(byte))?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// An integer as `serde_json` writes it.
    fn integer(&mut self) -> Option<u64> {
        let length = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = self.take(length)?;
        if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        digits.iter().try_fold(0_u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
    }

    fn uuid(&mut self) -> Option<[u8; 16]> {
        let text = self.take(36)?;
        let mut id = [0; 16];
        let mut at = 0;
        for (index, byte) in id.iter_mut().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                if text.get(at) != Some(&b'-') {
                    return None;
                }
                at += 1;
            }
            *byte = pair(text.get(at..at + 2)?)?;
            at += 2;
        }
        Some(id)
    }

    fn hex(&mut self) -> Option<Hash> {
        let text = self.take(64)?;
        let (mut hash, mut seen) = ([0; 32], 0);
        for (byte, [high, low]) in hash.iter_mut().zip(text.as_chunks::<2>().0) {
            let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
            seen |= high | low;
            *byte = high << 4 | low & 15;
        }
        (seen < NO_DIGIT).then(|| Hash::new(hash))
    }

    /// `2026-11-21T03:04:05.000006Z`, as microseconds.
    fn time(&mut self) -> Option<i64> {
        let text: &[u8; 27] = self.take(27)?.try_into().ok()?;
        let number = |from: usize, to: usize| {
            text.get(from..to)?.iter().try_fold(0_i64, |value, digit| {
                digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
            })
        };
        let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let micros = days * 86_400_000_000 + seconds * 1_000_000 + number(20, 26)?;
        // Only a time that is written back the same was written so.
        (Timestamp::from_micros(micros).to_text() == *text).then_some(micros)
    }
}

/// A byte from two lower-case digits.
fn pair(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
    ((high | low) < NO_DIGIT).then_some(high << 4 | low)
}

/// Marks a byte that is no digit.
const NO_DIGIT: u8 = 0x80;
/// The value of each byte as a digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::{Event, LeafDraft, LeafFields, RequestFailed, RoutingStart};
    use proptest::prelude::*;

    const LOG: LogName<'_> = LogName { tenant: "default", writer: "w-0a1b2c3d" };

    fn leaf(seq: u64, micros: i64, count: usize, tenant: &str) -> Vec<u8> {
        let events: Vec<Event> = (0..count)
            .map(|index| match index % 2 {
                0 => Event::new(Component::Gateway, Timestamp::now(), RequestFailed::default()),
                _ => Event::new(Component::ModelRouter, Timestamp::now(), RoutingStart::default()),
            })
            .collect();
        let draft = LeafDraft::new(&LeafFields {
            decision_id: Uuid::from_u128(0x1234_5678_9abc_def0_0fed_cba9_8765_4321),
            record_id: Uuid::from_u128(7),
            epoch: 3,
            origin: Origin::Observed,
            tenant,
            writer: LOG.writer,
            events: &events,
            key_commit: [1; 32],
            open_sha256: [2; 32],
            sealed_sha256: [0xfe; 32],
            parts_root: [4; 32],
            parts_bytes: 99,
        });
        let mut bytes = Vec::new();
        draft.finish(seq, Timestamp::from_micros(micros), &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_way_reads(
            seq in 0..(1_u64 << 53), micros in 0..253_402_300_799_999_999_i64, count in 0..9_usize,
        ) {
            let bytes = leaf(seq, micros, count, LOG.tenant);
            let short = Scanner(&bytes).leaf(Some(LOG)).unwrap();
            prop_assert!(short.same_log);
            prop_assert_eq!(short, from_parsed(&Leaf::read(&bytes).unwrap(), Some(LOG)).unwrap());
        }

        #[test]
        fn the_short_way_accepts_nothing_that_the_long_way_refuses(
            count in 0..3_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = leaf(5, 1_795_000_000_000_000, count, LOG.tenant);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(short) = Scanner(&bytes).leaf(Some(LOG)) {
                prop_assert_eq!(short, from_parsed(&Leaf::read(&bytes).unwrap(), Some(LOG)).unwrap());
            }
        }
    }

    #[test]
    fn names_with_escapes_go_the_long_way() {
        let bytes = leaf(1, 1, 1, "te\"nant");
        assert!(Scanner(&bytes).leaf(Some(LOG)).is_none());
        let log = LogName { tenant: "te\"nant", ..LOG };
        assert!(read_leaf(&bytes, Some(log)).unwrap().same_log);
    }
}
