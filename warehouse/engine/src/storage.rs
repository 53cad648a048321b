//! How rows look when they are stored: plain types, a total order, a checked grain.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef, SortOptions, TimeUnit};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat, partition};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use goyong_catalog::Model;
use goyong_types::TableName;

use crate::error::{EngineError, Result};

/// Ascending, nulls last: how stored rows are sorted, and what is declared of them when read.
pub(crate) const SORT_OPTIONS: SortOptions = SortOptions {
    descending: false,
    nulls_first: false,
};

/// The type a column is stored in; the error says what to do.
fn stored_type(data_type: &DataType) -> std::result::Result<DataType, String> {
    Ok(match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Utf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::Binary => DataType::Binary,
        DataType::Dictionary(_, values) => stored_type(values)?,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Float16 => DataType::Float32,
        DataType::Null => {
            return Err("is always null without a type: cast(null as …) says which".into());
        }
        DataType::Interval(_)
        | DataType::Duration(_)
        | DataType::Time32(_)
        | DataType::Time64(_) => {
            return Err(format!(
                "has the type {data_type}, which no table stores: use days_between or cast it"
            ));
        }
        DataType::Decimal256(..) => {
            return Err("needs more than 38 digits: cast it to decimal(38, …)".into());
        }
        other => other.clone(),
    })
}

/// The stored schema of a query's result. Every column may be null, so that a column that is null in
/// one month and not in another stays the same column.
pub(crate) fn stored_schema(table: &TableName, schema: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let wrong = |problem: String| EngineError::Column {
            table: table.clone(),
            column: field.name().clone(),
            problem,
        };
        let is_word = field
            .name()
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_word || field.name().is_empty() {
            return Err(wrong("is no column name: give it one with `as`".into()));
        }
        let data_type = stored_type(field.data_type()).map_err(wrong)?;
        fields.push(Field::new(field.name(), data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// A batch in the stored types; a value that does not fit is an error, not a null.
pub(crate) fn to_stored(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = CastOptions {
        safe: false,
        ..Default::default()
    };
    let failed = |error: arrow_schema::ArrowError| EngineError::Run(error.to_string());
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                cast_with_options(column, field.data_type(), &options)
            }
        })
        .collect::<std::result::Result<Vec<ArrayRef>, _>>()
        .map_err(failed)?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows).map_err(failed)
}

/// Result types for people: text as plain text arrays, whatever the engine used inside.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type = match field.data_type() {
                DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                DataType::Dictionary(_, values) => values.as_ref().clone(),
                other => other.clone(),
            };
            Field::new(field.name(), data_type, field.is_nullable())
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Sees a stream of rows sorted by the grain and finds the first row that breaks it.
pub(crate) struct GrainCheck {
    columns: Vec<usize>,
    names: Vec<String>,
    masked: Vec<bool>,
    last: Option<Vec<ArrayRef>>,
}

impl GrainCheck {
    /// A check where the order of the rows makes equal grains neighbours, otherwise `None`.
    pub fn for_sorted(model: &Model, schema: &Schema) -> Result<Option<Self>> {
        let grain = &model.header.grain;
        let columns = grain
            .iter()
            .map(|column| {
                schema.index_of(column).map_err(|_| {
                    let names = schema.fields().iter().map(|field| field.name().as_str());
                    let advice = goyong_types::nearest_name(column, names)
                        .map(|nearest| format!("; did you mean `{nearest}`?"))
                        .unwrap_or_default();
                    EngineError::Grain {
                        table: model.table.clone(),
                        problem: format!(
                            "the grain names `{column}`, which the select does not have{advice}"
                        ),
                    }
                })
            })
            .collect::<Result<Vec<usize>>>()?;
        if !Self::is_possible(model) {
            return Ok(None);
        }
        Ok(Some(Self {
            masked: grain
                .iter()
                .map(|column| model.is_person_column(column))
                .collect(),
            names: grain.clone(),
            columns,
            last: None,
        }))
    }

    /// Whether the stored order puts rows of equal grain side by side.
    pub fn is_possible(model: &Model) -> bool {
        let grain = &model.header.grain;
        let first = &model.sort_by[..grain.len().min(model.sort_by.len())];
        grain.iter().all(|column| first.contains(column))
    }

    /// Looks at the next rows; the message describes the first broken one.
    pub fn see(&mut self, batch: &RecordBatch) -> std::result::Result<(), String> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|index| Arc::clone(batch.column(*index)))
            .collect();
        for (column, name) in columns.iter().zip(&self.names) {
            if column.null_count() > 0 {
                let row = (0..column.len())
                    .find(|row| column.is_null(*row))
                    .unwrap_or(0);
                return Err(format!(
                    "the grain column `{name}` is null, in the row {}",
                    self.describe(&columns, row)
                ));
            }
        }
        let groups = partition(&columns).map_err(|error| error.to_string())?;
        if groups.len() < batch.num_rows() {
            let row = groups
                .ranges()
                .into_iter()
                .find(|range| range.len() > 1)
                .map_or(0, |range| range.start);
            return Err(self.duplicate(&columns, row));
        }
        if let Some(last) = &self.last {
            let boundary = last
                .iter()
                .zip(&columns)
                .map(|(before, after)| {
                    let after = after.slice(0, 1);
                    concat(&[before.as_ref(), after.as_ref()])
                })
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|error| error.to_string())?;
            let groups = partition(&boundary).map_err(|error| error.to_string())?;
            if groups.len() < 2 {
                return Err(self.duplicate(&columns, 0));
            }
        }
        let end = batch.num_rows() - 1;
        self.last = Some(columns.iter().map(|column| column.slice(end, 1)).collect());
        Ok(())
    }

    fn duplicate(&self, columns: &[ArrayRef], row: usize) -> String {
        format!(
            "the grain is not unique: more than one row has {}",
            self.describe(columns, row)
        )
    }

    fn describe(&self, columns: &[ArrayRef], row: usize) -> String {
        let values: Vec<String> = self
            .names
            .iter()
            .zip(columns)
            .zip(&self.masked)
            .map(|((name, column), masked)| {
                format!("{name} = {}", display_value(column, row, *masked))
            })
            .collect();
        values.join(", ")
    }
}

/// A value for a message; values of person columns are never shown.
pub(crate) fn display_value(column: &ArrayRef, row: usize, masked: bool) -> String {
    if column.is_null(row) {
        return "null".into();
    }
    if masked {
        return "[masked]".into();
    }
    let options = FormatOptions::default();
    match ArrayFormatter::try_new(column, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(_) => "?".into(),
    }
}
