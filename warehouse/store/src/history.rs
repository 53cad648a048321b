//! What a table's partitions held at each of its versions.

use goyong_types::TableName;

use crate::error::Result;
use crate::warehouse::Warehouse;

/// The state of a partition from one version of its table until another replaced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSpan {
    /// The partition's value, `None` for an unpartitioned table or the null partition.
    pub partition: Option<String>,
    /// First version with this state.
    pub from_version: i64,
    /// First version without it, `None` while it holds.
    pub until_version: Option<i64>,
    /// Canonical hash of the rows, with their number.
    pub content_hash: String,
}

impl PartitionSpan {
    /// Whether the state is part of a version.
    pub fn holds_at(&self, version: i64) -> bool {
        self.from_version <= version && self.until_version.is_none_or(|until| version < until)
    }
}

impl Warehouse {
    /// Every state each partition of a table ever had, by partition and version. Read from the ledger, which keeps it
    /// after old files have left the disk; no table, no states.
    pub async fn partition_history(&self, table: &TableName) -> Result<Vec<PartitionSpan>> {
        self.ledger().partition_spans(table).await
    }
}
