//! Everything that is measured about a set of predictions, overall and by subgroup.

use serde::{Deserialize, Serialize};

use crate::bootstrap::resampled;
use crate::calibration::{
    CalibrationBin, Recalibration, calibration_table, expected_calibration_error, recalibration,
};
use crate::column::{ColumnData, MISSING};
use crate::error::LearnError;
use crate::metrics::{Estimate, auc_with_interval, wilson};
use crate::ranking::{CapacityMetric, RankingEnd, at_capacity};

/// What to measure.
#[derive(Debug, Clone)]
pub struct EvaluationOptions {
    /// Groups of the calibration table.
    pub calibration_bins: usize,
    /// Capacities, as shares of the rows, at both ends of the ranking.
    pub capacity_shares: Vec<f64>,
    /// Replicates of the bootstrap for the ECE.
    pub bootstrap_replicates: usize,
    /// Replicates of the bootstrap over persons, for all other figures.
    pub person_replicates: usize,
    /// Its seed.
    pub seed: u64,
    /// Threads of the bootstrap; they change no figure.
    pub threads: usize,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        EvaluationOptions {
            calibration_bins: 10,
            capacity_shares: vec![0.05, 0.1, 0.2],
            bootstrap_replicates: 500,
            person_replicates: 200,
            seed: 20_240_101,
            threads: 1,
        }
    }
}

/// What was measured; intervals are 95 %, those of shares by Wilson, of the ECE by a parametric bootstrap, of all
/// others by a bootstrap over persons. A figure that does not exist for the
/// rows at hand (an AUC with one class) is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows.
    pub rows: usize,
    /// Rows with a positive outcome.
    pub positives: usize,
    /// Share of positive outcomes, Wilson's interval.
    pub observed_rate: Estimate,
    /// Mean prediction.
    pub mean_predicted: f64,
    /// Area under the ROC curve.
    pub auc: Option<Estimate>,
    /// Area under the precision-recall curve; none in older cards.
    #[serde(default)]
    pub average_precision: Option<Estimate>,
    /// Brier score.
    pub brier: Estimate,
    /// Log loss.
    pub log_loss: Estimate,
    /// Expected calibration error over the groups of the calibration table.
    pub expected_calibration_error: Estimate,
    /// Calibration slope and intercept.
    pub recalibration: Option<Recalibration>,
    /// Predicted and observed by group of prediction.
    pub calibration_table: Vec<CalibrationBin>,
    /// Precision and recall at capacity.
    pub at_capacity: Vec<CapacityMetric>,
}

/// Figures of one subgroup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubgroupEvaluation {
    /// The group column.
    pub column: String,
    /// Its name in Korean.
    pub label_ko: String,
    /// Its name in English.
    pub label_en: String,
    /// The value of the group; `None` where it is missing.
    pub value: Option<String>,
    /// Rows.
    pub rows: usize,
    /// Rows with a positive outcome.
    pub positives: usize,
    /// Enough rows of both outcomes to test anything; without it only the counts
    /// and means are given.
    pub tested: bool,
    /// Mean prediction.
    pub mean_predicted: f64,
    /// Share of positive outcomes, Wilson's interval.
    pub observed_rate: Estimate,
    /// Area under the ROC curve within the group.
    pub auc: Option<Estimate>,
    /// Expected calibration error within the group.
    pub expected_calibration_error: Option<Estimate>,
    /// Calibration slope and intercept within the group.
    pub recalibration: Option<Recalibration>,
}

/// Rows a subgroup needs before it is tested.
pub(crate) const SUBGROUP_ROWS: usize = 200;
/// Rows of each outcome a subgroup needs before it is tested.
pub(crate) const SUBGROUP_CLASS_ROWS: usize = 20;

/// Measures predictions against outcomes, each row of a person of its own.
pub fn evaluate(
    predicted: &[f64],
    labels: &[bool],
    options: &EvaluationOptions,
) -> Result<Evaluation, LearnError> {
    let persons: Vec<u64> = (0..labels.len() as u64).collect();
    evaluate_persons(predicted, labels, &persons, options)
}

