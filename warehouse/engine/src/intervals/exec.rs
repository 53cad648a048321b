//! The operator behind every spell function.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, LexRequirement, OrderingRequirements,
    Partitioning, PhysicalExpr, PhysicalSortExpr, PhysicalSortRequirement,
};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, CardinalityEffect, ChildrenPropertiesMode, EmissionType, PlanProperties,
    ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, StatisticsArgs,
};
use futures::stream;

use super::episodes::{Depth, Episodes};
use super::gaps::Gaps;
use super::join::Join;
use super::merge::Merge;
use super::node::keeps_rows;
use super::rows::{Input, Shape};
use super::settings::{Operation, Positions, Settings};
use crate::operator::with_new_children_replaces;
use crate::storage::SORT_OPTIONS;

/// Runs a spell function over inputs sorted by (key, start) and kept together by key.
#[derive(Debug, Clone)]
pub(crate) struct IntervalExec {
    pub(super) settings: Settings,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(super) positions: Vec<Positions>,
    /// Sorted by after key and start where the order of equal starts matters, so that it is the same every time.
    pub(super) ties: Vec<Vec<usize>>,
    /// The input is one stream in its stored order, which an exchange would lose.
    pub(super) as_stored: bool,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Computes batch by batch.
pub(super) trait Operator: Send {
    /// The next rows, `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<RecordBatch>>> + Send;
}

impl IntervalExec {
    /// Plans over inputs as they come. Rows that are not sorted yet are put into a total order; the
    /// order of a stored table is fixed already and is kept.
    pub fn plan(
        settings: Settings,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        positions: Vec<Positions>,
    ) -> Result<Self> {
        let mut ties = vec![Vec::new(); inputs.len()];
        let mut as_stored = false;
        if keeps_rows(&settings.operation) {
            let (input, at) = (&inputs[0], &positions[0]);
            let order = order_of(input, at, &[]);
            let properties = input.equivalence_properties();
            let is_one_stream = input.output_partitioning().partition_count() == 1;
            // An exchange between streams would bring equal starts in any order.
            let is_in_place = is_one_stream || is_kept_by_key(input, at);
            if is_in_place && properties.ordering_satisfy(order.clone())? {
                ties[0] = rest_of_order(properties.output_ordering(), &order);
                as_stored = is_one_stream;
            } else {
                ties[0] = tie_breakers(&input.schema(), at);
            }
        }
        Self::try_new(settings, inputs, positions, ties, as_stored)
    }

    pub(super) fn try_new(
        settings: Settings,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        positions: Vec<Positions>,
        ties: Vec<Vec<usize>>,
        as_stored: bool,
    ) -> Result<Self> {
        let schemas: Vec<SchemaRef> = inputs.iter().map(|input| input.schema()).collect();
        let fields: Vec<&[FieldRef]> = schemas
            .iter()
            .map(|schema| schema.fields().as_ref())
            .collect();
        let columns = settings.output(&fields, &positions)?;
        let schema = Arc::new(Schema::new(
            columns
                .into_iter()
                .map(|column| column.field)
                .collect::<Vec<_>>(),
        ));
        let properties = properties(&settings, &inputs[0], &positions[0], &schema)?;
        Ok(Self {
            settings,
            inputs,
            positions,
            ties,
            as_stored,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn input(&self, side: usize, partition: usize, context: &Arc<TaskContext>) -> Result<Input> {
        let stream = self.inputs[side].execute(partition, Arc::clone(context))?;
        let reservation = MemoryConsumer::new(format!("{}[{partition}]", self.settings.name()))
            .register(context.memory_pool());
        let shape = Shape::new(
            &self.settings,
            &self.inputs[side].schema(),
            &self.positions[side],
        );
        Ok(Input::new(stream, shape, reservation))
    }

    fn run<O: Operator + 'static>(
        &self,
        operator: O,
        partition: usize,
    ) -> SendableRecordBatchStream {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = stream::try_unfold((operator, metrics), |(mut operator, metrics)| async move {
            // The time of the inputs is theirs; what is between their batches is small and ours.
            let batch = operator.next().await?;
            Ok(batch.map(|batch| (batch.record_output(&metrics), (operator, metrics))))
        });
        let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ));
        make_cooperative(rows)
    }
}

fn column(schema: &SchemaRef, position: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(schema.field(position).name(), position))
}

