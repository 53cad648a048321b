//! How far the rows of today are from those a model was trained on.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::column::{ColumnData, MISSING};
use crate::dataset::Dataset;
use crate::metrics::{ascending, auc};

/// Quantile groups of the reference by which numbers are compared.
const GROUPS: usize = 10;
/// The 95 % quantile of the standard normal distribution.
const NORMAL_95: f64 = 1.644_853_626_951_472_7;
/// Rows of a half-filled group, so that an empty one does not count as infinite.
const HALF_ROW: f64 = 0.5;

/// The distance of one feature between two sets of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// The feature's column.
    pub feature: String,
    /// Population stability index, missing values being a group of their own.
    pub psi: f64,
    /// Largest distance of the distribution functions of the known values; of
    /// categories, half the sum of the differences of their shares.
    pub ks: f64,
    /// The index that two draws of this many rows from one distribution stay below
    /// 19 times in 20.
    #[serde(default)]
    pub psi_by_chance: f64,
    /// The same of the distance.
    #[serde(default)]
    pub ks_by_chance: f64,
}

/// What one feature alone tells about the outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSuspicion {
    /// The feature's column.
    pub feature: String,
    /// AUC of the feature alone, in whichever direction is better; of a category,
    /// of the rates of one half of the rows on the other half.
    pub auc: f64,
    /// AUC of whether the feature is missing, in whichever direction is better.
    pub missing_auc: f64,
}

/// Population stability index of two lists of counts in the same groups: the sum of
/// `(q - p) ln(q / p)` (symmetrised Kullback-Leibler, Jeffreys 1946).
pub fn psi_of_counts(reference: &[f64], current: &[f64]) -> f64 {
    let groups = reference.len() as f64;
    let total = |counts: &[f64]| counts.iter().sum::<f64>() + HALF_ROW * groups;
    let (before, now) = (total(reference), total(current));
    reference
        .iter()
        .zip(current)
        .map(|(reference, current)| {
            let (p, q) = ((reference + HALF_ROW) / before, (current + HALF_ROW) / now);
            (q - p) * (q / p).ln()
        })
        .sum()
}

/// What chance makes of [`psi_of_counts`]: without drift the index is about
/// (1 / m + 1 / n) times a chi-square with one degree of freedom less than there are
/// groups (Yurdakul and Naranjo 2020); its 95 % bound by Wilson and Hilferty (1931).
pub(crate) fn psi_by_chance(reference: &[f64], current: &[f64]) -> f64 {
    let filled = reference.iter().zip(current);
    let groups = filled
        .filter(|(before, now)| **before + **now > 0.0)
        .count();
    let freedom = groups.saturating_sub(1) as f64;
    if freedom == 0.0 {
        return 0.0;
    }
    let part = 2.0 / (9.0 * freedom);
    per_row(reference.iter().sum(), current.iter().sum())
        * freedom
        * (1.0 - part + NORMAL_95 * part.sqrt()).powi(3)
}

/// What chance makes of [`ks`] (Smirnov's 95 % bound).
pub(crate) fn ks_by_chance(reference: f64, current: f64) -> f64 {
    1.358 * per_row(reference, current).sqrt()
}

/// What chance makes of half the sum of the differences of shares: the mean of
/// normal differences, and 1.645 times at most their standard deviation.
fn share_distance_by_chance(reference: &[f64], current: &[f64]) -> f64 {
    let (before, now): (f64, f64) = (reference.iter().sum(), current.iter().sum());
    let spread = per_row(before, now);
    let means = reference.iter().zip(current).map(|(p, q)| {
        let share = (p + q) / (before + now).max(1.0);
        (2.0 / std::f64::consts::PI * share * (1.0 - share) * spread).sqrt()
    });
    means.sum::<f64>() / 2.0 + NORMAL_95 * spread.sqrt() / 2.0
}

/// Variance of a difference of two means per unit of variance; no rows count as half a row.
fn per_row(reference: f64, current: f64) -> f64 {
    1.0 / reference.max(HALF_ROW) + 1.0 / current.max(HALF_ROW)
}

/// Population stability index of numbers by the deciles of the reference; NaN is a
/// group of its own.
pub fn psi(reference: &[f64], current: &[f64]) -> f64 {
    let (before, now) = decile_counts(reference, current);
    psi_of_counts(&before, &now)
}

/// Rows of both by the deciles of the reference, missing last.
pub(crate) fn decile_counts(reference: &[f64], current: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut known: Vec<f64> = reference
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    known.sort_unstable_by(f64::total_cmp);
    let mut ends: Vec<f64> = (1..GROUPS)
        .filter_map(|group| known.get(group * known.len() / GROUPS).copied())
        .collect();
    ends.dedup();
    let counts = |values: &[f64]| {
        let mut counts = vec![0.0; ends.len() + 2];
        for value in values {
            let group = if value.is_nan() {
                ends.len() + 1
            } else {
                ends.partition_point(|end| end <= value)
            };
            counts[group] += 1.0;
        }
        counts
    };
    (counts(reference), counts(current))
}

