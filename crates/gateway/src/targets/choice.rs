//! In which order targets are tried.

use crate::settings::Strategy;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The golden ratio: the step of splitmix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Random numbers that are good enough to spread load, without a lock.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

/// What a target looks like to the one who chooses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// Its circuit lets calls through.
    pub available: bool,
    /// It asked to be left alone (`Retry-After`), and may be called where no other can.
    pub rests: bool,
    pub weight: u32,
    /// What one more call is likely to cost.
    pub cost: f64,
}

impl Default for Dice {
    fn default() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(STEP)))
    }
}

impl Dice {
    /// A number below `bound` (0 where the bound is 0).
    pub(crate) fn below(&self, bound: u64) -> u64 {
        // splitmix64; a product's upper half instead of a remainder (Lemire).
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 up to 1.
    pub(crate) fn share(&self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }
}

/// Every target once, best first.
pub(crate) fn order(strategy: Strategy, candidates: &[Candidate], dice: &Dice) -> Vec<usize> {
    let all = 0..candidates.len();
    match strategy {
        // One that is down keeps its place: that it was passed over is recorded.
        Strategy::Priority => {
            let (mut order, resting): (Vec<_>, Vec<_>) = all.partition(|at| !candidates[*at].rests);
            order.extend(resting);
            order
        }
        Strategy::Weighted => {
            let (mut left, down) = split(candidates);
            let mut order = Vec::with_capacity(candidates.len());
            while !left.is_empty() {
                order.push(left.remove(draw(&left, candidates, dice)));
            }
            order.extend(down);
            order
        }
        Strategy::LeastLatency => {
            let (mut up, down) = split(candidates);
            up.sort_by(|a, b| candidates[*a].cost.total_cmp(&candidates[*b].cost));
            if up.len() > 2 {
                // The better of two at random: all going to the best one would make it the worst.
                let first = dice.below(up.len() as u64) as usize;
                let second = dice.below(up.len() as u64 - 1) as usize;
                let second = if second >= first { second + 1 } else { second };
                let better = up.remove(first.min(second));
                up.insert(0, better);
            }
            up.extend(down);
            up
        }
    }
}

fn split(candidates: &[Candidate]) -> (Vec<usize>, Vec<usize>) {
    let good = |at: &usize| candidates[*at].available && !candidates[*at].rests;
    let (up, mut down): (Vec<_>, Vec<_>) = (0..candidates.len()).partition(good);
    down.sort_by_key(|at| !candidates[*at].available);
    (up, down)
}

/// The place in `left` of one drawn by weight; the first where no weight is left.
fn draw(left: &[usize], candidates: &[Candidate], dice: &Dice) -> usize {
    let weight = |at: &usize| u64::from(candidates[*at].weight);
    let mut roll = dice.below(left.iter().map(weight).sum());
    left.iter()
        .position(|at| {
            let mine = weight(at);
            let hit = roll < mine;
            roll = roll.saturating_sub(mine);
            hit
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn up(weight: u32, cost: f64) -> Candidate {
        Candidate { available: true, rests: false, weight, cost }
    }

    fn counts(strategy: Strategy, candidates: &[Candidate], rounds: usize) -> Vec<usize> {
        let dice = Dice(AtomicU64::new(7));
        let mut counts = vec![0; candidates.len()];
        for _ in 0..rounds {
            counts[order(strategy, candidates, &dice)[0]] += 1;
        }
        counts
    }

    #[test]
    fn weights_are_shares() {
        let counts = counts(Strategy::Weighted, &[up(1, 0.0), up(3, 0.0), up(0, 0.0)], 10_000);
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
        assert_eq!((counts[0] + counts[1], counts[2]), (10_000, 0));
    }

    #[test]
    fn of_two_the_faster_is_chosen() {
        let two = counts(Strategy::LeastLatency, &[up(1, 0.5), up(1, 0.1)], 100);
        assert_eq!(two, [0, 100]);
        let four = [up(1, 0.1), up(1, 0.2), up(1, 0.3), up(1, 0.4)];
        let counts = counts(Strategy::LeastLatency, &four, 6_000);
        assert!(counts.windows(2).all(|pair| pair[0] > pair[1]), "{counts:?}");
        assert_eq!(counts[3], 0, "the slowest of all never wins a pair");
    }

    proptest! {
        #[test]
        fn every_target_is_tried_once_and_the_down_ones_last(
            targets in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..4_u32, 0.0..2.0_f64), 1..9),
            seed: u64,
        ) {
            let candidates: Vec<Candidate> = targets
                .into_iter()
                .map(|(available, rests, weight, cost)| Candidate { available, rests, weight, cost })
                .collect();
            let dice = Dice(AtomicU64::new(seed));
            for strategy in [Strategy::Priority, Strategy::Weighted, Strategy::LeastLatency] {
                let order = order(strategy, &candidates, &dice);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                prop_assert_eq!(&sorted, &(0..candidates.len()).collect::<Vec<_>>());
                if strategy != Strategy::Priority {
                    let rank = |at: &usize| match candidates[*at] {
                        Candidate { available: false, .. } => 2,
                        Candidate { rests, .. } => i32::from(rests),
                    };
                    prop_assert!(order.is_sorted_by_key(rank), "{:?}", order);
                }
            }
        }
    }
}