fn sort_expressions(schema: &SchemaRef, at: &Positions, ties: &[usize]) -> Vec<PhysicalSortExpr> {
    at.key
        .iter()
        .chain([&at.start])
        .chain(ties)
        .map(|&position| PhysicalSortExpr::new(column(schema, position), SORT_OPTIONS))
        .collect()
}

fn order_of(
    input: &Arc<dyn ExecutionPlan>,
    at: &Positions,
    ties: &[usize],
) -> Vec<PhysicalSortExpr> {
    sort_expressions(&input.schema(), at, ties)
}

/// Whether all rows of a key are in one stream already.
fn is_kept_by_key(input: &Arc<dyn ExecutionPlan>, at: &Positions) -> bool {
    let schema = input.schema();
    let key = at.key.iter().map(|&position| column(&schema, position));
    input
        .output_partitioning()
        .satisfaction(
            &Distribution::KeyPartitioned(key.collect()),
            input.equivalence_properties(),
            false,
        )
        .is_satisfied()
}

/// The columns a stored order goes on with.
fn rest_of_order(order: Option<LexOrdering>, prefix: &[PhysicalSortExpr]) -> Vec<usize> {
    let Some(order) = order.filter(|order| starts_with(order, prefix)) else {
        return Vec::new();
    };
    order
        .iter()
        .skip(prefix.len())
        .take_while(|part| part.options == SORT_OPTIONS)
        .map_while(|part| Some(part.expr.downcast_ref::<Column>()?.index()))
        .collect()
}

/// Every other column with an order, the end first.
fn tie_breakers(schema: &SchemaRef, at: &Positions) -> Vec<usize> {
    let others = (0..schema.fields().len()).filter(|position| {
        let data_type = schema.field(*position).data_type();
        !at.all().any(|used| used == *position)
            && (data_type.is_primitive()
                || data_type.is_string()
                || matches!(data_type, arrow_schema::DataType::Boolean))
    });
    let end = (at.end != at.start).then_some(at.end);
    end.into_iter().chain(others).collect()
}

