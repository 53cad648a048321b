//! The shadow period: a version that may replace the one in use scores beside it first.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, Date32Array, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::{Days, NaiveDate};
use futures::StreamExt;
use goyong_catalog::{DeclaredModel, Promotion};
use goyong_learn::{ShadowRow, Verdict, judge_shadow};
use goyong_store::{CommitDetails, CommitMode};
use goyong_types::TableName;

use super::scores::{days_of, repeated, waiting, writer};
use super::{completeness, training_set};
use crate::model_registry::{Act, Decision, Registry};
use crate::project::OpenProject;

const SHADOW: &str = "models.shadow_score";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("model", DataType::Utf8, false),
        Field::new("entity", DataType::Utf8, false),
        Field::new("entered_on", DataType::Date32, false),
        Field::new("scored_on", DataType::Date32, false),
        Field::new("probability", DataType::Float64, false),
        Field::new("probability_in_use", DataType::Float64, false),
        Field::new("model_version", DataType::Utf8, false),
        Field::new("version_in_use", DataType::Utf8, false),
    ]))
}

/// Lets a version score beside the one that serves, unless another does.
pub(super) async fn begin(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &mut Registry,
    version: &str,
    as_of: NaiveDate,
) -> Result<()> {
    if registry.shadow(&declared.model).is_some() {
        return Ok(());
    }
    let decision = Decision {
        model: declared.model.clone(),
        version: version.to_owned(),
        act: Act::Shadow,
        account: "gates".to_owned(),
        reason: format!(
            "no gate refused, and better than the version that serves; beside it for {} days",
            declared.shadow_days
        ),
        decided_on: as_of,
    };
    registry.decide(project, decision).await
}

/// Scores with the version in its shadow what has a complete file, waits for an outcome and was not scored by it yet, and with the version
/// in use; dying here loses nothing, the next night scores what is missing.
pub(crate) async fn score(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &Registry,
    as_of: NaiveDate,
) -> Result<()> {
    let model = declared.model.as_str();
    let (Some((version, _)), Some(in_use)) = (registry.shadow(model), registry.champion(model))
    else {
        return Ok(());
    };
    let shadow = registry
        .artefact(project, model, version)
        .await?
        .scoring()?;
    let champion = registry.artefact(project, model, in_use).await?.scoring()?;
    let table: TableName = SHADOW.parse()?;
    let DeclaredModel {
        entity, entered_on, ..
    } = declared;
    let not_yet = match project.warehouse().snapshot(&table).await?.is_some() {
        true => format!(
            " and not exists (select 1 from {SHADOW} s where s.model = '{model}' \
             and s.model_version = '{version}' and s.entity = cast(f.{entity} as varchar) \
             and s.entered_on = f.{entered_on})"
        ),
        false => String::new(),
    };
    let complete = completeness::condition(declared, "f");
    let sql = waiting(
        declared,
        &declared.features,
        as_of,
        &format!("{complete}{not_yet}"),
    );
    let schema = schema();
    let said = "scores of versions in their shadow period beside those of the version in use, one row per version, entity and day of entry";
    let mut writer = writer(project, declared, &table, &schema, said, None).await?;
    let mut batches = project.query_latest(&sql).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .cloned()
                .with_context(|| format!("{} has no column {name}", declared.features))
        };
        let count = batch.num_rows();
        let columns: Vec<ArrayRef> = vec![
            repeated(model, count),
            arrow_cast::cast(&column(entity)?, &DataType::Utf8)?,
            column(entered_on)?,
            Arc::new(Date32Array::from(vec![days_of(as_of); count])),
            Arc::new(Float64Array::from(shadow.predict(&batch)?)),
            Arc::new(Float64Array::from(champion.predict(&batch)?)),
            repeated(version, count),
            repeated(in_use, count),
        ];
        writer.write(None, &RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    if writer.rows_written() == 0 {
        writer.abort();
        return Ok(());
    }
    let details = CommitDetails {
        operation: format!("score {model} {version} in its shadow"),
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::Append, details).await?;
    Ok(())
}

/// Ends a shadow period whose days are over, where gates decide: the version serves, or leaves. Says which and why.
pub(super) async fn end(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &mut Registry,
    as_of: NaiveDate,
) -> Result<Option<String>> {
    let model = declared.model.as_str();
    let Some((version, since)) = registry.shadow(model) else {
        return Ok(None);
    };
    let days = Days::new(u64::from(declared.shadow_days));
    let goes_on = since
        .checked_add_days(days)
        .is_some_and(|until| until > as_of);
    if goes_on || declared.promotion == Promotion::Person {
        return Ok(None);
    }
    let version = version.to_owned();
    let rows = rows_of(project, declared, &version, as_of).await?;
    let report = judge_shadow(&rows, &training_set::promotion_limits(declared));
    let (act, ended) = match report.verdict {
        Verdict::Refused => (Act::Withdraw, "withdrawn"),
        Verdict::Passed | Verdict::CannotTest => (Act::Promote, "serves"),
    };
    let line = format!(
        "{version} {ended} after its shadow period: {}",
        report.reason.en
    );
    let decision = Decision {
        model: model.to_owned(),
        version,
        act,
        account: "gates".to_owned(),
        reason: format!("shadow period since {since}: {}", report.reason.en),
        decided_on: as_of,
    };
    registry.decide(project, decision).await?;
    Ok(Some(line))
}

/// What both versions said, with the outcomes that are known by now, entity by entity.
async fn rows_of(
    project: &OpenProject,
    declared: &DeclaredModel,
    version: &str,
    as_of: NaiveDate,
) -> Result<Vec<ShadowRow>> {
    if project
        .warehouse()
        .snapshot(&SHADOW.parse()?)
        .await?
        .is_none()
    {
        return Ok(Vec::new());
    }
    let DeclaredModel {
        model,
        labels,
        entity,
        entered_on,
        label,
        label_known_on,
        ..
    } = declared;
    let sql = format!(
        "select s.entity, cast(s.probability as varchar) as probability, \
         cast(s.probability_in_use as varchar) as in_use, \
         case when l.{label_known_on} <= date '{as_of}' then cast(l.{label} as varchar) end as label \
         from {SHADOW} s left join {labels} l on cast(l.{entity} as varchar) = s.entity \
         and l.{entered_on} = s.entered_on \
         where s.model = '{model}' and s.model_version = '{version}' order by s.entity, s.entered_on"
    );
    let columns = ["entity", "probability", "in_use", "label"];
    let mut rows = Vec::new();
    for [entity, probability, in_use, label] in project.texts(&sql, columns).await? {
        rows.push(ShadowRow {
            entity,
            probability: probability.parse()?,
            in_use: in_use.parse()?,
            label: label.parse().ok(),
        });
    }
    Ok(rows)
}
