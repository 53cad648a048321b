//! Whether probabilities mean what they say.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::metrics::{Estimate, ascending, tied_blocks, wilson};
use crate::newton::logistic;

const PROBABILITY_MARGIN: f64 = 1e-9;

/// One group of rows with similar predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Number of the group, from 1.
    pub bin: usize,
    /// Rows.
    pub rows: usize,
    /// Rows with a positive outcome.
    pub positives: usize,
    /// Lowest prediction.
    pub lowest: f64,
    /// Highest prediction.
    pub highest: f64,
    /// Mean prediction.
    pub mean_predicted: f64,
    /// Share observed, with Wilson's interval.
    pub observed: Estimate,
}

/// Logistic recalibration: `logit P(label) = intercept + slope * logit(prediction)`
/// (Cox 1958). A slope below 1 means predictions too extreme.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recalibration {
    /// 1 when calibrated.
    pub slope: Estimate,
    /// 0 when calibrated.
    pub intercept: Estimate,
    /// The intercept with the slope held at 1: log-odds by which predictions are
    /// too low on the whole.
    pub in_the_large: Estimate,
}

/// Rows in groups of equal size by predicted probability, ascending. Equal
/// predictions stay in one group (that of their middle rank), so there may be
/// fewer groups than asked for.
pub(crate) fn like_rows(predicted: &[f64], bins: usize) -> Vec<Vec<u32>> {
    let order = ascending(predicted);
    let mut groups: Vec<Vec<u32>> = vec![Vec::new(); bins.max(1)];
    let mut before = 0;
    for block in tied_blocks(predicted, &order) {
        let middle = before as f64 + block.len() as f64 / 2.0;
        let group = (middle / predicted.len() as f64 * groups.len() as f64) as usize;
        let last = groups.len() - 1;
        groups[group.min(last)].extend(block);
        before += block.len();
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The calibration table: the groups of `like_rows` with what was observed.
pub fn calibration_table(predicted: &[f64], labels: &[bool], bins: usize) -> Vec<CalibrationBin> {
    like_rows(predicted, bins)
        .into_iter()
        .enumerate()
        .filter_map(|(position, mut group)| {
            let lowest = predicted[*group.first()? as usize];
            let highest = predicted[*group.last()? as usize];
            // Added in row order, so that the sum does not depend on the sorting.
            group.sort_unstable();
            let sum: f64 = group.iter().map(|row| predicted[*row as usize]).sum();
            let positives = group.iter().filter(|row| labels[**row as usize]).count();
            Some(CalibrationBin {
                bin: position + 1,
                rows: group.len(),
                positives,
                lowest,
                highest,
                mean_predicted: sum / group.len() as f64,
                observed: wilson(positives as f64, group.len() as f64)?,
            })
        })
        .collect()
}

/// Expected calibration error over the groups of a table: the mean of
/// |observed - predicted| weighted by rows. The interval is a basic parametric
/// bootstrap: outcomes redrawn within each group at the observed share.
pub fn expected_calibration_error(
    table: &[CalibrationBin],
    replicates: usize,
    seed: u64,
) -> Option<Estimate> {
    let rows: usize = table.iter().map(|bin| bin.rows).sum();
    if rows == 0 {
        return None;
    }
    let error = |observed: &mut dyn FnMut(&CalibrationBin) -> f64| {
        table
            .iter()
            .map(|bin| bin.rows as f64 * (observed(bin) - bin.mean_predicted).abs())
            .sum::<f64>()
            / rows as f64
    };
    let value = error(&mut |bin| bin.observed.value);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: Vec<f64> = (0..replicates)
        .map(|_| error(&mut |bin| binomial(&mut random, bin) as f64 / bin.rows as f64))
        .collect();
    drawn.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        drawn
            .get((share * drawn.len() as f64) as usize)
            .copied()
            .unwrap_or(value)
    };
    Some(Estimate {
        value,
        lower: (2.0 * value - quantile(0.975)).clamp(0.0, value),
        upper: (2.0 * value - quantile(0.025)).max(value),
    })
}

/// Successes of a group redrawn at its observed share; by the normal
/// approximation where the variance is large.
fn binomial(random: &mut ChaCha8Rng, bin: &CalibrationBin) -> usize {
    let share = bin.observed.value;
    let variance = bin.rows as f64 * share * (1.0 - share);
    if variance < 25.0 && bin.rows < 100_000 {
        return (0..bin.rows)
            .filter(|_| random.random::<f64>() < share)
            .count();
    }
    // Box-Muller.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * random.random::<f64>()).cos();
    let drawn = bin.rows as f64 * share + normal * variance.sqrt();
    drawn.round().clamp(0.0, bin.rows as f64) as usize
}

/// Calibration slope and intercept. `None` where they do not exist: one class
/// only, equal predictions, or outcomes that the predictions separate.
pub fn recalibration(predicted: &[f64], labels: &[bool]) -> Option<Recalibration> {
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 || positives == labels.len() {
        return None;
    }
    let logits: Vec<f64> = predicted.iter().map(|value| logit(*value)).collect();
    let (joint, covariance) = newton_2(&logits, labels, false)?;
    let (fixed, fixed_covariance) = newton_2(&logits, labels, true)?;
    Some(Recalibration {
        slope: Estimate::normal(joint[1], covariance[1].sqrt()),
        intercept: Estimate::normal(joint[0], covariance[0].sqrt()),
        in_the_large: Estimate::normal(fixed[0], fixed_covariance[0].sqrt()),
    })
}

/// Log-odds, kept finite.
pub(crate) fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(PROBABILITY_MARGIN, 1.0 - PROBABILITY_MARGIN);
    (probability / (1.0 - probability)).ln()
}

