//! What intake asks of the store beside writing: names, errors, rows read back.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use goyong_store::Warehouse;
use goyong_types::TableName;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::IntakeError;

pub(crate) fn table(schema: &str, name: &str) -> Result<TableName, IntakeError> {
    TableName::new(schema, name).map_err(|error| IntakeError::Name {
        message: error.to_string(),
    })
}

pub(crate) fn store_error(operation: &str, error: goyong_store::StoreError) -> IntakeError {
    IntakeError::Store {
        operation: operation.to_owned(),
        source: Box::new(error),
    }
}

/// Hands the rows of a table to `sink` batch by batch: those of one partition when it is named,
/// with the named columns, or all. A table that does not exist has no rows.
pub(crate) async fn read_rows(
    warehouse: &Warehouse,
    name: &TableName,
    partition: Option<&str>,
    columns: &[&str],
    mut sink: impl FnMut(RecordBatch) -> Result<(), IntakeError>,
) -> Result<(), IntakeError> {
    let snapshot = warehouse
        .snapshot(name)
        .await
        .map_err(|error| store_error("read a table", error))?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    for data_file in &snapshot.files {
        if partition.is_some() && data_file.partition.as_deref() != partition {
            continue;
        }
        let path = &data_file.path;
        let reader = open_file(warehouse, path, columns, BATCH_ROWS)?;
        for batch in reader {
            sink(batch.map_err(|problem| broken(path, problem.to_string()))?)?;
        }
    }
    Ok(())
}

/// The text in a column of a file's first row.
pub(crate) fn first_text(
    warehouse: &Warehouse,
    path: &Path,
    column: &str,
) -> Result<Option<String>, IntakeError> {
    let Some(batch) = open_file(warehouse, path, &[column], 1)?.next() else {
        return Ok(None);
    };
    let batch = batch.map_err(|problem| broken(path, problem.to_string()))?;
    Ok(batch
        .column_by_name(column)
        .and_then(|array| array.as_string_opt::<i32>())
        .filter(|texts| !texts.is_empty() && texts.is_valid(0))
        .map(|texts| texts.value(0).to_owned()))
}

const BATCH_ROWS: usize = 8192;

fn open_file(
    warehouse: &Warehouse,
    path: &Path,
    columns: &[&str],
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, IntakeError> {
    let file = warehouse
        .open_file(path)
        .map_err(|error| store_error("read a table", error))?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|problem| broken(path, problem.to_string()))?;
    if !columns.is_empty() {
        let roots: Vec<usize> = builder
            .schema()
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| columns.contains(&field.name().as_str()))
            .map(|(index, _)| index)
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder = builder.with_projection(mask);
    }
    builder
        .with_batch_size(batch_rows)
        .build()
        .map_err(|problem| broken(path, problem.to_string()))
}

fn broken(path: &Path, problem: String) -> IntakeError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, problem);
    IntakeError::file("read", path, source)
}
