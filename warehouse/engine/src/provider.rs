//! A table at one version, read by its exact file list.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, exec_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use goyong_store::{DataFile, TableSnapshot};
use goyong_types::TableName;
use serde::{Deserialize, Serialize};

use crate::file_footers::FileFooters;
use crate::key_ranges::{self, OpenFile};
use crate::lake_files::lake_url;

/// More sorted files than this are read unordered: merging many streams costs more than it saves.
const MOST_ORDERED_FILES: usize = 8;

/// Which rows a [`SnapshotTable`] holds, for somebody who opens the same warehouse elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableVersion {
    pub table: TableName,
    pub version: i64,
    /// SHA-256 of the commit that made the version: the same everywhere the same warehouse is open.
    pub commit: String,
    pub partition_column: Option<String>,
    /// The partitions that are read; all when absent.
    pub kept: Option<BTreeSet<Option<String>>>,
    /// Order of the rows inside each file.
    pub sorted_by: Vec<String>,
    /// Rows that are read.
    pub rows: u64,
}

/// Rows of one table version, all of them or those of some partitions.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    version: TableVersion,
    /// File columns first, the partition column last.
    schema: SchemaRef,
    table_schema: TableSchema,
    partition: Option<FieldRef>,
    files: Vec<TableFile>,
    /// The layout of all files, for so many threads.
    whole: OnceLock<(usize, Arc<Layout>)>,
}

#[derive(Debug, Clone)]
struct TableFile {
    file: PartitionedFile,
    rows: u64,
    size: u64,
    partition: Option<ScalarValue>,
}

impl SnapshotTable {
    /// The table's rows. `keep` chooses partitions by value; `sorted_by` is the order inside each file.
    pub fn new(
        snapshot: &TableSnapshot,
        lake_base: &Path,
        sorted_by: &[String],
        keep: impl Fn(Option<&str>) -> bool,
    ) -> Result<Self> {
        let partition_column = snapshot.partition_column.as_deref();
        let (mut file_fields, mut partition) = (Vec::new(), None);
        for field in snapshot.schema.fields() {
            if Some(field.name().as_str()) == partition_column {
                partition = Some(Arc::clone(field));
            } else {
                file_fields.push(Arc::clone(field));
            }
        }
        let file_schema: SchemaRef = Arc::new(Schema::new(file_fields));
        let table_schema = TableSchema::builder(file_schema)
            .with_table_partition_cols(partition.iter().cloned().collect::<Vec<_>>())
            .build();
        let mut files = Vec::new();
        let mut kept = BTreeSet::new();
        for file in &snapshot.files {
            if keep(file.partition.as_deref()) {
                files.push(TableFile::new(file, lake_base, partition.as_deref())?);
                kept.insert(file.partition.clone());
            }
        }
        Ok(Self {
            version: TableVersion {
                table: snapshot.table.clone(),
                version: snapshot.version,
                commit: snapshot.commit_sha256.clone(),
                partition_column: snapshot.partition_column.clone(),
                kept: (files.len() < snapshot.files.len()).then_some(kept),
                sorted_by: sorted_by.to_vec(),
                rows: files.iter().map(|file| file.rows).sum(),
            },
            schema: Arc::clone(table_schema.table_schema()),
            table_schema,
            partition,
            files,
            whole: OnceLock::new(),
        })
    }

    /// The rows of a version as another process described them.
    pub fn at_version(
        version: &TableVersion,
        snapshot: &TableSnapshot,
        lake_base: &Path,
    ) -> Result<Self> {
        Self::new(
            snapshot,
            lake_base,
            &version.sorted_by,
            |partition| match &version.kept {
                Some(kept) => kept.iter().any(|kept| kept.as_deref() == partition),
                None => true,
            },
        )
    }

    /// What is read, in a form that can travel.
    pub fn version(&self) -> &TableVersion {
        &self.version
    }

