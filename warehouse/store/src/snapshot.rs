//! A table at one version: its columns, its exact files, the state of its partitions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_schema::SchemaRef;
use goyong_types::TableName;

use crate::content_hash::{ContentHash, table_hash};

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Length in bytes.
    pub size: u64,
    /// Rows in the file.
    pub rows: u64,
    /// Partition value as text, `None` for an unpartitioned table or the null partition.
    pub partition: Option<String>,
    /// Hexadecimal SHA-256 of the file, computed while it was written.
    pub sha256: String,
}

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionState {
    /// Rows in the partition; 0 for a partition that was built and is empty.
    pub rows: u64,
    /// Canonical hash of the rows.
    pub content_hash: ContentHash,
    /// What the last writer said the partition was computed from.
    pub fingerprint: Option<String>,
}

/// A table at one version. Later commits do not change it.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    /// The table.
    pub table: TableName,
    /// The Delta version.
    pub version: i64,
    /// Columns in order, the partition column included, without field metadata.
    pub schema: SchemaRef,
    /// The column whose value stands in the file's path instead of in the file.
    pub partition_column: Option<String>,
    /// The files that together are the table, ordered by partition and path.
    pub files: Vec<DataFile>,
    /// All partitions ever built and not dropped; an unpartitioned table has the single key `None`.
    pub partitions: BTreeMap<Option<String>, PartitionState>,
    /// What the table is, as its last writer described it.
    pub description: Option<String>,
    /// Column descriptions and tags.
    pub columns: BTreeMap<String, ColumnNote>,
    /// SHA-256 of the commit's bytes.
    pub commit_sha256: String,
}

/// What is known about a column beside its type; stored in the Delta field metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnNote {
    /// Description (Delta's `comment`).
    pub description: Option<String>,
    /// Tags such as `pseudonym`.
    pub tags: Vec<String>,
}

impl TableSnapshot {
    /// The canonical hash of the table: same rows, same hash, whatever the files.
    pub fn content_hash(&self) -> String {
        table_hash(
            &self.schema,
            self.partition_column.as_deref(),
            &self.partitions,
        )
    }

    /// Rows in the table.
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|state| state.rows).sum()
    }

    /// The files of one partition.
    pub fn files_of<'a>(
        &'a self,
        partition: Option<&'a str>,
    ) -> impl Iterator<Item = &'a DataFile> + 'a {
        self.files
            .iter()
            .filter(move |file| file.partition.as_deref() == partition)
    }
}
