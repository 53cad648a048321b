//! Rewriting stored tables row by row: pseudonyms under other keys, rows of forgotten persons.
//!
//! For tables nothing computes: the order of rows, the partitions and the descriptions stay.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::DataType;
use goyong_catalog::contract::{ColumnType, Contract};
use goyong_catalog::is_person_column;
use goyong_store::{
    CommitDetails, CommitMode, DataFile, TableSnapshot, TableWriter, Warehouse, WriteOptions,
};
use goyong_types::TableName;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::deliver::store_error;
use crate::error::IntakeError;
use crate::identity::Pseudonyms;

const BATCH_ROWS: usize = 65_536;

/// What happens to the rows of a table.
#[derive(Clone, Copy)]
pub enum RowChange<'a> {
    /// Every pseudonym becomes another.
    Rename(&'a Pseudonyms),
    /// The rows of these persons go.
    Remove(&'a HashSet<i64>),
}

/// What a rewriting did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Whether the table has a new version.
    pub is_changed: bool,
    /// Rows that went.
    pub rows_removed: u64,
}

/// Columns of a table that hold pseudonyms.
struct PseudonymColumns {
    persons: Vec<String>,
    opaques: Vec<String>,
}

impl PseudonymColumns {
    /// By the contract, by tag, and by name; a table without a contract has tags and names.
    fn of(snapshot: &TableSnapshot, contract: Option<&Contract>) -> Self {
        let by_contract = |name: &str, kind: ColumnType| {
            contract.is_some_and(|contract| {
                let mut columns = contract.columns.iter();
                columns.any(|column| column.name == name && column.column_type == kind)
            })
        };
        let is_tagged = |name: &str, tag: &str| {
            let note = snapshot.columns.get(name);
            note.is_some_and(|note| note.tags.iter().any(|stored| stored == tag))
        };
        let mut columns = Self {
            persons: Vec::new(),
            opaques: Vec::new(),
        };
        for field in snapshot.schema.fields() {
            let name = field.name();
            match field.data_type() {
                DataType::Int64
                    if is_person_column(name)
                        || is_tagged(name, "pseudonym")
                        || by_contract(name, ColumnType::ResidentNumber) =>
                {
                    columns.persons.push(name.clone());
                }
                DataType::Utf8
                    if is_tagged(name, "account") || by_contract(name, ColumnType::Digest) =>
                {
                    columns.opaques.push(name.clone());
                }
                _ => {}
            }
        }
        columns
    }
}

