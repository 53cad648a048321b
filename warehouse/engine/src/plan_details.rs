//! What a plan costs and touches: rows and bytes, columns, and who reads the result.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, Schema};
use goyong_catalog::Project;
use goyong_types::TableName;
use serde::Serialize;

use crate::engine::Inner;
use crate::error::Result;
use crate::plan::BuildPlan;
use crate::run_model::stored_columns;
use crate::tables::KnownTable;
use crate::targets::Target;

/// What computing one planned table takes and changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StepDetail {
    /// Rows of the inputs at most, estimated from the ledger; filters may leave fewer.
    pub rows_to_read: u64,
    /// Bytes of the input files.
    pub bytes_to_read: u64,
    /// Rows to write, estimated from what is stored; `None` where nothing is.
    pub rows_to_write: Option<u64>,
    /// Bytes to write, estimated likewise.
    pub bytes_to_write: Option<u64>,
    /// `+ column type`, `- column`, `~ column old → new`; or why the table cannot be planned.
    pub columns: Vec<String>,
    /// Whether its SQL cannot be planned: a build would fail here.
    pub is_refused: bool,
    /// Models that read the table, directly or through others.
    pub affects: Vec<TableName>,
}

/// The details of every step that has something to compute for certain; empty ones for the others.
pub(crate) async fn describe(inner: &Inner, plan: &BuildPlan) -> Result<Vec<StepDetail>> {
    let mut details = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let mut detail = StepDetail::default();
        if !step.reason.is_empty() {
            detail.affects = readers(&inner.project, &step.table).into_iter().collect();
            let known = plan.cache.get(&step.table).await?;
            if let (Some(targets), Some(model)) = (
                plan.targets.get(&step.table),
                inner.project.models().get(&step.table),
            ) {
                let stale = targets.to_compute(&known, &plan.scope);
                for target in &stale {
                    let (rows, bytes) = target.readable.size(target.month);
                    detail.rows_to_read += rows;
                    detail.bytes_to_read += bytes;
                }
                if let Some((rows, bytes)) = to_write(&known, &stale) {
                    detail.rows_to_write = Some(rows);
                    detail.bytes_to_write = Some(bytes);
                }
                if let Some(target) = stale.first() {
                    match stored_columns(inner, model, &known, target, &plan.scope).await {
                        Ok(schema) => detail.columns = difference(&known, &schema),
                        Err(error) => {
                            detail.columns = vec![error.to_string()];
                            detail.is_refused = true;
                        }
                    }
                }
            }
        }
        details.push(detail);
    }
    Ok(details)
}

/// Stored rows and bytes of the targets; a new month counts as the mean of the stored ones.
fn to_write(known: &KnownTable, stale: &[&Target]) -> Option<(u64, u64)> {
    let snapshot = known.snapshot.as_ref()?;
    let (mut rows, mut bytes) = (0, 0);
    let all_rows: u64 = snapshot.rows();
    let all_bytes: u64 = snapshot.files.iter().map(|file| file.size).sum();
    let months = snapshot
        .partitions
        .values()
        .filter(|state| state.rows > 0)
        .count() as u64;
    for target in stale {
        let partition = target.month.map(|_| target.key.clone());
        match snapshot.partitions.get(&partition) {
            Some(state) => {
                rows += state.rows;
                let files = snapshot.files_of(partition.as_deref());
                bytes += files.map(|file| file.size).sum::<u64>();
            }
            None => {
                rows += all_rows / months.max(1);
                bytes += all_bytes / months.max(1);
            }
        }
    }
    Some((rows, bytes))
}

fn difference(known: &KnownTable, schema: &Schema) -> Vec<String> {
    let Some(snapshot) = &known.snapshot else {
        return Vec::new();
    };
    let of = |schema: &Schema| -> BTreeMap<String, DataType> {
        let fields = schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect()
    };
    let (before, after) = (of(&snapshot.schema), of(schema));
    let mut lines = Vec::new();
    for (column, data_type) in &after {
        match before.get(column) {
            None => lines.push(format!("+ {column} {data_type}")),
            Some(was) if was != data_type => {
                lines.push(format!("~ {column} {was} → {data_type}"));
            }
            Some(_) => {}
        }
    }
    lines.extend(
        before
            .keys()
            .filter(|column| !after.contains_key(*column))
            .map(|column| format!("- {column}")),
    );
    lines
}

/// Models that read a table, directly or through others.
fn readers(project: &Project, table: &TableName) -> BTreeSet<TableName> {
    let mut found = BTreeSet::new();
    let mut open = vec![table.clone()];
    while let Some(table) = open.pop() {
        for (reader, model) in project.models() {
            if model.inputs.contains(&table) && found.insert(reader.clone()) {
                open.push(reader.clone());
            }
        }
    }
    found
}
