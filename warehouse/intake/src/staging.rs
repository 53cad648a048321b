//! Rows as they are stored: technical columns and quarantine.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::plan::Plan;
use crate::rows::{ParsedRows, QuarantinedRow};

/// What every row of a delivery has in common.
pub(crate) struct RowStamp<'a> {
    pub delivery_id: &'a str,
    /// Days since 1970-01-01.
    pub known_on: i32,
}

/// The rows with their technical columns; `records_before` counts the records of earlier parts.
/// `_period` is left to the partition.
pub(crate) fn staged_batch(
    plan: &Plan,
    rows: &ParsedRows,
    stamp: &RowStamp<'_>,
    records_before: u64,
) -> Result<RecordBatch, ArrowError> {
    let count = rows.batch.num_rows();
    let mut arrays: Vec<ArrayRef> = rows.batch.columns().to_vec();
    arrays.push(repeated(stamp.delivery_id, count)?);
    arrays.push(row_numbers(rows.records.iter().copied(), records_before));
    arrays.push(Arc::new(PrimitiveArray::<Date32Type>::from_value(
        stamp.known_on,
        count,
    )));
    let mut flags: Vec<Option<&str>> = vec![None; count];
    for (row, flag) in &rows.flags {
        flags[*row as usize] = Some(flag);
    }
    arrays.push(Arc::new(StringArray::from(flags)));
    let fields = plan.staging_schema.fields()[..arrays.len()].to_vec();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn row_numbers(records: impl Iterator<Item = u32>, before: u64) -> ArrayRef {
    let first = before as i64 + 1;
    let numbers: Vec<i64> = records.map(|record| first + i64::from(record)).collect();
    Arc::new(PrimitiveArray::<Int64Type>::new(
        ScalarBuffer::from(numbers),
        None,
    ))
}

/// A text repeated in every row.
fn repeated(text: &str, count: usize) -> Result<ArrayRef, ArrowError> {
    let lengths = std::iter::repeat_n(text.len(), count);
    Ok(Arc::new(StringArray::try_new(
        OffsetBuffer::from_lengths(lengths),
        Buffer::from_vec(text.as_bytes().repeat(count)),
        None,
    )?))
}

/// Schema of `quarantine.<source>`.
pub fn quarantine_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("_delivery_id", DataType::Utf8, true),
        Field::new("_row_number", DataType::Int64, true),
        Field::new("column", DataType::Utf8, true),
        Field::new("rule", DataType::Utf8, true),
        Field::new("raw_value", DataType::Utf8, true),
    ]))
}

pub(crate) fn quarantine_batch(
    rows: &[QuarantinedRow],
    delivery_id: &str,
    records_before: u64,
) -> Result<RecordBatch, ArrowError> {
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    RecordBatch::try_new(
        quarantine_schema(),
        vec![
            repeated(delivery_id, rows.len())?,
            row_numbers(rows.iter().map(|row| row.record), records_before),
            text(
                rows.iter()
                    .map(|row| (!row.column.is_empty()).then_some(row.column.as_str()))
                    .collect(),
            ),
            text(rows.iter().map(|row| Some(row.rule)).collect()),
            text(rows.iter().map(|row| row.raw_value.as_deref()).collect()),
        ],
    )
}