/// Rewrites a table in one commit, or leaves it as it is when there is nothing to change.
///
/// `application` names the rewriting: a table that has it is left alone, so that an interrupted
/// rewriting of many tables goes on where it stopped, and no table ever holds old and new rows.
pub async fn rewrite_table(
    warehouse: &Warehouse,
    contract: Option<&Contract>,
    table: &TableName,
    change: RowChange<'_>,
    application: &str,
) -> Result<Rewritten, IntakeError> {
    let done = warehouse
        .application_version(table, application)
        .await
        .map_err(|error| store_error("look up the rewriting", error))?;
    let snapshot = warehouse
        .snapshot(table)
        .await
        .map_err(|error| store_error("open the table", error))?;
    let (None, Some(snapshot)) = (done, snapshot) else {
        return Ok(Rewritten::default());
    };
    let columns = PseudonymColumns::of(&snapshot, contract);
    let partitions = match change {
        RowChange::Rename(_) if columns.persons.is_empty() && columns.opaques.is_empty() => {
            return Ok(Rewritten::default());
        }
        RowChange::Rename(_) => snapshot.partitions.keys().cloned().collect::<Vec<_>>(),
        RowChange::Remove(persons) => {
            let found = partitions_with(warehouse, &snapshot, &columns.persons, |key| {
                persons.contains(&key)
            })?;
            if found.is_empty() {
                return Ok(Rewritten::default());
            }
            found
        }
    };
    let options = WriteOptions {
        partition_column: snapshot.partition_column.clone(),
        ..WriteOptions::default()
    };
    let mut writer = warehouse
        .writer(table, Arc::clone(&snapshot.schema), options)
        .await
        .map_err(|error| store_error("open the table to rewrite it", error))?;
    let mut rewritten = Rewritten {
        is_changed: true,
        rows_removed: 0,
    };
    for partition in &partitions {
        rewritten.rows_removed += rewrite_partition(
            warehouse,
            &mut writer,
            &snapshot,
            &columns,
            partition.as_deref(),
            change,
        )?;
    }
    let (mode, operation) = match change {
        RowChange::Rename(_) => (CommitMode::ReplaceAll, "rotate"),
        RowChange::Remove(_) => (CommitMode::ReplacePartitions(partitions), "forget"),
    };
    // A partition's fingerprint says which delivery is in place; that does not change.
    let fingerprints: BTreeMap<_, _> = match &mode {
        CommitMode::ReplacePartitions(named) => named.clone(),
        _ => snapshot.partitions.keys().cloned().collect(),
    }
    .into_iter()
    .filter_map(|partition| {
        let fingerprint = snapshot.partitions.get(&partition)?.fingerprint.clone()?;
        Some((partition, fingerprint))
    })
    .collect();
    let details = CommitDetails {
        operation: operation.to_owned(),
        application: Some((application.to_owned(), 1)),
        fingerprints,
        metadata: serde_json::Value::Null,
    };
    writer
        .commit(mode, details)
        .await
        .map_err(|error| store_error("commit the rewritten table", error))?;
    Ok(rewritten)
}

fn rewrite_partition(
    warehouse: &Warehouse,
    writer: &mut TableWriter,
    snapshot: &TableSnapshot,
    columns: &PseudonymColumns,
    partition: Option<&str>,
    change: RowChange<'_>,
) -> Result<u64, IntakeError> {
    let write_error = |error| store_error("rewrite the table", error);
    // A partition without rows stays one.
    let nothing = RecordBatch::new_empty(Arc::clone(&snapshot.schema));
    writer.write(partition, &nothing).map_err(write_error)?;
    let mut removed = 0;
    for file in snapshot.files_of(partition) {
        for batch in read_file(warehouse, &snapshot.table, file, None)? {
            let batch = batch.map_err(|error| unreadable(&snapshot.table, file, &error))?;
            let changed = match change {
                RowChange::Rename(pseudonyms) => {
                    renamed(&snapshot.table, &batch, columns, pseudonyms)?
                }
                RowChange::Remove(persons) => without(&snapshot.table, &batch, columns, persons)?,
            };
            removed += (batch.num_rows() - changed.num_rows()) as u64;
            writer.write(partition, &changed).map_err(write_error)?;
        }
    }
    Ok(removed)
}

fn read_file(
    warehouse: &Warehouse,
    table: &TableName,
    file: &DataFile,
    only: Option<&[String]>,
) -> Result<ParquetRecordBatchReader, IntakeError> {
    let opened = warehouse
        .open_file(&file.path)
        .map_err(|error| store_error("read a table", error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened)
        .map_err(|error| unreadable(table, file, &error))?;
    let builder = match only {
        None => builder,
        Some(columns) => {
            let mask = ProjectionMask::columns(
                builder.parquet_schema(),
                columns.iter().map(String::as_str),
            );
            builder.with_projection(mask)
        }
    };
    builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| unreadable(table, file, &error))
}

fn unreadable(table: &TableName, file: &DataFile, error: &dyn std::fmt::Display) -> IntakeError {
    IntakeError::Table {
        table: table.clone(),
        message: format!(
            "{} cannot be read ({error}): run `goyong verify`",
            file.path.display()
        ),
    }
}

