//! Which Arrow types a table may hold, and how batches are brought to them.
//!
//! A query engine hands over views, dictionaries, large strings and unsigned counts; Delta knows none of them. Every
//! batch is converted to the stored types before it is hashed or written, so that the content hash never depends
//! on how the rows were computed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use goyong_types::TableName;

use crate::error::{Result, StoreError};

/// The columns of a table as stored: the whole schema and the part that stands in the data files.
#[derive(Debug, Clone)]
pub(crate) struct TableColumns {
    pub(crate) table: TableName,
    /// All columns, the partition column included, without metadata.
    pub(crate) schema: SchemaRef,
    /// The columns of the data files.
    pub(crate) data_schema: SchemaRef,
    pub(crate) partition_column: Option<Field>,
}

impl TableColumns {
    /// The stored form of a schema, or the first column that has none.
    pub(crate) fn new(
        table: &TableName,
        schema: &Schema,
        partition_column: Option<&str>,
    ) -> Result<Self> {
        let column_error = |column: &str, problem: String| StoreError::Column {
            table: table.clone(),
            column: column.to_owned(),
            problem,
        };
        let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            if fields
                .iter()
                .any(|other| other.name().eq_ignore_ascii_case(field.name()))
            {
                return Err(column_error(
                    field.name(),
                    "stands twice, give one another name".to_owned(),
                ));
            }
            let stored = stored_type(field.data_type())
                .map_err(|problem| column_error(field.name(), problem))?;
            fields.push(Field::new(field.name(), stored, field.is_nullable()));
        }
        let partition_column = match partition_column {
            None => None,
            Some(name) => {
                let field = fields
                    .iter_mut()
                    .find(|field| field.name() == name)
                    .ok_or_else(|| {
                        column_error(name, "is the partition column but is missing".to_owned())
                    })?;
                if !is_partition_type(field.data_type()) {
                    return Err(column_error(
                        name,
                        format!(
                            "is {} and cannot partition, use a date, text or integer",
                            field.data_type()
                        ),
                    ));
                }
                *field = field.clone().with_nullable(true);
                Some(field.clone())
            }
        };
        let data_fields: Vec<Field> = fields
            .iter()
            .filter(|field| Some(*field) != partition_column.as_ref())
            .cloned()
            .collect();
        Ok(Self {
            table: table.clone(),
            schema: Arc::new(Schema::new(fields)),
            data_schema: Arc::new(Schema::new(data_fields)),
            partition_column,
        })
    }

    /// Brings a batch to the data files' columns; columns are matched by name.
    pub(crate) fn conform(
        &self,
        partition: Option<&str>,
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        for field in batch.schema_ref().fields() {
            if self.schema.field_with_name(field.name()).is_err() {
                return Err(self.column_error(
                    field.name(),
                    "is not a column of the table, remove it from the batch".to_owned(),
                ));
            }
        }
        let mut columns = Vec::with_capacity(self.data_schema.fields().len());
        for field in self.data_schema.fields() {
            let column = batch.column_by_name(field.name()).ok_or_else(|| {
                self.column_error(field.name(), "is missing from the batch".to_owned())
            })?;
            let column = convert(column, field.data_type())
                .map_err(|problem| self.column_error(field.name(), problem))?;
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(self.column_error(
                    field.name(),
                    format!("has {} nulls but must have none", column.null_count()),
                ));
            }
            columns.push(column);
        }
        if let Some(field) = &self.partition_column
            && let Some(column) = batch.column_by_name(field.name())
        {
            self.check_partition_values(field, column, partition)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.data_schema), columns, &options)
            .map_err(|error| self.column_error("*", error.to_string()))
    }

    /// Every row of a partition column that is delivered must say what the caller says.
    fn check_partition_values(
        &self,
        field: &Field,
        column: &ArrayRef,
        partition: Option<&str>,
    ) -> Result<()> {
        let column = convert(column, field.data_type())
            .map_err(|problem| self.column_error(field.name(), problem))?;
        let expected = partition.filter(|value| !value.is_empty());
        let all_equal = match expected {
            None => column.null_count() == column.len(),
            Some(_) if column.null_count() > 0 => false,
            Some(text) => match field.data_type() {
                DataType::Date32 => text.parse::<chrono::NaiveDate>().is_ok_and(|date| {
                    let day = Date32Type::from_naive_date(date);
                    let values = column.as_primitive::<Date32Type>().values();
                    values.iter().all(|value| *value == day)
                }),
                DataType::Int32 => text.parse::<i32>().is_ok_and(|number| {
                    let values = column.as_primitive::<Int32Type>().values();
                    values.iter().all(|value| *value == number)
                }),
                DataType::Int64 => text.parse::<i64>().is_ok_and(|number| {
                    let values = column.as_primitive::<Int64Type>().values();
                    values.iter().all(|value| *value == number)
                }),
                _ => column
                    .as_string::<i32>()
                    .iter()
                    .all(|value| value == Some(text)),
            },
        };
        if all_equal {
            Ok(())
        } else {
            Err(self.partition_error(
                partition,
                format!("the batch has rows with another `{}`", field.name()),
            ))
        }
    }

    /// A partition value must suit the column's type and be safe in a path without escaping.
    pub(crate) fn check_partition(&self, partition: Option<&str>) -> Result<()> {
        let Some(field) = &self.partition_column else {
            return match partition {
                None => Ok(()),
                Some(_) => Err(self.partition_error(
                    partition,
                    "the table has no partition column, write to `None`".to_owned(),
                )),
            };
        };
        let Some(text) = partition else {
            return Ok(());
        };
        let is_plain = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let suits = match field.data_type() {
            DataType::Date32 => text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok(),
            DataType::Int32 => text
                .parse::<i32>()
                .is_ok_and(|number| number.to_string() == text),
            DataType::Int64 => text
                .parse::<i64>()
                .is_ok_and(|number| number.to_string() == text),
            _ => !text.starts_with('.') && text.len() <= 200,
        };
        if is_plain && suits {
            Ok(())
        } else {
            Err(self.partition_error(
                partition,
                format!(
                    "is not a plain {} value, use ASCII letters, digits, `-`, `_`, `.` and dates as 2024-08-01",
                    field.data_type()
                ),
            ))
        }
    }

    /// What differs from another table's columns; nullability and order of columns are compared too where it matters.
    pub(crate) fn difference_from(&self, stored: &Self) -> Option<String> {
        if self.partition_column.as_ref().map(Field::name)
            != stored.partition_column.as_ref().map(Field::name)
        {
            return Some("another partition column".to_owned());
        }
        for field in self.schema.fields() {
            match stored.schema.field_with_name(field.name()) {
                Err(_) => return Some(format!("`{}` is new", field.name())),
                Ok(other) if other.data_type() != field.data_type() => {
                    return Some(format!(
                        "`{}` is {}, stored is {}",
                        field.name(),
                        field.data_type(),
                        other.data_type()
                    ));
                }
                Ok(_) => {}
            }
        }
        stored
            .schema
            .fields()
            .iter()
            .find(|field| self.schema.field_with_name(field.name()).is_err())
            .map(|field| format!("`{}` is missing", field.name()))
    }

    fn column_error(&self, column: &str, problem: String) -> StoreError {
        StoreError::Column {
            table: self.table.clone(),
            column: column.to_owned(),
            problem,
        }
    }

    fn partition_error(&self, partition: Option<&str>, problem: String) -> StoreError {
        StoreError::Partition {
            table: self.table.clone(),
            partition: partition.unwrap_or("").to_owned(),
            problem,
        }
    }
}

