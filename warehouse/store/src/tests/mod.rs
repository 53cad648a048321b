//! Scenarios on real folders and on a real S3-compatible server: the same tests, on both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backups;
mod commits;
mod crashes;
mod expiry;
mod faults;
mod fences;
mod interchange;
mod merges;
mod object_stores;
mod releases;
#[path = "../../../../tests/s3_server.rs"]
pub(crate) mod s3_server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use goyong_types::TableName;
use rstest::rstest;
use tempfile::TempDir;

use crate::{
    CommitDetails, CommitMode, CommitReceipt, StoreConfig, TableSnapshot, TableWriter, Warehouse,
    WriteOptions,
};

use Place::{Folder, S3};
use s3_server::S3Server;

/// Where the tables of a test lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Folder,
    S3,
}

/// A warehouse in a folder of its own, its lake there or under a prefix of its own.
struct Fixture {
    folder: TempDir,
    config: StoreConfig,
    warehouse: Warehouse,
}

impl Fixture {
    async fn new(place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), place);
        let warehouse = Warehouse::create(&config).await.unwrap();
        Self {
            folder,
            config,
            warehouse,
        }
    }

    /// The same folder, opened anew, as after a restart.
    async fn reopened(&self) -> crate::Result<Warehouse> {
        Warehouse::open(&self.config).await
    }

    /// A file of the warehouse folder.
    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// A file of the test's table.
    fn in_table(&self, relative: &str) -> PathBuf {
        self.warehouse.table_directory(&table()).join(relative)
    }

    fn log_entry(&self, version: i64) -> PathBuf {
        self.in_table(&format!("_delta_log/{version:020}.json"))
    }

    /// The table at its newest version.
    async fn snapshot(&self) -> TableSnapshot {
        self.warehouse.snapshot(&table()).await.unwrap().unwrap()
    }

    async fn read(&self, path: &Path) -> Vec<u8> {
        self.warehouse.lake().read(path).await.unwrap().to_vec()
    }

    /// Puts bytes into the lake behind the store's back, in place of what is there.
    async fn put(&self, path: &Path, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        let put = self.warehouse.lake().replace(path, bytes.into()).await;
        put.unwrap();
    }

    async fn remove(&self, path: &Path) {
        let removed = self.warehouse.lake().remove(&[path.to_owned()]).await;
        removed.unwrap();
    }

    async fn flip_a_byte(&self, path: &Path) {
        let flipped = flipped(self.read(path).await);
        self.put(path, flipped).await;
    }

    /// Everything below the folder of a table, as text relative to it, sorted.
    async fn table_files(&self, table: &TableName) -> Vec<String> {
        let directory = self.warehouse.table_directory(table);
        let files = self.warehouse.lake().list(&directory).await.unwrap();
        let below = |path: &Path| path.strip_prefix(&directory).unwrap().display().to_string();
        files.iter().map(|file| below(&file.path)).collect()
    }

    async fn is_sound(&self) {
        let report = self.warehouse.verify(None).await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    }

    /// A writer of the test's table.
    async fn writer(&self) -> TableWriter {
        let writer = self.warehouse.writer(&table(), schema(), options()).await;
        writer.unwrap()
    }

    /// Commits each key to a month by itself.
    async fn commit_each(&self, mode: CommitMode, month: &str, keys: &[i64]) {
        for key in keys {
            let rows = [(month, std::slice::from_ref(key))];
            self.write(mode.clone(), &rows).await.unwrap();
        }
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

fn config(root: &Path, place: Place) -> StoreConfig {
    StoreConfig {
        root: root.to_path_buf(),
        lake: (place == S3).then(|| S3Server::shared().new_place()),
    }
}

fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
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

fn month_column(days: &[i32]) -> ArrayRef {
    Arc::new(Date32Array::from(days.to_vec()))
}