/// Partitions with a row of a person the function names.
fn partitions_with(
    warehouse: &Warehouse,
    snapshot: &TableSnapshot,
    columns: &[String],
    is_sought: impl Fn(i64) -> bool,
) -> Result<Vec<Option<String>>, IntakeError> {
    let mut found = Vec::new();
    if columns.is_empty() {
        return Ok(found);
    }
    for partition in snapshot.partitions.keys() {
        let mut is_found = false;
        for file in snapshot.files_of(partition.as_deref()) {
            for batch in read_file(warehouse, &snapshot.table, file, Some(columns))? {
                let batch = batch.map_err(|error| unreadable(&snapshot.table, file, &error))?;
                is_found |= batch.columns().iter().any(|column| {
                    let keys = column.as_primitive_opt::<Int64Type>();
                    keys.is_some_and(|keys| keys.iter().flatten().any(&is_sought))
                });
            }
            if is_found {
                found.push(partition.clone());
                break;
            }
        }
    }
    Ok(found)
}

/// Whether any live row of a table has a person key the function names.
pub async fn has_person(
    warehouse: &Warehouse,
    contract: Option<&Contract>,
    table: &TableName,
    is_sought: impl Fn(i64) -> bool,
) -> Result<bool, IntakeError> {
    let snapshot = warehouse
        .snapshot(table)
        .await
        .map_err(|error| store_error("open the table", error))?;
    let Some(snapshot) = snapshot else {
        return Ok(false);
    };
    let columns = PseudonymColumns::of(&snapshot, contract);
    Ok(!partitions_with(warehouse, &snapshot, &columns.persons, is_sought)?.is_empty())
}

fn renamed(
    table: &TableName,
    batch: &RecordBatch,
    columns: &PseudonymColumns,
    pseudonyms: &Pseudonyms,
) -> Result<RecordBatch, IntakeError> {
    let unknown = |column: &str| IntakeError::Table {
        table: table.clone(),
        message: format!(
            "the column {column} has a pseudonym the vault does not know: restore the vault from the backup of the same day"
        ),
    };
    let schema = batch.schema();
    let arrays = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| -> Result<ArrayRef, IntakeError> {
            let name = field.name();
            if columns.persons.contains(name) {
                let keys = array.as_primitive::<Int64Type>();
                let renamed = keys
                    .iter()
                    .map(|key| match key {
                        None => Ok(None),
                        Some(key) => match pseudonyms.person(key) {
                            None => Err(unknown(name)),
                            found => Ok(found),
                        },
                    })
                    .collect::<Result<Int64Array, _>>()?;
                Ok(Arc::new(renamed))
            } else if columns.opaques.contains(name) {
                let texts = array.as_string::<i32>();
                let mut renamed = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
                for text in texts {
                    match text {
                        None => renamed.append_null(),
                        Some(text) => {
                            let digest = pseudonyms.opaque(text).ok_or_else(|| unknown(name))?;
                            renamed.append_value(String::from_utf8_lossy(&digest));
                        }
                    }
                }
                Ok(Arc::new(renamed.finish()))
            } else {
                Ok(Arc::clone(array))
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, arrays).map_err(|source| IntakeError::Arrow {
        source_name: table.to_string(),
        source,
    })
}

fn without(
    table: &TableName,
    batch: &RecordBatch,
    columns: &PseudonymColumns,
    persons: &HashSet<i64>,
) -> Result<RecordBatch, IntakeError> {
    let mut stays = vec![true; batch.num_rows()];
    for name in &columns.persons {
        if let Some(keys) = batch.column_by_name(name) {
            for (stays, key) in stays.iter_mut().zip(keys.as_primitive::<Int64Type>()) {
                *stays &= key.is_none_or(|key| !persons.contains(&key));
            }
        }
    }
    let stays = BooleanArray::from(stays);
    arrow_select::filter::filter_record_batch(batch, &stays).map_err(|source| IntakeError::Arrow {
        source_name: table.to_string(),
        source,
    })
}
