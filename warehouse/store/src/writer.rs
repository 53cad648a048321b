//! Writing a table: batches in, one commit out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use goyong_types::TableName;
use uuid::Uuid;

use crate::columns::TableColumns;
use crate::commit::{CommitPlan, RemovedFile};
use crate::content_hash::{ContentHash, RowHasher, sha256_hex};
use crate::data_file::CreatedFiles;
use crate::durable::SyncFailed;
use crate::encoder::{Encoder, EncoderSettings, FinishedFile};
use crate::error::{Result, StoreError};
use crate::snapshot::{ColumnNote, PartitionState, TableSnapshot};
use crate::warehouse::Warehouse;

/// How a table is written and described.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The column whose value stands in the path; a date, text or integer.
    pub partition_column: Option<String>,
    /// Rows after which a new file is started.
    pub rows_per_file: usize,
    /// A column whose equal values, one after the other, stay in one file; files grow for it.
    pub keep_together: Option<String>,
    /// Rows per row group, the unit of statistics and of reading in parallel.
    pub row_group_rows: usize,
    /// Zstandard level, 1 to 3 in practice.
    pub compression_level: i32,
    /// Whether Parquet is encoded on a thread of its own.
    pub background: bool,
    /// What the table is; kept as it was when `None`.
    pub description: Option<String>,
    /// What the columns are; a column not named here has no description.
    pub column_descriptions: BTreeMap<String, String>,
    /// Tags of columns, such as `pseudonym`.
    pub column_tags: BTreeMap<String, Vec<String>>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            partition_column: None,
            rows_per_file: 8 << 20,
            keep_together: None,
            row_group_rows: 256 << 10,
            compression_level: 1,
            background: true,
            description: None,
            column_descriptions: BTreeMap::new(),
            column_tags: BTreeMap::new(),
        }
    }
}

/// What a commit does with what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitMode {
    /// Rows are added.
    Append,
    /// The named partitions are replaced by what was written; those without new rows become empty. Every partition
    /// written to must be named.
    ReplacePartitions(Vec<Option<String>>),
    /// The named partitions are merged, what is not named stays: see [`Merge`]. Every partition
    /// written to must be named.
    MergePartitions(BTreeMap<Option<String>, Merge>),
    /// The whole table is replaced; columns may change.
    ReplaceAll,
}

/// What a merge does to one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merge {
    /// Files whose rows were written again, but for those that leave. All other files stay.
    pub rewritten: BTreeSet<PathBuf>,
    /// Hash of the rows that leave. The partition's hash is what it was, less these, plus `added`.
    pub removed: ContentHash,
    /// Hash of the rows that are new, which are among the rows written.
    pub added: ContentHash,
}

/// What a commit says about itself.
#[derive(Debug, Clone, Default)]
pub struct CommitDetails {
    /// What was done, in the words of the job.
    pub operation: String,
    /// Application id and version, found again by [`Warehouse::application_version`].
    pub application: Option<(String, i64)>,
    /// What each partition was computed from. Named partitions that exist and are not written keep their rows.
    pub fingerprints: BTreeMap<Option<String>, String>,
    /// Anything else worth keeping with the commit; no personal data.
    pub metadata: serde_json::Value,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitReceipt {
    /// The table.
    pub table: TableName,
    /// The new version.
    pub version: i64,
    /// SHA-256 of the commit's bytes.
    pub commit_sha256: String,
    /// Rows in the table now.
    pub rows: u64,
    /// Rows written by this commit.
    pub rows_added: u64,
    /// Files written by this commit.
    pub files_added: usize,
    /// Files this commit removed from the table.
    pub files_removed: usize,
    /// Bytes of the files written.
    pub bytes_added: u64,
    /// Canonical hash of the table now.
    pub content_hash: String,
}

/// Collects batches for one commit to one table. Dropped without commit, it leaves nothing behind.
pub struct TableWriter {
    warehouse: Warehouse,
    columns: Arc<TableColumns>,
    base: Option<TableSnapshot>,
    options: WriteOptions,
    settings: EncoderSettings,
    own: WriterLane,
    lanes: usize,
    rejoined: Vec<FinishedFile>,
    created: CreatedFiles,
}

/// A part of a [`TableWriter`] for a thread of its own: rows hashed and encoded here become part of the same commit
/// once the finished lane has rejoined its writer.
pub struct WriterLane {
    columns: Arc<TableColumns>,
    hasher: RowHasher,
    written: BTreeMap<Option<String>, ContentHash>,
    encoder: Encoder,
}

/// The durable files of a lane, on their way back to its writer.
#[derive(Debug)]
pub struct FinishedLane {
    written: BTreeMap<Option<String>, ContentHash>,
    files: Vec<FinishedFile>,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TableWriter")
            .field("table", &self.columns.table)
            .field("written", &self.own.written)
            .finish_non_exhaustive()
    }
}