/// Largest distance between the distribution functions of two samples
/// (Kolmogorov-Smirnov); NaN is left out. 0 where one is empty.
pub fn ks(reference: &[f64], current: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values: Vec<f64> = values
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (reference, current) = (sorted(reference), sorted(current));
    if reference.is_empty() || current.is_empty() {
        return 0.0;
    }
    reference
        .iter()
        .chain(&current)
        .map(|at| {
            let below = |values: &[f64]| {
                values.partition_point(|value| value <= at) as f64 / values.len() as f64
            };
            (below(&reference) - below(&current)).abs()
        })
        .fold(0.0, f64::max)
}

impl Dataset {
    /// The distance of each feature between two sets of rows, such as those trained
    /// on and those to be scored. Rows of one entity may all say the same, so chance is
    /// that of as many independent rows as they are worth at least (the design effect of
    /// Kish 1965 at its largest).
    pub fn drift(&self, reference: &[u32], current: &[u32]) -> Vec<FeatureDrift> {
        let features = self.spec.features.iter().zip(&self.features);
        let [before_share, now_share] = [reference, current].map(|rows| self.effective_share(rows));
        let scaled = |counts: &[f64], share: f64| -> Vec<f64> {
            counts.iter().map(|count| count * share).collect()
        };
        features
            .map(|(spec, data)| {
                let (before, now, [ks, ks_by_chance]) = match data {
                    ColumnData::Numbers(values) => {
                        let (before, now) = (taken(values, reference), taken(values, current));
                        let known = |values: &[f64], share: f64| {
                            values.iter().filter(|value| !value.is_nan()).count() as f64 * share
                        };
                        let distance = ks(&before, &now);
                        let chance =
                            ks_by_chance(known(&before, before_share), known(&now, now_share));
                        let (before, now) = decile_counts(&before, &now);
                        (before, now, [distance, chance])
                    }
                    ColumnData::Categories { codes, names, .. } => {
                        let before = category_counts(codes, names.len(), reference);
                        let now = category_counts(codes, names.len(), current);
                        let distance = share_distance(&before, &now);
                        let chance = share_distance_by_chance(
                            &scaled(&before, before_share),
                            &scaled(&now, now_share),
                        );
                        (before, now, [distance, chance])
                    }
                };
                FeatureDrift {
                    feature: spec.name.clone(),
                    psi: psi_of_counts(&before, &now),
                    ks,
                    psi_by_chance: psi_by_chance(
                        &scaled(&before, before_share),
                        &scaled(&now, now_share),
                    ),
                    ks_by_chance,
                }
            })
            .collect()
    }

    /// Independent rows that rows of entities are worth, as a share of the rows: n ÷ Σm² with m rows of an entity.
    fn effective_share(&self, rows: &[u32]) -> f64 {
        let mut of_entity: HashMap<u64, f64> = HashMap::new();
        for row in rows {
            *of_entity
                .entry(self.entities.hash(*row as usize))
                .or_default() += 1.0;
        }
        // Whole numbers, so the order of entities does not matter.
        let squares: f64 = of_entity.values().map(|count| count * count).sum();
        rows.len() as f64 / squares.max(1.0)
    }

    /// What each feature alone tells about the outcome of labelled rows, the most
    /// telling first. A feature that alone nearly decides was probably written
    /// after the outcome.
    pub fn suspicions(&self, rows: &[u32]) -> Vec<FeatureSuspicion> {
        let labels = self.labels_of(rows);
        let either = |values: &[f64], labels: &[bool]| {
            auc(values, labels).map_or(0.5, |auc| auc.max(1.0 - auc))
        };
        let mut found: Vec<FeatureSuspicion> = self
            .spec
            .features
            .iter()
            .zip(&self.features)
            .map(|(spec, data)| {
                let (alone, missing) = match data {
                    ColumnData::Numbers(values) => {
                        let values = taken(values, rows);
                        let (known, outcomes): (Vec<f64>, Vec<bool>) = values
                            .iter()
                            .zip(&labels)
                            .filter(|(value, _)| !value.is_nan())
                            .map(|(value, label)| (*value, *label))
                            .unzip();
                        let missing: Vec<f64> = values
                            .iter()
                            .map(|value| f64::from(u8::from(value.is_nan())))
                            .collect();
                        (either(&known, &outcomes), missing)
                    }
                    ColumnData::Categories { codes, names, .. } => {
                        let (rates, outcomes) =
                            rates_of_other_half(codes, names.len(), rows, &labels);
                        let missing = rows
                            .iter()
                            .map(|row| f64::from(u8::from(codes[*row as usize] == MISSING)))
                            .collect();
                        (either(&rates, &outcomes), missing)
                    }
                };
                FeatureSuspicion {
                    feature: spec.name.clone(),
                    auc: alone,
                    missing_auc: either(&missing, &labels),
                }
            })
            .collect();
        found.sort_by(|left, right| {
            right
                .auc
                .max(right.missing_auc)
                .total_cmp(&left.auc.max(left.missing_auc))
        });
        found
    }
}

