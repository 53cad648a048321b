//! The operator that hands out the rows of a shared part.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, Statistics, exec_err, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics,
};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, SpillManager, StatisticsArgs, StatisticsContext,
};
use futures::{Stream, StreamExt};

use super::buffer::{Kept, Partition, SpilledRun, Turn};
use crate::operator::{has_no_expressions, with_new_children_replaces};

/// The rows of a part during one run of a query, and how they are computed.
#[derive(Debug)]
pub(super) struct SharedRows {
    number: usize,
    /// What the part promises its readers of columns and nulls; optimised, its plan may promise less.
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    readers: AtomicUsize,
    is_shown: AtomicBool,
    running: OnceLock<Vec<Arc<Partition>>>,
    metrics: ExecutionPlanMetricsSet,
}

impl SharedRows {
    pub fn new(number: usize, schema: SchemaRef, plan: Arc<dyn ExecutionPlan>) -> Arc<Self> {
        Arc::new(Self {
            number,
            schema,
            plan,
            readers: AtomicUsize::new(0),
            is_shown: AtomicBool::new(false),
            running: OnceLock::new(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The partitions as they are kept; readers are counted when the first of them starts.
    fn partitions(&self, context: &Arc<TaskContext>) -> &[Arc<Partition>] {
        self.running.get_or_init(|| {
            let readers = self.readers.load(Ordering::Relaxed);
            let consumer = MemoryConsumer::new(format!("shared part {}", self.number));
            let memory = Arc::new(
                consumer
                    .with_can_spill(true)
                    .register(context.memory_pool()),
            );
            let partitions = self.plan.output_partitioning().partition_count();
            let partition = |number| {
                let spills = SpillManager::new(
                    context.runtime_env(),
                    SpillMetrics::new(&self.metrics, number),
                    self.plan.schema(),
                );
                Partition::new(readers, Kept::new(Arc::clone(&memory), spills))
            };
            (0..partitions).map(partition).collect()
        })
    }
}

/// One reader of a shared part. To the optimiser it is a leaf; one reader shows the part's plan below it.
#[derive(Debug)]
pub(super) struct SharedExec {
    rows: Arc<SharedRows>,
    reader: usize,
    shows_plan: bool,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SharedExec {
    /// One reader more.
    pub fn reader(rows: &Arc<SharedRows>) -> Result<Self> {
        let plan = &rows.plan;
        let known = plan.equivalence_properties().clone();
        let properties = PlanProperties::new(
            known.with_new_schema(Arc::clone(&rows.schema))?,
            plan.output_partitioning().clone(),
            plan.pipeline_behavior(),
            plan.boundedness(),
        );
        Ok(Self {
            reader: rows.readers.fetch_add(1, Ordering::Relaxed),
            rows: Arc::clone(rows),
            shows_plan: false,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn showing_plan(&self) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            reader: self.reader,
            shows_plan: true,
            properties: Arc::clone(&self.properties),
            metrics: self.metrics.clone(),
        }
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.rows.number;
        let readers = self.rows.readers.load(Ordering::Relaxed);
        write!(formatter, "SharedExec: part={number}, shared by {readers}")
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &'static str {
        "SharedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        match self.shows_plan {
            true => vec![&self.rows.plan],
            false => Vec::new(),
        }
    }

    has_no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let now = self.children();
        let same = now
            .iter()
            .zip(&children)
            .all(|(now, child)| Arc::ptr_eq(now, child));
        if same && now.len() == children.len() {
            return Ok(self);
        }
        internal_err!("a shared plan cannot be another one for one of its readers")
    }

    with_new_children_replaces!();

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        StatisticsContext::new().compute(self.rows.plan.as_ref(), args)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        if self.shows_plan {
            let shared = self.rows.metrics.clone_inner();
            shared
                .iter()
                .for_each(|metric| metrics.push(Arc::clone(metric)));
        }
        Some(metrics)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = &self.rows;
        let kept = match rows.partitions(&context).get(partition) {
            Some(kept) => Arc::clone(kept),
            None => {
                return internal_err!("shared part {} has no partition {partition}", rows.number);
            }
        };
        if !kept.open(self.reader) {
            return exec_err!("a reader of shared part {} reads it twice", rows.number);
        }
        Ok(Box::pin(SharedStream {
            rows: Arc::clone(rows),
            partition,
            context,
            kept,
            reader: self.reader,
            spilled: None,
            baseline: BaselineMetrics::new(&self.metrics, partition),
        }))
    }
}

/// Shows each shared plan below one of its readers; behind every other rule, which would take it for this reader's.
#[derive(Debug)]
pub(super) struct ShownOnce;

impl PhysicalOptimizerRule for ShownOnce {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let shown = plan.transform_up(|plan| match plan.downcast_ref::<SharedExec>() {
            Some(reader) if !reader.rows.is_shown.swap(true, Ordering::Relaxed) => {
                let shown: Arc<dyn ExecutionPlan> = Arc::new(reader.showing_plan());
                Ok(Transformed::yes(shown))
            }
            _ => Ok(Transformed::no(plan)),
        })?;
        Ok(shown.data)
    }

    fn name(&self) -> &'static str {
        "shared_plans_are_shown_once"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What one reader gets of one partition. Whoever needs a batch first computes it.
struct SharedStream {
    rows: Arc<SharedRows>,
    partition: usize,
    context: Arc<TaskContext>,
    kept: Arc<Partition>,
    reader: usize,
    /// The file being read, and the position in it.
    spilled: Option<(Arc<SpilledRun>, usize, SendableRecordBatchStream)>,
    baseline: BaselineMetrics,
}

impl SharedStream {
    fn poll_rows(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            match self.kept.turn(self.reader, context.waker()) {
                Turn::Batch(batch) => return Poll::Ready(Some(Ok(batch))),
                Turn::End(result) => return Poll::Ready(result.err().map(Err)),
                Turn::Wait => return Poll::Pending,
                Turn::Spilled(run, at) => {
                    let batch = ready!(self.poll_spilled(&run, at, context));
                    if batch.is_ok() {
                        self.kept.had(self.reader);
                    }
                    return Poll::Ready(Some(batch));
                }
                Turn::Compute(computing) => {
                    let run = Arc::clone(&self.context);
                    let start = || self.rows.plan.execute(self.partition, run);
                    if let Some(batch) = ready!(computing.poll(start)) {
                        return Poll::Ready(Some(Ok(batch)));
                    }
                }
            }
        }
    }

    /// The batch at a position of a file, which is read on where it was left.
    fn poll_spilled(
        &mut self,
        run: &Arc<SpilledRun>,
        at: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<RecordBatch>> {
        let (_, next, stream) = match &mut self.spilled {
            Some(open) if Arc::ptr_eq(&open.0, run) && open.1 <= at => open,
            _ => match self.kept.open_file(run) {
                Ok(stream) => self.spilled.insert((Arc::clone(run), 0, stream)),
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        loop {
            let batch = ready!(stream.poll_next_unpin(context));
            let is_wanted = *next == at;
            *next += 1;
            match batch {
                Some(batch) if is_wanted || batch.is_err() => return Poll::Ready(batch),
                Some(_) => {}
                None => return Poll::Ready(exec_err!("spilled rows end early")),
            }
        }
    }
}

impl Stream for SharedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.poll_rows(context);
        self.baseline.record_poll(polled)
    }
}

impl RecordBatchStream for SharedStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rows.schema)
    }
}

impl Drop for SharedStream {
    fn drop(&mut self) {
        self.kept.leave(self.reader);
    }
}
