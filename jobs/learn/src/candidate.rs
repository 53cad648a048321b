//! Learners that compete for a target, and how each did window by window.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use arrow_array::RecordBatch;

use crate::boosting::{BoostOptions, BoostedModel};
use crate::card::{FeatureShare, TrainedRows};
use crate::dataset::Dataset;
use crate::error::LearnError;
use crate::learner::ProbabilityModel;
use crate::logistic::{FitOptions, LogisticModel, within_budget};
use crate::split::entry_window;

/// A learner with its settings.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// Regularised logistic regression.
    Logistic(FitOptions),
    /// Boosted trees.
    Boosting {
        /// How they are boosted.
        options: BoostOptions,
        /// At most this many rows are used, drawn by month in proportion.
        max_rows: Option<usize>,
    },
}

/// A model that one of the candidates made.
#[derive(Debug, Clone, PartialEq)]
pub enum FittedModel {
    /// Regularised logistic regression.
    Logistic(Box<LogisticModel>),
    /// Boosted trees.
    Boosting(Box<BoostedModel>),
}

/// How a candidate did, procedure and calibration together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateEvaluation {
    /// The learner; a second one of a kind is numbered.
    pub name: String,
    /// Its settings.
    pub settings: String,
    /// Each window of evaluation.
    pub windows: Vec<CandidateWindow>,
    /// Mean over the windows of the log loss above that of the best candidate there.
    pub mean_regret: f64,
    /// The largest of them.
    pub worst_regret: f64,
    /// Whether it was taken: the lowest mean regret, of equal ones the first declared.
    pub chosen: bool,
}

/// How a candidate did in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateWindow {
    /// The cut-off, or the number of the fold.
    pub window: String,
    /// Rows evaluated.
    pub rows: usize,
    /// Mean log loss of the calibrated probabilities.
    pub log_loss: f64,
    /// Area under the ROC curve.
    pub auc: Option<f64>,
    /// The calibration map chosen on rows known at the cut-off.
    pub calibrator: String,
    /// Log loss above that of the best candidate of the window.
    pub regret: f64,
}

impl Candidate {
    /// The kind of learner.
    pub fn kind(&self) -> &'static str {
        match self {
            Candidate::Logistic(_) => "logistic",
            Candidate::Boosting { .. } => "boosting",
        }
    }

    /// The settings that decide the result.
    pub fn settings(&self) -> Result<String, LearnError> {
        Ok(match self {
            Candidate::Logistic(options) => format!(
                "ridge {}, categories from {} rows",
                options.ridge, options.pooling.minimum_count
            ),
            Candidate::Boosting { options, .. } => serde_json::to_string(options)?,
        })
    }

    /// Fits on labelled rows in ascending order.
    pub(crate) fn fit_rows(
        &self,
        dataset: &Dataset,
        available: &[u32],
    ) -> Result<(FittedModel, TrainedRows), LearnError> {
        match self {
            Candidate::Logistic(options) => {
                let model = LogisticModel::fit_rows(dataset, available, options)?;
                let facts = &model.training;
                let trained = TrainedRows {
                    entered_from: facts.entered_from,
                    entered_until: facts.entered_until,
                    known_by: None,
                    rows_available: facts.rows_available,
                    rows_used: facts.rows_used,
                    positives: facts.positives,
                    prior_rate: facts.prior_rate,
                    data_hash: String::new(),
                };
                Ok((FittedModel::Logistic(Box::new(model)), trained))
            }
            Candidate::Boosting { options, max_rows } => {
                let rows = within_budget(dataset, available, *max_rows, options.seed);
                let model = BoostedModel::fit_rows(dataset, &rows, options)?;
                let labels = dataset.labels_of(&rows);
                let positives = labels.iter().filter(|label| **label).count();
                let window = entry_window(dataset, &rows);
                let trained = TrainedRows {
                    entered_from: window.map(|(from, _)| from),
                    entered_until: window.map(|(_, until)| until),
                    known_by: None,
                    rows_available: available.len(),
                    rows_used: rows.len(),
                    positives,
                    prior_rate: positives as f64 / rows.len().max(1) as f64,
                    data_hash: String::new(),
                };
                Ok((FittedModel::Boosting(Box::new(model)), trained))
            }
        }
    }
}

/// Names of candidates; a second one of a kind is numbered.
pub(crate) fn names(candidates: &[Candidate]) -> Vec<String> {
    candidates
        .iter()
        .enumerate()
        .map(|(place, candidate)| {
            let before = candidates[..place].iter();
            match before
                .filter(|other| other.kind() == candidate.kind())
                .count()
            {
                0 => candidate.kind().to_owned(),
                earlier => format!("{}_{}", candidate.kind(), earlier + 1),
            }
        })
        .collect()
}

