//! Features as bins of one byte: 0 is missing or unseen, 1 and up are ordered.
//!
//! Numbers get quantile bins. Categories are ordered by their smoothed rate of
//! positive outcomes in the training rows (Fisher 1958: for a binary outcome the
//! best split of a category is a cut of that order), so that every split is a
//! range of bins.

use serde::{Deserialize, Serialize};

use crate::column::{ColumnData, MISSING};
use crate::error::LearnError;
use crate::feature::{FeatureKind, FeatureSpec};

/// Bins of values beside the one of missing values.
pub(crate) const VALUE_BINS: usize = 254;
/// Features whose bins of a row stand in one word.
pub(crate) const LANES: usize = 8;

/// How the values of a feature become bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "bins", rename_all = "snake_case")]
pub enum FeatureBins {
    /// Bin `i + 1` holds the values above `upper[i - 1]` up to `upper[i]`; the last
    /// bin has no end.
    Quantiles {
        /// Ends of all bins but the last, ascending.
        upper: Vec<f64>,
    },
    /// Bin `i + 1` holds `categories[i]`; all others are missing.
    Categories {
        /// From the lowest rate of positive outcomes to the highest.
        categories: Vec<String>,
    },
}

/// A feature with its bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BinnedFeature {
    /// The feature.
    #[serde(flatten)]
    pub spec: FeatureSpec,
    /// How its values become bins.
    #[serde(flatten)]
    pub bins: FeatureBins,
}

impl FeatureBins {
    /// Bins of values, without the one of missing values.
    pub(crate) fn count(&self) -> usize {
        match self {
            FeatureBins::Quantiles { upper } => upper.len() + 1,
            FeatureBins::Categories { categories } => categories.len(),
        }
    }

    pub(crate) fn is_category(&self) -> bool {
        matches!(self, FeatureBins::Categories { .. })
    }
}

impl BinnedFeature {
    /// Quantile bins of a sample, which is sorted on the way.
    pub(crate) fn of_numbers(spec: &FeatureSpec, sample: &mut Vec<f64>) -> Self {
        sample.retain(|value| !value.is_nan());
        sample.sort_unstable_by(f64::total_cmp);
        BinnedFeature {
            spec: spec.clone(),
            bins: FeatureBins::Quantiles {
                upper: quantile_ends(sample),
            },
        }
    }

    /// Ordered categories; `counts` holds rows and positive rows of each name.
    /// Those with fewer than `minimum` rows, and all but the most frequent, are
    /// treated as missing.
    pub(crate) fn of_categories<'a>(
        spec: &FeatureSpec,
        counts: impl Iterator<Item = (&'a String, [f64; 2])>,
        prior_rate: f64,
        smoothing: f64,
        minimum: f64,
    ) -> Self {
        let mut kept: Vec<(&String, [f64; 2])> = counts
            .filter(|(_, [rows, _])| *rows >= minimum.max(1.0))
            .collect();
        kept.sort_by(|left, right| right.1[0].total_cmp(&left.1[0]).then(left.0.cmp(right.0)));
        kept.truncate(VALUE_BINS);
        let rate =
            |[rows, positives]: [f64; 2]| (positives + smoothing * prior_rate) / (rows + smoothing);
        kept.sort_by(|left, right| {
            rate(left.1)
                .total_cmp(&rate(right.1))
                .then(left.0.cmp(right.0))
        });
        BinnedFeature {
            spec: spec.clone(),
            bins: FeatureBins::Categories {
                categories: kept.into_iter().map(|(name, _)| name.clone()).collect(),
            },
        }
    }

    /// The bins of some rows of a column, in order.
    pub(crate) fn bin(
        &self,
        data: &ColumnData,
        rows: impl Iterator<Item = usize>,
        mut write: impl FnMut(u8),
    ) -> Result<(), LearnError> {
        match (&self.bins, data) {
            (FeatureBins::Quantiles { upper }, ColumnData::Numbers(values)) => {
                let ends = Ends::new(upper);
                for row in rows {
                    write(ends.bin(values[row]));
                }
            }
            (
                FeatureBins::Categories { categories },
                ColumnData::Categories { codes, names, .. },
            ) => {
                let bins = bins_of_names(categories, names);
                for row in rows {
                    write(match codes[row] {
                        MISSING => 0,
                        code => bins[code as usize],
                    });
                }
            }
            (_, _) => {
                return Err(LearnError::InvalidInput {
                    operation: "binning",
                    reason: format!("feature {} was learned as another kind", self.spec.name),
                });
            }
        }
        Ok(())
    }

    /// Refuses what no learning can have made.
    pub(crate) fn is_sound(&self) -> bool {
        match &self.bins {
            FeatureBins::Quantiles { upper } => {
                self.spec.kind != FeatureKind::Categorical
                    && upper.len() < VALUE_BINS
                    && upper.iter().all(|end| end.is_finite())
                    && upper.windows(2).all(|pair| pair[0] < pair[1])
            }
            FeatureBins::Categories { categories } => {
                self.spec.kind == FeatureKind::Categorical && categories.len() <= VALUE_BINS
            }
        }
    }
}

fn bins_of_names(categories: &[String], names: &[String]) -> Vec<u8> {
    let index: std::collections::BTreeMap<&str, u8> = categories
        .iter()
        .zip(1_u8..)
        .map(|(name, bin)| (name.as_str(), bin))
        .collect();
    names
        .iter()
        .map(|name| index.get(name.as_str()).copied().unwrap_or(0))
        .collect()
}

/// Bin ends padded to a power of two, so that a search is eight steps without a branch.
struct Ends([f64; 256]);

