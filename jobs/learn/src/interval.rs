//! How well a probability is known: the share of positive outcomes among rows of like probability, with an interval.
//!
//! Measured on the rows predicted out of time, which neither the model nor its calibration had seen. It is about the
//! rate of a group, not the outcome of one row, and holds no change of the world to come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calibration::like_rows;
use crate::metrics::wilson;

/// Clusters for each group of like probabilities; of fewer the variance between them is not known well.
const GROUP_CLUSTERS: usize = 100;
/// Groups at most: one in twenty rows is a group of its own.
const GROUPS: usize = 20;

/// 95 % intervals along the scale of probabilities.
///
/// Rows are cut into groups of like probability. The share of positives in each has Wilson's interval for as many
/// independent rows as the group is worth: the variance of the share is that of the sums by cluster (Kish 1965), never
/// below that of independent rows. Between the groups' means the ends are drawn as lines, towards 0 and 1 beyond the
/// outermost. They are widened until they rise, and until they hold the probability they are about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbabilityInterval {
    /// Rows measured on.
    pub rows: usize,
    /// What of them is independent: persons, where the data name them.
    pub clusters: usize,
    /// Mean probability of each group, ascending.
    pub predicted: Vec<f64>,
    /// The lower end at each of them, rising.
    pub lower: Vec<f64>,
    /// The upper end at each of them, rising.
    pub upper: Vec<f64>,
}

impl ProbabilityInterval {
    /// Measures probabilities against outcomes; equal `clusters` belong together. `None` where there are too few
    /// clusters for one group.
    pub fn measure(predicted: &[f64], labels: &[bool], clusters: &[u64]) -> Option<Self> {
        let independent = sums_by_cluster(clusters, |_| 1.0).len();
        let groups = (independent / GROUP_CLUSTERS).min(GROUPS);
        if groups == 0 || predicted.len() != labels.len() || clusters.len() != labels.len() {
            return None;
        }
        let mut found = ProbabilityInterval {
            rows: labels.len(),
            clusters: independent,
            predicted: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
        };
        for group in like_rows(predicted, groups) {
            let of = |values: &dyn Fn(usize) -> f64| -> Vec<f64> {
                group.iter().map(|row| values(*row as usize)).collect()
            };
            let rows = group.len() as f64;
            let outcomes = of(&|row| f64::from(u8::from(labels[row])));
            let share = outcomes.iter().sum::<f64>() / rows;
            let members: Vec<u64> = group.iter().map(|row| clusters[*row as usize]).collect();
            let worth = rows / design_effect(&members, &outcomes, share);
            let observed = wilson(share * worth, worth)?;
            found
                .predicted
                .push(of(&|row| predicted[row]).iter().sum::<f64>() / rows);
            found.lower.push(observed.lower);
            found.upper.push(observed.upper);
        }
        for place in (1..found.lower.len()).rev() {
            found.lower[place - 1] = found.lower[place - 1].min(found.lower[place]);
        }
        for place in 1..found.upper.len() {
            found.upper[place] = found.upper[place].max(found.upper[place - 1]);
        }
        Some(found)
    }

    /// Lower and upper end about a probability, which lies between them.
    pub fn about(&self, probability: f64) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.predicted.first(), self.predicted.last()) else {
            return (0.0, 1.0);
        };
        let next = self.predicted.partition_point(|mean| *mean < probability);
        let (lower, upper) = match next {
            0 => (
                between((0.0, 0.0), (*first, self.lower[0]), probability),
                self.upper[0],
            ),
            next if next == self.predicted.len() => (
                self.lower[next - 1],
                between((*last, self.upper[next - 1]), (1.0, 1.0), probability),
            ),
            next => {
                let line = |ends: &[f64]| {
                    let from = (self.predicted[next - 1], ends[next - 1]);
                    between(from, (self.predicted[next], ends[next]), probability)
                };
                (line(&self.lower), line(&self.upper))
            }
        };
        (lower.min(probability), upper.max(probability))
    }
}

/// The line through two points, at `x` between them.
fn between((from, low): (f64, f64), (to, high): (f64, f64), x: f64) -> f64 {
    match to > from {
        true => low + (high - low) * ((x - from) / (to - from)).clamp(0.0, 1.0),
        false => high,
    }
}

/// How many times the variance of a share exceeds that of independent rows; where all outcomes are alike, as if the
/// rows of a cluster were one.
fn design_effect(clusters: &[u64], outcomes: &[f64], share: f64) -> f64 {
    let rows = outcomes.len() as f64;
    let squares = |value: &dyn Fn(usize) -> f64| -> f64 {
        let sums = sums_by_cluster(clusters, value);
        let groups = sums.len() as f64;
        let squares: f64 = sums.values().map(|sum| sum * sum).sum();
        squares * groups / (groups - 1.0).max(1.0)
    };
    let independent = rows * share * (1.0 - share);
    let effect = match independent > 0.0 {
        true => squares(&|row| outcomes[row] - share) / independent,
        false => squares(&|_| 1.0) / rows,
    };
    effect.max(1.0)
}