impl FittedModel {
    /// The kind of learner that made it.
    pub fn kind(&self) -> &'static str {
        match self {
            FittedModel::Logistic(model) => model.kind(),
            FittedModel::Boosting(model) => model.kind(),
        }
    }

    /// The logistic regression, if it is one.
    pub fn as_logistic(&self) -> Option<&LogisticModel> {
        match self {
            FittedModel::Logistic(model) => Some(model),
            FittedModel::Boosting(_) => None,
        }
    }

    /// Uncalibrated probabilities, one per row of the batch.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        match self {
            FittedModel::Logistic(model) => model.predict(batch),
            FittedModel::Boosting(model) => model.predict(batch),
        }
    }

    /// Uncalibrated probabilities of rows of the data set it was fitted on.
    pub(crate) fn predict_rows(
        &self,
        dataset: &Dataset,
        rows: &[u32],
    ) -> Result<Vec<f64>, LearnError> {
        match self {
            FittedModel::Logistic(model) => model.predict_rows(dataset, rows),
            FittedModel::Boosting(model) => model.predict_rows(dataset, rows),
        }
    }

    /// Writes down by when labels had to be known and under which name the model goes.
    pub(crate) fn name(&mut self, version: &str, known_by: NaiveDate, data_hash: &str) {
        match self {
            FittedModel::Logistic(model) => {
                version.clone_into(&mut model.version);
                model.training.known_by = Some(known_by);
                data_hash.clone_into(&mut model.training.data_hash);
            }
            FittedModel::Boosting(model) => {
                version.clone_into(&mut model.version);
                model.training.known_by = Some(known_by);
            }
        }
    }

    /// By feature, how much of the model rests on it, the largest first; nothing for a regression,
    /// which has coefficients.
    pub(crate) fn shares(&self) -> Vec<FeatureShare> {
        match self {
            FittedModel::Logistic(_) => Vec::new(),
            FittedModel::Boosting(model) => model
                .importance()
                .into_iter()
                .map(|(feature, share)| FeatureShare {
                    feature: feature.spec.name.clone(),
                    label_ko: feature.spec.label_ko.clone(),
                    label_en: feature.spec.label_en.clone(),
                    share,
                })
                .collect(),
        }
    }

    /// Its serialised form; equal models give equal text.
    pub fn to_json(&self) -> Result<String, LearnError> {
        match self {
            FittedModel::Logistic(model) => model.to_json(),
            FittedModel::Boosting(model) => model.to_json(),
        }
    }

    /// The model behind the interface of all learners.
    pub fn into_boxed(self) -> Box<dyn ProbabilityModel> {
        match self {
            FittedModel::Logistic(model) => model,
            FittedModel::Boosting(model) => model,
        }
    }
}

/// The candidate with the lowest mean regret, of equal ones the first; fills regrets in.
pub(crate) fn choose(candidates: &mut [CandidateEvaluation]) -> usize {
    let windows = candidates.first().map_or(0, |first| first.windows.len());
    for window in 0..windows {
        let best = candidates
            .iter()
            .map(|candidate| candidate.windows[window].log_loss)
            .fold(f64::INFINITY, f64::min);
        for candidate in candidates.iter_mut() {
            let found = &mut candidate.windows[window];
            found.regret = found.log_loss - best;
        }
    }
    let mut chosen = 0;
    for candidate in candidates.iter_mut() {
        let regrets = candidate.windows.iter().map(|window| window.regret);
        candidate.mean_regret = regrets.clone().sum::<f64>() / windows.max(1) as f64;
        candidate.worst_regret = regrets.fold(0.0, f64::max);
    }
    for place in 1..candidates.len() {
        if candidates[place].mean_regret < candidates[chosen].mean_regret {
            chosen = place;
        }
    }
    for (place, candidate) in candidates.iter_mut().enumerate() {
        candidate.chosen = place == chosen;
    }
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn evaluated(name: &str, losses: &[f64]) -> CandidateEvaluation {
        CandidateEvaluation {
            name: name.to_owned(),
            settings: String::new(),
            windows: losses
                .iter()
                .map(|loss| CandidateWindow {
                    window: String::new(),
                    rows: 100,
                    log_loss: *loss,
                    auc: None,
                    calibrator: "identity".to_owned(),
                    regret: 0.0,
                })
                .collect(),
            mean_regret: 0.0,
            worst_regret: 0.0,
            chosen: false,
        }
    }

    #[test]
    fn the_best_month_does_not_choose_but_the_regret_over_all() {
        // The second shines once and loses twice.
        let mut candidates = [
            evaluated("steady", &[0.50, 0.52, 0.51]),
            evaluated("lucky", &[0.40, 0.60, 0.62]),
        ];
        assert_eq!(choose(&mut candidates), 0);
        assert!((candidates[0].mean_regret - 0.1 / 3.0).abs() < 1e-12);
        assert!((candidates[1].mean_regret - 0.19 / 3.0).abs() < 1e-12);
        assert!((candidates[1].worst_regret - 0.11).abs() < 1e-12);
        assert!(candidates[0].chosen && !candidates[1].chosen);
    }

    #[test]
    fn of_equal_candidates_the_first_declared_is_taken() {
        let mut candidates = [evaluated("first", &[0.5]), evaluated("second", &[0.5])];
        assert_eq!(choose(&mut candidates), 0);
    }

    #[test]
    fn a_second_learner_of_a_kind_is_numbered() {
        let boosting = || Candidate::Boosting {
            options: BoostOptions::default(),
            max_rows: None,
        };
        let candidates = [
            Candidate::Logistic(FitOptions::default()),
            boosting(),
            boosting(),
        ];
        assert_eq!(names(&candidates), ["logistic", "boosting", "boosting_2"]);
    }
}