fn taken(values: &[f64], rows: &[u32]) -> Vec<f64> {
    rows.iter().map(|row| values[*row as usize]).collect()
}

/// Rows by category, missing last.
fn category_counts(codes: &[u32], names: usize, rows: &[u32]) -> Vec<f64> {
    let mut counts = vec![0.0; names + 1];
    for row in rows {
        match codes[*row as usize] {
            MISSING => counts[names] += 1.0,
            code => counts[code as usize] += 1.0,
        }
    }
    counts
}

fn share_distance(reference: &[f64], current: &[f64]) -> f64 {
    let (before, now): (f64, f64) = (reference.iter().sum(), current.iter().sum());
    if before == 0.0 || now == 0.0 {
        return 0.0;
    }
    let pairs = reference.iter().zip(current);
    pairs
        .map(|(p, q)| (p / before - q / now).abs())
        .sum::<f64>()
        / 2.0
}

/// The rate of each category learned on the even rows, given to the odd ones.
fn rates_of_other_half(
    codes: &[u32],
    names: usize,
    rows: &[u32],
    labels: &[bool],
) -> (Vec<f64>, Vec<bool>) {
    let slot = |row: &u32| match codes[*row as usize] {
        MISSING => names,
        code => code as usize,
    };
    let mut counts = vec![[0.0, 0.0]; names + 1];
    for (row, label) in rows.iter().zip(labels).step_by(2) {
        counts[slot(row)][0] += 1.0;
        counts[slot(row)][1] += f64::from(u8::from(*label));
    }
    let (total, positives) = counts.iter().fold((0.0, 0.0), |(rows, positives), count| {
        (rows + count[0], positives + count[1])
    });
    let prior = positives / f64::max(total, 1.0);
    let odd = rows.iter().zip(labels).skip(1).step_by(2);
    odd.map(|(row, label)| {
        let [rows, positives] = counts[slot(row)];
        ((positives + 10.0 * prior) / (rows + 10.0), *label)
    })
    .unzip()
}

/// Spearman's rank correlation of two scores of the same rows, ties sharing their
/// mean rank. `None` where one of them does not vary.
pub fn rank_correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    let (first, second) = (ranks(first), ranks(second));
    let mean = (first.len() as f64 - 1.0) / 2.0;
    let product = |left: &[f64], right: &[f64]| {
        left.iter()
            .zip(right)
            .map(|(x, y)| (x - mean) * (y - mean))
            .sum::<f64>()
    };
    let spread = product(&first, &first) * product(&second, &second);
    (spread > 0.0).then(|| product(&first, &second) / spread.sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let order = ascending(values);
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for block in crate::metrics::tied_blocks(values, &order) {
        for row in block {
            ranks[*row as usize] = before as f64 + (block.len() as f64 - 1.0) / 2.0;
        }
        before += block.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn psi_and_ks_equal_the_hand_computed_ones() {
        // Shares .5/.5 against .75/.25 with half a row added to each of the two groups.
        let (p, q): ([f64; 2], [f64; 2]) = (
            [500.5 / 1001.0, 500.5 / 1001.0],
            [750.5 / 1001.0, 250.5 / 1001.0],
        );
        let expected: f64 = (0..2)
            .map(|at| (q[at] - p[at]) * (q[at] / p[at]).ln())
            .sum();
        assert!((psi_of_counts(&[500.0, 500.0], &[750.0, 250.0]) - expected).abs() < 1e-12);
        assert!((ks(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]) - 0.5).abs() < 1e-12);
        assert_eq!(ks(&[1.0], &[f64::NAN]), 0.0);
    }

    #[test]
    fn draws_of_one_distribution_stay_below_what_chance_makes_nearly_always() {
        use rand::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut draw = |rows: usize| -> Vec<f64> { (0..rows).map(|_| random.random()).collect() };
        let mut above = [0, 0];
        for _ in 0..200 {
            let (reference, current) = (draw(2_000), draw(300));
            let (before, now) = decile_counts(&reference, &current);
            let (index, distance) = (psi_of_counts(&before, &now), ks(&reference, &current));
            above[0] += usize::from(index > psi_by_chance(&before, &now));
            above[1] += usize::from(distance > ks_by_chance(2_000.0, 300.0));
        }
        // One in twenty: 10 of 200, with room for the luck of the draw on both sides.
        assert!(
            above.iter().all(|above| (1..=22).contains(above)),
            "{above:?}"
        );
    }

    #[test]
    fn the_same_rows_do_not_drift_and_new_missing_values_do() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert!(psi(&values, &values) < 1e-12);
        let mut holes = values.clone();
        holes[..400].fill(f64::NAN);
        assert!(psi(&values, &holes) > 1.0);
    }

    #[test]
    fn rank_correlation_shares_ties() {
        assert_eq!(
            rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]),
            Some(1.0)
        );
        assert_eq!(
            rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]),
            Some(-1.0)
        );
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
