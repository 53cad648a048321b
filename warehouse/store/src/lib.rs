//! The store: Delta tables in a folder or an object store, written durably and known twice.
//!
//! - **Tables** are Delta Lake tables that any engine reads: Parquet files, written here, and a JSON log, whose entries
//!   the Delta library encodes. A commit appends, replaces partitions or replaces the table.
//! - **Durable before acknowledged**: files and directories are synced before a commit is visible and before it is
//!   acknowledged ([`DurableLocalStore`]). An S3-compatible store does that itself; commits are conditional puts there.
//! - **The ledger** in `state/goyong.db` records every commit and file with its SHA-256, independently of the log. A
//!   snapshot is answered from it, and a missing, torn, changed or foreign commit is noticed.
//! - **The content hash** of a table depends on its rows alone ([`ContentHash`]), so two nights can be compared.
//! - **A release** pins table versions; readers open one and stay on it.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use std::sync::Arc;
//! use arrow_array::{Int64Array, RecordBatch};
//! use goyong_store::{CommitDetails, CommitMode, StoreConfig, Warehouse, WriteOptions};
//!
//! let folder = tempfile::tempdir()?;
//! let warehouse = Warehouse::create(&StoreConfig::in_folder(folder.path())).await?;
//! let table = "core.person".parse()?;
//! let keys = Int64Array::from(vec![1, 2, 3]);
//! let batch = RecordBatch::try_from_iter([("person_key", Arc::new(keys) as _)])?;
//!
//! let mut writer = warehouse.writer(&table, batch.schema(), WriteOptions::default()).await?;
//! writer.write(None, &batch)?;
//! let receipt = writer.commit(CommitMode::ReplaceAll, CommitDetails::default()).await?;
//! assert_eq!(receipt.rows, 3);
//!
//! let snapshot = warehouse.snapshot(&table).await?;
//! assert_eq!(snapshot.map(|snapshot| snapshot.content_hash()), Some(receipt.content_hash));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activity;
mod backup;
mod columns;
mod commit;
mod compare;
mod content_hash;
mod data_file;
mod durable;
mod encoder;
mod error;
mod expire;
mod fault;
mod fence;
pub mod files;
mod history;
mod lake;
mod ledger;
mod lock;
mod release;
mod repair;
mod snapshot;
mod statistics;
mod verify;
mod warehouse;
mod writer;

pub use activity::TableActivity;
pub use backup::{
    BackedUpFile, BackupManifest, BackupReport, BackupSource, BackupStore, RestoreReport,
    copy_database,
};
pub use compare::{PartitionDifference, RowDifference, TableDifference};
pub use content_hash::{ContentHash, ContentHashError, RowHashes};
pub use durable::DurableLocalStore;
pub use error::{LogDamage, Result, StoreError};
pub use expire::{ExpireReport, Retention};
pub use fence::Fence;
pub use history::PartitionSpan;
pub use lake::{LakeFault, LakeProbe, OpenedFile, probe_lake};
pub use lock::{LockGuard, lock_in};
pub use release::{Release, ReleaseRequest, ReleasedTable};
pub use repair::{LostFile, RepairReport};
pub use snapshot::{ColumnNote, DataFile, PartitionState, TableSnapshot};
pub use verify::{Damage, VerifyProblem, VerifyReport};
pub use warehouse::{NewestCommit, StoreConfig, Warehouse, lake_files};
pub use writer::{
    CommitDetails, CommitMode, CommitReceipt, FinishedLane, Merge, TableWriter, WriteOptions,
    WriterLane,
};

#[cfg(test)]
pub(crate) mod tests;
