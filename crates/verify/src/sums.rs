//! The index's sums, held against the decisions that they are sums of.

use crate::error::VerifyError;
use crate::report::{FaultKind, Place, Report};
use event::Timestamp;
use index::{DecisionFilter, IndexReader, Interval, KeptSums, PAGE_LIMIT_MAX, Page};
use std::collections::BTreeSet;

/// Times that a day is read again because a server indexed meanwhile.
const TRIES_MAX: usize = 5;
const DAY_MICROS: i64 = 86_400_000_000;

/// Compares the sums of these days, and of all others that have any.
pub(crate) fn compare(
    index: &dyn IndexReader,
    mut days: BTreeSet<Timestamp>,
    report: &mut Report,
) -> Result<(), VerifyError> {
    days.extend(index.kept_days()?);
    for day in days {
        let Some(verdict) = of_day(index, day)? else { return Ok(()) };
        match verdict {
            Verdict::Same => {}
            Verdict::Moving => report.note(format!(
                "the sums of {} were still changing: they were not compared",
                date(day)
            )),
            Verdict::Differ(differing) => {
                for (interval, count) in differing {
                    report.fault(
                        FaultKind::Index,
                        Place::file("index.db rollups"),
                        format!(
                            "{count} sums by {interval} of {} are not those of the decisions: run \
                             `audit-layer rebuild`",
                            date(day)
                        ),
                    );
                }
            }
        }
    }
    Ok(())
}

enum Verdict {
    Same,
    /// How many sums of each width.
    Differ(Vec<(&'static str, usize)>),
    /// The index went on while the day was read.
    Moving,
}

/// None where the index keeps no sums.
fn of_day(index: &dyn IndexReader, day: Timestamp) -> Result<Option<Verdict>, VerifyError> {
    for _ in 0..TRIES_MAX {
        let before = index.status()?.cursor;
        let Some(kept) = index.kept_sums(day)? else { return Ok(None) };
        let differing = kept.differences(&recounted(index, day, &kept)?);
        if differing.is_empty() {
            return Ok(Some(Verdict::Same));
        }
        if index.status()?.cursor == before {
            let of = |wanted: Interval| {
                differing.iter().filter(|(kind, _)| kind.interval == wanted).map(|(_, n)| n).sum()
            };
            let all = [
                ("day", of(Interval::Day)),
                ("hour", of(Interval::Hour)),
                ("minute", of(Interval::Minute)),
            ];
            return Ok(Some(Verdict::Differ(all.into_iter().filter(|(_, n)| *n > 0).collect())));
        }
    }
    Ok(Some(Verdict::Moving))
}

/// The sums of the day as its decisions give them.
fn recounted(
    index: &dyn IndexReader,
    day: Timestamp,
    kept: &KeptSums,
) -> Result<KeptSums, VerifyError> {
    let mut sums = KeptSums { kinds: kept.kinds.clone(), ..KeptSums::default() };
    let filter = DecisionFilter {
        from: Some(day),
        to: Some(Timestamp::from_micros(day.as_micros().saturating_add(DAY_MICROS))),
        ..DecisionFilter::default()
    };
    let mut page = Page::first(PAGE_LIMIT_MAX);
    loop {
        let found = index.list(&filter, &page)?;
        found.items.iter().for_each(|decision| sums.count(decision, 1));
        match found.next_cursor {
            Some(next) => page.cursor = Some(next),
            None => return Ok(sums),
        }
    }
}

fn date(day: Timestamp) -> String {
    day.to_string().split('T').next().unwrap_or_default().to_owned()
}
