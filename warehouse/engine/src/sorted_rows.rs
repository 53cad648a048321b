//! A query's rows, sorted and written to a table.
//!
//! What fits into half of the engine's memory is sorted range by range, and every thread writes files of its own. What
//! does not goes through the query engine's sort, which spills. Rows that come sorted are written as they come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::{DataFusionError, exec_err};
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, execute_stream, execute_stream_partitioned,
};
use futures::{StreamExt, stream};
use goyong_catalog::Model;
use goyong_store::{FinishedLane, TableWriter, WriterLane};
use tokio::task::JoinSet;

use crate::cluster::ran_on_cluster;
use crate::error::{EngineError, Result};
use crate::range_sort::{Consumer, sort, sort_into};
use crate::rows_read::rows_read;
use crate::sharing::computed_once;
use crate::storage::{GrainCheck, SORT_OPTIONS, to_stored};

/// Fewer rows than this are not worth a second thread and a second file.
const LANE_ROWS: usize = 1 << 20;

/// The planned query of one target.
pub(crate) struct SortedRows {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

/// What one stream of a query gave before the end or before memory ran out.
struct Collected {
    batches: Vec<RecordBatch>,
    /// What is still to come, when memory ran out.
    rest: Option<SendableRecordBatchStream>,
    /// Held until the rows are written.
    reservation: MemoryReservation,
}

impl SortedRows {
    /// Plans rows that are sorted as the table is stored.
    pub async fn plan(sorted: DataFrame) -> std::result::Result<Self, DataFusionError> {
        Ok(Self {
            context: Arc::new(sorted.task_ctx()),
            plan: computed_once(sorted)?.create_physical_plan().await?,
        })
    }

    /// Whether a cluster computes the rows.
    pub fn on_cluster(&self) -> bool {
        ran_on_cluster(&self.plan)
    }

    /// Plans the rows of two queries with the same columns, both sorted by `order`, as one stream in that order.
    pub async fn merged(
        one: DataFrame,
        other: DataFrame,
        order: &[String],
    ) -> std::result::Result<Self, DataFusionError> {
        let context = Arc::new(one.task_ctx());
        let one = computed_once(one)?.create_physical_plan().await?;
        let schema = one.schema();
        let order = order
            .iter()
            .map(|column| {
                let column = Column::new_with_schema(column, &schema)?;
                Ok(PhysicalSortExpr::new(Arc::new(column), SORT_OPTIONS))
            })
            .collect::<std::result::Result<Vec<_>, DataFusionError>>()?;
        let Some(order) = LexOrdering::new(order) else {
            return exec_err!("rows to be merged have no order");
        };
        let other = computed_once(other)?.create_physical_plan().await?;
        let both = UnionExec::try_new(vec![one, other])?;
        Ok(Self {
            plan: Arc::new(SortPreservingMergeExec::new(order, both)),
            context,
        })
    }

    /// Writes the rows to a partition, on up to `threads` threads. Answers the rows read from stored files for it;
    /// nothing where a cluster read them.
    pub async fn write(
        self,
        model: &Model,
        partition: Option<&str>,
        schema: &SchemaRef,
        threads: usize,
        writer: &mut TableWriter,
    ) -> Result<Option<u64>> {
        let plan = Arc::clone(&self.plan);
        self.write_all(model, partition, schema, threads, writer)
            .await?;
        Ok(rows_read(&plan))
    }