impl Warehouse {
    /// Starts writing a table. `schema` has all columns, the partition column included.
    ///
    /// The commit fails with [`StoreError::Conflict`] if the table gets another commit in the meantime.
    pub async fn writer(
        &self,
        table: &TableName,
        schema: SchemaRef,
        options: WriteOptions,
    ) -> Result<TableWriter> {
        static SEQUENCE: AtomicU64 = AtomicU64::new(0);
        let columns = Arc::new(TableColumns::new(
            table,
            &schema,
            options.partition_column.as_deref(),
        )?);
        let base = self.snapshot(table).await?;
        let attempt = base.as_ref().map_or(0, |base| base.version + 1);
        // Unique among writers of all processes and times; no reader depends on it.
        let unique = sha256_hex(
            format!(
                "{table} {attempt} {} {} {}",
                std::process::id(),
                SEQUENCE.fetch_add(1, Ordering::Relaxed),
                Uuid::new_v4()
            )
            .as_bytes(),
        );
        let created = CreatedFiles::new(self.lake());
        let settings = EncoderSettings {
            table: table.clone(),
            lake: self.lake().clone(),
            table_directory: self.table_directory(table),
            partition_column: options.partition_column.clone(),
            data_schema: columns.data_schema.clone(),
            withheld_columns: withheld_columns(&columns.schema, base.as_ref(), &options),
            file_prefix: format!("part-{attempt:06}-{}", &unique[..12]),
            rows_per_file: options.rows_per_file.max(1),
            keep_together: options
                .keep_together
                .as_deref()
                .and_then(|column| columns.data_schema.index_of(column).ok()),
            row_group_rows: options.row_group_rows.max(1),
            compression_level: options.compression_level,
        };
        let encoder = Encoder::start(settings.clone(), created.clone(), options.background)?;
        Ok(TableWriter {
            warehouse: self.clone(),
            own: WriterLane::new(&columns, encoder),
            columns,
            base,
            settings,
            lanes: 0,
            rejoined: Vec::new(),
            created,
            options,
        })
    }
}

/// Tags of columns whose single values tell one person from another.
const IDENTIFYING_TAGS: [&str; 3] = ["pseudonym", "account", "direct_identifier"];

/// Columns of pseudonyms, by name or by tag.
fn withheld_columns(
    schema: &Schema,
    base: Option<&TableSnapshot>,
    options: &WriteOptions,
) -> BTreeSet<String> {
    let is_tagged = |column: &str| {
        let stored = base.and_then(|base| base.columns.get(column));
        let tags = stored.map(|note| &note.tags).into_iter();
        tags.chain(options.column_tags.get(column))
            .flatten()
            .any(|tag| IDENTIFYING_TAGS.contains(&tag.as_str()))
    };
    let names = schema.fields().iter().map(|field| field.name());
    names
        .filter(|name| *name == "person_key" || name.ends_with("_person_key") || is_tagged(name))
        .cloned()
        .collect()
}

impl TableWriter {
    /// The version the writer started from, `None` for a new table.
    pub fn base(&self) -> Option<&TableSnapshot> {
        self.base.as_ref()
    }

    /// The columns as they will be stored.
    pub fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    /// Rows written so far.
    pub fn rows_written(&self) -> u64 {
        self.own.written.values().map(|hash| hash.rows).sum()
    }

