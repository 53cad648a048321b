//! Comparison with the true probability, which only a simulator knows.
//!
//! Nothing in training may see an oracle: the separate evaluation command joins it
//! to predictions and calls this.

use serde::{Deserialize, Serialize};

use crate::calibration::logit;
use crate::error::LearnError;
use crate::evaluation::check_input;
use crate::metrics::{Estimate, auc_difference, auc_with_interval, brier, log_loss};

/// A model beside the oracle on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleComparison {
    /// Rows.
    pub rows: usize,
    /// Area under the ROC curve of the model.
    pub model_auc: Estimate,
    /// Area under the ROC curve of the oracle: the most any model can reach.
    pub oracle_auc: Estimate,
    /// Model over oracle.
    pub auc_ratio: f64,
    /// Share of the oracle's advantage over chance: (model - .5) / (oracle - .5).
    pub auc_share_above_chance: f64,
    /// Oracle minus model, paired interval.
    pub auc_shortfall: Estimate,
    /// Brier score of the model.
    pub model_brier: Estimate,
    /// Brier score of the oracle: the irreducible noise.
    pub oracle_brier: Estimate,
    /// Log loss of the model.
    pub model_log_loss: Estimate,
    /// Log loss of the oracle.
    pub oracle_log_loss: Estimate,
    /// Mean of |model - oracle|.
    pub mean_absolute_difference: f64,
    /// Pearson correlation of the two log-odds; `None` if one is constant.
    pub log_odds_correlation: Option<f64>,
}

/// Compares predictions with oracle probabilities on rows with known outcomes.
pub fn compare_with_oracle(
    predicted: &[f64],
    oracle: &[f64],
    labels: &[bool],
) -> Result<OracleComparison, LearnError> {
    check_input("compare_with_oracle", predicted, labels.len())?;
    check_input("compare_with_oracle", oracle, labels.len())?;
    let one_class = || {
        let positive = labels.first().copied().unwrap_or(false);
        if labels.is_empty() {
            LearnError::NoRows {
                purpose: "compare with the oracle",
            }
        } else {
            LearnError::OneClass {
                rows: labels.len(),
                positive,
            }
        }
    };
    let model_auc = auc_with_interval(predicted, labels).ok_or_else(one_class)?;
    let oracle_auc = auc_with_interval(oracle, labels).ok_or_else(one_class)?;
    let difference = predicted
        .iter()
        .zip(oracle)
        .map(|(model, oracle)| (model - oracle).abs())
        .sum::<f64>();
    Ok(OracleComparison {
        rows: labels.len(),
        auc_ratio: model_auc.value / oracle_auc.value.max(f64::MIN_POSITIVE),
        auc_share_above_chance: if oracle_auc.value > 0.5 {
            (model_auc.value - 0.5) / (oracle_auc.value - 0.5)
        } else {
            0.0
        },
        auc_shortfall: auc_difference(oracle, predicted, labels).ok_or_else(one_class)?,
        model_auc,
        oracle_auc,
        model_brier: brier(predicted, labels).ok_or_else(one_class)?,
        oracle_brier: brier(oracle, labels).ok_or_else(one_class)?,
        model_log_loss: log_loss(predicted, labels).ok_or_else(one_class)?,
        oracle_log_loss: log_loss(oracle, labels).ok_or_else(one_class)?,
        mean_absolute_difference: difference / labels.len() as f64,
        log_odds_correlation: correlation(
            &predicted
                .iter()
                .map(|value| logit(*value))
                .collect::<Vec<_>>(),
            &oracle.iter().map(|value| logit(*value)).collect::<Vec<_>>(),
        ),
    })
}

fn correlation(left: &[f64], right: &[f64]) -> Option<f64> {
    let count = left.len() as f64;
    let left_mean = left.iter().sum::<f64>() / count;
    let right_mean = right.iter().sum::<f64>() / count;
    let mut products = [0.0; 3];
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (left - left_mean, right - right_mean);
        products[0] += left * right;
        products[1] += left * left;
        products[2] += right * right;
    }
    let scale = (products[1] * products[2]).sqrt();
    (scale > 0.0).then(|| products[0] / scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_oracle_compared_with_itself_loses_nothing() {
        let oracle = [0.1, 0.7, 0.4, 0.9, 0.2];
        let labels = [false, true, true, true, false];
        let comparison = compare_with_oracle(&oracle, &oracle, &labels).unwrap();
        assert_eq!(comparison.auc_ratio, 1.0);
        assert_eq!(comparison.auc_shortfall.value, 0.0);
        assert_eq!(comparison.mean_absolute_difference, 0.0);
        assert!((comparison.log_odds_correlation.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn lengths_that_differ_are_refused() {
        assert!(compare_with_oracle(&[0.1], &[0.1, 0.2], &[true, false]).is_err());
    }
}
