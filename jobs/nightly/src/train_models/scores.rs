//! Scores: out-of-time predictions of the newest version, current rows by the version that serves,
//! and each row's first score, frozen to be compared with what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray, new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use futures::StreamExt;
use goyong_catalog::{DeclaredModel, End, Problem};
use goyong_learn::{ProbabilityInterval, TrainingOutcome};
use goyong_store::{CommitDetails, CommitMode, TableWriter, WriteOptions};
use goyong_types::TableName;

use super::completeness::Gaps;
use crate::model_registry::{Artefact, Registry, Version};
use crate::project::OpenProject;

const FROZEN: &str = "models.frozen_score";
const PURPOSE: &str = "purpose";
const OUT_OF_TIME: &str = "out_of_time";
const CURRENT: &str = "current";
/// Scope of the memos that name the version that scored last.
const SERVED: &str = "served";

/// The declaration asks for another threshold than the one that was evaluated.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ThresholdDiffers(Problem);

/// How many rows the version that serves was asked about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Served {
    /// Rows with a score.
    pub(super) scored: usize,
    /// Rows without one, because their files are incomplete.
    pub(super) incomplete: usize,
}

impl std::fmt::Display for Served {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} current rows scored", self.scored)?;
        match self.incomplete {
            0 => Ok(()),
            incomplete => write!(formatter, ", {incomplete} not for an incomplete file"),
        }
    }
}

/// The table of a model's scores.
fn table_of(declared: &DeclaredModel) -> Result<TableName> {
    Ok(TableName::new("models", &declared.model)?)
}

fn schema_of(declared: &DeclaredModel) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(&declared.entity, DataType::Utf8, false),
        Field::new(&declared.entered_on, DataType::Date32, false),
        Field::new(PURPOSE, DataType::Utf8, false),
        Field::new("probability", DataType::Float64, true),
        Field::new("probability_low", DataType::Float64, true),
        Field::new("probability_high", DataType::Float64, true),
        Field::new("no_score_reason", DataType::Utf8, true),
        Field::new("missing_ko", DataType::Utf8, true),
        Field::new("missing_en", DataType::Utf8, true),
        Field::new("baseline_probability", DataType::Float64, true),
        Field::new("trained_as_of", DataType::Date32, false),
        Field::new("label", DataType::Boolean, true),
        Field::new("threshold", DataType::Float64, false),
        Field::new("selected", DataType::Boolean, false),
        Field::new("model_version", DataType::Utf8, false),
    ]))
}

pub(super) async fn writer(
    project: &OpenProject,
    declared: &DeclaredModel,
    table: &TableName,
    schema: &SchemaRef,
    description: &str,
    partition_column: Option<&str>,
) -> Result<TableWriter> {
    let model = project.project().models().get(&declared.features);
    let mut column_tags = BTreeMap::new();
    if let Some(column) = model.and_then(|model| model.header.columns.get(&declared.entity)) {
        column_tags.insert(declared.entity.clone(), column.tags.clone());
    }
    let options = WriteOptions {
        description: Some(description.to_owned()),
        partition_column: partition_column.map(str::to_owned),
        column_tags,
        ..WriteOptions::default()
    };
    Ok(project
        .warehouse()
        .writer(table, schema.clone(), options)
        .await?)
}

async fn scores_writer(project: &OpenProject, declared: &DeclaredModel) -> Result<TableWriter> {
    writer(
        project,
        declared,
        &table_of(declared)?,
        &schema_of(declared),
        "out-of-time predictions of the newest version and scores of current rows by the version that serves, one row per entity, day of entry and purpose",
        Some(PURPOSE),
    )
    .await
}

/// How a purpose's rows replace those before, also those of a table of another shape.
fn replacing(writer: &TableWriter, purpose: &str) -> CommitMode {
    let same_shape = writer.base().is_some_and(|base| {
        let columns = writer.schema().fields();
        base.partition_column.as_deref() == Some(PURPOSE)
            && base.schema.fields().len() == columns.len()
            && columns.iter().all(|column| {
                let stored = base.schema.field_with_name(column.name());
                stored.is_ok_and(|stored| stored.data_type() == column.data_type())
            })
    });
    match same_shape {
        true => CommitMode::ReplacePartitions(vec![Some(purpose.to_owned())]),
        false => CommitMode::ReplaceAll,
    }
}

