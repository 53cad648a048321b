//! Row numbers and neighbours within a key, over whole batches.
//!
//! The query engine's window operator cuts its input into one piece a key and asks every function piece by piece. Keys
//! have few rows where the newest version of a record or the spell before is looked for, and then the cutting costs more
//! than the sort below it. Sorted rows need no pieces, only the places where the key changes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array, new_null_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::array::make_comparator;
use datafusion::arrow::compute::{concat, nullif, partition};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr::{OrderingRequirements, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, InputOrderMode,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use futures::stream::{self, Fuse};

use crate::operator::with_new_children_replaces;

/// Puts [`KeyWindowExec`] where it can take a window's place; behind every rule that looks for windows.
#[derive(Debug)]
pub(crate) struct WindowsByKey;

impl PhysicalOptimizerRule for WindowsByKey {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_up(|plan| {
            Ok(match KeyWindowExec::in_place_of(&plan) {
                Some(by_key) => Transformed::yes(Arc::new(by_key) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(plan),
            })
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &'static str {
        "windows_by_key"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What is asked of each row.
#[derive(Debug, Clone)]
enum Function {
    RowNumber,
    /// The value of the row before it, null in the first of its key.
    Before(Arc<dyn PhysicalExpr>),
    /// The value of the row behind it, null in the last of its key.
    Behind(Arc<dyn PhysicalExpr>),
}

impl Function {
    fn of(window: &Arc<dyn WindowExpr>) -> Option<Self> {
        let standard = window.as_any().downcast_ref::<StandardWindowExpr>()?;
        let function = standard
            .get_standard_func_expr()
            .as_any()
            .downcast_ref::<WindowUDFExpr>()?;
        let value = function.args().first();
        match function.fun().name() {
            "row_number" => Some(Self::RowNumber),
            "lag" | "lead" => {
                let value = Arc::clone(value?);
                match looks_at(standard)? {
                    Neighbour::Before => Some(Self::Before(value)),
                    Neighbour::Behind => Some(Self::Behind(value)),
                }
            }
            _ => None,
        }
    }

    fn value(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        match self {
            Self::RowNumber => None,
            Self::Before(value) | Self::Behind(value) => Some(value),
        }
    }
}

enum Neighbour {
    Before,
    Behind,
}

/// Which neighbour `lag` or `lead` takes; none where it looks further, passes nulls over or has a default.
///
/// The planner turns a function round where its input comes in the opposite order, and keeps its name. So the function
/// is asked about four rows, the third of them null.
fn looks_at(window: &StandardWindowExpr) -> Option<Neighbour> {
    let function = window.get_standard_func_expr();
    let field = function.field().ok()?;
    if matches!(field.data_type(), DataType::Null) {
        return None;
    }
    let value = ScalarValue::new_default(field.data_type()).ok()?;
    let null = ScalarValue::try_from(field.data_type()).ok()?;
    let rows = ScalarValue::iter_to_array([value.clone(), value.clone(), null, value]).ok()?;
    let answers = function
        .create_evaluator()
        .ok()?
        .evaluate_all(&[rows], 4)
        .ok()?;
    let is_known: Vec<bool> = (0..4).map(|row| answers.is_valid(row)).collect();
    match is_known[..] {
        [false, true, true, false] => Some(Neighbour::Before),
        [true, false, true, false] => Some(Neighbour::Behind),
        _ => None,
    }
}

/// Adds the answers of window functions to rows that come sorted by key.
#[derive(Debug)]
struct KeyWindowExec {
    /// The operator it stands for: its requirements, properties and schema are the same.
    window: Arc<dyn ExecutionPlan>,
    keys: Arc<[Arc<dyn PhysicalExpr>]>,
    functions: Arc<[Function]>,
    metrics: ExecutionPlanMetricsSet,
}

impl KeyWindowExec {
    fn in_place_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let window = plan.downcast_ref::<BoundedWindowAggExec>()?;
        if window.input_order_mode != InputOrderMode::Sorted || window.state_observer().is_some() {
            return None;
        }
        let expressions = window.window_expr();
        let keys = expressions.first()?.partition_by();
        if keys.is_empty() || expressions.iter().any(|other| other.partition_by() != keys) {
            return None;
        }
        let functions: Option<Vec<Function>> = expressions.iter().map(Function::of).collect();
        Some(Self {
            keys: keys.into(),
            functions: functions?.into(),
            window: Arc::clone(plan),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for KeyWindowExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let functions: Vec<String> = self
            .functions
            .iter()
            .map(|function| match function {
                Function::RowNumber => "row_number".to_owned(),
                Function::Before(value) => format!("before({value})"),
                Function::Behind(value) => format!("behind({value})"),
            })
            .collect();
        write!(
            formatter,
            "KeyWindowExec: key=[{}], functions=[{}]",
            keys.join(", "),
            functions.join(", ")
        )
    }
}

impl ExecutionPlan for KeyWindowExec {
    fn name(&self) -> &'static str {
        "KeyWindowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.window.children()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.window.input_distribution_requirements()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.window.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.window.maintains_input_order()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(visit)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let window = Arc::clone(&self.window).replace_children(children, options)?;
        Ok(match Self::in_place_of(&window) {
            Some(by_key) => Arc::new(by_key),
            None => window,
        })
    }

    with_new_children_replaces!();

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let [input] = self.window.children()[..] else {
            return datafusion::common::internal_err!("a window has one input");
        };
        let windows = KeyWindows {
            keys: Arc::clone(&self.keys),
            functions: Arc::clone(&self.functions),
            schema: self.schema(),
            input: input.execute(partition, context)?.fuse(),
            waiting: None,
            last: None,
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = stream::try_unfold((windows, metrics), |(mut windows, metrics)| async move {
            let batch = windows.next(&metrics).await?;
            Ok(batch.map(|batch| (batch.record_output(&metrics), (windows, metrics))))
        });
        let rows: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows));
        Ok(make_cooperative(rows))
    }
}

/// A batch with the keys and values of its rows.
struct Piece {
    batch: RecordBatch,
    keys: Vec<ArrayRef>,
    /// By function; none for those that ask for no value.
    values: Vec<Option<ArrayRef>>,
}

/// What the rows of the next batch have to know of the row before them.
struct Last {
    keys: Vec<ArrayRef>,
    values: Vec<Option<ArrayRef>>,
    number: u64,
}

struct KeyWindows {
    keys: Arc<[Arc<dyn PhysicalExpr>]>,
    functions: Arc<[Function]>,
    schema: SchemaRef,
    input: Fuse<SendableRecordBatchStream>,
    /// A batch whose last row does not know the row behind it yet.
    waiting: Option<Piece>,
    last: Option<Last>,
}

impl KeyWindows {
    async fn next(&mut self, metrics: &BaselineMetrics) -> Result<Option<RecordBatch>> {
        loop {
            let next = match self.input.next().await {
                Some(batch) => batch?,
                None => {
                    let waiting = self.waiting.take();
                    return waiting.map(|piece| self.answer(piece, None)).transpose();
                }
            };
            if next.num_rows() == 0 {
                continue;
            }
            let time = metrics.elapsed_compute().timer();
            let next = self.piece(next)?;
            let answered = match self.waiting.take() {
                Some(piece) => Some(self.answer(piece, Some(&next))?),
                None => None,
            };
            self.waiting = Some(next);
            time.done();
            if answered.is_some() {
                return Ok(answered);
            }
        }
    }

    fn piece(&self, batch: RecordBatch) -> Result<Piece> {
        let rows = batch.num_rows();
        let evaluate = |expression: &Arc<dyn PhysicalExpr>| {
            expression
                .evaluate(&batch)
                .and_then(|value| value.into_array(rows))
        };
        let keys = self.keys.iter().map(evaluate).collect::<Result<_>>()?;
        let values = self
            .functions
            .iter()
            .map(|function| function.value().map(evaluate).transpose())
            .collect::<Result<_>>()?;
        Ok(Piece {
            batch,
            keys,
            values,
        })
    }

    fn answer(&mut self, piece: Piece, next: Option<&Piece>) -> Result<RecordBatch> {
        let rows = piece.batch.num_rows();
        let before = self.last.take();
        let goes_on = match &before {
            Some(before) => is_same_key(&before.keys, 0, &piece.keys)?,
            None => false,
        };
        let continues = match next {
            Some(next) => is_same_key(&piece.keys, rows - 1, &next.keys)?,
            None => false,
        };
        let ranges = partition(&piece.keys)?.ranges();
        let counted = match &before {
            Some(before) if goes_on => before.number,
            _ => 0,
        };
        let mut columns = piece.batch.columns().to_vec();
        for (position, function) in self.functions.iter().enumerate() {
            columns.push(match (function, &piece.values[position]) {
                (Function::Before(_), Some(value)) => {
                    let before = before.as_ref().and_then(|row| row.values[position].clone());
                    let first = before.unwrap_or_else(|| new_null_array(value.data_type(), 1));
                    let shifted = concat(&[&first, &value.slice(0, rows - 1)])?;
                    let is_first = marked(rows, ranges.iter().map(|range| range.start), |row| {
                        row > 0 || !goes_on
                    });
                    nullif(&shifted, &is_first)?
                }
                (Function::Behind(_), Some(value)) => {
                    let behind = next.and_then(|piece| piece.values[position].as_ref());
                    let last = behind.map_or_else(
                        || new_null_array(value.data_type(), 1),
                        |values| values.slice(0, 1),
                    );
                    let shifted = concat(&[&value.slice(1, rows - 1), &last])?;
                    let is_last = marked(rows, ranges.iter().map(|range| range.end - 1), |row| {
                        row + 1 < rows || !continues
                    });
                    nullif(&shifted, &is_last)?
                }
                _ => Arc::new(numbers(rows, &ranges, counted)),
            });
        }
        let of_last_range = ranges.last().map_or(0, |range| range.len() as u64);
        let number = match ranges.len() {
            1 => counted + of_last_range,
            _ => of_last_range,
        };
        self.last = Some(Last {
            keys: piece
                .keys
                .iter()
                .map(|key| key.slice(rows - 1, 1))
                .collect(),
            values: piece
                .values
                .iter()
                .map(|value| value.as_ref().map(|value| value.slice(rows - 1, 1)))
                .collect(),
            number,
        });
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Whether a row has the key of the first row of a batch.
fn is_same_key(keys: &[ArrayRef], row: usize, next: &[ArrayRef]) -> Result<bool> {
    for (key, next) in keys.iter().zip(next) {
        if make_comparator(key, next, Default::default())?(row, 0).is_ne() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn marked(
    rows: usize,
    candidates: impl Iterator<Item = usize>,
    is_marked: impl Fn(usize) -> bool,
) -> BooleanArray {
    let mut marks = BooleanBufferBuilder::new(rows);
    marks.append_n(rows, false);
    candidates
        .filter(|row| is_marked(*row))
        .for_each(|row| marks.set_bit(row, true));
    BooleanArray::from(BooleanBuffer::from(marks))
}

/// Numbers from 1 within each range; the first goes on from what was counted.
fn numbers(rows: usize, ranges: &[Range<usize>], counted: u64) -> UInt64Array {
    let mut numbers = Vec::with_capacity(rows);
    for range in ranges {
        let counted = if range.start == 0 { counted } else { 0 };
        numbers.extend((1..=range.len() as u64).map(|number| counted + number));
    }
    UInt64Array::from(numbers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{Field, Schema};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Spells of persons, some without a number, some without a place; batches of a few rows, some of them empty.
    fn session(has_rule: bool, batch_rows: usize, threads: usize) -> SessionContext {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = Arc::new(Schema::new(vec![
            field("person", DataType::Int64),
            field("day", DataType::Int64),
            field("number", DataType::Int64),
            field("place", DataType::Utf8),
        ]));
        let mut batches = Vec::new();
        for batch in 0..40_i64 {
            let rows = (batch * 7) % 13;
            let at = |row: i64| batch * 31 + row;
            let persons: Int64Array = (0..rows)
                .map(|row| (at(row) % 11 != 0).then_some((at(row) * at(row)) % 23))
                .collect();
            let days: Int64Array = (0..rows).map(|row| Some((at(row) * 17) % 101)).collect();
            let numbers: Int64Array = (0..rows).map(|row| Some(at(row))).collect();
            let places: StringArray = (0..rows)
                .map(|row| (at(row) % 5 != 0).then(|| format!("place {}", at(row) % 9)))
                .collect();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(persons),
                Arc::new(days),
                Arc::new(numbers),
                Arc::new(places),
            ];
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap());
        }
        let table = MemTable::try_new(schema, vec![batches]).unwrap();
        let config = SessionConfig::new()
            .with_batch_size(batch_rows)
            .with_target_partitions(threads);
        let mut builder = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features();
        if has_rule {
            builder = builder.with_physical_optimizer_rule(Arc::new(WindowsByKey));
        }
        let session = SessionContext::new_with_state(builder.build());
        session.register_table("spell", Arc::new(table)).unwrap();
        session
    }

    async fn answers(session: &SessionContext, sql: &str) -> (String, String) {
        let frame = session.sql(sql).await.unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        let batches = frame.collect().await.unwrap();
        (plan, pretty_format_batches(&batches).unwrap().to_string())
    }

    /// The plans with the rule, having compared the rows with those without it.
    async fn same_rows(sql: &str) -> Vec<String> {
        let mut plans = Vec::new();
        for (batch_rows, threads) in [(1, 1), (3, 2), (8192, 2)] {
            let (_, expected) = answers(&session(false, batch_rows, threads), sql).await;
            let (plan, rows) = answers(&session(true, batch_rows, threads), sql).await;
            assert_eq!(rows, expected, "batches of {batch_rows}\n{plan}");
            plans.push(plan);
        }
        plans
    }

    #[tokio::test]
    async fn numbers_and_neighbours_are_those_of_the_query_engine() {
        for columns in [
            "row_number() over spells",
            "lag(place) over spells",
            "lead(day) over spells",
            "row_number() over spells, lag(day + number) over spells, lead(place, 1) over spells",
            "lag(place) over (partition by person, place is null order by day, number)",
        ] {
            let sql = format!(
                "select person, day, number, {columns} from spell \
                 window spells as (partition by person order by day desc, number) order by person, day, number"
            );
            for plan in same_rows(&sql).await {
                assert!(plan.contains("KeyWindowExec"), "{plan}");
                assert!(!plan.contains("WindowAggExec"), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn newest_row_of_each_key_is_the_same() {
        let sql = "select person, day, place from (select spell.*, row_number() over (\
                   partition by person order by day desc, number desc) as newest from spell) as listed \
                   where newest = 1 order by person";
        for plan in same_rows(sql).await {
            assert!(plan.contains("KeyWindowExec"), "{plan}");
        }
    }

    #[tokio::test]
    async fn function_that_was_turned_round_looks_the_other_way() {
        // Both orders in one query: the planner sorts once and turns one of the functions round.
        let sql = "select person, day, number, \
                   lag(number) over (partition by person order by day, number) as before, \
                   lag(number) over (partition by person order by day desc, number desc) as behind \
                   from spell order by person, day, number";
        for plan in same_rows(sql).await {
            assert!(plan.contains("before(number@2)"), "{plan}");
            assert!(plan.contains("behind(number@2)"), "{plan}");
        }
    }

    #[tokio::test]
    async fn what_looks_further_stays_with_the_query_engine() {
        for function in [
            "lag(day, 2)",
            "lead(day, 1, 0)",
            "lag(place) ignore nulls",
            "rank()",
            "sum(day)",
        ] {
            let sql = format!(
                "select person, day, number, {function} over (partition by person order by day, number) \
                 from spell order by person, day, number"
            );
            for plan in same_rows(&sql).await {
                assert!(!plan.contains("KeyWindowExec"), "{function}: {plan}");
            }
        }
        for plan in same_rows("select number, row_number() over (order by number) from spell").await
        {
            assert!(!plan.contains("KeyWindowExec"), "{plan}");
        }
    }
}