    async fn write_all(
        self,
        model: &Model,
        partition: Option<&str>,
        schema: &SchemaRef,
        threads: usize,
        writer: &mut TableWriter,
    ) -> Result<()> {
        let name = model.table.to_string();
        let failed = |error| EngineError::of(error, &name);
        if threads > 1
            && let Some(parts) = sorted_parts(&self.plan)
        {
            let streams = execute_stream_partitioned(parts, self.context).map_err(failed)?;
            return write_parts(model, partition, streams, schema, writer).await;
        }
        let Some((unsorted, spill_order)) = below_the_sort(&self.plan) else {
            let rows = execute_stream(self.plan, self.context).map_err(failed)?;
            return write_stream(model, partition, rows, schema, writer).await;
        };
        let streams =
            execute_stream_partitioned(unsorted, Arc::clone(&self.context)).map_err(failed)?;
        let collected = collect(streams, schema, self.context.memory_pool(), &name).await?;
        if collected.iter().any(|part| part.rest.is_some()) {
            let rows =
                spilling_sort(collected, schema, spill_order, self.context).map_err(failed)?;
            return write_stream(model, partition, rows, schema, writer).await;
        }
        let (mut batches, mut reservations) = (Vec::new(), Vec::new());
        for mut part in collected {
            batches.append(&mut part.batches);
            reservations.push(part.reservation);
        }
        let order = sort_columns(model, schema)?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows < LANE_ROWS || threads < 2 {
            let sorted = blocking(move || Ok(sort(&batches, &order)?)).await?;
            let mut grain = GrainCheck::for_sorted(model, schema)?;
            return match sorted {
                Some(rows) => {
                    write_batch(model, partition, &rows, &mut grain, |partition, rows| {
                        Ok(writer.write(partition, rows)?)
                    })
                }
                None => Ok(()),
            };
        }
        let mut lanes = Vec::with_capacity(threads);
        for _ in 0..threads {
            lanes.push((writer.lane()?, GrainCheck::for_sorted(model, schema)?));
        }
        let model = model.clone();
        let partition = partition.map(str::to_owned);
        let finished =
            blocking(move || write_lanes(&model, partition.as_deref(), batches, &order, lanes))
                .await?;
        for lane in finished {
            writer.rejoin(lane);
        }
        Ok(())
    }
}

/// The parts below a merge that have nothing to merge: each is sorted, and its keys come before those of the next.
fn sorted_parts(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let merge = plan.downcast_ref::<SortPreservingMergeExec>()?;
    let parts = merge.input();
    let Partitioning::Range(ranges) = parts.output_partitioning() else {
        return None;
    };
    let follow = ranges.ordering().first() == merge.expr().first();
    (follow && merge.fetch().is_none()).then(|| Arc::clone(parts))
}

/// Writes each part to files of its own, side by side.
async fn write_parts(
    model: &Model,
    partition: Option<&str>,
    streams: Vec<SendableRecordBatchStream>,
    schema: &SchemaRef,
    writer: &mut TableWriter,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    for mut rows in streams {
        let mut lane = writer.lane()?;
        let mut grain = GrainCheck::for_sorted(model, schema)?;
        let (model, schema) = (model.clone(), Arc::clone(schema));
        let partition = partition.map(str::to_owned);
        tasks.spawn(async move {
            while let Some(batch) = rows.next().await {
                let batch =
                    batch.map_err(|error| EngineError::of(error, &model.table.to_string()))?;
                let batch = to_stored(&batch, &schema)?;
                let partition = partition.as_deref();
                write_batch(&model, partition, &batch, &mut grain, |partition, rows| {
                    Ok(lane.write(partition, rows)?)
                })?;
            }
            Ok::<FinishedLane, EngineError>(lane.finish()?)
        });
    }
    while let Some(task) = tasks.join_next().await {
        let lane = task.map_err(|error| EngineError::Io {
            operation: "finish writing rows",
            source: std::io::Error::other(error.to_string()),
        })?;
        writer.rejoin(lane?);
    }
    Ok(())
}

/// Input and order of the sort at the top of a plan; `None` when the rows come sorted.
fn below_the_sort(plan: &Arc<dyn ExecutionPlan>) -> Option<(Arc<dyn ExecutionPlan>, LexOrdering)> {
    let sort = match plan.downcast_ref::<SortPreservingMergeExec>() {
        Some(merge) => merge.input(),
        None => plan,
    };
    let sort = sort
        .downcast_ref::<SortExec>()
        .filter(|sort| sort.fetch().is_none())?;
    let input = match sort.input().downcast_ref::<CoalescePartitionsExec>() {
        Some(coalesced) => coalesced.input(),
        None => sort.input(),
    };
    Some((Arc::clone(input), sort.expr().clone()))
}

/// Positions of the columns a model is sorted by.
fn sort_columns(model: &Model, schema: &SchemaRef) -> Result<Vec<usize>> {
    model
        .sort_by
        .iter()
        .map(|column| {
            schema
                .index_of(column)
                .map_err(|error| EngineError::Run(error.to_string()))
        })
        .collect()
}

/// Reads all streams side by side, in the stored types, until they end or half of the memory is taken.
async fn collect(
    streams: Vec<SendableRecordBatchStream>,
    schema: &SchemaRef,
    pool: &Arc<dyn MemoryPool>,
    name: &str,
) -> Result<Vec<Collected>> {
    let share = match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes / 2 / streams.len().max(1),
        _ => usize::MAX,
    };
    let is_full = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for (position, stream) in streams.into_iter().enumerate() {
        let reservation = MemoryConsumer::new(format!("rows of {name}")).register(pool);
        let stream = in_stored_types(stream, schema);
        let is_full = Arc::clone(&is_full);
        tasks.spawn(async move {
            (
                position,
                collect_one(stream, reservation, share, &is_full).await,
            )
        });
    }
    let mut parts = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (position, part) = task.map_err(|error| EngineError::Io {
            operation: "finish reading rows",
            source: std::io::Error::other(error.to_string()),
        })?;
        parts.push((
            position,
            part.map_err(|error| EngineError::of(error, name))?,
        ));
    }
    parts.sort_by_key(|(position, _)| *position);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