    /// Canonical hash of the rows written to a partition so far, to see before the commit whether anything changed.
    pub fn content_hash(&self, partition: Option<&str>) -> ContentHash {
        let partition = partition.map(str::to_owned);
        self.own
            .written
            .get(&partition)
            .copied()
            .unwrap_or_default()
    }

    /// Adds rows to a partition, `None` for a table without partitions. Columns are matched by name; the partition
    /// column may be left out, and must agree with `partition` where it is not.
    pub fn write(&mut self, partition: Option<&str>, batch: &RecordBatch) -> Result<()> {
        self.own.write(partition, batch)
    }

    /// Starts a lane for another thread, which writes files of its own and encodes them itself.
    pub fn lane(&mut self) -> Result<WriterLane> {
        self.lanes += 1;
        let settings = EncoderSettings {
            file_prefix: format!("{}-{}", self.settings.file_prefix, self.lanes),
            ..self.settings.clone()
        };
        let encoder = Encoder::start(settings, self.created.clone(), false)?;
        Ok(WriterLane::new(&self.columns, encoder))
    }

    /// Takes a lane's rows and files into the commit. A lane that never rejoins leaves no trace in it.
    pub fn rejoin(&mut self, lane: FinishedLane) {
        for (partition, hash) in lane.written {
            let total = self.own.written.entry(partition).or_default();
            *total = total.combined_with(hash);
        }
        self.rejoined.extend(lane.files);
    }

    /// Gives up: the files written so far are removed.
    pub fn abort(self) {
        drop(self);
    }

    /// Makes the rows durable, then visible, then known to the ledger.
    ///
    /// When the newest commit is this application's transaction already, and the table would hold the same rows,
    /// nothing is written and its receipt is returned; an append of the same transaction is always the same. A lost response is resolved by reading the log entry back.
    ///
    /// On [`StoreError::Conflict`] nothing was changed and the step can be run again. On [`StoreError::UnknownOutcome`]
    /// the application version tells, once the warehouse was opened again.
    pub async fn commit(
        mut self,
        mode: CommitMode,
        details: CommitDetails,
    ) -> Result<CommitReceipt> {
        let table = self.columns.table.clone();
        let partitions = self.partitions_after(&mode, &details)?;
        if let Some(application) = &details.application
            && (mode == CommitMode::Append || self.repeats(&partitions))
            && let Some(version) = self.warehouse.newest_is_of(&table, application).await?
        {
            // Dropping the writer removes what it wrote.
            return receipt_of(&self.warehouse, &table, version).await;
        }
        let mut files = self.own.encoder.finish()?;
        files.append(&mut self.rejoined);
        let removed = self.removed_files(&mode);
        let base_metadata = match &self.base {
            Some(base) => {
                self.check_columns(base, &mode)?;
                self.warehouse
                    .ledger()
                    .metadata(&table, base.version)
                    .await?
            }
            None => None,
        };
        let plan = CommitPlan {
            columns: &self.columns,
            base: self.base.as_ref(),
            base_metadata: base_metadata.as_deref(),
            description: self.options.description.as_deref(),
            notes: &self.notes(),
            append: mode == CommitMode::Append,
            keeps_columns: mode != CommitMode::ReplaceAll,
            added: &files,
            removed,
            partitions,
            operation: &details.operation,
            application: details.application.as_ref(),
            details: &details.metadata,
            now_milliseconds: chrono::Utc::now().timestamp_millis(),
        };
        let bytes = plan.to_bytes()?;
        let files_removed = plan.removed.len();
        let version = self.base.as_ref().map_or(0, |base| base.version + 1);
        append_to_log(&self.warehouse, &table, &self.created, version, &bytes).await?;
        if let Err(error) = self
            .warehouse
            .ledger()
            .record(&table, version, &bytes)
            .await
        {
            // The log has the commit; whoever looks next records it. Running the step again would add it twice.
            return Err(StoreError::UnknownOutcome {
                table,
                version,
                source: Box::new(error),
            });
        }
        let snapshot = self
            .warehouse
            .snapshot_at(&table, version)
            .await?
            .ok_or_else(|| StoreError::UnknownVersion {
                table: table.clone(),
                version,
            })?;
        let receipt = CommitReceipt {
            table,
            version,
            rows: snapshot.rows(),
            rows_added: files.iter().map(|file: &FinishedFile| file.rows).sum(),
            files_added: files.len(),
            files_removed,
            bytes_added: files.iter().map(|file| file.size).sum(),
            content_hash: snapshot.content_hash(),
            commit_sha256: snapshot.commit_sha256,
        };
        self.warehouse.activity().wrote(
            &receipt.table,
            receipt.rows_added,
            receipt.bytes_added,
            receipt.files_added as u64,
        );
        Ok(receipt)
    }

