//! Training as it is done at night: candidates are evaluated out of time, each
//! calibrated on rows known at its cut-off, the one with the least regret is fitted
//! on everything known, and the gates decide whether the result may be used.

mod windows;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use chrono::NaiveDate;

use crate::artefact::ScoringArtefact;
use crate::baseline::{BaselineSpec, first_come};
use crate::calibrator::{Calibrator, CalibratorKind};
use crate::candidate::{self, Candidate, FittedModel};
use crate::card::{ModelCard, TrainedRows, coefficient_rows};
use crate::column::EntityKeys;
use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::LearnError;
use crate::evaluation::{EvaluationOptions, evaluate_persons, evaluate_subgroups};
use crate::feature::Bilingual;
use crate::gate::{self, GateLimits};
use crate::interval::ProbabilityInterval;
use crate::split::{SplitPlan, SplitRows, check_label_dates, entry_window, temporal_splits};
use windows::{Calibrated, Contest, Order, OutOfTime, fit_calibrated};

/// A complete training: data set aside, everything that decides the result.
#[derive(Debug, Clone)]
pub struct TrainingPlan {
    /// The target in words.
    pub target_title: Bilingual,
    /// Who is scored.
    pub population: Bilingual,
    /// What the model is for, and what not.
    pub intended_use: Bilingual,
    /// What is not known about the model; general limits are added.
    pub limits: Vec<Bilingual>,
    /// Version written into model and card.
    pub version: String,
    /// Hash of the training data, written into model and card.
    pub data_hash: String,
    /// Cut-offs.
    pub splits: SplitPlan,
    /// The learners that compete, the simplest first.
    pub candidates: Vec<Candidate>,
    /// The calibration maps that compete with none.
    pub calibrators: Vec<CalibratorKind>,
    /// Measuring.
    pub evaluation: EvaluationOptions,
    /// The one-variable rule to beat.
    pub baseline: BaselineSpec,
    /// Group columns to report by.
    pub subgroups: Vec<String>,
    /// Limits of the gates.
    pub gates: GateLimits,
    /// Rows of the coefficient table.
    pub top_coefficients: usize,
}

/// What a training gives.
#[derive(Debug)]
pub struct TrainingOutcome {
    /// The model of the candidate taken, trained on everything known by `as_of`.
    pub model: FittedModel,
    /// The map of its probabilities.
    pub calibrator: Calibrator,
    /// How well its probabilities are known, by the rows predicted out of time.
    pub interval: Option<ProbabilityInterval>,
    /// Its card; `card.usable` says whether it may be used.
    pub card: ModelCard,
    /// Each out-of-time row with the prediction made for it: entity and entry date
    /// under their own names, `cutoff`, `probability`, `baseline_probability`,
    /// `label`, `label_known_on`.
    pub out_of_time: RecordBatch,
    /// Which of the plan's candidates was taken.
    pub(crate) chosen: usize,
    /// Rows of the data set evaluated, their cut-offs, outcomes and calibrated predictions.
    pub(crate) rows: Vec<u32>,
    pub(crate) cutoffs: Vec<i32>,
    pub(crate) labels: Vec<bool>,
    pub(crate) predicted: Vec<f64>,
    /// The rows of the last cut-off, scored by the model before and by its own.
    pub(crate) consecutive: Option<(Vec<f64>, Vec<f64>)>,
}

impl TrainingOutcome {
    /// Calibrated probabilities, one per row of the batch.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Vec<f64>, LearnError> {
        let predicted = self.model.predict(batch)?;
        Ok(calibrated(&self.calibrator, predicted))
    }

    /// Calibrated probabilities of rows of the data set.
    pub(crate) fn score_rows(
        &self,
        dataset: &Dataset,
        rows: &[u32],
    ) -> Result<Vec<f64>, LearnError> {
        let predicted = self.model.predict_rows(dataset, rows)?;
        Ok(calibrated(&self.calibrator, predicted))
    }

    /// Model, calibration and threshold as one thing to serve.
    pub fn artefact(&self, threshold: f64) -> ScoringArtefact {
        ScoringArtefact {
            model: self.model.clone().into_boxed(),
            calibrator: self.calibrator.clone(),
            threshold,
            interval: self.interval.clone(),
        }
    }
}

