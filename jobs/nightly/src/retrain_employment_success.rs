//! Retrains P(insured spell acquired within six months of registration) and scores seekers.
//!
//! The procedure is evaluated on months later than anything it was trained on; the gates decide
//! whether current seekers are scored. The card is published either way.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use futures::StreamExt;
use goyong_catalog::Model;
use goyong_learn::{
    BaselineSpec, Bilingual, Dataset, DatasetBuilder, DatasetSpec, EvaluationOptions, FeatureSpec,
    FitOptions, Gate, GateLimits, GroupSpec, LearnError, LogisticModel, ModelCard, SplitPlan,
    TrainingOutcome, TrainingPlan, train_with_temporal_evaluation,
};
use goyong_store::{CommitDetails, CommitMode, WriteOptions};
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::figures::{GateResult, StepFigures};
use crate::plan::NightContext;
use crate::project::OpenProject;
use crate::step::{NightEvent, StepOutcome};

/// Changes with anything in this file or in the learner that changes a result.
const PROCEDURE: &str = "employment_success/2";

/// Rows held for training: what fits beside the engine on a 24 GiB machine.
const ROW_BUDGET: usize = 1_500_000;

const FEATURES: &str = "features.employment_success";
const LABELS: &str = "features.employment_success_label";
const SCORES: &str = "models.employment_success";
const CARDS: &str = "models.model_card";

/// Columns of the feature table that the model does not see: those that name the row; sex, which
/// serves to compare groups; and the calendar month, which in less than two labelled years cannot
/// be told from the trend and would be extrapolated to months never seen.
const NOT_FEATURES: [&str; 6] = [
    "seeker_no",
    "person_key",
    "registered_on",
    "month",
    "sex",
    "registered_calendar_month",
];

/// Penalty on the standardised scale: a normal prior with standard deviation 0.18 on each
/// log-odds. It calms a young warehouse of some hundred outcomes and is lost in a nation's.
const RIDGE: f64 = 30.0;

/// Trains when features or labels changed since the last training.
pub async fn run(night: &NightContext<'_>) -> Result<StepOutcome> {
    let project = night.project;
    let as_of = night.as_of().await?;
    let Some(data_hash) = hash_of_inputs(project, as_of).await? else {
        return Ok(StepOutcome::nothing(format!("no rows in {FEATURES} yet")));
    };
    let memo = project.warehouse().memo_get("retrain", PROCEDURE).await?;
    if memo.as_deref() == Some(data_hash.as_str()) {
        return Ok(StepOutcome::nothing("features and labels unchanged"));
    }
    let features = feature_specs(project).await?;
    let dataset = read_dataset(project, &features).await?;
    (night.events)(NightEvent::Working(format!(
        "training on {} of {} registrations, {} features",
        dataset.len(),
        dataset.rows_delivered(),
        features.len()
    )));
    let plan = training_plan(as_of, &data_hash, project.configuration().worker_threads());
    let trained =
        tokio::task::spawn_blocking(move || train_with_temporal_evaluation(&dataset, &plan))
            .await?;
    let outcome = match trained {
        Ok(outcome) => outcome,
        // A young or tiny warehouse has no months to judge a model on; that is a fact to report,
        // not a failure of the night.
        Err(
            error @ (LearnError::NoRows { .. }
            | LearnError::OneClass { .. }
            | LearnError::NoTemporalSplit { .. }),
        ) => {
            project
                .warehouse()
                .memo_put("retrain", PROCEDURE, &data_hash)
                .await?;
            return Ok(StepOutcome::done(format!("no model: {error}")));
        }
        Err(error) => return Err(error.into()),
    };
    let scored = write_scores(project, &outcome).await?;
    write_card(project, &outcome).await?;
    project
        .warehouse()
        .memo_put("retrain", PROCEDURE, &data_hash)
        .await?;
    let figures = StepFigures {
        gates: outcome.card.gates.iter().map(gate_result).collect(),
        ..StepFigures::default()
    };
    Ok(StepOutcome::done(summary(&outcome.card, scored)).with_figures(figures))
}

