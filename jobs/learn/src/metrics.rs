//! Discrimination and accuracy of probabilities, with intervals.

use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the standard normal distribution: all intervals are 95 %.
pub(crate) const NORMAL_975: f64 = 1.959_963_984_540_054;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
}

impl Estimate {
    pub(crate) fn normal(value: f64, standard_error: f64) -> Self {
        Estimate {
            value,
            lower: value - NORMAL_975 * standard_error,
            upper: value + NORMAL_975 * standard_error,
        }
    }

    pub(crate) fn clamped(self, lower: f64, upper: f64) -> Self {
        Estimate {
            value: self.value,
            lower: self.lower.max(lower),
            upper: self.upper.min(upper),
        }
    }
}

/// Area under the ROC curve: the probability that a positive outranks a negative,
/// ties counting one half. Exact, `O(n log n)`. `None` unless both classes occur.
pub fn auc(predicted: &[f64], labels: &[bool]) -> Option<f64> {
    let order = ascending(predicted);
    let mut negatives_below = 0_u128;
    let mut twice_wins = 0_u128;
    let mut positives = 0_u128;
    for block in tied_blocks(predicted, &order) {
        let here = block.iter().filter(|row| labels[**row as usize]).count() as u128;
        let negatives = block.len() as u128 - here;
        twice_wins += here * (2 * negatives_below + negatives);
        positives += here;
        negatives_below += negatives;
    }
    let pairs = 2 * positives * negatives_below;
    (pairs > 0).then(|| twice_wins as f64 / pairs as f64)
}

/// AUC with DeLong's interval (DeLong, DeLong and Clarke-Pearson 1988, by the
/// mid-ranks of Sun and Xu 2014).
pub fn auc_with_interval(predicted: &[f64], labels: &[bool]) -> Option<Estimate> {
    let value = auc(predicted, labels)?;
    let placements = Placements::of(predicted, labels);
    let variance = covariance(&placements.positives, &placements.positives)
        / placements.positives.len() as f64
        + covariance(&placements.negatives, &placements.negatives)
            / placements.negatives.len() as f64;
    Some(Estimate::normal(value, variance.max(0.0).sqrt()).clamped(0.0, 1.0))
}

/// Difference of two AUCs on the same rows, first minus second, with DeLong's
/// paired interval.
pub fn auc_difference(first: &[f64], second: &[f64], labels: &[bool]) -> Option<Estimate> {
    let value = auc(first, labels)? - auc(second, labels)?;
    let first = Placements::of(first, labels);
    let second = Placements::of(second, labels);
    let part = |one: &[f64], two: &[f64]| {
        let spread = covariance(one, one) + covariance(two, two) - 2.0 * covariance(one, two);
        spread.max(0.0) / one.len() as f64
    };
    let variance =
        part(&first.positives, &second.positives) + part(&first.negatives, &second.negatives);
    Some(Estimate::normal(value, variance.sqrt()))
}

/// Mean squared difference of probability and outcome (Brier 1950).
pub fn brier(predicted: &[f64], labels: &[bool]) -> Option<Estimate> {
    mean_with_interval(predicted.iter().zip(labels).map(|(probability, label)| {
        let difference = probability - f64::from(u8::from(*label));
        difference * difference
    }))
    .map(|estimate| estimate.clamped(0.0, 1.0))
}

/// Mean negative log likelihood; probabilities are kept 1e-15 from 0 and 1.
pub fn log_loss(predicted: &[f64], labels: &[bool]) -> Option<Estimate> {
    mean_with_interval(predicted.iter().zip(labels).map(|(probability, label)| {
        let probability = if *label {
            *probability
        } else {
            1.0 - probability
        };
        -probability.clamp(1e-15, 1.0 - 1e-15).ln()
    }))
    .map(|estimate| estimate.clamped(0.0, f64::INFINITY))
}

/// A share with Wilson's interval (Wilson 1927); `successes` may be fractional
/// where ties are shared out.
pub fn wilson(successes: f64, trials: f64) -> Option<Estimate> {
    if trials <= 0.0 {
        return None;
    }
    let share = successes / trials;
    let z2 = NORMAL_975 * NORMAL_975;
    let centre = (share + z2 / (2.0 * trials)) / (1.0 + z2 / trials);
    let half = NORMAL_975 / (1.0 + z2 / trials)
        * (share * (1.0 - share) / trials + z2 / (4.0 * trials * trials))
            .max(0.0)
            .sqrt();
    Some(Estimate {
        value: share,
        lower: (centre - half).clamp(0.0, share),
        upper: (centre + half).clamp(share, 1.0),
    })
}

/// Row numbers by ascending value; equal values in row order.
pub(crate) fn ascending(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|left, right| values[*left as usize].total_cmp(&values[*right as usize]));
    order
}

/// Runs of equal values in an ordering.
pub(crate) fn tied_blocks<'a>(
    values: &'a [f64],
    order: &'a [u32],
) -> impl Iterator<Item = &'a [u32]> {
    order.chunk_by(|left, right| values[*left as usize] == values[*right as usize])
}

