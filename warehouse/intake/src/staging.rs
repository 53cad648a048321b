//! Rows as they are staged: the technical columns.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Schema};
use chrono::NaiveDate;
use goyong_catalog::contract::Contract;
use goyong_store::WriteOptions;

use crate::plan::Plan;
use crate::rows::ParsedRows;

/// How the staging table of a contract is written and described.
pub(crate) fn staging_options(contract: &Contract) -> WriteOptions {
    let columns = contract.staging_columns();
    let is_partitioned = columns.iter().any(|column| column.name == "_period");
    WriteOptions {
        partition_column: is_partitioned.then(|| "_period".to_owned()),
        description: Some(contract.title.en.clone()),
        column_descriptions: columns
            .iter()
            .filter(|column| !column.description.is_empty())
            .map(|column| (column.name.clone(), column.description.en.clone()))
            .collect(),
        column_tags: columns
            .iter()
            .filter(|column| !column.tags.is_empty())
            .map(|column| (column.name.clone(), column.tags.clone()))
            .collect(),
        ..WriteOptions::default()
    }
}

/// What every row of a delivery has in common.
pub(crate) struct RowStamp<'a> {
    pub delivery_id: &'a str,
    /// Days since 1970-01-01.
    pub known_on: i32,
    /// The day the delivery became known, when the rows come out of quarantine later.
    pub released_from: Option<NaiveDate>,
}

/// What `_flags` starts with in a row that came out of quarantine; behind it stands the day its
/// delivery became known, which orders the row among others of its key.
pub(crate) const RELEASED: &str = "released:";

/// The rows with their technical columns; `number` tells the row number of a record of this part.
/// `_period` is left to the partition.
pub(crate) fn staged_batch(
    plan: &Plan,
    rows: &ParsedRows,
    stamp: &RowStamp<'_>,
    number: impl Fn(u32) -> i64,
) -> Result<RecordBatch, ArrowError> {
    let count = rows.batch.num_rows();
    let mut arrays: Vec<ArrayRef> = rows.batch.columns().to_vec();
    arrays.push(repeated(stamp.delivery_id, count)?);
    arrays.push(row_numbers(rows.records.iter().copied().map(number)));
    arrays.push(Arc::new(PrimitiveArray::<Date32Type>::from_value(
        stamp.known_on,
        count,
    )));
    let mut flags: Vec<Option<&str>> = vec![None; count];
    for (row, flag) in &rows.flags {
        flags[*row as usize] = Some(flag);
    }
    arrays.push(match stamp.released_from {
        None => Arc::new(StringArray::from(flags)),
        Some(day) => Arc::new(StringArray::from_iter_values(flags.iter().map(
            |flag| match flag {
                None => format!("{RELEASED}{day}"),
                Some(flag) => format!("{RELEASED}{day},{flag}"),
            },
        ))),
    });
    let fields = plan.staging_schema.fields()[..arrays.len()].to_vec();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

pub(crate) fn row_numbers(numbers: impl Iterator<Item = i64>) -> ArrayRef {
    let numbers: Vec<i64> = numbers.collect();
    Arc::new(PrimitiveArray::<Int64Type>::new(
        ScalarBuffer::from(numbers),
        None,
    ))
}

/// A text repeated in every row.
pub(crate) fn repeated(text: &str, count: usize) -> Result<ArrayRef, ArrowError> {
    let lengths = std::iter::repeat_n(text.len(), count);
    Ok(Arc::new(StringArray::try_new(
        OffsetBuffer::from_lengths(lengths),
        Buffer::from_vec(text.as_bytes().repeat(count)),
        None,
    )?))
}