fn gate_result(gate: &Gate) -> GateResult {
    let figure = |figure: Option<f64>| {
        figure.map_or_else(
            || "not computed".to_owned(),
            |figure| format!("{figure:.4}"),
        )
    };
    let mut detail = figure(gate.value);
    if let Some(minimum) = gate.minimum {
        detail.push_str(&format!(", above {minimum} wanted"));
    }
    if let Some(maximum) = gate.maximum {
        detail.push_str(&format!(", at most {maximum} wanted"));
    }
    GateResult {
        name: gate.name.clone(),
        passed: gate.passed,
        detail,
    }
}

fn summary(card: &ModelCard, scored: usize) -> String {
    let auc = card
        .pooled
        .auc
        .map_or_else(|| "–".to_owned(), |auc| format!("{:.3}", auc.value));
    let baseline = card
        .baselines
        .iter()
        .find(|baseline| baseline.name == "one_variable_rule")
        .and_then(|baseline| baseline.auc)
        .map_or_else(|| "–".to_owned(), |auc| format!("{:.3}", auc.value));
    let failed: Vec<&str> = card
        .gates
        .iter()
        .filter(|gate| !gate.passed)
        .map(|gate| gate.name.as_str())
        .collect();
    let verdict = if card.usable {
        format!("{scored} current seekers scored")
    } else {
        format!("not used, gates failed: {}", failed.join(", "))
    };
    format!(
        "out of time on {} registrations: AUC {auc} (one-variable rule {baseline}), Brier {:.4}, ECE {:.4}; {verdict}",
        card.pooled.rows, card.pooled.brier.value, card.pooled.expected_calibration_error.value
    )
}

async fn hash_of_inputs(project: &OpenProject, as_of: NaiveDate) -> Result<Option<String>> {
    let mut hasher = Sha256::new();
    hasher.update(PROCEDURE);
    hasher.update(as_of.to_string());
    for name in [FEATURES, LABELS] {
        let table: TableName = name.parse()?;
        match project.warehouse().snapshot(&table).await? {
            Some(snapshot) if snapshot.rows() > 0 => hasher.update(snapshot.content_hash()),
            _ => return Ok(None),
        }
    }
    Ok(Some(
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    ))
}

/// The features are the columns of the feature model; their names for people stand in its header.
async fn feature_specs(project: &OpenProject) -> Result<Vec<FeatureSpec>> {
    let table: TableName = FEATURES.parse()?;
    let schema = project
        .warehouse()
        .snapshot(&table)
        .await?
        .context("the feature table vanished during the night")?
        .schema;
    let model = project.project().models().get(&table);
    Ok(schema
        .fields()
        .iter()
        .filter(|field| !NOT_FEATURES.contains(&field.name().as_str()))
        .map(|field| feature_spec(field, model))
        .collect())
}

fn feature_spec(field: &Field, model: Option<&Model>) -> FeatureSpec {
    let name = field.name();
    let header = model.and_then(|model| model.header.columns.get(name));
    let title = header.and_then(|column| column.title.as_ref().or(column.description.as_ref()));
    let korean = title.map_or(name.as_str(), |title| title.in_language("ko"));
    let english = title.map_or(name.as_str(), |title| title.in_language("en"));
    match field.data_type() {
        DataType::Boolean => FeatureSpec::boolean(name, korean, english),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            FeatureSpec::categorical(name, korean, english)
        }
        _ => FeatureSpec::numeric(name, korean, english),
    }
}

