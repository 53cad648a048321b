//! Parquet deliveries: typed already, checked like everything else.

use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::{Batches, Envelope};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::header::{FieldSource, Mapping};
use crate::plan::Plan;
use crate::rows::Cell;

/// Reads a Parquet file; a text may have at most `longest_value` bytes.
pub(crate) fn read(
    plan: &Plan,
    file: File,
    longest_value: usize,
    batches: &mut Batches<'_, '_>,
) -> Result<Envelope, IntakeError> {
    let unreadable_file = |error: ParquetError| malformed(&error.to_string());
    let options = ArrowReaderOptions::new();
    let metadata = ArrowReaderMetadata::load(&file, options.clone()).map_err(unreadable_file)?;
    let schema = viewed(metadata.schema());
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options.with_schema(schema))
            .map_err(unreadable_file)?;
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
        .map_err(unreadable_file)?;
    for batch in reader {
        let batch = batch.map_err(|error| malformed(&error.to_string()))?;
        let columns = text_columns(&mapping, &batch)?;
        for row in 0..batch.num_rows() {
            let is_too_long = |column: &Texts<'_>| {
                column
                    .get(row)
                    .is_some_and(|text| text.len() > longest_value)
            };
            if columns.iter().any(is_too_long) {
                return Err(Refusal::new(
                    RefusalRule::TooLarge,
                    format!("a value is longer than {} MiB", longest_value >> 20),
                )
                .into());
            }
            batches.push(|builder, number| {
                builder.push(number, |column| match columns[column].get(row) {
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

/// The schema with texts as views: one text of a dictionary may stand for every row, and a view
/// repeats it without copying it.
fn viewed(schema: &Schema) -> SchemaRef {
    let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Dictionary(_, value) if is_text(value) => {
                field.as_ref().clone().with_data_type(DataType::Utf8View)
            }
            data_type if is_text(data_type) => {
                field.as_ref().clone().with_data_type(DataType::Utf8View)
            }
            _ => field.as_ref().clone(),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// The values of a column as the texts a contract would read.
enum Texts<'a> {
    Absent,
    Views(&'a StringViewArray),
    Written(Vec<Option<String>>),
}

impl Texts<'_> {
    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Views(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Written(texts) => texts[row].as_deref(),
        }
    }
}

fn text_columns<'a>(
    mapping: &Mapping,
    batch: &'a RecordBatch,
) -> Result<Vec<Texts<'a>>, IntakeError> {
    mapping
        .sources
        .iter()
        .map(|source| match source {
            FieldSource::Field(index) => viewed_texts(batch.column(*index).as_ref()),
            _ => Ok(Texts::Absent),
        })
        .collect()
}

fn viewed_texts(array: &dyn Array) -> Result<Texts<'_>, IntakeError> {
    if let Some(views) = array.as_string_view_opt() {
        return Ok(Texts::Views(views));
    }
    texts(array).map(Texts::Written)
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