fn sums_by_cluster(clusters: &[u64], value: impl Fn(usize) -> f64) -> BTreeMap<u64, f64> {
    let mut sums = BTreeMap::new();
    for (row, cluster) in clusters.iter().enumerate() {
        *sums.entry(*cluster).or_default() += value(row);
    }
    sums
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::calibration::logit;
    use crate::newton::logistic;

    /// What is true of rows that a model gives this probability: it is too sure of itself.
    fn truth(probability: f64) -> f64 {
        logistic(-0.1 + 0.85 * logit(probability))
    }

    /// Clusters of `size` rows with one probability; with `alike` all rows of a cluster share their outcome.
    fn drawn(
        random: &mut ChaCha8Rng,
        clusters: usize,
        size: usize,
        alike: bool,
    ) -> (Vec<f64>, Vec<bool>, Vec<u64>) {
        let mut rows = (Vec::new(), Vec::new(), Vec::new());
        for cluster in 0..clusters {
            let probability = logistic(-0.6 + 2.4 * (random.random::<f64>() - 0.5));
            let one: f64 = random.random();
            for _ in 0..size {
                let each = if alike { one } else { random.random() };
                rows.0.push(probability);
                rows.1.push(each < truth(probability));
                rows.2.push(cluster as u64);
            }
        }
        rows
    }

    /// Share of draws in which the interval holds the truth, the least over some probabilities.
    fn coverage(size: usize, alike: bool) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let at = [0.2, 0.3, 0.4, 0.5, 0.6];
        let mut held = [0.0; 5];
        for _ in 0..300 {
            let (predicted, labels, clusters) = drawn(&mut random, 2_400 / size, size, alike);
            let found = ProbabilityInterval::measure(&predicted, &labels, &clusters).unwrap();
            for (held, probability) in held.iter_mut().zip(at) {
                let (lower, upper) = found.about(probability);
                let is_held = (lower..=upper).contains(&truth(probability));
                *held += f64::from(u8::from(is_held)) / 300.0;
            }
        }
        held.into_iter().fold(1.0, f64::min)
    }

    #[test]
    fn the_interval_holds_the_truth_in_95_of_100_draws() {
        assert!(coverage(1, false) >= 0.93);
    }

    #[test]
    fn rows_of_one_person_count_once() {
        assert!(coverage(6, true) >= 0.93);
        // The same rows six times over tell no more than once.
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (predicted, labels, clusters) = drawn(&mut random, 1_000, 1, false);
        let once = ProbabilityInterval::measure(&predicted, &labels, &clusters).unwrap();
        let six = ProbabilityInterval::measure(
            &predicted.repeat(6),
            &labels.repeat(6),
            &clusters.repeat(6),
        )
        .unwrap();
        let same = |one: &[f64], other: &[f64]| {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| (one - other).abs() < 1e-9)
        };
        assert!(same(&once.lower, &six.lower) && same(&once.upper, &six.upper));
        assert_eq!((six.rows, six.clusters), (6_000, 1_000));
    }

    #[test]
    fn the_ends_rise_and_hold_their_probability() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let (predicted, labels, clusters) = drawn(&mut random, 3_000, 1, false);
        let found = ProbabilityInterval::measure(&predicted, &labels, &clusters).unwrap();
        assert_eq!((found.rows, found.clusters), (3_000, 3_000));
        assert_eq!(found.predicted.len(), GROUPS);
        let mut before = (0.0, 0.0);
        for step in 0..=1_000 {
            let probability = f64::from(step) / 1_000.0;
            let (lower, upper) = found.about(probability);
            assert!(lower >= before.0 && upper >= before.1, "{probability}");
            assert!((lower..=upper).contains(&probability));
            assert!(lower >= 0.0 && upper <= 1.0);
            before = (lower, upper);
        }
    }

    #[test]
    fn more_rows_know_better_and_too_few_know_nothing() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let mut width = |rows: usize| {
            let (predicted, labels, clusters) = drawn(&mut random, rows, 1, false);
            let found = ProbabilityInterval::measure(&predicted, &labels, &clusters)?;
            let (lower, upper) = found.about(0.4);
            Some(upper - lower)
        };
        assert!(width(40_000).unwrap() < width(1_000).unwrap() / 2.0);
        assert_eq!(width(99), None);
    }

    #[test]
    fn a_probability_given_to_everybody_has_one_interval() {
        let labels: Vec<bool> = (0..400).map(|row| row % 4 == 0).collect();
        let clusters: Vec<u64> = (0..400).collect();
        let found = ProbabilityInterval::measure(&[0.25; 400], &labels, &clusters).unwrap();
        assert_eq!(found.predicted, [0.25]);
        let (lower, upper) = found.about(0.25);
        let wilson = wilson(100.0, 400.0).unwrap();
        assert!((lower - wilson.lower).abs() < 1e-4 && (upper - wilson.upper).abs() < 1e-4);
    }
}