    /// Whether the table would be what it is: the same columns and the same rows in every partition.
    fn repeats(&self, after: &BTreeMap<Option<String>, Option<PartitionState>>) -> bool {
        let Some(base) = &self.base else { return false };
        let stored = TableColumns::new(
            &self.columns.table,
            &base.schema,
            base.partition_column.as_deref(),
        );
        stored.is_ok_and(|stored| self.columns.difference_from(&stored).is_none())
            && after.iter().all(|(partition, state)| {
                let hash = |state: &PartitionState| state.content_hash;
                state.as_ref().map(hash) == base.partitions.get(partition).map(hash)
            })
    }

    /// Columns may change only when the whole table is replaced.
    fn check_columns(&self, base: &TableSnapshot, mode: &CommitMode) -> Result<()> {
        if *mode == CommitMode::ReplaceAll {
            return self.check_partitioning(base);
        }
        let stored = TableColumns::new(
            &self.columns.table,
            &base.schema,
            base.partition_column.as_deref(),
        )?;
        match self.columns.difference_from(&stored) {
            None => Ok(()),
            Some(problem) => Err(StoreError::SchemaChanged {
                table: self.columns.table.clone(),
                problem,
            }),
        }
    }

    /// Delta fixes the partition column when the table is created.
    fn check_partitioning(&self, base: &TableSnapshot) -> Result<()> {
        if base.partition_column == self.options.partition_column {
            return Ok(());
        }
        Err(StoreError::SchemaChanged {
            table: self.columns.table.clone(),
            problem: format!(
                "stored partitioned by {}",
                base.partition_column.as_deref().unwrap_or("nothing")
            ),
        })
    }

    /// Descriptions and tags; those stored stay when the caller gives none at all.
    fn notes(&self) -> BTreeMap<String, ColumnNote> {
        let mut notes: BTreeMap<String, ColumnNote> = BTreeMap::new();
        if self.options.column_descriptions.is_empty() && self.options.column_tags.is_empty() {
            return self
                .base
                .as_ref()
                .map(|base| base.columns.clone())
                .unwrap_or_default();
        }
        for (column, description) in &self.options.column_descriptions {
            notes.entry(column.clone()).or_default().description = Some(description.clone());
        }
        for (column, tags) in &self.options.column_tags {
            notes.entry(column.clone()).or_default().tags = tags.clone();
        }
        notes
    }