/// Writes what the newest version predicted for rows it had not seen.
pub(super) async fn write_out_of_time(
    project: &OpenProject,
    declared: &DeclaredModel,
    version: &Version,
    outcome: &TrainingOutcome,
) -> Result<()> {
    let rows = &outcome.out_of_time;
    let column = |name: &str| {
        rows.column_by_name(name)
            .cloned()
            .with_context(|| format!("the learner returned no column {name}"))
    };
    let count = rows.num_rows();
    let probability = column("probability")?;
    let artefact = Artefact::from_json(&version.artefact)?;
    let selected = selected(&artefact, &probability)?;
    let [low, high] = ends(outcome.interval.as_ref(), &probability)?;
    let batch = RecordBatch::try_new(
        schema_of(declared),
        vec![
            arrow_cast::cast(&column(&declared.entity)?, &DataType::Utf8)?,
            column(&declared.entered_on)?,
            repeated(OUT_OF_TIME, count),
            probability,
            low,
            high,
            // What was judged has complete files.
            new_null_array(&DataType::Utf8, count),
            new_null_array(&DataType::Utf8, count),
            new_null_array(&DataType::Utf8, count),
            column("baseline_probability")?,
            column("cutoff")?,
            column("label")?,
            Arc::new(Float64Array::from(vec![artefact.threshold; count])),
            selected,
            repeated(&version.version, count),
        ],
    )?;
    let mut writer = scores_writer(project, declared).await?;
    writer.write(Some(OUT_OF_TIME), &batch)?;
    let mode = replacing(&writer, OUT_OF_TIME);
    writer
        .commit(mode, details(&format!("evaluate {}", declared.model)))
        .await?;
    Ok(())
}

/// The version that scored last.
pub(super) async fn served(
    project: &OpenProject,
    declared: &DeclaredModel,
) -> Result<Option<String>> {
    let version = project
        .warehouse()
        .memo_get(SERVED, &declared.model)
        .await?;
    Ok(version.filter(|version| !version.is_empty()))
}

/// Scores the rows whose outcome is open with the version that serves, at the threshold it was
/// evaluated at; without such a version there are none. A row with an incomplete file gets the reason instead.
pub(super) async fn serve(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &Registry,
    as_of: NaiveDate,
) -> Result<Served> {
    let champion = registry.champion(&declared.model);
    let artefact = match champion {
        Some(version) => Some(registry.artefact(project, &declared.model, version).await?),
        None => None,
    };
    if let Some(artefact) = &artefact {
        refuse_other_threshold(declared, artefact)?;
    }
    let mut writer = scores_writer(project, declared).await?;
    let mut served = Served::default();
    if let Some(artefact) = &artefact {
        let model = artefact.scoring()?;
        let features = project.project().models().get(&declared.features);
        let sql = waiting(declared, &declared.features, as_of, "");
        let mut batches = project.query_latest(&sql).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let gaps = Gaps::of(declared, features, &batch)?;
            let predicted = model.predict(&batch)?.into_iter().enumerate();
            let predicted = predicted.map(|(row, value)| gaps.is_complete(row).then_some(value));
            let scores = Scores {
                probability: Arc::new(predicted.collect::<Float64Array>()),
                interval: model.interval.as_ref(),
                gaps: &gaps,
            };
            let rows = current_rows(declared, artefact, as_of, &batch, scores)?;
            served.scored += gaps.complete_rows();
            served.incomplete += batch.num_rows() - gaps.complete_rows();
            writer.write(Some(CURRENT), &rows)?;
        }
    }
    let mode = replacing(&writer, CURRENT);
    writer
        .commit(mode, details(&format!("score {}", declared.model)))
        .await?;
    if let Some(artefact) = &artefact {
        freeze(project, declared, artefact, as_of).await?;
    }
    let version = champion.unwrap_or_default();
    project
        .warehouse()
        .memo_put(SERVED, &declared.model, version)
        .await?;
    Ok(served)
}

/// The rows of a table of features whose outcome is open, in a fixed order. A label that will never be
/// known is null for ever: only the day tells who is waiting.
pub(super) fn waiting(
    declared: &DeclaredModel,
    features: &TableName,
    as_of: NaiveDate,
    and: &str,
) -> String {
    let DeclaredModel {
        labels,
        entity,
        entered_on,
        label_known_on,
        ..
    } = declared;
    format!(
        "select f.* from {features} f join {labels} l \
         on f.{entity} = l.{entity} and f.{entered_on} = l.{entered_on} \
         where l.{label_known_on} > date '{as_of}'{and} order by f.{entered_on}, f.{entity}"
    )
}

fn refuse_other_threshold(declared: &DeclaredModel, artefact: &Artefact) -> Result<()> {
    match declared.threshold {
        Some(asked) if asked != artefact.threshold => {
            let message = format!(
                "`threshold`: {asked} is asked for, but version {} serves and was evaluated at {}",
                artefact.version, artefact.threshold
            );
            let help = "write the threshold it was evaluated at, or promote a version trained with the new one";
            let problem = declared.problem("threshold", message).with_help(help);
            Err(ThresholdDiffers(problem).into())
        }
        _ => Ok(()),
    }
}

/// Whom the artefact's threshold selects; nobody without a score.
fn selected(artefact: &Artefact, probability: &ArrayRef) -> Result<ArrayRef> {
    let rows = numbers(probability)?.iter().map(|value| {
        Some(value.is_some_and(|value| match artefact.capacity.end {
            End::Lowest => value <= artefact.threshold,
            End::Highest => value >= artefact.threshold,
        }))
    });
    Ok(Arc::new(rows.collect::<BooleanArray>()))
}

