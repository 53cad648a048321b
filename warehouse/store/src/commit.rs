//! A Delta commit of ours: how it is built, and how the ledger reads it back.
//!
//! Everything the ledger needs stands in the commit itself, so that a ledger that fell behind (a crash between
//! the two) catches up from the log alone: the SHA-256 of each file in the `add` action's tags, and under
//! `goyong` in `commitInfo` the state of each changed partition after the commit.

use std::collections::{BTreeMap, HashMap};

use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake_core::kernel::transaction::CommitData;
use deltalake_core::kernel::{
    Action, Add, Metadata, MetadataExt, Protocol, Remove, StructType, Transaction, new_metadata,
};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use goyong_types::TableName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::columns::TableColumns;
use crate::content_hash::ContentHash;
use crate::encoder::FinishedFile;
use crate::error::{LogDamage, Result, StoreError};
use crate::snapshot::{ColumnNote, PartitionState, TableSnapshot};

const TAGS_KEY: &str = "goyong.tags";
const COMMENT_KEY: &str = "comment";
const SHA256_TAG: &str = "sha256";
const NOTE_FORMAT: u32 = 1;

/// Our part of `commitInfo`.
#[derive(Debug, Serialize, Deserialize)]
struct CommitNote {
    format: u32,
    table: String,
    operation: String,
    /// State after the commit of each partition it changed, by value ("" for none); null where it was dropped.
    partitions: BTreeMap<String, Option<PartitionNote>>,
    details: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartitionNote {
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

/// What a commit does, before it becomes bytes.
pub(crate) struct CommitPlan<'a> {
    pub(crate) columns: &'a TableColumns,
    pub(crate) base: Option<&'a TableSnapshot>,
    /// The `metaData` action as stored, when the table exists.
    pub(crate) base_metadata: Option<&'a str>,
    pub(crate) description: Option<&'a str>,
    pub(crate) notes: &'a BTreeMap<String, ColumnNote>,
    pub(crate) append: bool,
    /// Whether the stored columns stay as they are; then only their nullability may be relaxed.
    pub(crate) keeps_columns: bool,
    pub(crate) added: &'a [FinishedFile],
    /// Relative paths, sizes and partitions of the files that leave.
    pub(crate) removed: Vec<RemovedFile>,
    pub(crate) partitions: BTreeMap<Option<String>, Option<PartitionState>>,
    pub(crate) operation: &'a str,
    pub(crate) application: Option<&'a (String, i64)>,
    pub(crate) details: &'a Value,
    pub(crate) now_milliseconds: i64,
}

/// A file that a commit removes from the table; it stays on disk for older versions.
pub(crate) struct RemovedFile {
    pub(crate) relative_path: String,
    pub(crate) size: u64,
    pub(crate) partition: Option<String>,
}

impl CommitPlan<'_> {
    /// The bytes of the commit.
    pub(crate) fn to_bytes(&self) -> Result<Bytes> {
        let table = &self.columns.table;
        let mut actions = self.table_actions()?;
        actions.extend(self.removed.iter().map(|file| self.remove_action(file)));
        actions.extend(self.added.iter().map(|file| self.add_action(file)));
        let note = CommitNote {
            format: NOTE_FORMAT,
            table: table.to_string(),
            operation: self.operation.to_owned(),
            partitions: self
                .partitions
                .iter()
                .map(|(partition, state)| {
                    let note = state.as_ref().map(|state| PartitionNote {
                        hash: state.content_hash.to_string(),
                        fingerprint: state.fingerprint.clone(),
                    });
                    (partition.clone().unwrap_or_default(), note)
                })
                .collect(),
            details: self.details.clone(),
        };
        let note =
            serde_json::to_value(note).map_err(StoreError::delta("describe a commit", table))?;
        let mut information = HashMap::from([("goyong".to_owned(), note)]);
        if let Some(base) = self.base {
            information.insert("readVersion".to_owned(), json!(base.version));
        }
        let operation = DeltaOperation::Write {
            mode: if self.append {
                SaveMode::Append
            } else {
                SaveMode::Overwrite
            },
            partition_by: self
                .columns
                .partition_column
                .as_ref()
                .map(|field| vec![field.name().clone()]),
            predicate: None,
        };
        let transactions = self
            .application
            .map(|(id, version)| {
                Transaction::new_with_last_update(id, *version, Some(self.now_milliseconds))
            })
            .into_iter()
            .collect();
        CommitData::new(actions, operation, information, transactions)
            .get_bytes()
            .map_err(StoreError::delta("encode a commit", table))
    }

