//! Rows as they are stored: technical columns, quarantine, the ledger of deliveries.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Decimal128Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::delivery::DeliveryOutcome;
use crate::plan::Plan;
use crate::rows::{ParsedRows, QuarantinedRow};
use crate::value;

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

/// Schema of `ops.deliveries`.
pub fn deliveries_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let won = |name: &str| Field::new(name, DataType::Decimal128(28, 0), true);
    Arc::new(Schema::new(vec![
        text("delivery_id"),
        text("source"),
        text("period"),
        count("revision"),
        Field::new("known_on", DataType::Date32, true),
        text("file_name"),
        text("sha256"),
        count("bytes"),
        text("status"),
        text("rule"),
        text("reason"),
        count("rows_delivered"),
        count("rows_accepted"),
        count("rows_quarantined"),
        count("rows_rejected"),
        count("rows_flagged"),
        count("rows_expected"),
        text("control_name"),
        won("won_delivered"),
        won("won_accepted"),
        won("won_quarantined"),
        won("won_rejected"),
        text("notices"),
    ]))
}

pub(crate) fn deliveries_batch(outcomes: &[DeliveryOutcome]) -> Result<RecordBatch, ArrowError> {
    let text = |of: for<'a> fn(&'a DeliveryOutcome) -> Option<&'a str>| -> ArrayRef {
        let values: Vec<Option<&str>> = outcomes.iter().map(of).collect();
        Arc::new(StringArray::from(values))
    };
    let count = |of: fn(&DeliveryOutcome) -> Option<u64>| -> ArrayRef {
        let values = outcomes
            .iter()
            .map(|outcome| of(outcome).and_then(|value| i64::try_from(value).ok()));
        Arc::new(PrimitiveArray::<Int64Type>::from_iter(values))
    };
    let won = |of: fn(&DeliveryOutcome) -> i128| -> Result<ArrayRef, ArrowError> {
        let values = outcomes.iter().map(|outcome| {
            let is_known = outcome.control_name.is_some();
            // A sum that does not fit is missing rather than wrong.
            is_known
                .then(|| of(outcome))
                .filter(|sum| sum.unsigned_abs() < 10 * value::MOST_CONTROL)
        });
        let array = PrimitiveArray::<Decimal128Type>::from_iter(values);
        Ok(Arc::new(array.with_precision_and_scale(28, 0)?))
    };
    let notices: Vec<Option<String>> = outcomes
        .iter()
        .map(|outcome| (!outcome.notices.is_empty()).then(|| outcome.notices.join("; ")))
        .collect();
    let known_on = outcomes
        .iter()
        .map(|outcome| Some(value::days_of(outcome.known_on)));
    RecordBatch::try_new(
        deliveries_schema(),
        vec![
            text(|outcome| Some(&outcome.delivery_id)),
            text(|outcome| Some(&outcome.source)),
            text(|outcome| outcome.period.as_deref()),
            count(|outcome| Some(u64::from(outcome.revision))),
            Arc::new(PrimitiveArray::<Date32Type>::from_iter(known_on)),
            text(|outcome| Some(&outcome.file_name)),
            text(|outcome| (!outcome.sha256.is_empty()).then_some(outcome.sha256.as_str())),
            count(|outcome| Some(outcome.bytes)),
            text(|outcome| Some(outcome.status.as_str())),
            text(|outcome| outcome.rule.as_deref()),
            text(|outcome| outcome.reason.as_deref()),
            count(|outcome| Some(outcome.rows_delivered)),
            count(|outcome| Some(outcome.rows_accepted)),
            count(|outcome| Some(outcome.rows_quarantined)),
            count(|outcome| Some(outcome.rows_rejected)),
            count(|outcome| Some(outcome.rows_flagged)),
            count(|outcome| outcome.rows_expected),
            text(|outcome| outcome.control_name.as_deref()),
            won(|outcome| outcome.won_delivered)?,
            won(|outcome| outcome.won_accepted)?,
            won(|outcome| outcome.won_quarantined)?,
            won(|outcome| outcome.won_rejected)?,
            Arc::new(StringArray::from(notices)),
        ],
    )
}