    /// Files left after the filters that look at the partition only.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&TableFile>> {
        let mut kept: Vec<&TableFile> = self.files.iter().collect();
        let Some(partition) = &self.partition else {
            return Ok(kept);
        };
        let schema = Arc::new(Schema::new(vec![Arc::clone(partition)]));
        let names = DFSchema::try_from(Arc::clone(&schema))?;
        for filter in filters.iter().filter(|filter| self.is_exact(filter)) {
            if kept.is_empty() {
                break;
            }
            let condition = state.create_physical_expr(filter.clone(), &names)?;
            let values =
                ScalarValue::iter_to_array(kept.iter().filter_map(|file| file.partition.clone()))?;
            let rows = RecordBatch::try_new(Arc::clone(&schema), vec![values])?;
            let matches = condition.evaluate(&rows)?.into_array(rows.num_rows())?;
            let Some(matches) = matches.as_boolean_opt() else {
                return exec_err!("a filter of {} is no condition", partition.name());
            };
            let mut row = 0;
            kept.retain(|_| {
                let keep = matches.is_valid(row) && matches.value(row);
                row += 1;
                keep
            });
        }
        Ok(kept)
    }

    fn is_exact(&self, filter: &Expr) -> bool {
        self.version.decides(filter)
    }

    /// Whether keys of these files can follow each other: those of several months start over.
    fn is_one_range(&self, files: &[&TableFile]) -> bool {
        files
            .windows(2)
            .all(|pair| pair[0].partition == pair[1].partition)
    }

    fn ordering(&self) -> Option<LexOrdering> {
        let mut sort = Vec::new();
        for column in &self.version.sorted_by {
            let index = self.schema.index_of(column).ok()?;
            if self
                .partition
                .as_ref()
                .is_some_and(|partition| partition.name() == column)
            {
                // Constant inside a file, so it neither orders nor disturbs.
                continue;
            }
            sort.push(PhysicalSortExpr::new(
                Arc::new(Column::new(column, index)),
                crate::storage::SORT_OPTIONS,
            ));
        }
        LexOrdering::new(sort)
    }
}

/// How the files of a scan are shared out among its threads, and what is known of their rows.
#[derive(Debug, Clone)]
struct Layout {
    groups: Vec<FileGroup>,
    statistics: Statistics,
    ordering: Option<LexOrdering>,
    partitioning: Option<Partitioning>,
}

impl SnapshotTable {
    /// The layout from the footers. That of all files is kept for the next scan.
    async fn layout(
        &self,
        state: &dyn Session,
        files: &[&TableFile],
        reader: &CachedParquetFileReaderFactory,
    ) -> Result<Arc<Layout>> {
        let threads = state.config().target_partitions();
        let reads_all = files.len() == self.files.len();
        if reads_all
            && let Some((for_threads, layout)) = self.whole.get()
            && *for_threads == threads
        {
            return Ok(Arc::clone(layout));
        }
        let footers = state.config().get_extension::<FileFooters>();
        let footers = footers.unwrap_or_default();
        let layout = Arc::new(self.read_layout(files, threads, &footers, reader).await?);
        if reads_all {
            // Another scan may have been first; both made the same.
            self.whole.get_or_init(|| (threads, Arc::clone(&layout)));
        }
        Ok(layout)
    }