async fn collect_one(
    mut stream: SendableRecordBatchStream,
    reservation: MemoryReservation,
    share: usize,
    is_full: &AtomicBool,
) -> std::result::Result<Collected, DataFusionError> {
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let bytes = row_bytes(&batch);
        batches.push(batch);
        if reservation.size() + bytes > share || reservation.try_grow(bytes).is_err() {
            is_full.store(true, Ordering::Relaxed);
        }
        if is_full.load(Ordering::Relaxed) {
            return Ok(Collected {
                batches,
                rest: Some(stream),
                reservation,
            });
        }
    }
    Ok(Collected {
        batches,
        rest: None,
        reservation,
    })
}

/// Bytes of a batch's own rows; buffers it shares with others are not counted in full for each.
fn row_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| {
            let data = column.to_data();
            data.get_slice_memory_size()
                .unwrap_or_else(|_| data.get_array_memory_size())
        })
        .sum()
}

fn in_stored_types(
    rows: SendableRecordBatchStream,
    schema: &SchemaRef,
) -> SendableRecordBatchStream {
    let stored = Arc::clone(schema);
    let rows = rows.map(move |batch| {
        to_stored(&batch?, &stored).map_err(|error| DataFusionError::Execution(error.to_string()))
    });
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
}

/// Sorts with what was collected and what is still to come; rows go to the disk where memory ends.
fn spilling_sort(
    collected: Vec<Collected>,
    schema: &SchemaRef,
    order: LexOrdering,
    context: Arc<TaskContext>,
) -> std::result::Result<SendableRecordBatchStream, DataFusionError> {
    let partitions = collected.into_iter().map(|part| {
        let part = HalfRead {
            schema: Arc::clone(schema),
            rows: Mutex::new(Some((part.batches, part.rest))),
        };
        // The sort accounts for the rows as it takes them.
        Arc::new(part) as Arc<dyn PartitionStream>
    });
    let rows = StreamingTableExec::try_new(
        Arc::clone(schema),
        partitions.collect(),
        None,
        [],
        false,
        None,
    )?;
    let sort = SortExec::new(order.clone(), Arc::new(rows)).with_preserve_partitioning(true);
    let merged = SortPreservingMergeExec::new(order, Arc::new(sort));
    execute_stream(Arc::new(merged), context)
}

/// A stream of which the first rows are in memory. Can be executed once.
struct HalfRead {
    schema: SchemaRef,
    rows: Mutex<Option<(Vec<RecordBatch>, Option<SendableRecordBatchStream>)>>,
}

impl std::fmt::Debug for HalfRead {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HalfRead")
    }
}

impl PartitionStream for HalfRead {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (batches, rest) = rows.unwrap_or_default();
        let batches = stream::iter(batches.into_iter().map(Ok));
        let rows = batches.chain(stream::iter(rest).flatten());
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

/// Sorts, checks, hashes and encodes, every lane on a thread of its own.
fn write_lanes(
    model: &Model,
    partition: Option<&str>,
    batches: Vec<RecordBatch>,
    order: &[usize],
    mut lanes: Vec<(WriterLane, Option<GrainCheck>)>,
) -> Result<Vec<FinishedLane>> {
    let mut consumers: Vec<_> = lanes
        .iter_mut()
        .map(|(lane, grain)| {
            move |rows: &RecordBatch| {
                write_batch(model, partition, rows, grain, |partition, rows| {
                    Ok(lane.write(partition, rows)?)
                })
            }
        })
        .collect();
    let consumers = consumers
        .iter_mut()
        .map(|consumer| consumer as &mut Consumer<'_, EngineError>)
        .collect();
    sort_into(batches, order, consumers)?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .into_iter()
            .map(|(lane, _)| scope.spawn(move || lane.finish()))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(finished) => Ok(finished?),
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn write_batch(
    model: &Model,
    partition: Option<&str>,
    rows: &RecordBatch,
    grain: &mut Option<GrainCheck>,
    write: impl FnOnce(Option<&str>, &RecordBatch) -> Result<()>,
) -> Result<()> {
    if let Some(grain) = grain {
        grain.see(rows).map_err(|problem| EngineError::Grain {
            table: model.table.clone(),
            problem,
        })?;
    }
    write(partition, rows)
}

async fn write_stream(
    model: &Model,
    partition: Option<&str>,
    mut rows: SendableRecordBatchStream,
    schema: &SchemaRef,
    writer: &mut TableWriter,
) -> Result<()> {
    let mut grain = GrainCheck::for_sorted(model, schema)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| EngineError::of(error, &model.table.to_string()))?;
        let batch = to_stored(&batch, schema)?;
        write_batch(model, partition, &batch, &mut grain, |partition, rows| {
            Ok(writer.write(partition, rows)?)
        })?;
    }
    Ok(())
}

/// Runs work that takes a core for long away from the threads that drive streams.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(EngineError::Io {
            operation: "finish sorting",
            source: std::io::Error::other(error.to_string()),
        }),
    }
}
