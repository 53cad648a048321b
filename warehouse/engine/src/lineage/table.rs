//! `ops.lineage` and `ops.declassifications`: what is known of the columns, as tables.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use goyong_store::{CommitDetails, CommitMode, Warehouse, WriteOptions};
use goyong_types::TableName;

use super::flow::EVERY_COLUMN;
use super::project::ProjectLineage;
use crate::error::{EngineError, Result};

const MEMO_SCOPE: &str = "engine.lineage";
const MEMO_KEY: &str = "written";

/// Writes both tables where the lineage changed since they were written.
pub(crate) async fn write_lineage(warehouse: &Warehouse, lineage: &ProjectLineage) -> Result<()> {
    let written = warehouse.memo_get(MEMO_SCOPE, MEMO_KEY).await?;
    if written.as_deref() == Some(lineage.digest.as_str()) {
        return Ok(());
    }
    replace(
        warehouse,
        "lineage",
        "where every column of every model and report comes from, one step back; column * stands for all columns of a target or the rows of a source",
        edges(lineage)?,
    )
    .await?;
    replace(
        warehouse,
        "declassifications",
        "columns that are less sensitive than their sources, each with the reason in its model's header",
        declassifications(lineage)?,
    )
    .await?;
    // A crash before this line writes the same rows once more.
    warehouse
        .memo_put(MEMO_SCOPE, MEMO_KEY, &lineage.digest)
        .await?;
    Ok(())
}

async fn replace(
    warehouse: &Warehouse,
    name: &str,
    description: &str,
    rows: RecordBatch,
) -> Result<()> {
    let table =
        TableName::new("ops", name).map_err(|error| EngineError::Plan(error.to_string()))?;
    let options = WriteOptions {
        description: Some(description.to_owned()),
        background: false,
        ..WriteOptions::default()
    };
    let mut writer = warehouse.writer(&table, rows.schema(), options).await?;
    let same = writer.base().is_some_and(|base| {
        base.schema == rows.schema()
            && base
                .partitions
                .get(&None)
                .is_some_and(|state| state.rows == rows.num_rows() as u64)
    });
    writer.write(None, &rows)?;
    let unchanged = same
        && writer.base().is_some_and(|base| {
            base.partitions
                .get(&None)
                .is_some_and(|state| state.content_hash == writer.content_hash(None))
        });
    if unchanged {
        writer.abort();
        return Ok(());
    }
    let details = CommitDetails {
        operation: "lineage".into(),
        ..CommitDetails::default()
    };
    writer.commit(CommitMode::ReplaceAll, details).await?;
    Ok(())
}

/// Text columns by name.
struct TextTable {
    names: Vec<&'static str>,
    columns: Vec<Vec<String>>,
}

impl TextTable {
    fn new(names: &[&'static str]) -> Self {
        Self {
            names: names.to_vec(),
            columns: vec![Vec::new(); names.len()],
        }
    }

    fn push<const N: usize>(&mut self, row: [String; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    fn finish(self, masking: Option<Vec<bool>>) -> Result<RecordBatch> {
        let mut fields: Vec<Field> = self
            .names
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect();
        let mut arrays: Vec<ArrayRef> = self
            .columns
            .into_iter()
            .map(|values| Arc::new(StringArray::from(values)) as ArrayRef)
            .collect();
        if let Some(masking) = masking {
            fields.push(Field::new("masking", DataType::Boolean, true));
            arrays.push(Arc::new(BooleanArray::from(masking)));
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

fn edges(lineage: &ProjectLineage) -> Result<RecordBatch> {
    let mut table = TextTable::new(&[
        "target_table",
        "target_column",
        "source_table",
        "source_column",
        "kind",
        "subtype",
        "expression",
        "target_kind",
        "source_kind",
        "source_field",
        "target_tags",
    ]);
    let mut masking = Vec::new();
    for (name, node) in lineage.nodes() {
        for (target, source, how) in node.lineage.edges() {
            let expression = node
                .lineage
                .column(target)
                .map(|column| column.expression.clone())
                .unwrap_or_default();
            let source_node = lineage.node(&source.table);
            let field = source_node.and_then(|node| node.fields.get(&source.column));
            let tags = if target == EVERY_COLUMN {
                String::new()
            } else {
                let tags = lineage.tags(name, target);
                tags.into_iter().collect::<Vec<_>>().join(",")
            };
            table.push([
                name.to_string(),
                target.to_owned(),
                source.table.to_string(),
                source.column.clone(),
                how.kind().to_owned(),
                how.subtype().to_owned(),
                expression,
                node.kind.as_str().to_owned(),
                source_node
                    .map_or("job", |node| node.kind.as_str())
                    .to_owned(),
                field.cloned().unwrap_or_default(),
                tags,
            ]);
            masking.push(how.is_masking());
        }
    }
    table.finish(Some(masking))
}

fn declassifications(lineage: &ProjectLineage) -> Result<RecordBatch> {
    let mut table = TextTable::new(&["table_name", "column_name", "tag", "reason"]);
    for (name, node) in lineage.nodes() {
        for declassified in &node.declassified {
            table.push([
                name.to_string(),
                declassified.column.clone(),
                declassified.tag.clone(),
                declassified.reason.clone(),
            ]);
        }
    }
    table.finish(None)
}