/// For each row, the share of the other class it outranks, ties one half.
struct Placements {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl Placements {
    /// Rows of each class in row order, so that two scores pair up.
    fn of(predicted: &[f64], labels: &[bool]) -> Self {
        let positives = labels.iter().filter(|label| **label).count();
        let negatives = labels.len() - positives;
        let order = ascending(predicted);
        let mut placement = vec![0.0; labels.len()];
        let mut positives_below = 0;
        let mut negatives_below = 0;
        for block in tied_blocks(predicted, &order) {
            let here = block.iter().filter(|row| labels[**row as usize]).count();
            let not_here = block.len() - here;
            for row in block {
                let row = *row as usize;
                placement[row] = if labels[row] {
                    (negatives_below as f64 + not_here as f64 / 2.0) / negatives as f64
                } else {
                    1.0 - (positives_below as f64 + here as f64 / 2.0) / positives as f64
                };
            }
            positives_below += here;
            negatives_below += not_here;
        }
        let of_class = |class: bool| {
            placement
                .iter()
                .zip(labels)
                .filter(|(_, label)| **label == class)
                .map(|(placement, _)| *placement)
                .collect()
        };
        Placements {
            positives: of_class(true),
            negatives: of_class(false),
        }
    }
}

/// Sample covariance; 0 for fewer than two values.
fn covariance(left: &[f64], right: &[f64]) -> f64 {
    let count = left.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let left_mean = left.iter().sum::<f64>() / count;
    let right_mean = right.iter().sum::<f64>() / count;
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - left_mean) * (right - right_mean))
        .sum::<f64>()
        / (count - 1.0)
}

fn mean_with_interval(values: impl Iterator<Item = f64> + Clone) -> Option<Estimate> {
    let count = values.clone().count() as f64;
    if count == 0.0 {
        return None;
    }
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Some(Estimate::normal(mean, (variance / count).sqrt()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rstest::rstest;

    use super::*;

    const NO: bool = false;
    const YES: bool = true;

    #[rstest]
    // Wins over the pairs (positive, negative) by hand: 4, 3 and 3.5 of 4.
    #[case::all_right(&[0.1, 0.4, 0.35, 0.8], &[NO, YES, NO, YES], 1.0)]
    #[case::one_of_four_wrong(&[0.1, 0.4, 0.35, 0.8], &[NO, NO, YES, YES], 0.75)]
    #[case::one_tie(&[0.1, 0.5, 0.5, 0.8], &[NO, NO, YES, YES], 0.875)]
    #[case::all_tied(&[0.5, 0.5, 0.5], &[NO, YES, NO], 0.5)]
    #[case::all_wrong(&[0.9, 0.1], &[NO, YES], 0.0)]
    fn auc_counts_pairs_with_ties_as_half(
        #[case] predicted: &[f64],
        #[case] labels: &[bool],
        #[case] expected: f64,
    ) {
        assert_eq!(auc(predicted, labels), Some(expected));
    }

    #[test]
    fn auc_is_undefined_with_one_class() {
        assert_eq!(auc(&[0.1, 0.2], &[YES, YES]), None);
        assert_eq!(auc_with_interval(&[], &[]), None);
    }

    #[test]
    fn delong_variance_equals_the_hand_computed_one() {
        // Placements of positives (.35 beats 1 of 2, .8 beats 2 of 2): .5 and 1.
        // Placements of negatives (.1 is beaten by 2 of 2, .4 by 1 of 2): 1 and .5.
        // Sample variances .125 each: variance .125/2 + .125/2 = .125.
        let estimate = auc_with_interval(&[0.1, 0.4, 0.35, 0.8], &[NO, NO, YES, YES]).unwrap();
        assert!((estimate.value - 0.75).abs() < 1e-12);
        let expected_lower = 0.75 - NORMAL_975 * 0.125_f64.sqrt();
        assert!((estimate.lower - expected_lower).abs() < 1e-12);
        assert_eq!(estimate.upper, 1.0);
    }

    #[test]
    fn a_score_does_not_differ_from_itself() {
        let predicted = [0.1, 0.4, 0.35, 0.8, 0.2];
        let labels = [NO, NO, YES, YES, NO];
        let difference = auc_difference(&predicted, &predicted, &labels).unwrap();
        assert_eq!(
            (difference.value, difference.lower, difference.upper),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn brier_and_log_loss_equal_the_hand_computed_ones() {
        let predicted = [0.9, 0.2, 0.6];
        let labels = [YES, NO, NO];
        // (.01 + .04 + .36) / 3
        assert!((brier(&predicted, &labels).unwrap().value - 0.41 / 3.0).abs() < 1e-12);
        let expected = -(0.9_f64.ln() + 0.8_f64.ln() + 0.4_f64.ln()) / 3.0;
        assert!((log_loss(&predicted, &labels).unwrap().value - expected).abs() < 1e-12);
    }

    #[test]
    fn log_loss_of_a_certain_error_is_finite() {
        assert!(log_loss(&[0.0], &[YES]).unwrap().value.is_finite());
    }

    #[rstest]
    // 8 of 10: textbook interval .4902 to .9433.
    #[case(8.0, 10.0, 0.4902, 0.9433)]
    #[case(0.0, 10.0, 0.0, 0.2775)]
    fn wilson_equals_published_values(
        #[case] successes: f64,
        #[case] trials: f64,
        #[case] lower: f64,
        #[case] upper: f64,
    ) {
        let estimate = wilson(successes, trials).unwrap();
        assert!((estimate.lower - lower).abs() < 5e-5, "{estimate:?}");
        assert!((estimate.upper - upper).abs() < 5e-5, "{estimate:?}");
    }
}