    /// `protocol` and `metaData`, for a new table or changed columns or descriptions.
    fn table_actions(&self) -> Result<Vec<Action>> {
        let table = &self.columns.table;
        let schema = self.described_schema();
        let delta_schema: StructType = (&schema)
            .try_into_kernel()
            .map_err(StoreError::delta("describe the columns", table))?;
        let stored: Option<Metadata> = self
            .base_metadata
            .map(serde_json::from_str)
            .transpose()
            .map_err(StoreError::delta("read the metadata", table))?;
        let wanted = match &stored {
            None => new_metadata(
                &delta_schema,
                self.columns.partition_column.iter().map(Field::name),
                // The log is cleaned up by a locked maintenance step, never by whoever happens to commit.
                [("delta.enableExpiredLogCleanup", "false")],
            )
            .and_then(|metadata| metadata.with_name(table.to_string())),
            Some(stored) => stored.clone().with_schema(&delta_schema),
        }
        .and_then(|metadata| match self.description {
            Some(text) => metadata.with_description(text.to_owned()),
            None => Ok(metadata),
        })
        .map_err(StoreError::delta("describe the columns", table))?;
        let mut actions = Vec::new();
        let needs_protocol = match self.base {
            None => true,
            // A protocol is never lowered.
            Some(base) => has_local_timestamps(&schema) && !has_local_timestamps(&base.schema),
        };
        if needs_protocol {
            let protocol: Protocol = serde_json::from_value(protocol(&schema))
                .map_err(StoreError::delta("describe the protocol", table))?;
            actions.push(Action::Protocol(protocol));
        }
        if stored.as_ref() != Some(&wanted) {
            actions.push(Action::Metadata(wanted));
        }
        Ok(actions)
    }

    fn described_schema(&self) -> Schema {
        let written = &self.columns.schema;
        let stored = self.base.filter(|_| self.keeps_columns);
        let fields: Vec<Field> = stored
            .map_or(written, |base| &base.schema)
            .fields()
            .iter()
            .map(|field| {
                let may_be_null = field.is_nullable()
                    || written
                        .field_with_name(field.name())
                        .is_ok_and(Field::is_nullable);
                let mut metadata = HashMap::new();
                if let Some(note) = self.notes.get(field.name()) {
                    if let Some(description) = &note.description {
                        metadata.insert(COMMENT_KEY.to_owned(), description.clone());
                    }
                    if !note.tags.is_empty() {
                        metadata.insert(TAGS_KEY.to_owned(), note.tags.join(","));
                    }
                }
                field
                    .as_ref()
                    .clone()
                    .with_nullable(may_be_null)
                    .with_metadata(metadata)
            })
            .collect();
        Schema::new(fields)
    }

    fn partition_values(&self, partition: Option<&String>) -> HashMap<String, Option<String>> {
        self.columns
            .partition_column
            .iter()
            .map(|field| (field.name().clone(), partition.cloned()))
            .collect()
    }

    fn add_action(&self, file: &FinishedFile) -> Action {
        Action::Add(Add {
            path: file.relative_path.clone(),
            partition_values: self.partition_values(file.partition.as_ref()),
            size: signed(file.size),
            modification_time: self.now_milliseconds,
            data_change: true,
            stats: Some(file.statistics.clone()),
            tags: Some(HashMap::from([(
                SHA256_TAG.to_owned(),
                Some(file.sha256.clone()),
            )])),
            ..Add::default()
        })
    }

    fn remove_action(&self, file: &RemovedFile) -> Action {
        Action::Remove(Remove {
            path: file.relative_path.clone(),
            data_change: true,
            deletion_timestamp: Some(self.now_milliseconds),
            extended_file_metadata: Some(true),
            partition_values: Some(self.partition_values(file.partition.as_ref())),
            size: Some(signed(file.size)),
            ..Remove::default()
        })
    }
}

/// A length as Delta and SQLite store it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The least protocol that may hold these columns: only local timestamps need more than the first.
fn protocol(schema: &Schema) -> Value {
    if has_local_timestamps(schema) {
        json!({
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"],
            "writerFeatures": ["timestampNtz"],
        })
    } else {
        json!({"minReaderVersion": 1, "minWriterVersion": 2})
    }
}

fn has_local_timestamps(schema: &Schema) -> bool {
    fn is_local(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(_, None) => true,
            DataType::List(item) => is_local(item.data_type()),
            DataType::Struct(fields) => fields.iter().any(|field| is_local(field.data_type())),
            _ => false,
        }
    }
    schema
        .fields()
        .iter()
        .any(|field| is_local(field.data_type()))
}

/// A commit as the ledger reads it.
#[derive(Debug)]
pub(crate) struct CommitRecord {
    pub(crate) operation: String,
    pub(crate) applications: Vec<(String, i64)>,
    /// The `metaData` action, when the commit has one.
    pub(crate) metadata: Option<String>,
    pub(crate) added: Vec<AddedFile>,
    pub(crate) removed: Vec<String>,
    pub(crate) partitions: BTreeMap<String, Option<PartitionState>>,
}