/// Where the probabilities lie within their 95 % intervals, lower and upper end; null where there is no score, or the
/// version is older than the intervals.
fn ends(interval: Option<&ProbabilityInterval>, probability: &ArrayRef) -> Result<[ArrayRef; 2]> {
    let about = numbers(probability)?
        .iter()
        .map(|value| Some(interval?.about(value?)));
    let (low, high): (Vec<_>, Vec<_>) = about
        .map(|ends| (ends.map(|(low, _)| low), ends.map(|(_, high)| high)))
        .unzip();
    Ok([
        Arc::new(Float64Array::from(low)),
        Arc::new(Float64Array::from(high)),
    ])
}

fn numbers(probability: &ArrayRef) -> Result<&Float64Array> {
    probability
        .as_any()
        .downcast_ref()
        .context("probabilities are no numbers")
}

/// What the version that serves says of a batch.
struct Scores<'a> {
    /// Null where the file is incomplete.
    probability: ArrayRef,
    interval: Option<&'a ProbabilityInterval>,
    gaps: &'a Gaps<'a>,
}

fn current_rows(
    declared: &DeclaredModel,
    artefact: &Artefact,
    as_of: NaiveDate,
    batch: &RecordBatch,
    scores: Scores<'_>,
) -> Result<RecordBatch> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .cloned()
            .with_context(|| format!("{} has no column {name}", declared.features))
    };
    let count = batch.num_rows();
    let trained_as_of = artefact.trained_as_of().unwrap_or(as_of);
    let Scores {
        probability,
        interval,
        gaps,
    } = scores;
    let selected = selected(artefact, &probability)?;
    let [low, high] = ends(interval, &probability)?;
    let texts = |of: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new((0..count).map(of).collect::<StringArray>())
    };
    Ok(RecordBatch::try_new(
        schema_of(declared),
        vec![
            arrow_cast::cast(&column(&declared.entity)?, &DataType::Utf8)?,
            column(&declared.entered_on)?,
            repeated(CURRENT, count),
            probability,
            low,
            high,
            texts(&|row| gaps.reason(row).map(str::to_owned)),
            texts(&|row| gaps.missing(row, "ko")),
            texts(&|row| gaps.missing(row, "en")),
            Arc::new(Float64Array::new_null(count)),
            Arc::new(Date32Array::from(vec![days_of(trained_as_of); count])),
            Arc::new(BooleanArray::new_null(count)),
            Arc::new(Float64Array::from(vec![artefact.threshold; count])),
            selected,
            repeated(&artefact.version, count),
        ],
    )?)
}

/// Keeps the first score each row was given. What is frozen is never written again, so dying
/// between the scores and this loses nothing: the next serving freezes what is missing.
async fn freeze(
    project: &OpenProject,
    declared: &DeclaredModel,
    artefact: &Artefact,
    as_of: NaiveDate,
) -> Result<()> {
    let table: TableName = FROZEN.parse()?;
    let exists = project.warehouse().snapshot(&table).await?.is_some();
    let scores = table_of(declared)?;
    let (model, entity, entered_on) = (&declared.model, &declared.entity, &declared.entered_on);
    let not_yet = match exists {
        true => format!(
            " and not exists (select 1 from {FROZEN} f where f.model = '{model}' \
             and f.entity = s.{entity} and f.entered_on = s.{entered_on})"
        ),
        false => String::new(),
    };
    let sql = format!(
        "select '{model}' as model, s.{entity} as entity, s.{entered_on} as entered_on, \
         date '{as_of}' as scored_on, s.probability, s.threshold, s.selected, s.model_version \
         from {scores} s where s.purpose = '{CURRENT}' and s.probability is not null{not_yet} \
         order by s.{entered_on}, s.{entity}"
    );
    let schema = Arc::new(Schema::new(vec![
        Field::new("model", DataType::Utf8, false),
        Field::new("entity", DataType::Utf8, false),
        Field::new("entered_on", DataType::Date32, false),
        Field::new("scored_on", DataType::Date32, false),
        Field::new("probability", DataType::Float64, false),
        Field::new("threshold", DataType::Float64, false),
        Field::new("selected", DataType::Boolean, false),
        Field::new("model_version", DataType::Utf8, false),
    ]));
    let mut writer = writer(
        project,
        declared,
        &table,
        &schema,
        "the first score each row was given, never written again",
        None,
    )
    .await?;
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| arrow_cast::cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        writer.write(None, &RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    if writer.rows_written() == 0 && exists {
        writer.abort();
        return Ok(());
    }
    let operation = format!("freeze scores of {model} {}", artefact.version);
    // Under one name a second freezing by a version would count as the first one repeated.
    let details = CommitDetails {
        operation,
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::Append, details).await?;
    Ok(())
}

pub(super) fn details(operation: &str) -> CommitDetails {
    CommitDetails {
        operation: operation.to_owned(),
        application: Some((format!("train_models/{operation}"), 1)),
        ..CommitDetails::default()
    }
}

pub(super) fn repeated(value: &str, count: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![value; count]))
}

pub(crate) fn days_of(day: NaiveDate) -> i32 {
    (day - NaiveDate::default()).num_days() as i32
}
