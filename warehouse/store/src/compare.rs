//! What changed between two versions of a table: columns, partitions, rows.
//!
//! Equal content hashes end the comparison before a file is opened. Otherwise only the files that one of the two
//! versions does not have are read; rows of files both have cancel out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use xxhash_rust::xxh3::xxh3_128;

use crate::content_hash::RowHashes;
use crate::error::{Result, StoreError};
use crate::lake::{Lake, OpenedFile};
use crate::snapshot::{DataFile, TableSnapshot};
use crate::warehouse::Warehouse;

const BATCH_ROWS: usize = 32 << 10;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableDifference {
    /// Columns only the later version has.
    pub columns_added: Vec<String>,
    /// Columns only the earlier version has.
    pub columns_removed: Vec<String>,
    /// Columns of another type, as `name: before → after`.
    pub columns_changed: Vec<String>,
    /// Partitions that differ.
    pub partitions: Vec<PartitionDifference>,
    /// Rows that differ, over the columns both have; `None` where more rows than the limit would have to be read.
    pub rows: Option<RowDifference>,
}

/// A partition that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDifference {
    /// Its value, `None` for a table without partitions.
    pub partition: Option<String>,
    /// Rows before, `None` where it did not exist.
    pub rows_before: Option<u64>,
    /// Rows after, `None` where it does not exist.
    pub rows_after: Option<u64>,
}

/// How many rows differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowDifference {
    /// Rows whose key only the later version has.
    pub added: u64,
    /// Rows whose key only the earlier version has.
    pub removed: u64,
    /// Rows whose key both have, with other values. Always 0 without a key: such a row counts as removed and added.
    pub changed: u64,
}

impl Warehouse {
    /// Compares a version of a table with a later one. `key` names the columns that tell rows apart, empty where there
    /// are none; `row_limit` bounds the rows that are read, 32 bytes of memory each. Reads files: call it on a thread
    /// that may block.
    pub fn compare(
        &self,
        before: &TableSnapshot,
        after: &TableSnapshot,
        key: &[String],
        row_limit: u64,
    ) -> Result<TableDifference> {
        let mut difference = TableDifference::default();
        if before.content_hash() == after.content_hash() {
            difference.rows = Some(RowDifference::default());
            return Ok(difference);
        }
        let common = compare_columns(before, after, &mut difference);
        difference.partitions = compare_partitions(before, after);
        let (before_files, after_files) = (files_apart(before, after), files_apart(after, before));
        let rows = |files: &[&DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
        if rows(&before_files) + rows(&after_files) <= row_limit {
            let key = Key::of(key, &common, before, after);
            let lake = self.lake();
            let mut removed = read_rows(lake, before, &before_files, &common, key.as_ref())?;
            let mut added = read_rows(lake, after, &after_files, &common, key.as_ref())?;
            cancel_equal_rows(&mut removed, &mut added);
            difference.rows = Some(count(&removed, &added, key.is_some()));
        }
        Ok(difference)
    }
}

/// The columns both versions store with the same type, the partition column left out.
fn compare_columns(
    before: &TableSnapshot,
    after: &TableSnapshot,
    difference: &mut TableDifference,
) -> BTreeSet<String> {
    let mut common = BTreeSet::new();
    for field in after.schema.fields() {
        match before.schema.field_with_name(field.name()) {
            Err(_) => difference.columns_added.push(field.name().clone()),
            Ok(was) if was.data_type() != field.data_type() => {
                difference.columns_changed.push(format!(
                    "{}: {} → {}",
                    field.name(),
                    was.data_type(),
                    field.data_type()
                ));
            }
            Ok(_) => {
                common.insert(field.name().clone());
            }
        }
    }
    let is_gone = |field: &&FieldRef| after.schema.field_with_name(field.name()).is_err();
    let gone = before.schema.fields().iter().filter(is_gone);
    difference.columns_removed = gone.map(|field| field.name().clone()).collect();
    for column in [&before.partition_column, &after.partition_column]
        .into_iter()
        .flatten()
    {
        common.remove(column);
    }
    common
}

fn compare_partitions(before: &TableSnapshot, after: &TableSnapshot) -> Vec<PartitionDifference> {
    let names: BTreeSet<_> = before
        .partitions
        .keys()
        .chain(after.partitions.keys())
        .collect();
    let mut found = Vec::new();
    for name in names {
        let (was, is) = (before.partitions.get(name), after.partitions.get(name));
        let hash = |state: Option<&crate::PartitionState>| state.map(|state| state.content_hash);
        if hash(was) != hash(is) || before.schema != after.schema {
            found.push(PartitionDifference {
                partition: name.clone(),
                rows_before: was.map(|state| state.rows),
                rows_after: is.map(|state| state.rows),
            });
        }
    }
    found
}

/// Files of one version that the other does not have, of partitions that differ or of all where the columns do.
fn files_apart<'a>(one: &'a TableSnapshot, other: &TableSnapshot) -> Vec<&'a DataFile> {
    let known: BTreeSet<_> = other.files.iter().map(|file| &file.path).collect();
    let is_same = |file: &&DataFile| {
        let state = |table: &TableSnapshot| {
            let state = table.partitions.get(&file.partition)?;
            Some(state.content_hash)
        };
        one.schema == other.schema && state(one).is_some() && state(one) == state(other)
    };
    one.files
        .iter()
        .filter(|file| !known.contains(&file.path) && !is_same(file))
        .collect()
}

