//! What the version that serves says of rows as they could be.

use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use chrono::NaiveDate;
use futures::StreamExt;
use goyong_catalog::DeclaredModel;
use goyong_store::CommitMode;
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use super::scores::{details, repeated, waiting, writer};
use super::{columns_of, completeness};
use crate::model_registry::Registry;
use crate::project::OpenProject;

/// The table of the scores of a model's alternatives.
pub(crate) fn table_of(declared: &DeclaredModel) -> Result<TableName> {
    Ok(TableName::new(
        "models",
        &format!("{}_alternative", declared.model),
    )?)
}

/// Scores the declared alternatives of all rows whose outcome is open, where the version that serves or the rows are
/// other ones than the last time. Says whether anything was written.
pub(super) async fn serve(
    project: &OpenProject,
    declared: &DeclaredModel,
    registry: &Registry,
    as_of: NaiveDate,
) -> Result<bool> {
    let Some(alternatives) = &declared.alternatives else {
        return Ok(false);
    };
    let mut hasher = Sha256::new();
    for table in [alternatives, &declared.labels] {
        match project.warehouse().snapshot(table).await? {
            Some(snapshot) => hasher.update(snapshot.content_hash()),
            None => return Ok(false),
        }
    }
    let champion = registry.champion(&declared.model);
    let table = table_of(declared)?;
    // Before a version serves there is nothing to say, and no table that says it.
    if champion.is_none() && project.warehouse().snapshot(&table).await?.is_none() {
        return Ok(false);
    }
    hasher.update(format!("{as_of} {}", champion.unwrap_or_default()));
    let state: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let warehouse = project.warehouse();
    let remembered = warehouse.memo_get("alternatives", &declared.model).await?;
    if remembered.as_deref() == Some(state.as_str()) {
        return Ok(false);
    }
    let (entity, entered_on) = (declared.entity.as_str(), declared.entered_on.as_str());
    let stored = columns_of(project, alternatives).await?;
    let names = [entity, entered_on, "alternative", "title_ko", "title_en"];
    for name in names.into_iter().chain(declared.feature_columns()) {
        if stored.field_with_name(name).is_err() {
            let known = stored.fields().iter().map(|field| field.name().as_str());
            anyhow::bail!(declared.unknown_column("alternatives", name, alternatives, known));
        }
    }
    let schema = Arc::new(Schema::new(vec![
        Field::new(entity, DataType::Utf8, false),
        Field::new(entered_on, DataType::Date32, false),
        Field::new("alternative", DataType::Utf8, false),
        Field::new("probability", DataType::Float64, false),
        Field::new("model_version", DataType::Utf8, false),
    ]));
    let said = "scores of rows as they could be by the version that serves, one row per entity, day of entry and alternative";
    let mut writer = writer(project, declared, &table, &schema, said, None).await?;
    if let Some(version) = champion {
        let artefact = registry.artefact(project, &declared.model, version).await?;
        let model = artefact.scoring()?;
        let mut batches = project
            .query_latest(&waiting(
                declared,
                alternatives,
                as_of,
                &completeness::condition(declared, "f"),
            ))
            .await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let column = |name: &str| -> Result<ArrayRef> {
                let index = batch.schema().index_of(name)?;
                let to = schema.field_with_name(name)?.data_type();
                Ok(arrow_cast::cast(batch.column(index), to)?)
            };
            let columns = vec![
                column(entity)?,
                column(entered_on)?,
                column("alternative")?,
                Arc::new(Float64Array::from(model.predict(&batch)?)),
                repeated(version, batch.num_rows()),
            ];
            writer.write(None, &RecordBatch::try_new(schema.clone(), columns)?)?;
        }
    }
    let operation = format!("score alternatives of {}", declared.model);
    writer
        .commit(CommitMode::ReplaceAll, details(&operation))
        .await?;
    warehouse
        .memo_put("alternatives", &declared.model, &state)
        .await?;
    Ok(true)
}
