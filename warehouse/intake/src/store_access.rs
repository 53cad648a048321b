//! What intake asks of the store beside writing: names, errors, rows read back.

use arrow_array::RecordBatch;
use goyong_store::Warehouse;
use goyong_types::TableName;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

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
        let error = |source| IntakeError::file("read", path, source);
        let broken = |problem: String| {
            error(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                problem,
            ))
        };
        let file = std::fs::File::open(path).map_err(error)?;
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|problem| broken(problem.to_string()))?;
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
        let reader = builder
            .build()
            .map_err(|problem| broken(problem.to_string()))?;
        for batch in reader {
            sink(batch.map_err(|problem| broken(problem.to_string()))?)?;
        }
    }
    Ok(())
}
