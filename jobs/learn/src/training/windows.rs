//! Windows of evaluation: every candidate fitted, calibrated and tried on rows it could not know.

use std::ops::Range;

use chrono::NaiveDate;

use super::{TrainingPlan, calibrated};
use crate::baseline::GroupRates;
use crate::calibrator::{Calibrator, CalibratorChoice, CalibratorKind, choose_calibrator_among};
use crate::candidate::{self, Candidate, CandidateEvaluation, CandidateWindow, FittedModel};
use crate::card::{BaselineEvaluation, CutoffEvaluation, TrainedRows};
use crate::dataset::{Dataset, day_of_date};
use crate::error::LearnError;
use crate::evaluation::evaluate_persons;
use crate::feature::Bilingual;
use crate::metrics::{Estimate, auc, auc_difference, auc_with_interval, log_loss};
use crate::split::{SplitRows, TemporalSplit, entry_window};

/// Share of the training rows, the latest, that a first model does not see and the
/// calibration maps are fitted on (first half) and chosen on (second half).
const CALIBRATION_SHARE: f64 = 0.2;
/// Rows of each outcome both halves need; with fewer, probabilities stay as they are.
const CALIBRATION_CLASS_ROWS: usize = 50;

/// Out-of-time rows of all windows with what was predicted for them.
#[derive(Default)]
pub(super) struct OutOfTime {
    pub(super) rows: Vec<u32>,
    pub(super) cutoffs: Vec<i32>,
    pub(super) labels: Vec<bool>,
    pub(super) one_variable: Vec<f64>,
    pub(super) prior: Vec<f64>,
    /// By candidate.
    pub(super) predicted: Vec<Vec<f64>>,
    /// The rows of each window.
    pub(super) windows: Vec<Window>,
}

/// One window of evaluation.
pub(super) struct Window {
    pub(super) name: String,
    pub(super) split: Option<TemporalSplit>,
    pub(super) rows: Range<usize>,
    pub(super) available: usize,
    pub(super) training_entered: Option<(NaiveDate, NaiveDate)>,
    /// By candidate.
    pub(super) fits: Vec<WindowFit>,
}

/// What one candidate made of one window.
pub(super) struct WindowFit {
    pub(super) trained: TrainedRows,
    pub(super) calibrator: &'static str,
    /// The window's rows by the candidate's model of the window before.
    pub(super) by_previous: Option<Vec<f64>>,
}

/// How the rows of a training follow each other.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// By the day of entry: the latest are held out.
    Time,
    /// Not at all: those held out are drawn by a hash of the entity.
    Draw,
}

/// A model with the calibration chosen beside it.
pub(super) struct Calibrated {
    pub(super) model: FittedModel,
    pub(super) trained: TrainedRows,
    pub(super) choice: CalibratorChoice,
}

impl Calibrated {
    pub(super) fn predict_rows(
        &self,
        dataset: &Dataset,
        rows: &[u32],
    ) -> Result<Vec<f64>, LearnError> {
        let predicted = self.model.predict_rows(dataset, rows)?;
        Ok(calibrated(&self.choice.chosen, predicted))
    }
}

/// Fits on labelled rows in ascending order; the calibration is chosen on rows that a first model,
/// made for this alone, had not seen.
pub(super) fn fit_calibrated(
    dataset: &Dataset,
    candidate: &Candidate,
    training: &[u32],
    order: Order,
    calibrators: &[CalibratorKind],
) -> Result<Calibrated, LearnError> {
    let (model, trained) = candidate.fit_rows(dataset, training)?;
    Ok(Calibrated {
        model,
        trained,
        choice: choose_calibration(dataset, candidate, training, order, calibrators)?,
    })
}

