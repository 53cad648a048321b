//! Training as it is done at night: evaluate the procedure out of time, then fit
//! on everything known, and let the gates decide whether the result may be used.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use chrono::NaiveDate;

use crate::baseline::{BaselineSpec, GroupRates};
use crate::card::{BaselineEvaluation, CutoffEvaluation, ModelCard, coefficient_rows};
use crate::column::EntityKeys;
use crate::dataset::{Dataset, day_of_date};
use crate::encoding::Encoding;
use crate::error::LearnError;
use crate::evaluation::{EvaluationOptions, evaluate, evaluate_subgroups};
use crate::feature::Bilingual;
use crate::gate::{self, GateLimits};
use crate::logistic::{FitOptions, LogisticModel, TrainingFacts};
use crate::metrics::{Estimate, auc_difference};
use crate::split::{
    SplitPlan, SplitRows, TemporalSplit, check_label_dates, entry_window, temporal_splits,
};

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
    /// Fitting.
    pub fit: FitOptions,
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
    /// The model, trained on everything known by `as_of`, with its metrics.
    pub model: LogisticModel,
    /// Its card; `card.usable` says whether it may be used.
    pub card: ModelCard,
    /// Each out-of-time row with the prediction made for it: entity and entry date
    /// under their own names, `cutoff`, `probability`, `baseline_probability`,
    /// `label`, `label_known_on`.
    pub out_of_time: RecordBatch,
}

/// Out-of-time rows of all cut-offs with what was predicted for them.
#[derive(Default)]
struct OutOfTime {
    rows: Vec<u32>,
    cutoffs: Vec<i32>,
    labels: Vec<bool>,
    predicted: Vec<f64>,
    one_variable: Vec<f64>,
    prior: Vec<f64>,
}

/// Evaluates over all cut-offs of the plan, then fits the final model.
pub fn train_with_temporal_evaluation(
    dataset: &Dataset,
    plan: &TrainingPlan,
) -> Result<TrainingOutcome, LearnError> {
    let splits = temporal_splits(dataset, &plan.splits)?;
    let mut cutoffs = Vec::with_capacity(splits.len());
    let mut all = OutOfTime::default();
    for split in &splits {
        cutoffs.push(evaluate_cutoff(dataset, split, plan, &mut all)?);
    }
    let evaluated = match (splits.first(), splits.last()) {
        (Some(first), Some(last)) => (first.evaluation_from, last.evaluation_until),
        _ => (plan.splits.as_of, plan.splits.as_of),
    };
    outcome_of(dataset, plan, cutoffs, &all, evaluated)
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
    let mut all = OutOfTime::default();
    for fold in 0..folds.max(2) {
        let (evaluation, training): (Vec<u32>, Vec<u32>) = known
            .iter()
            .partition(|row| fold_of[**row as usize] == fold);
        let rows = SplitRows {
            training,
            evaluation,
        };
        predict_round(dataset, rows, plan.splits.as_of, plan, &mut all)?;
    }
    let evaluated = entry_window(dataset, &known)
        .map_or((plan.splits.as_of, plan.splits.as_of), |(first, last)| {
            (first, last.succ_opt().unwrap_or(last))
        });
    outcome_of(dataset, plan, Vec::new(), &all, evaluated)
}

/// Measures what was predicted, fits on everything known, and decides the gates.
fn outcome_of(
    dataset: &Dataset,
    plan: &TrainingPlan,
    cutoffs: Vec<CutoffEvaluation>,
    all: &OutOfTime,
    (evaluated_from, evaluated_until): (NaiveDate, NaiveDate),
) -> Result<TrainingOutcome, LearnError> {
    let groups = plan
        .subgroups
        .iter()
        .map(|column| dataset.group(column))
        .collect::<Result<Vec<_>, _>>()?;
    let pooled = evaluate(&all.predicted, &all.labels, &plan.evaluation)?;
    let one_variable = baseline_evaluation(
        "one_variable_rule",
        plan.baseline.title.clone(),
        &all.one_variable,
        all,
        plan,
    )?;
    let prior = baseline_evaluation(
        "prior_rate",
        Bilingual::new("과거 평균율", "rate of the training months"),
        &all.prior,
        all,
        plan,
    )?;
    let subgroups = groups
        .into_iter()
        .flat_map(|group| {
            evaluate_subgroups(
                group,
                &all.rows,
                &all.predicted,
                &all.labels,
                &plan.evaluation,
            )
        })
        .collect();

    let mut model = LogisticModel::fit_known_by(dataset, plan.splits.as_of, &plan.fit)?;
    model.version.clone_from(&plan.version);
    model.training.data_hash.clone_from(&plan.data_hash);
    model.metrics = Some(pooled.clone());
    let gates = gate::decide(
        &pooled,
        one_variable.auc_difference,
        prior.brier.value - pooled.brier.value,
        &plan.gates,
    );
    let card = ModelCard {
        target: model.target.clone(),
        target_title: plan.target_title.clone(),
        population: plan.population.clone(),
        intended_use: plan.intended_use.clone(),
        version: plan.version.clone(),
        as_of: plan.splits.as_of,
        training: model.training.clone(),
        rows_delivered: dataset.rows_delivered(),
        rows_held: dataset.len(),
        evaluated_from,
        evaluated_until,
        pooled,
        cutoffs,
        baselines: vec![prior, one_variable],
        subgroups,
        coefficients: coefficient_rows(&model, plan.top_coefficients),
        unused_features: model
            .features
            .iter()
            .filter(|feature| matches!(feature.encoding, Encoding::AllMissing | Encoding::Constant))
            .map(|feature| feature.spec.name.clone())
            .collect(),
        limits: limits(dataset, &model, plan),
        usable: gates.iter().all(|gate| gate.passed),
        gates,
    };
    Ok(TrainingOutcome {
        out_of_time: out_of_time_batch(dataset, all)?,
        model,
        card,
    })
}