    /// The state after the commit of every partition it changes; `None` for one that is dropped.
    fn partitions_after(
        &self,
        mode: &CommitMode,
        details: &CommitDetails,
    ) -> Result<BTreeMap<Option<String>, Option<PartitionState>>> {
        let empty = BTreeMap::new();
        let before = self.base.as_ref().map_or(&empty, |base| &base.partitions);
        let mut touched: BTreeSet<Option<String>> = self.own.written.keys().cloned().collect();
        touched.extend(details.fingerprints.keys().cloned());
        let mut after = BTreeMap::new();
        match mode {
            CommitMode::Append => {}
            CommitMode::ReplaceAll => {
                after.extend(before.keys().map(|partition| (partition.clone(), None)));
            }
            CommitMode::ReplacePartitions(named) => {
                let named: BTreeSet<_> = named.iter().cloned().collect();
                if let Some(stray) = self.own.written.keys().find(|key| !named.contains(*key)) {
                    return Err(StoreError::Partition {
                        table: self.columns.table.clone(),
                        partition: stray.clone().unwrap_or_default(),
                        problem: "was written but is not among those to replace, name it"
                            .to_owned(),
                    });
                }
                touched.extend(named);
            }
            CommitMode::MergePartitions(merges) => {
                self.check_merges(merges)?;
                touched.extend(merges.keys().cloned());
            }
        }
        if self.columns.partition_column.is_none() {
            touched.insert(None);
        }
        for partition in touched {
            self.columns.check_partition(partition.as_deref())?;
            let added = self
                .own
                .written
                .get(&partition)
                .copied()
                .unwrap_or_default();
            let was = before.get(&partition);
            let is_replaced = match mode {
                CommitMode::Append => false,
                CommitMode::ReplaceAll => true,
                CommitMode::ReplacePartitions(named) => named.contains(&partition),
                CommitMode::MergePartitions(_) => false,
            };
            let merged = match mode {
                CommitMode::MergePartitions(merges) => merges.get(&partition),
                _ => None,
            };
            let content_hash = match (was, merged) {
                (_, Some(merge)) => was
                    .map(|was| was.content_hash)
                    .unwrap_or_default()
                    .without(merge.removed)
                    .combined_with(merge.added),
                (Some(was), None) if !is_replaced => was.content_hash.combined_with(added),
                _ => added,
            };
            let is_untouched =
                !is_replaced && merged.is_none() && !self.own.written.contains_key(&partition);
            let fingerprint = details.fingerprints.get(&partition).cloned().or_else(|| {
                was.filter(|_| is_untouched)
                    .and_then(|was| was.fingerprint.clone())
            });
            let state = PartitionState {
                rows: content_hash.rows,
                content_hash,
                fingerprint,
            };
            after.insert(partition, Some(state));
        }
        Ok(after)
    }

    /// What is written must be what the merges say: the rows of the rewritten files, less those that leave, plus
    /// those that are new. A hash that disagrees would stand in the ledger for ever.
    fn check_merges(&self, merges: &BTreeMap<Option<String>, Merge>) -> Result<()> {
        let wrong = |partition: &Option<String>, problem: &str| StoreError::Partition {
            table: self.columns.table.clone(),
            partition: partition.clone().unwrap_or_default(),
            problem: problem.to_owned(),
        };
        if let Some(stray) = self
            .own
            .written
            .keys()
            .find(|key| !merges.contains_key(*key))
        {
            return Err(wrong(
                stray,
                "was written but is not among those to merge, name it",
            ));
        }
        for (partition, merge) in merges {
            let files = || self.base.iter().flat_map(|base| &base.files);
            let is_stored = |path: &PathBuf| files().any(|file| file.path == *path);
            if !merge.rewritten.iter().all(is_stored) {
                // Another commit rewrote them after the caller had read them.
                return Err(StoreError::Conflict {
                    table: self.columns.table.clone(),
                    expected: self.base.as_ref().map_or(-1, |base| base.version),
                });
            }
            let rewritten: u64 = files()
                .filter(|file| file.partition == *partition && merge.rewritten.contains(&file.path))
                .map(|file| file.rows)
                .sum();
            let written = self.own.written.get(partition).map_or(0, |hash| hash.rows);
            if rewritten + merge.added.rows != written + merge.removed.rows {
                return Err(wrong(
                    partition,
                    "the rows written are not those of the rewritten files with the changes",
                ));
            }
        }
        Ok(())
    }

    fn removed_files(&self, mode: &CommitMode) -> Vec<RemovedFile> {
        let Some(base) = &self.base else {
            return Vec::new();
        };
        let directory = self.warehouse.table_directory(&self.columns.table);
        base.files
            .iter()
            .filter(|file| match mode {
                CommitMode::Append => false,
                CommitMode::ReplaceAll => true,
                CommitMode::ReplacePartitions(named) => named.contains(&file.partition),
                CommitMode::MergePartitions(merges) => merges
                    .get(&file.partition)
                    .is_some_and(|merge| merge.rewritten.contains(&file.path)),
            })
            .map(|file| RemovedFile {
                relative_path: file
                    .path
                    .strip_prefix(&directory)
                    .unwrap_or(&file.path)
                    .to_string_lossy()
                    .into_owned(),
                size: file.size,
                partition: file.partition.clone(),
            })
            .collect()
    }
}