/// A file as an `add` action names it.
#[derive(Debug)]
pub(crate) struct AddedFile {
    pub(crate) relative_path: String,
    pub(crate) partition: String,
    pub(crate) size: i64,
    pub(crate) rows: i64,
    pub(crate) sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedStatistics {
    num_records: i64,
}

impl CommitRecord {
    /// Reads a commit of ours; any other is named as damage.
    pub(crate) fn parse(table: &TableName, bytes: &[u8]) -> std::result::Result<Self, LogDamage> {
        if bytes.is_empty() {
            return Err(LogDamage::ZeroLength);
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| LogDamage::Unreadable("not UTF-8".to_owned()))?;
        let mut record = Self {
            operation: String::new(),
            applications: Vec::new(),
            metadata: None,
            added: Vec::new(),
            removed: Vec::new(),
            partitions: BTreeMap::new(),
        };
        let mut note = None;
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            let unreadable = |_| LogDamage::Unreadable(format!("line {}", index + 1));
            match serde_json::from_str::<Action>(line).map_err(unreadable)? {
                Action::CommitInfo(information) => note = information.info.get("goyong").cloned(),
                Action::Metadata(metadata) => {
                    record.metadata = Some(serde_json::to_string(&metadata).map_err(unreadable)?);
                }
                Action::Add(add) => record.added.push(AddedFile::from_action(add)?),
                Action::Remove(remove) => record.removed.push(remove.path),
                Action::Txn(transaction) => record
                    .applications
                    .push((transaction.app_id, transaction.version)),
                Action::Protocol(_) | Action::Cdc(_) | Action::DomainMetadata(_) => {}
            }
        }
        let note: CommitNote = note
            .and_then(|note| serde_json::from_value(note).ok())
            .filter(|note: &CommitNote| {
                note.format == NOTE_FORMAT && note.table == table.to_string()
            })
            .ok_or(LogDamage::Foreign)?;
        record.operation = note.operation;
        for (partition, state) in note.partitions {
            let state = state.map(PartitionNote::into_state).transpose()?;
            record.partitions.insert(partition, state);
        }
        Ok(record)
    }
}

impl PartitionNote {
    fn into_state(self) -> std::result::Result<PartitionState, LogDamage> {
        let content_hash: ContentHash = self.hash.parse().map_err(|_| LogDamage::Foreign)?;
        Ok(PartitionState {
            rows: content_hash.rows,
            content_hash,
            fingerprint: self.fingerprint,
        })
    }
}

impl AddedFile {
    fn from_action(add: Add) -> std::result::Result<Self, LogDamage> {
        let statistics: RecordedStatistics = add
            .stats
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or(LogDamage::Foreign)?;
        Ok(Self {
            sha256: add
                .tags
                .as_ref()
                .and_then(|tags| tags.get(SHA256_TAG).cloned().flatten())
                .ok_or(LogDamage::Foreign)?,
            partition: add
                .partition_values
                .into_values()
                .next()
                .flatten()
                .unwrap_or_default(),
            relative_path: add.path,
            size: add.size,
            rows: statistics.num_records,
        })
    }
}

/// Columns, partition column, description and notes out of a stored `metaData` action.
pub(crate) struct StoredMetadata {
    pub(crate) schema: Schema,
    pub(crate) partition_column: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) notes: BTreeMap<String, ColumnNote>,
}

impl StoredMetadata {
    pub(crate) fn parse(table: &TableName, text: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(text).map_err(StoreError::delta("read the metadata", table))?;
        let delta_schema = metadata
            .parse_schema()
            .map_err(StoreError::delta("read the columns", table))?;
        let described: Schema = (&delta_schema)
            .try_into_arrow()
            .map_err(StoreError::delta("read the columns", table))?;
        let mut notes = BTreeMap::new();
        let mut fields = Vec::new();
        for field in described.fields() {
            let note = ColumnNote {
                description: field.metadata().get(COMMENT_KEY).cloned(),
                tags: field
                    .metadata()
                    .get(TAGS_KEY)
                    .map(|tags| tags.split(',').map(str::to_owned).collect())
                    .unwrap_or_default(),
            };
            if note != ColumnNote::default() {
                notes.insert(field.name().clone(), note);
            }
            fields.push(field.as_ref().clone().with_metadata(HashMap::new()));
        }
        Ok(Self {
            schema: Schema::new(fields),
            partition_column: metadata.partition_columns().first().cloned(),
            description: metadata.description().map(str::to_owned),
            notes,
        })
    }
}