async fn read_dataset(project: &OpenProject, features: &[FeatureSpec]) -> Result<Dataset> {
    let mut builder = DatasetBuilder::new(DatasetSpec {
        entity: "seeker_no".to_owned(),
        entered_on: "registered_on".to_owned(),
        label: "label".to_owned(),
        label_known_on: "label_known_on".to_owned(),
        features: features.to_vec(),
        groups: vec![
            GroupSpec::new("sex", "성별", "sex"),
            GroupSpec::new("age_band", "연령대", "age band"),
        ],
        max_rows: Some(ROW_BUDGET),
        seed: 20_240_101,
    });
    let sql = format!(
        "select f.*, l.label, l.label_known_on from {FEATURES} f \
         join {LABELS} l on f.seeker_no = l.seeker_no and f.registered_on = l.registered_on"
    );
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        builder.push(&batch?)?;
    }
    Ok(builder.finish()?)
}

fn training_plan(as_of: NaiveDate, data_hash: &str, threads: usize) -> TrainingPlan {
    TrainingPlan {
        target_title: Bilingual::new(
            "구직등록 후 6개월 안에 고용보험 자격을 취득할 확률",
            "Probability of an insured job within six months of registration",
        ),
        population: Bilingual::new("구직등록자", "Registered job seekers"),
        intended_use: Bilingual::new(
            "상담 순서와 지원 안내에만 쓰며, 급여의 지급이나 제재를 정하지 않습니다.",
            "For the order of counselling and offers of help only; it decides no payment and no sanction.",
        ),
        limits: vec![Bilingual::new(
            "고용보험에 신고된 취업만 성공으로 셉니다. 자영업이나 미가입 취업은 보이지 않습니다.",
            "Only jobs reported to the insurance count as success; self-employment and uninsured jobs are not seen.",
        )],
        version: format!("{as_of}-{}", data_hash.get(..8).unwrap_or(data_hash)),
        data_hash: data_hash.to_owned(),
        splits: SplitPlan::six_months(as_of),
        fit: FitOptions {
            threads,
            ridge: RIDGE,
            ..FitOptions::default()
        },
        evaluation: EvaluationOptions::default(),
        baseline: BaselineSpec {
            columns: vec!["age_band".to_owned()],
            title: Bilingual::new("연령대별 과거 비율", "Past rate of the age band"),
        },
        subgroups: vec!["sex".to_owned(), "age_band".to_owned()],
        gates: GateLimits::default(),
        top_coefficients: 20,
    }
}

fn scores_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("seeker_no", DataType::Utf8, false),
        Field::new("registered_on", DataType::Date32, false),
        Field::new("purpose", DataType::Utf8, false),
        Field::new("probability", DataType::Float64, false),
        Field::new("baseline_probability", DataType::Float64, true),
        Field::new("trained_as_of", DataType::Date32, false),
        Field::new("label", DataType::Boolean, true),
        Field::new("model_version", DataType::Utf8, false),
    ]))
}

/// Writes the out-of-time predictions, and the scores of seekers whose outcome is still open
/// when the gates let the model be used. Returns how many of the latter.
async fn write_scores(project: &OpenProject, outcome: &TrainingOutcome) -> Result<usize> {
    let schema = scores_schema();
    let table: TableName = SCORES.parse()?;
    let mut writer = project
        .warehouse()
        .writer(
            &table,
            schema.clone(),
            WriteOptions {
                description: Some(
                    "out-of-time predictions and scores of current seekers, one row per registration and purpose"
                        .to_owned(),
                ),
                ..WriteOptions::default()
            },
        )
        .await?;
    writer.write(None, &out_of_time_rows(&schema, outcome)?)?;
    let mut scored = 0;
    if outcome.card.usable {
        let sql = format!(
            "select f.* from {FEATURES} f join {LABELS} l \
             on f.seeker_no = l.seeker_no and f.registered_on = l.registered_on \
             where l.label is null order by f.registered_on, f.seeker_no"
        );
        let mut batches = project.query_latest(&sql).await?;
        while let Some(batch) = batches.next().await {
            let rows = current_rows(&schema, &outcome.model, &outcome.card, &batch?)?;
            scored += rows.num_rows();
            writer.write(None, &rows)?;
        }
    }
    writer
        .commit(CommitMode::ReplaceAll, details("score employment_success"))
        .await?;
    Ok(scored)
}