/// A model and a rule learned on some rows, and what they predict for others, which is added to `all`.
struct Round {
    available: usize,
    training_entered: Option<(NaiveDate, NaiveDate)>,
    facts: TrainingFacts,
    predicted: Vec<f64>,
    one_variable: Vec<f64>,
    labels: Vec<bool>,
}

fn predict_round(
    dataset: &Dataset,
    rows: SplitRows,
    cutoff: NaiveDate,
    plan: &TrainingPlan,
    all: &mut OutOfTime,
) -> Result<Round, LearnError> {
    let model = LogisticModel::fit_rows(dataset, &rows.training, &plan.fit)?;
    let rule = GroupRates::learn(dataset, &plan.baseline.columns, &rows.training)?;
    let round = Round {
        available: rows.training.len(),
        training_entered: entry_window(dataset, &rows.training),
        predicted: model.predict_rows(dataset, &rows.evaluation)?,
        one_variable: rule.predict(&rows.evaluation),
        labels: dataset.labels_of(&rows.evaluation),
        facts: model.training,
    };
    let count = rows.evaluation.len();
    all.cutoffs
        .extend(std::iter::repeat_n(day_of_date(cutoff), count));
    all.prior.extend(std::iter::repeat_n(rule.prior(), count));
    all.rows.extend(rows.evaluation);
    all.labels.extend(&round.labels);
    all.predicted.extend(&round.predicted);
    all.one_variable.extend(&round.one_variable);
    Ok(round)
}

fn evaluate_cutoff(
    dataset: &Dataset,
    split: &TemporalSplit,
    plan: &TrainingPlan,
    all: &mut OutOfTime,
) -> Result<CutoffEvaluation, LearnError> {
    let round = predict_round(dataset, split.rows(dataset)?, split.cutoff, plan, all)?;
    let measured = evaluate(&round.predicted, &round.labels, &plan.evaluation)?;
    Ok(CutoffEvaluation {
        split: *split,
        training_rows_available: round.available,
        training_rows_used: round.facts.rows_used,
        training_entered: round.training_entered,
        training_rate: round.facts.prior_rate,
        rows: measured.rows,
        positives: measured.positives,
        observed_rate: measured.observed_rate,
        mean_predicted: measured.mean_predicted,
        auc: measured.auc,
        brier: measured.brier,
        log_loss: measured.log_loss,
        expected_calibration_error: measured.expected_calibration_error,
        recalibration: measured.recalibration,
        baseline_auc: crate::metrics::auc_with_interval(&round.one_variable, &round.labels),
    })
}

fn baseline_evaluation(
    name: &str,
    title: Bilingual,
    predicted: &[f64],
    all: &OutOfTime,
    plan: &TrainingPlan,
) -> Result<BaselineEvaluation, LearnError> {
    let measured = evaluate(predicted, &all.labels, &plan.evaluation)?;
    Ok(BaselineEvaluation {
        name: name.to_owned(),
        title,
        // One probability for everybody ranks nobody; where the cut-offs have
        // different priors their order over time is not a ranking of persons.
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
            auc_difference(&all.predicted, &vec![0.5; all.labels.len()], &all.labels)
        } else {
            auc_difference(&all.predicted, predicted, &all.labels)
        },
    })
}

fn limits(dataset: &Dataset, model: &LogisticModel, plan: &TrainingPlan) -> Vec<Bilingual> {
    let mut limits = plan.limits.clone();
    limits.push(Bilingual::new(
        "계수와 기여도는 연관성이며 인과 효과가 아니다.",
        "Coefficients and contributions are associations, not causal effects.",
    ));
    limits.push(Bilingual::new(
        "확률만으로 급여의 지급·중단을 결정할 수 없다.",
        "No benefit may be granted, stopped or reduced on the probability.",
    ));
    limits.push(Bilingual::new(
        format!(
            "수치 변수는 학습 범위로 잘리며, 학습 행이 {}건 미만인 범주는 하나로 묶인다.",
            model.training.pooling.minimum_count
        ),
        format!(
            "Numbers are clamped to their training range; categories with fewer than {} training \
             rows are pooled.",
            model.training.pooling.minimum_count
        ),
    ));
    if model.training.rows_used < model.training.rows_available
        || (dataset.len() as u64) < dataset.rows_delivered()
    {
        limits.push(Bilingual::new(
            format!(
                "특성표 {}행 중 {}행을 보유하고, 그중 {}행으로 학습했다 (월별 비례 표본).",
                dataset.rows_delivered(),
                dataset.len(),
                model.training.rows_used
            ),
            format!(
                "Of {} rows of the feature table {} were held and {} trained on (a sample \
                 proportional by month).",
                dataset.rows_delivered(),
                dataset.len(),
                model.training.rows_used
            ),
        ));
    }
    limits
}

fn out_of_time_batch(dataset: &Dataset, all: &OutOfTime) -> Result<RecordBatch, LearnError> {
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
            Arc::new(Float64Array::from(all.predicted.clone())),
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