fn is_partition_type(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32 | DataType::Int32 | DataType::Int64 | DataType::Utf8
    )
}

/// The type a column is stored as, or why it cannot be stored.
pub(crate) fn stored_type(data_type: &DataType) -> std::result::Result<DataType, String> {
    let stored = match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Utf8
        | DataType::Binary => data_type.clone(),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Dictionary(_, value) => stored_type(value)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(Arc::new(Field::new(
            "element",
            stored_type(item.data_type())?,
            true,
        ))),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| {
                    stored_type(field.data_type())
                        .map(|stored| Field::new(field.name(), stored, true))
                })
                .collect::<std::result::Result<_, _>>()?,
        ),
        DataType::Null => {
            return Err("has no type (all null), cast it to the type it should have".to_owned());
        }
        other => return Err(format!("is {other}, which cannot be stored, cast it")),
    };
    Ok(stored)
}

/// A checked conversion: a value that does not fit is an error, never null.
fn convert(column: &ArrayRef, data_type: &DataType) -> std::result::Result<ArrayRef, String> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    let stored = stored_type(column.data_type())?;
    if stored != *data_type && !matches!(data_type, DataType::List(_) | DataType::Struct(_)) {
        return Err(format!(
            "is {} in the batch but {data_type} in the table, cast it",
            column.data_type()
        ));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, data_type, &options).map_err(|error| {
        // The library's text may quote a cell; the type is enough.
        let _ = error;
        format!(
            "has a value that does not fit {data_type} (delivered as {})",
            column.data_type()
        )
    })
}