fn calibrated(calibrator: &Calibrator, mut predicted: Vec<f64>) -> Vec<f64> {
    for probability in &mut predicted {
        *probability = calibrator.apply(*probability);
    }
    predicted
}

/// Evaluates all candidates over all cut-offs of the plan, then fits the one taken.
pub fn train_with_temporal_evaluation(
    dataset: &Dataset,
    plan: &TrainingPlan,
) -> Result<TrainingOutcome, LearnError> {
    let splits = temporal_splits(dataset, &plan.splits)?;
    let mut all = OutOfTime::of(plan);
    let mut previous: Option<Vec<Calibrated>> = None;
    for split in &splits {
        let rows = split.rows(dataset)?;
        let name = split.cutoff.to_string();
        let fitted = all.add_window(
            dataset,
            rows,
            (name, Some(*split)),
            plan,
            Order::Time,
            previous.as_deref(),
        )?;
        previous = Some(fitted);
    }
    let evaluated = match (splits.first(), splits.last()) {
        (Some(first), Some(last)) => (first.evaluation_from, last.evaluation_until),
        _ => (plan.splits.as_of, plan.splits.as_of),
    };
    outcome_of(dataset, plan, Order::Time, all, evaluated)
}

/// The same for data that has no time, such as an experiment: every labelled row is predicted by
/// the model of the other folds. Folds are drawn by a hash of the entity, so that neither the order
/// of the rows nor the batches they came in decide.
pub fn train_with_folds(
    dataset: &Dataset,
    folds: usize,
    plan: &TrainingPlan,
) -> Result<TrainingOutcome, LearnError> {
    check_label_dates(dataset, &plan.splits)?;
    let known = dataset.rows_known_by(plan.splits.as_of);
    let mut drawn = known.clone();
    drawn.sort_by_key(|row| dataset.draw(*row, dataset.spec.seed));
    let mut fold_of = vec![0; dataset.len()];
    for (position, row) in drawn.iter().enumerate() {
        fold_of[*row as usize] = position % folds.max(2);
    }
    let mut all = OutOfTime::of(plan);
    for fold in 0..folds.max(2) {
        let (evaluation, training): (Vec<u32>, Vec<u32>) = known
            .iter()
            .partition(|row| fold_of[**row as usize] == fold);
        let rows = SplitRows {
            training,
            evaluation,
        };
        let name = format!("fold {}", fold + 1);
        all.add_window(dataset, rows, (name, None), plan, Order::Draw, None)?;
    }
    let evaluated = entry_window(dataset, &known)
        .map_or((plan.splits.as_of, plan.splits.as_of), |(first, last)| {
            (first, last.succ_opt().unwrap_or(last))
        });
    outcome_of(dataset, plan, Order::Draw, all, evaluated)
}

