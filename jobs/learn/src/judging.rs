//! What promotion is decided on, gathered from a training and the model in use.

use chrono::NaiveDate;

use crate::artefact::ScoringArtefact;
use crate::dataset::{Dataset, day_of_date};
use crate::error::LearnError;
use crate::logistic::within_budget;
use crate::promotion::{
    ChampionEvidence, PromotionCheck, PromotionEvidence, PromotionLimits, PromotionReport,
    is_enough, judge_promotion,
};
use crate::ranking::RankingEnd;
use crate::training::{TrainingOutcome, TrainingPlan};

/// Rows that drift, single features and the model in use are looked at on; of more, a draw.
const JUDGED_ROWS: usize = 200_000;

/// Rows, and what a procedure predicted for each.
type Predicted = (Vec<u32>, Vec<f64>);

/// Under which conditions a trained model may replace the one in use.
#[derive(Debug, Clone)]
pub struct PromotionRequest<'a> {
    /// Limits of the gates.
    pub limits: PromotionLimits,
    /// The threshold in the artefact's bytes.
    pub threshold_of_artefact: f64,
    /// The threshold that is acted upon, at which fairness is measured.
    pub threshold_measured: f64,
    /// The end of the ranking that is acted upon.
    pub end: RankingEnd,
    /// Group columns to judge, each with the gates on it that are told but not judged.
    pub groups: Vec<(String, Vec<PromotionCheck>)>,
    /// Rows whose outcome is open today, whether there are features of them or not.
    pub eligible: usize,
    /// Those of them with features.
    pub scored: usize,
    /// Rows by feature whose value became known only after the entry, where that can be told.
    pub known_after_entry: Vec<(String, usize)>,
    /// Features that move by their nature; their drift is told, not judged.
    pub moving: Vec<String>,
    /// The model in use.
    pub champion: Option<Champion<'a>>,
}

/// A model in use.
#[derive(Debug, Clone, Copy)]
pub struct Champion<'a> {
    /// What serves.
    pub artefact: &'a ScoringArtefact,
    /// It has seen no label that became known after this day.
    pub known_by: NaiveDate,
}

/// Asks every gate whether a trained model may replace the one in use.
///
/// The two are compared on rows whose outcome became known after the model in use was trained: those
/// out of time whose cut-off is no earlier than that day, as they were predicted; where these are too
/// few, all such rows, by the new procedure on what the model in use was given. A model in use that
/// cannot read the rows is not compared with, which leaves the decision to a person.
pub fn judge_training(
    dataset: &Dataset,
    plan: &TrainingPlan,
    outcome: &TrainingOutcome,
    request: &PromotionRequest<'_>,
) -> Result<PromotionReport, LearnError> {
    let as_of = plan.splits.as_of;
    let drawn =
        |rows: Vec<u32>| within_budget(dataset, &rows, Some(JUDGED_ROWS), dataset.spec.seed);
    let known = drawn(dataset.rows_known_by(as_of));
    let open = drawn(dataset.rows_open_on(as_of));
    let mut evidence = PromotionEvidence {
        labels: outcome.labels.clone(),
        challenger: outcome.predicted.clone(),
        suspicions: dataset.suspicions(&known),
        known_after_entry: request.known_after_entry.clone(),
        judged: outcome.score_rows(dataset, &drawn(outcome.rows.clone()))?,
        current: outcome.score_rows(dataset, &open)?,
        eligible: request.eligible,
        scored: request.scored,
        consecutive: outcome.consecutive.clone(),
        threshold_of_artefact: request.threshold_of_artefact,
        threshold_measured: request.threshold_measured,
        ..PromotionEvidence::default()
    };
    if !open.is_empty() {
        let drift = dataset.drift(&known, &open);
        (evidence.moving_inputs, evidence.input_drift) = drift
            .into_iter()
            .partition(|found| request.moving.contains(&found.feature));
    }
    for (column, told_only) in &request.groups {
        evidence.fairness.extend(dataset.fairness(
            column,
            &outcome.rows,
            &outcome.predicted,
            &outcome.labels,
            request.threshold_measured,
            request.end,
        )?);
        let told_only = told_only.iter().map(|check| (column.clone(), *check));
        evidence.told_only.extend(told_only);
    }
    if let Some(champion) = request.champion {
        evidence.champion = contest(dataset, plan, outcome, champion)?;
        let batch = dataset.features_of(&open)?;
        evidence.champion_current = champion.artefact.predict(&batch).ok();
    }
    judge_promotion(&evidence, &request.limits)
}

/// Both models on rows that neither had seen; `None` where there are too few.
fn contest(
    dataset: &Dataset,
    plan: &TrainingPlan,
    outcome: &TrainingOutcome,
    champion: Champion<'_>,
) -> Result<Option<ChampionEvidence>, LearnError> {
    let (rows, challenger) = match later_windows(dataset, outcome, champion.known_by) {
        Some(later) => later,
        None => match refitted(dataset, plan, outcome, champion.known_by)? {
            Some(refitted) => refitted,
            None => return Ok(None),
        },
    };
    let Ok(predicted) = champion.artefact.predict(&dataset.features_of(&rows)?) else {
        return Ok(None);
    };
    Ok(Some(ChampionEvidence {
        labels: dataset.labels_of(&rows),
        challenger,
        champion: predicted,
    }))
}

/// The rows out of time that a model of a day could not know, with what was predicted for them;
/// `None` where there are too few.
fn later_windows(
    dataset: &Dataset,
    outcome: &TrainingOutcome,
    known_by: NaiveDate,
) -> Option<Predicted> {
    let day = day_of_date(known_by);
    let later: Vec<(u32, f64)> = outcome
        .rows
        .iter()
        .zip(&outcome.cutoffs)
        .zip(&outcome.predicted)
        .filter(|((row, cutoff), _)| {
            **cutoff >= day && dataset.label_known_on[**row as usize] > day
        })
        .map(|((row, _), predicted)| (*row, *predicted))
        .collect();
    let stride = later.len().div_ceil(JUDGED_ROWS).max(1);
    let (rows, predicted): (Vec<u32>, Vec<f64>) = later.into_iter().step_by(stride).unzip();
    is_enough(&dataset.labels_of(&rows)).then_some((rows, predicted))
}

/// All rows that a model of a day could not know, by the new procedure on what that model knew;
/// `None` where there are too few.
fn refitted(
    dataset: &Dataset,
    plan: &TrainingPlan,
    outcome: &TrainingOutcome,
    known_by: NaiveDate,
) -> Result<Option<Predicted>, LearnError> {
    let unseen = dataset.rows_known_after(known_by);
    let rows = within_budget(dataset, &unseen, Some(JUDGED_ROWS), dataset.spec.seed);
    let Some(candidate) = plan.candidates.get(outcome.chosen) else {
        return Ok(None);
    };
    if !is_enough(&dataset.labels_of(&rows)) {
        return Ok(None);
    }
    match candidate.fit_rows(dataset, &dataset.rows_known_by(known_by)) {
        Ok((challenger, _)) => {
            let predicted = challenger.predict_rows(dataset, &rows)?;
            Ok(Some((rows, predicted)))
        }
        Err(
            LearnError::NoRows { .. }
            | LearnError::OneClass { .. }
            | LearnError::NoUsableFeature { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}