fn out_of_time_rows(schema: &SchemaRef, outcome: &TrainingOutcome) -> Result<RecordBatch> {
    let rows = &outcome.out_of_time;
    let column = |name: &str| {
        rows.column_by_name(name)
            .cloned()
            .with_context(|| format!("the learner returned no column {name}"))
    };
    let count = rows.num_rows();
    Ok(RecordBatch::try_new(
        schema.clone(),
        vec![
            arrow_cast::cast(&column("seeker_no")?, &DataType::Utf8)?,
            column("registered_on")?,
            repeated("out_of_time", count),
            column("probability")?,
            column("baseline_probability")?,
            column("cutoff")?,
            column("label")?,
            repeated(&outcome.card.version, count),
        ],
    )?)
}

fn current_rows(
    schema: &SchemaRef,
    model: &LogisticModel,
    card: &ModelCard,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .cloned()
            .with_context(|| format!("{FEATURES} has no column {name}"))
    };
    let count = batch.num_rows();
    let probabilities = model.predict(batch)?;
    Ok(RecordBatch::try_new(
        schema.clone(),
        vec![
            arrow_cast::cast(&column("seeker_no")?, &DataType::Utf8)?,
            column("registered_on")?,
            repeated("current", count),
            Arc::new(Float64Array::from(probabilities)),
            Arc::new(Float64Array::new_null(count)),
            Arc::new(Date32Array::from(vec![days_of(card.as_of); count])),
            Arc::new(BooleanArray::new_null(count)),
            repeated(&card.version, count),
        ],
    )?)
}

/// Keeps model and card as JSON beside the figures that analysts ask for.
async fn write_card(project: &OpenProject, outcome: &TrainingOutcome) -> Result<()> {
    let card = &outcome.card;
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("target", text("employment_success")),
        ("version", text(&card.version)),
        (
            "as_of",
            Arc::new(Date32Array::from(vec![days_of(card.as_of)])),
        ),
        ("usable", Arc::new(BooleanArray::from(vec![card.usable]))),
        (
            "evaluated_rows",
            Arc::new(Int64Array::from(vec![card.pooled.rows as i64])),
        ),
        (
            "auc",
            Arc::new(Float64Array::from(vec![
                card.pooled.auc.map(|auc| auc.value),
            ])),
        ),
        (
            "brier",
            Arc::new(Float64Array::from(vec![card.pooled.brier.value])),
        ),
        ("card_json", text(&card.to_json()?)),
        ("model_json", text(&outcome.model.to_json()?)),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let table: TableName = CARDS.parse()?;
    let mut writer = project
        .warehouse()
        .writer(
            &table,
            batch.schema(),
            WriteOptions {
                description: Some("the model in use and its card, one row per target".to_owned()),
                ..WriteOptions::default()
            },
        )
        .await?;
    writer.write(None, &batch)?;
    writer
        .commit(CommitMode::ReplaceAll, details("record model card"))
        .await?;
    Ok(())
}

/// The card of the model in use, read back from the warehouse.
pub async fn read_card(project: &OpenProject) -> Result<Option<ModelCard>> {
    let table: TableName = CARDS.parse()?;
    if project.warehouse().snapshot(&table).await?.is_none() {
        return Ok(None);
    }
    let sql = format!("select card_json from {CARDS} where target = 'employment_success'");
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let json = arrow_cast::cast(batch.column(0), &DataType::Utf8)?;
        if let Some(json) = json.as_any().downcast_ref::<StringArray>()
            && !json.is_empty()
        {
            return Ok(Some(ModelCard::from_json(json.value(0))?));
        }
    }
    Ok(None)
}

fn details(operation: &str) -> CommitDetails {
    CommitDetails {
        operation: operation.to_owned(),
        application: Some((format!("retrain/{operation}"), 1)),
        ..CommitDetails::default()
    }
}

fn repeated(value: &str, count: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![value; count]))
}

fn days_of(day: NaiveDate) -> i32 {
    (day - NaiveDate::default()).num_days() as i32
}