/// Measures predictions against outcomes; `persons` names for each row whom it is of.
pub fn evaluate_persons(
    predicted: &[f64],
    labels: &[bool],
    persons: &[u64],
    options: &EvaluationOptions,
) -> Result<Evaluation, LearnError> {
    check_input("evaluate", predicted, persons.len())?;
    check_input("evaluate", predicted, labels.len())?;
    let nothing = || LearnError::NoRows {
        purpose: "evaluate on",
    };
    let rows = labels.len();
    let positives = labels.iter().filter(|label| **label).count();
    let table = calibration_table(predicted, labels, options.calibration_bins);
    let mut capacities = Vec::new();
    for end in [RankingEnd::Highest, RankingEnd::Lowest] {
        for share in &options.capacity_shares {
            capacities.extend(at_capacity(predicted, labels, end, *share));
        }
    }
    let measured = resampled(
        (predicted, labels),
        persons,
        recalibration(predicted, labels),
        capacities,
        (options.person_replicates, options.seed, options.threads),
    );
    Ok(Evaluation {
        rows,
        positives,
        observed_rate: wilson(positives as f64, rows as f64).ok_or_else(nothing)?,
        mean_predicted: predicted.iter().sum::<f64>() / rows as f64,
        auc: measured.auc,
        average_precision: measured.average_precision,
        brier: measured.brier.ok_or_else(nothing)?,
        log_loss: measured.log_loss.ok_or_else(nothing)?,
        expected_calibration_error: expected_calibration_error(
            &table,
            options.bootstrap_replicates,
            options.seed,
        )
        .ok_or_else(nothing)?,
        recalibration: measured.recalibration,
        calibration_table: table,
        at_capacity: measured.at_capacity,
    })
}

/// Predictions and outcomes must pair up, and probabilities be probabilities.
pub(crate) fn check_input(
    operation: &'static str,
    predicted: &[f64],
    labels: usize,
) -> Result<(), LearnError> {
    if predicted.len() != labels {
        return Err(LearnError::InvalidInput {
            operation,
            reason: format!("{} predictions for {labels} outcomes", predicted.len()),
        });
    }
    let outside = predicted
        .iter()
        .filter(|value| !(0.0..=1.0).contains(*value))
        .count();
    if outside > 0 {
        return Err(LearnError::InvalidInput {
            operation,
            reason: format!("{outside} predictions are not between 0 and 1"),
        });
    }
    Ok(())
}

/// The rows of one subgroup.
#[derive(Debug, Clone, Default)]
struct Members {
    predicted: Vec<f64>,
    labels: Vec<bool>,
}

/// Measures each value of a group column; `rows[i]` is the row of the column to
/// which `predicted[i]` and `labels[i]` belong. Values in text order, missing last.
pub(crate) fn evaluate_subgroups(
    group: (&crate::dataset::GroupSpec, &ColumnData),
    rows: &[u32],
    predicted: &[f64],
    labels: &[bool],
    options: &EvaluationOptions,
) -> Vec<SubgroupEvaluation> {
    let (spec, ColumnData::Categories { codes, names, .. }) = group else {
        return Vec::new();
    };
    let mut members: Vec<Members> = vec![Members::default(); names.len() + 1];
    for ((row, probability), label) in rows.iter().zip(predicted).zip(labels) {
        let slot = match codes[*row as usize] {
            MISSING => names.len(),
            code => code as usize,
        };
        members[slot].predicted.push(*probability);
        members[slot].labels.push(*label);
    }
    let mut found: Vec<(Option<&String>, Members)> =
        names.iter().map(Some).chain([None]).zip(members).collect();
    found.sort_by_key(|(name, _)| (name.is_none(), name.cloned()));
    found
        .into_iter()
        .filter_map(|(name, Members { predicted, labels })| {
            let rows = labels.len();
            let positives = labels.iter().filter(|label| **label).count();
            let tested = rows >= SUBGROUP_ROWS
                && positives >= SUBGROUP_CLASS_ROWS
                && rows - positives >= SUBGROUP_CLASS_ROWS;
            let table = calibration_table(&predicted, &labels, options.calibration_bins);
            Some(SubgroupEvaluation {
                column: spec.column.clone(),
                label_ko: spec.label_ko.clone(),
                label_en: spec.label_en.clone(),
                value: name.cloned(),
                rows,
                positives,
                tested,
                mean_predicted: predicted.iter().sum::<f64>() / rows as f64,
                observed_rate: wilson(positives as f64, rows as f64)?,
                auc: tested
                    .then(|| auc_with_interval(&predicted, &labels))
                    .flatten(),
                expected_calibration_error: tested
                    .then(|| {
                        expected_calibration_error(
                            &table,
                            options.bootstrap_replicates,
                            options.seed,
                        )
                    })
                    .flatten(),
                recalibration: tested.then(|| recalibration(&predicted, &labels)).flatten(),
            })
        })
        .collect()
}