fn choose_calibration(
    dataset: &Dataset,
    candidate: &Candidate,
    training: &[u32],
    order: Order,
    calibrators: &[CalibratorKind],
) -> Result<CalibratorChoice, LearnError> {
    let unmapped = CalibratorChoice {
        chosen: Calibrator::Identity,
        log_loss: Vec::new(),
    };
    if calibrators.is_empty() {
        return Ok(unmapped);
    }
    let mut ordered = training.to_vec();
    if let Order::Draw = order {
        ordered.sort_by_key(|row| dataset.draw(*row, dataset.spec.seed ^ 1));
    }
    let held = (CALIBRATION_SHARE * ordered.len() as f64) as usize;
    let (seen, unseen) = ordered.split_at(ordered.len() - held);
    let (fitted_on, chosen_on) = unseen.split_at(held / 2);
    let has_both = |rows: &[u32], least: usize| {
        let labels = dataset.labels_of(rows);
        let positives = labels.iter().filter(|label| **label).count();
        positives.min(labels.len() - positives) >= least
    };
    if !has_both(fitted_on, CALIBRATION_CLASS_ROWS)
        || !has_both(chosen_on, CALIBRATION_CLASS_ROWS)
        || !has_both(seen, 1)
    {
        return Ok(unmapped);
    }
    let mut seen = seen.to_vec();
    seen.sort_unstable();
    let (model, _) = match candidate.fit_rows(dataset, &seen) {
        Ok(fitted) => fitted,
        Err(LearnError::NoUsableFeature { .. }) => return Ok(unmapped),
        Err(error) => return Err(error),
    };
    let scored = |rows: &[u32]| -> Result<(Vec<f64>, Vec<bool>), LearnError> {
        Ok((model.predict_rows(dataset, rows)?, dataset.labels_of(rows)))
    };
    let (fitted_on, chosen_on) = (scored(fitted_on)?, scored(chosen_on)?);
    choose_calibrator_among(
        calibrators,
        (&fitted_on.0, &fitted_on.1),
        (&chosen_on.0, &chosen_on.1),
    )
}

impl OutOfTime {
    pub(super) fn of(plan: &TrainingPlan) -> Self {
        OutOfTime {
            predicted: vec![Vec::new(); plan.candidates.len()],
            ..OutOfTime::default()
        }
    }

    /// Fits every candidate and the rule on the training rows and predicts the others.
    pub(super) fn add_window(
        &mut self,
        dataset: &Dataset,
        rows: SplitRows,
        (name, split): (String, Option<TemporalSplit>),
        plan: &TrainingPlan,
        order: Order,
        previous: Option<&[Calibrated]>,
    ) -> Result<Vec<Calibrated>, LearnError> {
        let rule = GroupRates::learn(dataset, &plan.baseline.columns, &rows.training)?;
        let first = self.rows.len();
        let count = rows.evaluation.len();
        let mut fitted = Vec::with_capacity(plan.candidates.len());
        let mut fits = Vec::with_capacity(plan.candidates.len());
        for (place, candidate) in plan.candidates.iter().enumerate() {
            let made =
                fit_calibrated(dataset, candidate, &rows.training, order, &plan.calibrators)?;
            self.predicted[place].extend(made.predict_rows(dataset, &rows.evaluation)?);
            let before = previous.and_then(|models| models.get(place));
            fits.push(WindowFit {
                trained: made.trained.clone(),
                calibrator: made.choice.chosen.name(),
                by_previous: before
                    .map(|model| model.predict_rows(dataset, &rows.evaluation))
                    .transpose()?,
            });
            fitted.push(made);
        }
        let cutoff = split.map_or(plan.splits.as_of, |split| split.cutoff);
        self.cutoffs
            .extend(std::iter::repeat_n(day_of_date(cutoff), count));
        self.prior.extend(std::iter::repeat_n(rule.prior(), count));
        self.one_variable.extend(rule.predict(&rows.evaluation));
        self.labels.extend(dataset.labels_of(&rows.evaluation));
        self.windows.push(Window {
            name,
            split,
            rows: first..first + count,
            available: rows.training.len(),
            training_entered: entry_window(dataset, &rows.training),
            fits,
        });
        self.rows.extend(rows.evaluation);
        Ok(fitted)
    }