/// Rows stay in order and with their key.
fn properties(
    settings: &Settings,
    first: &Arc<dyn ExecutionPlan>,
    at: &Positions,
    schema: &SchemaRef,
) -> Result<PlanProperties> {
    let keeps_columns = !matches!(
        settings.operation,
        Operation::Merge { .. } | Operation::Depth
    );
    let order = match settings.operation {
        // Columns of the first input come first, so its own order can be taken over.
        Operation::Gaps { .. } | Operation::Join { .. } => {
            let own: Vec<PhysicalSortExpr> = sort_expressions(&first.schema(), at, &[]);
            match first.equivalence_properties().output_ordering() {
                Some(order) if starts_with(&order, &own) => Some(order),
                _ => LexOrdering::new(own),
            }
        }
        Operation::Episodes => {
            let begins = schema.index_of("episode_start")?;
            LexOrdering::new(
                at.key
                    .iter()
                    .chain([&begins])
                    .map(|&position| PhysicalSortExpr::new(column(schema, position), SORT_OPTIONS)),
            )
        }
        Operation::Merge { .. } | Operation::Depth => LexOrdering::new(
            (0..=at.key.len())
                .map(|position| PhysicalSortExpr::new(column(schema, position), SORT_OPTIONS)),
        ),
    };
    let partitioning = first.output_partitioning();
    let partitioning = if keeps_columns {
        partitioning.clone()
    } else {
        let count = partitioning.partition_count();
        let key = (0..at.key.len())
            .map(|position| column(schema, position))
            .collect();
        match partitioning {
            Partitioning::Hash(expressions, _) if expressions.len() == at.key.len() => {
                Partitioning::Hash(key, count)
            }
            _ => Partitioning::UnknownPartitioning(count),
        }
    };
    Ok(PlanProperties::new(
        EquivalenceProperties::new_with_orderings(Arc::clone(schema), order),
        partitioning,
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

fn starts_with(order: &LexOrdering, prefix: &[PhysicalSortExpr]) -> bool {
    order.len() >= prefix.len() && order.iter().zip(prefix).all(|(left, right)| left == right)
}

impl DisplayAs for IntervalExec {
    fn fmt_as(
        &self,
        _format: DisplayFormatType,
        formatter: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(formatter, "IntervalExec: {}", self.settings.name())?;
        for (input, at) in self.inputs.iter().zip(&self.positions) {
            let schema = input.schema();
            let names: Vec<&str> = at
                .key
                .iter()
                .map(|&position| schema.field(position).name().as_str())
                .collect();
            write!(
                formatter,
                ", key=[{}] interval=[{}, {}]",
                names.join(", "),
                schema.field(at.start).name(),
                schema.field(at.end).name()
            )?;
        }
        Ok(())
    }
}

impl ExecutionPlan for IntervalExec {
    fn name(&self) -> &'static str {
        "IntervalExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let mut distributions: Vec<Distribution> = self
            .inputs
            .iter()
            .zip(&self.positions)
            .map(|(input, at)| {
                let schema = input.schema();
                Distribution::KeyPartitioned(
                    at.key
                        .iter()
                        .map(|&position| column(&schema, position))
                        .collect(),
                )
            })
            .collect();
        if self.as_stored {
            return InputDistributionRequirements::new(vec![Distribution::SinglePartition]);
        }
        match distributions.len() {
            1 => InputDistributionRequirements::new(vec![distributions.remove(0)]),
            _ => InputDistributionRequirements::co_partitioned(distributions),
        }
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.inputs
            .iter()
            .zip(&self.positions)
            .zip(&self.ties)
            .map(|((input, at), ties)| {
                let order = order_of(input, at, ties)
                    .into_iter()
                    .map(PhysicalSortRequirement::from);
                LexRequirement::new(order).map(OrderingRequirements::from)
            })
            .collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        let first = matches!(
            self.settings.operation,
            Operation::Gaps { .. } | Operation::Join { .. }
        );
        (0..self.inputs.len())
            .map(|side| side == 0 && first)
            .collect()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (input, at) in self.inputs.iter().zip(&self.positions) {
            for position in at.all() {
                if visit(&column(&input.schema(), position))? == TreeNodeRecursion::Stop {
                    return Ok(TreeNodeRecursion::Stop);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return internal_err!("{} got {} inputs", self.settings.name(), children.len());
        }
        Ok(Arc::new(match options.children_properties {
            ChildrenPropertiesMode::Keep => Self {
                inputs: children,
                metrics: ExecutionPlanMetricsSet::new(),
                ..self.as_ref().clone()
            },
            ChildrenPropertiesMode::Recompute => Self::try_new(
                self.settings.clone(),
                children,
                self.positions.clone(),
                self.ties.clone(),
                self.as_stored,
            )?,
        }))
    }

    with_new_children_replaces!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        let first = self.input(0, partition, &context)?;
        let schema = Arc::clone(&self.schema);
        Ok(match &self.settings.operation {
            Operation::Gaps { label } => self.run(Gaps::new(first, schema, *label), partition),
            Operation::Merge { join_gap_days } => {
                self.run(Merge::new(first, schema, *join_gap_days), partition)
            }
            Operation::Depth => self.run(Depth::new(first, schema, rows), partition),
            Operation::Episodes => self.run(Episodes::new(first, schema, rows), partition),
            Operation::Join { kind, point } => {
                let second = self.input(1, partition, &context)?;
                let join = Join::new(first, second, schema, *kind, *point, rows);
                self.run(join, partition)
            }
        })
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.inputs
            .iter()
            .map(|_| ChildStats::At(partition))
            .collect()
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _arguments: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let input = &inputs[0];
        // Skipped rows make every count an estimate; merging makes fewer, joining more or fewer.
        statistics.num_rows = input.num_rows.to_inexact();
        if keeps_rows(&self.settings.operation) {
            statistics.column_statistics = input
                .column_statistics
                .iter()
                .cloned()
                .map(ColumnStatistics::to_inexact)
                .collect();
            statistics
                .column_statistics
                .resize(self.schema.fields().len(), ColumnStatistics::new_unknown());
        }
        Ok(Arc::new(statistics))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        match self.settings.operation {
            Operation::Gaps { .. } | Operation::Merge { .. } => CardinalityEffect::LowerEqual,
            _ => CardinalityEffect::Unknown,
        }
    }
}