/// Intercept and slope on one variable by Newton, with their variances. With
/// `slope_is_one` only the intercept is free.
fn newton_2(logits: &[f64], labels: &[bool], slope_is_one: bool) -> Option<([f64; 2], [f64; 2])> {
    let mut parameters = [0.0_f64, 1.0];
    for _ in 0..50 {
        let mut gradient = [0.0; 2];
        let mut information = [0.0; 3];
        for (x, label) in logits.iter().zip(labels) {
            let probability = logistic(parameters[0] + parameters[1] * x);
            let residual = f64::from(u8::from(*label)) - probability;
            let weight = probability * (1.0 - probability);
            gradient[0] += residual;
            gradient[1] += residual * x;
            information[0] += weight;
            information[1] += weight * x;
            information[2] += weight * x * x;
        }
        let [a, b, c] = information;
        let (step, variances) = if slope_is_one {
            ([gradient[0] / a, 0.0], [1.0 / a, 0.0])
        } else {
            let determinant = a * c - b * b;
            if determinant <= 1e-12 * a * c {
                return None;
            }
            (
                [
                    (c * gradient[0] - b * gradient[1]) / determinant,
                    (a * gradient[1] - b * gradient[0]) / determinant,
                ],
                [c / determinant, a / determinant],
            )
        };
        if step
            .iter()
            .chain(&variances)
            .any(|value| !value.is_finite())
        {
            return None;
        }
        // Steps of more than 2 log-odds overshoot where predictions are far off.
        parameters[0] += step[0].clamp(-2.0, 2.0);
        parameters[1] += step[1].clamp(-2.0, 2.0);
        if step[0].abs().max(step[1].abs()) < 1e-10 {
            return Some((parameters, variances));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn table_and_ece_equal_the_hand_computed_ones() {
        let predicted = [0.1, 0.2, 0.3, 0.8];
        let labels = [false, false, true, true];
        let table = calibration_table(&predicted, &labels, 2);
        assert_eq!(table.len(), 2);
        assert_eq!((table[0].rows, table[0].positives), (2, 0));
        assert!((table[0].mean_predicted - 0.15).abs() < 1e-12);
        assert!((table[1].mean_predicted - 0.55).abs() < 1e-12);
        // (2 * |0 - .15| + 2 * |1 - .55|) / 4
        let ece = expected_calibration_error(&table, 200, 1).unwrap();
        assert!((ece.value - 0.3).abs() < 1e-12);
        assert!(ece.lower <= ece.value && ece.value <= ece.upper);
    }

    #[test]
    fn equal_predictions_share_a_group() {
        let table = calibration_table(
            &[0.4; 7],
            &[true, false, true, false, true, false, true],
            10,
        );
        assert_eq!(table.len(), 1);
        assert_eq!(table[0].rows, 7);
    }

    #[test]
    fn the_bootstrap_repeats_with_its_seed() {
        let predicted: Vec<f64> = (0..500).map(|row| f64::from(row) / 500.0).collect();
        let labels: Vec<bool> = (0..500).map(|row| row % 3 == 0).collect();
        let table = calibration_table(&predicted, &labels, 10);
        let first = expected_calibration_error(&table, 200, 7);
        assert_eq!(first, expected_calibration_error(&table, 200, 7));
        assert_ne!(first, expected_calibration_error(&table, 200, 8));
    }

    #[test]
    fn slope_and_intercept_are_recovered() {
        // Two groups with exact shares: predictions .2 and .8, observed .35 and .65.
        // logit(.65)/logit(.8) = .61904 / 1.38629 = .44654, intercept 0.
        let mut predicted = Vec::new();
        let mut labels = Vec::new();
        for row in 0..2_000 {
            let high = row % 2 == 0;
            predicted.push(if high { 0.8 } else { 0.2 });
            let share = if high { 650 } else { 350 };
            labels.push(row / 2 < share);
        }
        let fit = recalibration(&predicted, &labels).unwrap();
        assert!((fit.slope.value - 0.446_54).abs() < 1e-4, "{fit:?}");
        assert!(fit.intercept.value.abs() < 1e-9);
        assert!(fit.in_the_large.value.abs() < 1e-9);
    }

    #[test]
    fn equal_predictions_have_no_slope() {
        assert_eq!(recalibration(&[0.3, 0.3, 0.3], &[true, false, true]), None);
    }
}