impl WriterLane {
    fn new(columns: &Arc<TableColumns>, encoder: Encoder) -> Self {
        Self {
            columns: Arc::clone(columns),
            hasher: RowHasher::new(&columns.data_schema),
            written: BTreeMap::new(),
            encoder,
        }
    }

    /// Adds rows to a partition, as [`TableWriter::write`] does.
    pub fn write(&mut self, partition: Option<&str>, batch: &RecordBatch) -> Result<()> {
        self.columns.check_partition(partition)?;
        let batch = self.columns.conform(partition, batch)?;
        let hash = self.hasher.hash(&batch);
        let total = self
            .written
            .entry(partition.map(str::to_owned))
            .or_default();
        *total = total.combined_with(hash);
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.encoder.write(partition, batch)
    }

    /// Closes and syncs the lane's files.
    pub fn finish(mut self) -> Result<FinishedLane> {
        Ok(FinishedLane {
            files: self.encoder.finish()?,
            written: self.written,
        })
    }
}

/// The receipt of a commit made earlier.
async fn receipt_of(
    warehouse: &Warehouse,
    table: &TableName,
    version: i64,
) -> Result<CommitReceipt> {
    let snapshot = warehouse.snapshot_at(table, version).await?;
    let snapshot = snapshot.ok_or_else(|| StoreError::UnknownVersion {
        table: table.clone(),
        version,
    })?;
    Ok(CommitReceipt {
        table: table.clone(),
        version,
        rows: snapshot.rows(),
        rows_added: 0,
        files_added: 0,
        files_removed: 0,
        bytes_added: 0,
        content_hash: snapshot.content_hash(),
        commit_sha256: snapshot.commit_sha256,
    })
}

/// The log entry is created only if no other commit took the version.
///
/// Borrows no writer: an encoder is `Send` but not `Sync`, and a commit may be awaited on any thread.
async fn append_to_log(
    warehouse: &Warehouse,
    table: &TableName,
    created: &CreatedFiles,
    version: i64,
    bytes: &bytes::Bytes,
) -> Result<()> {
    let (lake, entry) = (warehouse.lake(), warehouse.commit_path(table, version));
    // Held until the entry is there: a newer worker cannot raise the fence in between.
    let fence = warehouse.ledger().hold_fence().await?;
    // If this future is dropped while the entry is being written, the entry may still become visible: from
    // here on the files are removed only when it certainly did not. An orphan is harmless, a hole is not.
    let files = created.take();
    let outcome = lake.create(&entry, bytes.clone()).await;
    if let Some(fence) = fence {
        // Nothing was written in it; the outcome stands whether it ends well or not.
        let _ended = fence.rollback().await;
    }
    let Err(error) = outcome else { return Ok(()) };
    let unknown = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::UnknownOutcome {
        table: table.clone(),
        version,
        source,
    };
    if SyncFailed::caused(&error) {
        return Err(unknown(Box::new(error)));
    }
    // The answer may have been lost, or a client below may have tried twice and met its own entry: what stands in the
    // log tells.
    match lake.read(&entry).await {
        Ok(found) if found == *bytes => {
            tracing::warn!(%table, version, "the answer to a commit was lost, the log has the commit");
            Ok(())
        }
        Ok(_) => {
            files.remove();
            Err(StoreError::Conflict {
                table: table.clone(),
                expected: version - 1,
            })
        }
        // Not there now, which does not say that it cannot appear: a request may still be on its way.
        Err(lookup) if lookup.kind() == std::io::ErrorKind::NotFound => {
            Err(unknown(Box::new(error)))
        }
        Err(lookup) => {
            tracing::warn!(%table, version, %lookup, "the log could not be asked either");
            Err(unknown(Box::new(error)))
        }
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        self.own.encoder.stop();
        self.created.remove();
    }
}
