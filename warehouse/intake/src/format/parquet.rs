//! Parquet deliveries: typed already, checked like everything else.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use chrono::DateTime;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Batches, Envelope};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::header::{FieldSource, Mapping};
use crate::plan::Plan;
use crate::rows::Cell;

/// Reads a Parquet file.
pub(crate) fn read(
    plan: &Plan,
    file: File,
    batches: &mut Batches<'_, '_>,
) -> Result<Envelope, IntakeError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| malformed(&error.to_string()))?;
    let headers: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mapping = Mapping::by_header(plan, &headers)?;
    let reader = builder
        .with_batch_size(8192)
        .build()
        .map_err(|error| malformed(&error.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|error| malformed(&error.to_string()))?;
        let columns = text_columns(&mapping, &batch)?;
        #[allow(clippy::needless_range_loop)] // a row is a place in every column
        for row in 0..batch.num_rows() {
            batches.push(|builder, number| {
                builder.push(number, |column| match &columns[column][row] {
                    Some(text) => Cell::Raw(text.as_bytes()),
                    None => Cell::Missing,
                });
            })?;
        }
    }
    Ok(Envelope {
        notices: mapping.notices,
        columns: mapping.columns,
        ..Envelope::default()
    })
}

fn text_columns(
    mapping: &Mapping,
    batch: &RecordBatch,
) -> Result<Vec<Vec<Option<String>>>, IntakeError> {
    mapping
        .sources
        .iter()
        .map(|source| match source {
            FieldSource::Field(index) => texts(batch.column(*index).as_ref()),
            _ => Ok(vec![None; batch.num_rows()]),
        })
        .collect()
}

/// Every value of an array as the text a contract would read.
pub(crate) fn texts(array: &dyn Array) -> Result<Vec<Option<String>>, IntakeError> {
    macro_rules! numbers {
        ($type:ty) => {
            array
                .as_primitive::<$type>()
                .iter()
                .map(|value| value.map(|value| value.to_string()))
                .collect()
        };
    }
    Ok(match array.data_type() {
        DataType::Utf8 => owned(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => owned(array.as_string::<i64>().iter()),
        DataType::Utf8View => owned(array.as_string_view().iter()),
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Boolean => array
            .as_boolean()
            .iter()
            .map(|value| value.map(|value| value.to_string()))
            .collect(),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|value| value.map(|value| decimal_text(value, scale)))
                .collect()
        }
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .iter()
            .map(|value| value.map(|days| moment_text(i64::from(days) * 86_400_000_000)))
            .collect(),
        DataType::Timestamp(unit, None) => {
            let micros: Vec<Option<i64>> = match unit {
                TimeUnit::Microsecond => array
                    .as_primitive::<TimestampMicrosecondType>()
                    .iter()
                    .collect(),
                TimeUnit::Millisecond => array
                    .as_primitive::<TimestampMillisecondType>()
                    .iter()
                    .map(|value| value.and_then(|value| value.checked_mul(1000)))
                    .collect(),
                TimeUnit::Nanosecond => array
                    .as_primitive::<TimestampNanosecondType>()
                    .iter()
                    .map(|value| value.map(|value| value.div_euclid(1000)))
                    .collect(),
                TimeUnit::Second => return Err(unreadable(array.data_type())),
            };
            micros
                .into_iter()
                .map(|value| value.map(moment_text))
                .collect()
        }
        other => return Err(unreadable(other)),
    })
}

fn owned<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Vec<Option<String>> {
    values.map(|value| value.map(str::to_owned)).collect()
}

fn decimal_text(value: i128, scale: i8) -> String {
    let Ok(scale) = usize::try_from(scale) else {
        return value.to_string();
    };
    if scale == 0 {
        return value.to_string();
    }
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

fn moment_text(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(moment) if micros.rem_euclid(86_400_000_000) == 0 => {
            moment.format("%Y-%m-%d").to_string()
        }
        Some(moment) => moment.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => String::new(),
    }
}

fn unreadable(data_type: &DataType) -> IntakeError {
    malformed(&format!("a column of type {data_type} is not read"))
}

fn malformed(what: &str) -> IntakeError {
    Refusal::new(
        RefusalRule::Malformed,
        format!("not a readable Parquet file: {what}"),
    )
    .into()
}
