//! Scenarios on real folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backups;
mod commits;
mod crashes;
mod expiry;
mod faults;
mod fences;
mod interchange;
mod merges;
mod releases;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use goyong_types::TableName;
use tempfile::TempDir;

use crate::{CommitDetails, CommitMode, CommitReceipt, StoreConfig, Warehouse, WriteOptions};

/// A warehouse in a folder of its own.
struct Fixture {
    folder: TempDir,
    warehouse: Warehouse,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::create(&config(&folder)).await.unwrap();
        Self { folder, warehouse }
    }

    /// The same folder, opened anew, as after a restart.
    async fn reopened(&self) -> crate::Result<Warehouse> {
        Warehouse::open(&config(&self.folder)).await
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn log_entry(&self, version: i64) -> PathBuf {
        self.path(&format!(
            "lake/core/person_month/_delta_log/{version:020}.json"
        ))
    }

    /// Writes rows `keys` to each partition and commits.
    async fn write(
        &self,
        mode: CommitMode,
        rows: &[(&str, &[i64])],
    ) -> crate::Result<CommitReceipt> {
        write_to(&self.warehouse, mode, rows, CommitDetails::default()).await
    }
}

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig {
        root: folder.path().to_path_buf(),
    }
}

fn table() -> TableName {
    "core.person_month".parse().unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("month", DataType::Date32, false),
        Field::new("person_key", DataType::Int64, false),
        Field::new("sector", DataType::Utf8, true),
    ]))
}

fn options() -> WriteOptions {
    WriteOptions {
        partition_column: Some("month".to_owned()),
        ..WriteOptions::default()
    }
}

fn rows(keys: &[i64]) -> RecordBatch {
    let sectors: StringArray = keys
        .iter()
        .map(|key| (key % 3 != 0).then(|| format!("sector {}", key % 7)))
        .collect();
    RecordBatch::try_from_iter([
        (
            "person_key",
            Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef,
        ),
        ("sector", Arc::new(sectors) as ArrayRef),
    ])
    .unwrap()
}

async fn write_to(
    warehouse: &Warehouse,
    mode: CommitMode,
    rows_by_partition: &[(&str, &[i64])],
    details: CommitDetails,
) -> crate::Result<CommitReceipt> {
    let mut writer = warehouse.writer(&table(), schema(), options()).await?;
    for (partition, keys) in rows_by_partition {
        writer.write(Some(partition), &rows(keys))?;
    }
    writer.commit(mode, details).await
}

fn some(partition: &str) -> Option<String> {
    Some(partition.to_owned())
}

/// All files below a folder, as text relative to it, sorted.
fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn month_column(days: &[i32]) -> ArrayRef {
    Arc::new(Date32Array::from(days.to_vec()))
}