    async fn read_layout(
        &self,
        files: &[&TableFile],
        threads: usize,
        footers: &FileFooters,
        reader: &CachedParquetFileReaderFactory,
    ) -> Result<Layout> {
        let file_schema = self.table_schema.file_schema();
        let mut ordering = self.ordering();
        let key = ordering
            .as_ref()
            .and_then(|order| order.first().expr.downcast_ref::<Column>())
            .filter(|key| key.index() < file_schema.fields().len())
            .map(Column::name);
        let unread: Vec<&PartitionedFile> = files.iter().map(|file| &file.file).collect();
        let footers = footers.of(&unread, file_schema, key, reader).await?;
        let mut statistics = Statistics::try_merge_iter(
            footers.iter().map(|footer| footer.statistics.as_ref()),
            &self.schema,
        )?;
        statistics.num_rows = Precision::Exact(total(files, |file| file.rows));
        statistics.total_byte_size = Precision::Inexact(total(files, |file| file.size));
        let open: Vec<OpenFile> = unread
            .into_iter()
            .zip(footers)
            .map(|(file, footer)| {
                let mut file = file.clone();
                file.statistics = Some(Arc::clone(&footer.statistics));
                OpenFile { file, footer }
            })
            .collect();
        let ranges = match &ordering {
            Some(order) if self.is_one_range(files) => key_ranges::cut(&open, order, threads)?,
            _ => None,
        };
        let (groups, partitioning) = match ranges {
            Some(ranges) => (ranges.groups, ranges.partitioning),
            None => {
                ordering = ordering.filter(|_| files.len() <= MOST_ORDERED_FILES);
                let files = open.into_iter().map(|open| open.file);
                let groups = match &ordering {
                    Some(_) => files.map(|file| FileGroup::new(vec![file])).collect(),
                    None => FileGroup::new(files.collect()).split_files(threads),
                };
                (groups, None)
            }
        };
        Ok(Layout {
            groups,
            statistics,
            ordering,
            partitioning,
        })
    }

    /// The layout as the log knows it, without a look into any file.
    fn unread_layout(&self, files: &[&TableFile], threads: usize) -> Layout {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(total(files, |file| file.rows));
        statistics.total_byte_size = Precision::Inexact(total(files, |file| file.size));
        let files = files.iter().map(|file| file.file.clone()).collect();
        Layout {
            groups: FileGroup::new(files).split_files(threads),
            statistics,
            ordering: None,
            partitioning: None,
        }
    }
}

fn total(files: &[&TableFile], of_file: impl Fn(&TableFile) -> u64) -> usize {
    files.iter().map(|file| of_file(file)).sum::<u64>() as usize
}

impl TableVersion {
    /// Whether the partition value alone decides a filter.
    pub fn decides(&self, filter: &Expr) -> bool {
        let Some(partition) = &self.partition_column else {
            return false;
        };
        let columns = filter.column_refs();
        !columns.is_empty()
            && columns.iter().all(|column| column.name == *partition)
            && !filter.is_volatile()
    }

    /// How much of a filter a scan takes over.
    pub fn pushdown(&self, filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
        filters
            .iter()
            .map(|filter| {
                if self.decides(filter) {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Inexact
                }
            })
            .collect()
    }

    /// What is known of the rows before any file is opened.
    pub fn statistics(&self, schema: &Schema) -> Statistics {
        let mut statistics = Statistics::new_unknown(schema);
        statistics.num_rows = Precision::Exact(self.rows as usize);
        statistics
    }
}

impl TableFile {
    fn new(file: &DataFile, lake_base: &Path, partition: Option<&Field>) -> Result<Self> {
        let Ok(relative) = file.path.strip_prefix(lake_base) else {
            return exec_err!("a data file lies outside of the lake");
        };
        let relative = object_store::path::Path::from_iter(
            relative
                .components()
                .filter_map(|component| component.as_os_str().to_str()),
        );
        let value = partition
            .map(|field| match &file.partition {
                Some(text) => ScalarValue::try_from_string(text.clone(), field.data_type()),
                None => ScalarValue::try_from(field.data_type()),
            })
            .transpose()?;
        Ok(Self {
            file: PartitionedFile::new(relative, file.size)
                .with_partition_values(value.iter().cloned().collect()),
            rows: file.rows,
            size: file.size,
            partition: value,
        })
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(self.version.pushdown(filters))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let url = lake_url()?;
        let runtime = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&url)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let layout = match projection {
            // Rows without columns are counted, and the log knows how many there are.
            Some(columns) if columns.is_empty() => {
                Arc::new(self.unread_layout(&files, state.config().target_partitions()))
            }
            _ => self.layout(state, &files, &reader).await?,
        };
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..Default::default()
        };
        let source = ParquetSource::new(self.table_schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let layout = Layout::clone(&layout);
        let scan = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(layout.groups)
            .with_statistics(layout.statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(layout.ordering.into_iter().collect())
            .with_output_partitioning(layout.partitioning)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.version.statistics(&self.schema))
    }
}
