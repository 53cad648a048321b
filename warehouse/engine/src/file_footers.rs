//! What the footers of data files say: read once for each file, since a data file never changes.
//!
//! Statistics let the planner skip files and row groups, answer the lowest and highest value of a column without reading
//! rows, and choose the smaller side of a join; the keys of the row groups say where a sorted table can be cut.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;

/// Column statistics kept, about a quarter of a kilobyte each.
const MOST_KEPT_COLUMNS: usize = 200_000;

/// Footers that are read at the same time.
const READ_TOGETHER: usize = 8;

/// What one file says of itself.
#[derive(Debug)]
pub(crate) struct Footer {
    /// Of the columns in the file, then of the partition column.
    pub statistics: Arc<Statistics>,
    pub row_groups: Vec<RowGroup>,
    /// Absent where the file does not tell the keys of every row group.
    pub keys: Option<KeyBounds>,
    /// The column of `keys`.
    key: Option<String>,
}

/// A part of a file.
#[derive(Debug)]
pub(crate) struct RowGroup {
    /// Where it begins in the file, as the reader of a part of a file sees it.
    pub offset: i64,
    pub rows: usize,
}

/// The keys of each row group.
#[derive(Debug)]
pub(crate) struct KeyBounds {
    pub lowest: ArrayRef,
    pub highest: ArrayRef,
    /// Numbers of nulls; they are sorted last, behind the highest key.
    pub nulls: ArrayRef,
}

/// The footers of a process, shared by its sessions.
#[derive(Debug, Default)]
pub(crate) struct FileFooters {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    footers: HashMap<Path, Arc<Footer>>,
    columns: usize,
}

impl FileFooters {
    /// The footers of some files, in their order. `key` is the first column they are sorted by.
    pub async fn of(
        &self,
        files: &[&PartitionedFile],
        file_schema: &SchemaRef,
        key: Option<&str>,
        reader: &dyn ParquetFileReaderFactory,
    ) -> Result<Vec<Arc<Footer>>> {
        let mut reads = Vec::with_capacity(files.len());
        for file in files {
            reads.push(self.one(file, file_schema, key, reader));
        }
        stream::iter(reads)
            .buffered(READ_TOGETHER)
            .try_collect()
            .await
    }

    async fn one(
        &self,
        file: &PartitionedFile,
        file_schema: &SchemaRef,
        key: Option<&str>,
        reader: &dyn ParquetFileReaderFactory,
    ) -> Result<Arc<Footer>> {
        let path = &file.object_meta.location;
        let columns = file_schema.fields().len() + file.partition_values.len();
        let known = self.lock().footers.get(path).cloned();
        // A table whose columns were added to since then reads the same file with more columns.
        if let Some(known) = known
            && known.statistics.column_statistics.len() == columns
            && (key.is_none() || known.key.as_deref() == key)
        {
            return Ok(known);
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let mut opened = reader.create_reader(0, file.clone(), None, &metrics)?;
        let footer = Arc::new(Footer::read(
            opened.get_metadata(None).await?.as_ref(),
            file,
            file_schema,
            key,
        )?);
        let mut known = self.lock();
        if known.columns + columns > MOST_KEPT_COLUMNS {
            *known = Known::default();
        }
        known.columns += columns;
        known.footers.insert(path.clone(), Arc::clone(&footer));
        Ok(footer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Footer {
    fn read(
        metadata: &ParquetMetaData,
        file: &PartitionedFile,
        file_schema: &SchemaRef,
        key: Option<&str>,
    ) -> Result<Self> {
        let mut statistics =
            DFParquetMetadata::statistics_from_parquet_metadata(metadata, file_schema)?;
        for (column, field) in statistics
            .column_statistics
            .iter_mut()
            .zip(file_schema.fields())
        {
            // Bounds of floats leave out values that are no number, which a query counts as the highest.
            if matches!(field.data_type(), DataType::Float32 | DataType::Float64) {
                column.min_value = std::mem::take(&mut column.min_value).to_inexact();
                column.max_value = std::mem::take(&mut column.max_value).to_inexact();
            }
        }
        let rows = statistics.num_rows;
        for value in &file.partition_values {
            statistics
                .column_statistics
                .push(constant_column(value, rows));
        }
        let row_groups = metadata
            .row_groups()
            .iter()
            .map(|group| {
                let first = group.column(0);
                RowGroup {
                    offset: first
                        .dictionary_page_offset()
                        .unwrap_or_else(|| first.data_page_offset()),
                    rows: usize::try_from(group.num_rows()).unwrap_or_default(),
                }
            })
            .collect();
        let keys = match key {
            Some(key) => key_bounds(metadata, file_schema, key)?,
            None => None,
        };
        Ok(Self {
            statistics: Arc::new(statistics),
            row_groups,
            keys,
            key: key.map(ToOwned::to_owned),
        })
    }
}

/// A column that has one value in all rows, which may be null.
fn constant_column(value: &ScalarValue, rows: Precision<usize>) -> ColumnStatistics {
    let bound = || match value.is_null() {
        true => Precision::Absent,
        false => Precision::Exact(value.clone()),
    };
    ColumnStatistics {
        null_count: match value.is_null() {
            true => rows,
            false => Precision::Exact(0),
        },
        min_value: bound(),
        max_value: bound(),
        distinct_count: Precision::Exact(usize::from(!value.is_null())),
        ..ColumnStatistics::new_unknown()
    }
}

fn key_bounds(
    metadata: &ParquetMetaData,
    file_schema: &SchemaRef,
    key: &str,
) -> Result<Option<KeyBounds>> {
    let groups = metadata.row_groups();
    let parquet_schema = metadata.file_metadata().schema_descr();
    let Ok(converter) = StatisticsConverter::try_new(key, file_schema, parquet_schema) else {
        return Ok(None);
    };
    let lowest = converter.row_group_mins(groups)?;
    let highest = converter.row_group_maxes(groups)?;
    let nulls: ArrayRef = Arc::new(converter.row_group_null_counts(groups)?);
    let tells_all = !groups.is_empty() && lowest.null_count() == 0 && highest.null_count() == 0;
    Ok(tells_all.then_some(KeyBounds {
        lowest,
        highest,
        nulls,
    }))
}