/// Measures what was predicted, fits on everything known, and decides the gates.
fn outcome_of(
    dataset: &Dataset,
    plan: &TrainingPlan,
    order: Order,
    mut all: OutOfTime,
    (evaluated_from, evaluated_until): (NaiveDate, NaiveDate),
) -> Result<TrainingOutcome, LearnError> {
    let groups = plan
        .subgroups
        .iter()
        .map(|column| dataset.group(column))
        .collect::<Result<Vec<_>, _>>()?;
    let mut candidates = all.candidates(plan)?;
    let chosen = candidate::choose(&mut candidates);
    let Some(taken) = plan.candidates.get(chosen) else {
        return Err(LearnError::InvalidInput {
            operation: "training",
            reason: "the plan names no candidate".to_owned(),
        });
    };
    let predicted = std::mem::take(&mut all.predicted[chosen]);
    let persons = dataset.clusters_of(&all.rows);
    let pooled = evaluate_persons(&predicted, &all.labels, &persons, &plan.evaluation)?;
    let contest = Contest {
        all: &all,
        predicted: &predicted,
        persons: &persons,
        plan,
    };
    let one_variable = contest.baseline(
        "one_variable_rule",
        plan.baseline.title.clone(),
        &all.one_variable,
    )?;
    let prior = contest.baseline(
        "prior_rate",
        Bilingual::new("과거 평균율", "rate of the training months"),
        &all.prior,
    )?;
    let rate = all.prior.iter().sum::<f64>() / all.prior.len().max(1) as f64;
    let first_come = contest.baseline(
        "first_come",
        Bilingual::new("먼저 온 순서", "in order of entry"),
        &first_come(dataset, &all.rows, rate),
    )?;
    let subgroups = groups
        .into_iter()
        .flat_map(|group| {
            evaluate_subgroups(group, &all.rows, &predicted, &all.labels, &plan.evaluation)
        })
        .collect();
    let cutoffs = contest.cutoffs(chosen)?;

    let known = dataset.rows_known_by(plan.splits.as_of);
    let Calibrated {
        mut model,
        mut trained,
        choice,
    } = fit_calibrated(dataset, taken, &known, order, &plan.calibrators)?;
    trained.known_by = Some(plan.splits.as_of);
    trained.data_hash.clone_from(&plan.data_hash);
    model.name(&plan.version, plan.splits.as_of, &plan.data_hash);
    if let FittedModel::Logistic(model) = &mut model {
        model.metrics = Some(pooled.clone());
    }
    let gates = gate::decide(
        &pooled,
        one_variable.auc_difference,
        prior.brier.value - pooled.brier.value,
        &plan.gates,
    );
    let consecutive = all.windows.last().and_then(|window| {
        let before = window.fits.get(chosen)?.by_previous.clone()?;
        Some((before, predicted[window.rows.clone()].to_vec()))
    });
    let card = ModelCard {
        target: dataset.spec.label.clone(),
        target_title: plan.target_title.clone(),
        population: plan.population.clone(),
        intended_use: plan.intended_use.clone(),
        version: plan.version.clone(),
        as_of: plan.splits.as_of,
        learner: candidates
            .get(chosen)
            .map_or_else(String::new, |candidate| candidate.name.clone()),
        candidates,
        limits: limits(dataset, &model, &trained, plan),
        training: trained,
        rows_delivered: dataset.rows_delivered(),
        rows_held: dataset.len(),
        evaluated_from,
        evaluated_until,
        pooled,
        cutoffs,
        baselines: vec![prior, first_come, one_variable],
        subgroups,
        coefficients: model.as_logistic().map_or_else(Vec::new, |model| {
            coefficient_rows(model, plan.top_coefficients)
        }),
        importance: model.shares(),
        unused_features: unused_features(&model),
        calibration: Some(choice.clone()),
        usable: gates.iter().all(|gate| gate.passed),
        gates,
        promotion: None,
    };
    Ok(TrainingOutcome {
        out_of_time: out_of_time_batch(dataset, &all, &predicted)?,
        model,
        calibrator: choice.chosen,
        interval: ProbabilityInterval::measure(
            &predicted,
            &all.labels,
            &dataset.clusters_of(&all.rows),
        ),
        card,
        chosen,
        rows: all.rows,
        cutoffs: all.cutoffs,
        labels: all.labels,
        predicted,
        consecutive,
    })
}

fn unused_features(model: &FittedModel) -> Vec<String> {
    match model {
        FittedModel::Logistic(model) => model
            .features
            .iter()
            .filter(|feature| matches!(feature.encoding, Encoding::AllMissing | Encoding::Constant))
            .map(|feature| feature.spec.name.clone())
            .collect(),
        FittedModel::Boosting(_) => model
            .shares()
            .into_iter()
            .filter(|feature| feature.share == 0.0)
            .map(|feature| feature.feature)
            .collect(),
    }
}