impl Ends {
    fn new(upper: &[f64]) -> Self {
        let mut ends = [f64::INFINITY; 256];
        ends[..upper.len()].copy_from_slice(upper);
        Ends(ends)
    }

    #[inline]
    fn bin(&self, value: f64) -> u8 {
        let mut below = 0_usize;
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            // The ends are padded with infinity, which is below nothing.
            below += step * usize::from(self.0[below + step - 1] < value);
        }
        if value.is_nan() { 0 } else { below as u8 + 1 }
    }
}

/// Ends of bins with about equally many rows of a sorted sample; a value that
/// fills a bin alone gets one alone.
fn quantile_ends(sorted: &[f64]) -> Vec<f64> {
    let runs: Vec<(f64, usize)> = sorted
        .chunk_by(|left, right| left == right)
        .map(|run| (run[0], run.len()))
        .collect();
    let mut ends = Vec::new();
    let mut rows_left = sorted.len();
    let mut bins_left = VALUE_BINS;
    let mut held = 0;
    let few = runs.len() <= VALUE_BINS;
    for (position, pair) in runs.windows(2).enumerate() {
        let ((value, rows), (next, next_rows)) = (pair[0], pair[1]);
        held += rows;
        let target = rows_left.div_ceil(bins_left.max(1));
        let full = held >= target || (next_rows >= target && 2 * held >= target);
        // As many values left as bins: each gets its own.
        let spare = runs.len() - position - 1 < bins_left;
        if few || ((full || spare) && bins_left > 1) {
            ends.push(between(value, next));
            rows_left -= held;
            bins_left -= 1;
            held = 0;
        }
    }
    ends
}

/// A number at or above `low` and below `high`.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

/// The bins of all rows, held twice. Adding up asks for all features of some rows and
/// finds them side by side; dividing asks for one feature of many rows and finds
/// nothing else between them.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    /// Words of a row: one for each block of eight features.
    pub(crate) width: usize,
    /// Row after row.
    pub(crate) words: Vec<u64>,
    /// Feature by feature.
    pub(crate) columns: Vec<Vec<u8>>,
}

impl Matrix {
    pub(crate) fn zeros(rows: usize, features: usize) -> Self {
        let width = features.div_ceil(LANES);
        Matrix {
            rows,
            width,
            words: vec![0; rows * width],
            columns: vec![vec![0; rows]; features],
        }
    }
}

/// Writes rows of bins side by side, from the columns of the same rows.
pub(crate) fn pack(columns: &[&[u8]], width: usize, words: &mut [u64]) {
    for (row, words) in words.chunks_exact_mut(width).enumerate() {
        for (word, lanes) in words.iter_mut().zip(columns.chunks(LANES)) {
            let mut bytes = [0; LANES];
            for (byte, column) in bytes.iter_mut().zip(lanes) {
                *byte = column[row];
            }
            *word = u64::from_le_bytes(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn numbers(mut sample: Vec<f64>) -> BinnedFeature {
        BinnedFeature::of_numbers(&FeatureSpec::numeric("x", "x", "x"), &mut sample)
    }

    fn bins_of(feature: &BinnedFeature, values: Vec<f64>) -> Vec<u8> {
        let mut bins = Vec::new();
        let rows = 0..values.len();
        feature
            .bin(&ColumnData::Numbers(values), rows, |bin| bins.push(bin))
            .unwrap();
        bins
    }

    #[test]
    fn few_values_get_a_bin_each_and_missing_is_bin_zero() {
        let feature = numbers(vec![3.0, 1.0, f64::NAN, 1.0, 2.0]);
        let values = vec![f64::NAN, -9.0, 1.0, 1.6, 2.4, 3.0, 99.0];
        assert_eq!(bins_of(&feature, values), [0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn many_values_get_bins_of_about_equal_size() {
        let feature = numbers((0..100_000).map(f64::from).collect());
        let bins = bins_of(&feature, (0..100_000).map(f64::from).collect());
        let mut sizes = [0_usize; 256];
        bins.iter().for_each(|bin| sizes[usize::from(*bin)] += 1);
        assert_eq!(sizes[0], 0);
        assert!(
            sizes[1..=VALUE_BINS]
                .iter()
                .all(|size| (380..=400).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn a_value_of_half_the_rows_does_not_take_the_bins_of_the_others() {
        let mut sample = vec![0.0; 50_000];
        sample.extend((1..=50_000).map(f64::from));
        let FeatureBins::Quantiles { upper } = numbers(sample).bins else {
            panic!("quantiles expected")
        };
        assert!(upper.len() > 240, "{}", upper.len());
        assert!(upper[0] > 0.0 && upper[0] < 1.0);
    }

    #[test]
    fn no_known_value_gives_one_bin_without_ends() {
        assert_eq!(
            bins_of(&numbers(vec![f64::NAN]), vec![f64::NAN, 1.0]),
            [0, 1]
        );
    }

    #[test]
    fn categories_are_ordered_by_rate_and_rare_or_unseen_ones_are_missing() {
        let names = ["a", "b", "c", "rare"].map(str::to_owned);
        let counts = [[100.0, 90.0], [100.0, 10.0], [100.0, 50.0], [2.0, 2.0]];
        let feature = BinnedFeature::of_categories(
            &FeatureSpec::categorical("x", "x", "x"),
            names.iter().zip(counts),
            0.5,
            10.0,
            5.0,
        );
        assert_eq!(
            feature.bins,
            FeatureBins::Categories {
                categories: vec!["b".into(), "c".into(), "a".into()]
            }
        );
        let names = ["new", "a", "rare"].map(str::to_owned).to_vec();
        assert_eq!(
            bins_of_names(&["b".into(), "c".into(), "a".into()], &names),
            [0, 3, 0]
        );
    }
}