    /// Each candidate window by window; regrets are not yet filled in.
    pub(super) fn candidates(
        &self,
        plan: &TrainingPlan,
    ) -> Result<Vec<CandidateEvaluation>, LearnError> {
        let names = candidate::names(&plan.candidates);
        let mut found = Vec::with_capacity(names.len());
        for (place, (candidate, name)) in plan.candidates.iter().zip(names).enumerate() {
            let mut windows = Vec::with_capacity(self.windows.len());
            for window in &self.windows {
                let predicted = &self.predicted[place][window.rows.clone()];
                let labels = &self.labels[window.rows.clone()];
                let loss = log_loss(predicted, labels).ok_or(LearnError::NoRows {
                    purpose: "evaluate on",
                })?;
                windows.push(CandidateWindow {
                    window: window.name.clone(),
                    rows: labels.len(),
                    log_loss: loss.value,
                    auc: auc(predicted, labels),
                    calibrator: window.fits[place].calibrator.to_owned(),
                    regret: 0.0,
                });
            }
            found.push(CandidateEvaluation {
                name,
                settings: candidate.settings()?,
                windows,
                mean_regret: 0.0,
                worst_regret: 0.0,
                chosen: false,
            });
        }
        Ok(found)
    }
}

/// The candidate that was taken, against what had to be beaten.
pub(super) struct Contest<'a> {
    pub(super) all: &'a OutOfTime,
    pub(super) predicted: &'a [f64],
    /// Whom each row is of.
    pub(super) persons: &'a [u64],
    pub(super) plan: &'a TrainingPlan,
}

impl Contest<'_> {
    pub(super) fn cutoffs(&self, chosen: usize) -> Result<Vec<CutoffEvaluation>, LearnError> {
        let mut cutoffs = Vec::with_capacity(self.all.windows.len());
        for window in &self.all.windows {
            let Some(split) = window.split else {
                continue;
            };
            let trained = &window.fits[chosen].trained;
            let labels = &self.all.labels[window.rows.clone()];
            let rule = &self.all.one_variable[window.rows.clone()];
            let predicted = &self.predicted[window.rows.clone()];
            let persons = &self.persons[window.rows.clone()];
            let measured = evaluate_persons(predicted, labels, persons, &self.plan.evaluation)?;
            cutoffs.push(CutoffEvaluation {
                split,
                training_rows_available: window.available,
                training_rows_used: trained.rows_used,
                training_entered: window.training_entered,
                training_rate: trained.prior_rate,
                rows: measured.rows,
                positives: measured.positives,
                observed_rate: measured.observed_rate,
                mean_predicted: measured.mean_predicted,
                auc: measured.auc,
                brier: measured.brier,
                log_loss: measured.log_loss,
                expected_calibration_error: measured.expected_calibration_error,
                recalibration: measured.recalibration,
                baseline_auc: auc_with_interval(rule, labels),
            });
        }
        Ok(cutoffs)
    }

    pub(super) fn baseline(
        &self,
        name: &str,
        title: Bilingual,
        predicted: &[f64],
    ) -> Result<BaselineEvaluation, LearnError> {
        let labels = &self.all.labels;
        let measured = evaluate_persons(predicted, labels, self.persons, &self.plan.evaluation)?;
        Ok(BaselineEvaluation {
            name: name.to_owned(),
            title,
            // One probability for everybody ranks nobody; where the cut-offs have
            // different priors their order over time is not a ranking of persons.
            average_precision: measured.average_precision,
            auc: if name == "prior_rate" {
                Some(Estimate {
                    value: 0.5,
                    lower: 0.5,
                    upper: 0.5,
                })
            } else {
                measured.auc
            },
            brier: measured.brier,
            log_loss: measured.log_loss,
            expected_calibration_error: measured.expected_calibration_error,
            auc_difference: if name == "prior_rate" {
                auc_difference(self.predicted, &vec![0.5; labels.len()], labels)
            } else {
                auc_difference(self.predicted, predicted, labels)
            },
        })
    }
}