/// What tells rows apart: columns of the files, and whether the partition belongs to it.
struct Key {
    columns: BTreeSet<String>,
    with_partition: bool,
}

impl Key {
    fn of(
        names: &[String],
        common: &BTreeSet<String>,
        before: &TableSnapshot,
        after: &TableSnapshot,
    ) -> Option<Self> {
        let partition = after.partition_column.as_ref();
        let is_partition = |name: &String| {
            Some(name) == partition && before.partition_column == after.partition_column
        };
        let mut key = Self {
            columns: BTreeSet::new(),
            with_partition: false,
        };
        for name in names {
            if is_partition(name) {
                key.with_partition = true;
            } else if common.contains(name) {
                key.columns.insert(name.clone());
            } else {
                return None;
            }
        }
        (!names.is_empty()).then_some(key)
    }
}

/// Hash of a row and of its key.
type HashedRow = (u128, u128);

fn read_rows(
    lake: &Lake,
    table: &TableSnapshot,
    files: &[&DataFile],
    columns: &BTreeSet<String>,
    key: Option<&Key>,
) -> Result<Vec<HashedRow>> {
    let mut rows = Vec::new();
    for file in files {
        let opened = lake.open_file(&file.path)?;
        read_file(opened, table, file, columns, key, &mut rows)?;
    }
    rows.sort_unstable();
    Ok(rows)
}

fn read_file(
    opened: OpenedFile,
    table: &TableSnapshot,
    file: &DataFile,
    columns: &BTreeSet<String>,
    key: Option<&Key>,
    rows: &mut Vec<HashedRow>,
) -> Result<()> {
    let unreadable = StoreError::parquet;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened)
        .map_err(unreadable("read", &table.table))?;
    let roots: Vec<usize> = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| columns.contains(field.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(unreadable("read", &table.table))?;
    let partition = partition_hash(file.partition.as_deref());
    let mut hashers: Option<(RowHashes, Vec<usize>, RowHashes)> = None;
    for batch in reader {
        let batch = batch
            .map_err(|problem| parquet::errors::ParquetError::ArrowError(problem.to_string()))
            .map_err(unreadable("read", &table.table))?;
        let (row_hashes, key_columns, key_hashes) = hashers.get_or_insert_with(|| {
            let schema = batch.schema();
            let of_key =
                |field: &Arc<Field>| key.is_some_and(|key| key.columns.contains(field.name()));
            let positions: Vec<usize> = (0..schema.fields().len())
                .filter(|index| of_key(&schema.fields()[*index]))
                .collect();
            let fields: Vec<FieldRef> = positions
                .iter()
                .map(|index| Arc::clone(&schema.fields()[*index]))
                .collect();
            let key_schema = Schema::new(fields);
            (
                RowHashes::new(&schema),
                positions,
                RowHashes::new(&key_schema),
            )
        });
        let hashes = row_hashes.of(&batch).into_iter();
        let hashes = hashes.map(|hash| hash.wrapping_add(partition));
        let Some(key) = key else {
            rows.extend(hashes.map(|hash| (hash, hash)));
            continue;
        };
        let in_partition = if key.with_partition { partition } else { 0 };
        let keys = batch
            .project(key_columns)
            .map_err(|problem| parquet::errors::ParquetError::ArrowError(problem.to_string()))
            .map_err(unreadable("read", &table.table))?;
        let keys = key_hashes.of(&keys).into_iter();
        rows.extend(hashes.zip(keys.map(|hash| hash.wrapping_add(in_partition))));
    }
    Ok(())
}

fn partition_hash(partition: Option<&str>) -> u128 {
    partition.map_or(0, |value| xxh3_128(value.as_bytes()))
}

/// Leaves the rows that only one of the two sorted lists has, each as often as it is there more.
fn cancel_equal_rows(left: &mut Vec<HashedRow>, right: &mut Vec<HashedRow>) {
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    let (mut from_left, mut from_right) = (left.drain(..).peekable(), right.drain(..).peekable());
    loop {
        match (from_left.peek(), from_right.peek()) {
            (Some(one), Some(other)) if one == other => {
                from_left.next();
                from_right.next();
            }
            (Some(one), Some(other)) if one < other => only_left.extend(from_left.next()),
            (_, Some(_)) => only_right.extend(from_right.next()),
            (Some(_), None) => only_left.extend(from_left.next()),
            (None, None) => break,
        }
    }
    drop((from_left, from_right));
    (*left, *right) = (only_left, only_right);
}

fn count(removed: &[HashedRow], added: &[HashedRow], has_key: bool) -> RowDifference {
    let mut difference = RowDifference {
        added: added.len() as u64,
        removed: removed.len() as u64,
        changed: 0,
    };
    if !has_key {
        return difference;
    }
    let mut removed_keys: BTreeMap<u128, u64> = BTreeMap::new();
    for (_, key) in removed {
        *removed_keys.entry(*key).or_default() += 1;
    }
    for (_, key) in added {
        if let Some(left) = removed_keys.get_mut(key)
            && *left > 0
        {
            *left -= 1;
            difference.changed += 1;
        }
    }
    difference.added -= difference.changed;
    difference.removed -= difference.changed;
    difference
}
