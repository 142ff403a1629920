//! Durations in log-scale buckets that merge: percentiles over any span from sums of spans.

use std::collections::BTreeMap;

/// Buckets per power of two: a value is known to within 1/16, its shown middle to within 1/32.
const SUB_BITS: u32 = 4;
/// Values beyond 2^42 µs (50 days) share the last bucket.
const EXPONENT_MAX: u32 = 42;

/// Counts of durations by bucket. A difference of two histograms is one, too: counts are signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<u16, i64>,
}

// === impl Histogram ===

impl Histogram {
    /// Adds (or with a negative count takes away) a duration.
    pub fn add(&mut self, micros: u64, count: i64) {
        *self.counts.entry(bucket_of(micros)).or_default() += count;
    }

    /// Adds a duration in milliseconds.
    pub fn add_ms(&mut self, ms: f64, count: i64) {
        self.add((ms.max(0.0) * 1000.0) as u64, count);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
    }

    /// How many durations are counted.
    pub fn total(&self) -> i64 {
        self.counts.values().sum()
    }

    /// The duration in milliseconds below which this share of all lies; none of nothing.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let total = self.total();
        if total <= 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * total as f64).ceil().max(1.0) as i64;
        let mut seen = 0;
        let bucket = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        bucket.map(|(bucket, _)| middle_of(*bucket) / 1000.0)
    }

    /// The stored form: pairs of variable-length integers, distance to the next bucket and count.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.counts.len() * 3);
        let mut last = 0;
        for (bucket, count) in self.counts.iter().filter(|(_, count)| **count != 0) {
            write_varint(u64::from(bucket - last), &mut out);
            write_varint(((count << 1) ^ (count >> 63)) as u64, &mut out);
            last = *bucket;
        }
        out
    }

    /// Adds a stored form; false where the bytes are none (what came before the fault counts).
    pub fn merge_bytes(&mut self, mut bytes: &[u8]) -> bool {
        let mut bucket = 0_u64;
        while !bytes.is_empty() {
            let (Some(step), Some(count)) = (read_varint(&mut bytes), read_varint(&mut bytes))
            else {
                return false;
            };
            bucket = bucket.saturating_add(step);
            let Ok(key) = u16::try_from(bucket) else { return false };
            let entry = self.counts.entry(key).or_default();
            *entry = entry.saturating_add((count >> 1) as i64 ^ -((count & 1) as i64));
        }
        true
    }
}

fn bucket_of(micros: u64) -> u16 {
    let direct = 1_u64 << (SUB_BITS + 1);
    if micros < direct {
        return micros as u16;
    }
    let exponent = micros.ilog2().min(EXPONENT_MAX);
    let sub =
        if micros >> (EXPONENT_MAX + 1) > 0 { 15 } else { (micros >> (exponent - SUB_BITS)) & 15 };
    (direct as u16) + ((exponent - SUB_BITS - 1) as u16) * 16 + sub as u16
}

fn middle_of(bucket: u16) -> f64 {
    let direct = 1_u16 << (SUB_BITS + 1);
    if bucket < direct {
        return f64::from(bucket);
    }
    let (power, sub) = ((bucket - direct) / 16, (bucket - direct) % 16);
    let width = 2_f64.powi(i32::from(power) + 1);
    (f64::from(16 + sub) + 0.5) * width
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_is_shown_to_within_a_thirtieth(micros in 32_u64..1 << 42) {
            let mut one = Histogram::default();
            one.add(micros, 1);
            let shown = one.quantile_ms(0.5).unwrap() * 1000.0;
            prop_assert!((shown - micros as f64).abs() <= micros as f64 / 30.0);
        }

        #[test]
        fn stored_sums_are_sums(left in values(), right in values()) {
            let (mut one, mut two, mut both) =
                (Histogram::default(), Histogram::default(), Histogram::default());
            for (micros, count) in left { one.add(micros, count); both.add(micros, count); }
            for (micros, count) in right { two.add(micros, count); both.add(micros, count); }
            let mut merged = Histogram::default();
            prop_assert!(merged.merge_bytes(&one.to_bytes()));
            prop_assert!(merged.merge_bytes(&two.to_bytes()));
            prop_assert_eq!(merged.to_bytes(), both.to_bytes());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _either = Histogram::default().merge_bytes(&bytes);
        }
    }

    fn values() -> impl Strategy<Value = Vec<(u64, i64)>> {
        proptest::collection::vec((0_u64..1 << 50, -5_i64..50), 0..40)
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut all = Histogram::default();
        for ms in 1..=100 {
            all.add_ms(f64::from(ms), 1);
        }
        assert!((all.quantile_ms(0.5).unwrap() - 50.0).abs() < 2.0);
        assert!((all.quantile_ms(0.99).unwrap() - 99.0).abs() < 4.0);
        assert_eq!(Histogram::default().quantile_ms(0.5), None);
    }

    #[test]
    fn taking_away_what_was_added_leaves_nothing() {
        let mut all = Histogram::default();
        all.add(1000, 3);
        all.add(1000, -3);
        assert!(all.to_bytes().is_empty());
    }
}