fn limits(
    dataset: &Dataset,
    model: &FittedModel,
    trained: &TrainedRows,
    plan: &TrainingPlan,
) -> Vec<Bilingual> {
    let mut limits = plan.limits.clone();
    limits.push(Bilingual::new(
        "계수와 기여도는 연관성이며 인과 효과가 아니다.",
        "Coefficients and contributions are associations, not causal effects.",
    ));
    limits.push(Bilingual::new(
        "확률의 95% 구간은 비슷한 확률을 받은 사람들의 비율이 얼마나 정확히 알려졌는지를 말하며, 한 사람의 결과나 앞으로의 변화를 말하지 않는다.",
        "The 95 % interval of a probability says how well the rate of those with a like \
         probability is known; it is not about the outcome of one, nor about changes to come.",
    ));
    limits.push(Bilingual::new(
        "확률만으로 급여의 지급·중단을 결정할 수 없다.",
        "No benefit may be granted, stopped or reduced on the probability.",
    ));
    limits.push(match model {
        FittedModel::Logistic(model) => {
            let minimum = model.training.pooling.minimum_count;
            Bilingual::new(
                format!(
                    "수치 변수는 학습 범위로 잘리며, 학습 행이 {minimum}건 미만인 범주는 하나로 묶인다."
                ),
                format!(
                    "Numbers are clamped to their training range; categories with fewer than \
                     {minimum} training rows are pooled."
                ),
            )
        }
        FittedModel::Boosting(model) => {
            let minimum = model.training.options.minimum_category_rows;
            Bilingual::new(
                format!(
                    "학습 범위를 벗어난 수치는 가장 가까운 구간으로, 학습 행이 {minimum}건 미만인 범주는 결측으로 본다."
                ),
                format!(
                    "Numbers beyond their training range count like the nearest seen; categories \
                     with fewer than {minimum} training rows count as missing."
                ),
            )
        }
    });
    if trained.rows_used < trained.rows_available
        || (dataset.len() as u64) < dataset.rows_delivered()
    {
        limits.push(Bilingual::new(
            format!(
                "특성표 {}행 중 {}행을 보유하고, 그중 {}행으로 학습했다 (월별 비례 표본).",
                dataset.rows_delivered(),
                dataset.len(),
                trained.rows_used
            ),
            format!(
                "Of {} rows of the feature table {} were held and {} trained on (a sample \
                 proportional by month).",
                dataset.rows_delivered(),
                dataset.len(),
                trained.rows_used
            ),
        ));
    }
    limits
}

fn out_of_time_batch(
    dataset: &Dataset,
    all: &OutOfTime,
    predicted: &[f64],
) -> Result<RecordBatch, LearnError> {
    let rows = || all.rows.iter().map(|row| *row as usize);
    let entity: ArrayRef = match &dataset.entities {
        EntityKeys::Numbers(keys) => {
            Arc::new(Int64Array::from_iter_values(rows().map(|row| keys[row])))
        }
        EntityKeys::Texts(keys) => Arc::new(StringArray::from_iter_values(
            rows().map(|row| keys[row].as_str()),
        )),
    };
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, false);
    let schema = Schema::new(vec![
        field(&dataset.spec.entity, entity.data_type().clone()),
        field(&dataset.spec.entered_on, DataType::Date32),
        field("cutoff", DataType::Date32),
        field("probability", DataType::Float64),
        field("baseline_probability", DataType::Float64),
        field("label", DataType::Boolean),
        field("label_known_on", DataType::Date32),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            entity,
            Arc::new(Date32Array::from_iter_values(
                rows().map(|row| dataset.entered_on[row]),
            )),
            Arc::new(Date32Array::from(all.cutoffs.clone())),
            Arc::new(Float64Array::from(predicted.to_vec())),
            Arc::new(Float64Array::from(all.one_variable.clone())),
            Arc::new(BooleanArray::from(all.labels.clone())),
            Arc::new(Date32Array::from_iter_values(
                rows().map(|row| dataset.label_known_on[row]),
            )),
        ],
    )
    .map_err(|error| LearnError::InvalidInput {
        operation: "out-of-time table",
        reason: error.to_string(),
    })
}
