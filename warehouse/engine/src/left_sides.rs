//! The left side of a nested loop join runs once.
//!
//! Where it does not fit into memory, the query engine's operator runs it a second time and reads it from a file. What
//! runs once only, an exchange or a shared part, panics then or fails; and an outer join whose right side has several
//! streams gives a row without a match once for each of them. So the second run is refused as what led to it, too little
//! memory: the query is planned anew, or ends with that.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};

use crate::operator::{has_no_expressions, with_new_children_replaces};

/// Puts [`OnceExec`] below the left of each nested loop join.
#[derive(Debug)]
pub(crate) struct LeftSidesRunOnce;

impl PhysicalOptimizerRule for LeftSidesRunOnce {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_up(|plan| {
            let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else {
                return Ok(Transformed::no(plan));
            };
            if join.left().downcast_ref::<OnceExec>().is_some() {
                return Ok(Transformed::no(plan));
            }
            let left: Arc<dyn ExecutionPlan> = Arc::new(OnceExec::new(Arc::clone(join.left())));
            let right = Arc::clone(join.right());
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(
                plan.replace_children(vec![left, right], options)?,
            ))
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &'static str {
        "left_sides_run_once"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Hands on what its input gives, to whoever asks first.
#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    begun: Vec<AtomicBool>,
}

impl OnceExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let partitions = input.properties().output_partitioning().partition_count();
        Self {
            input,
            begun: (0..partitions).map(|_| AtomicBool::new(false)).collect(),
        }
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnceExec")
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &'static str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    has_no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input))),
            _ => exec_err!("what runs once has one input"),
        }
    }

    with_new_children_replaces!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.begun.get(partition) {
            Some(begun) if !begun.swap(true, Ordering::Relaxed) => {
                self.input.execute(partition, context)
            }
            _ => Err(DataFusionError::ResourcesExhausted(
                "the left side of a nested loop join does not fit".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::{Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Eight thousand numbers, in a session of so many bytes.
    fn session(bytes: usize, has_rule: bool) -> SessionContext {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
            .build_arc()
            .unwrap();
        let mut builder = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(runtime)
            .with_default_features();
        if has_rule {
            builder = builder.with_physical_optimizer_rule(Arc::new(LeftSidesRunOnce));
        }
        let session = SessionContext::new_with_state(builder.build());
        let numbers: Int64Array = (0..8_000).collect();
        let batch = RecordBatch::try_from_iter([("number", Arc::new(numbers) as _)]).unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        session.register_table("numbers", Arc::new(table)).unwrap();
        session
    }

    /// One in ten finds none, whichever of the two streams on the right it asks.
    const LEFT_JOIN: &str = "select count(*) from numbers one left join (\
        select number from numbers where number % 2 = 0 union all select number from numbers where number % 2 = 1) other \
        on other.number between one.number and one.number + 2 and one.number % 10 > 0";

    async fn count(session: &SessionContext) -> Result<i64> {
        let batches = session.sql(LEFT_JOIN).await?.collect().await?;
        let counted = batches[0].column(0);
        let counted = counted.as_any().downcast_ref::<Int64Array>().unwrap();
        Ok(counted.value(0))
    }

    #[tokio::test]
    async fn a_left_side_that_does_not_fit_ends_in_an_error_of_memory_and_in_no_other_rows() {
        let roomy = 1 << 30;
        let expected = count(&session(roomy, false)).await.unwrap();
        assert_eq!(count(&session(roomy, true)).await.unwrap(), expected);
        let error = count(&session(50_000, true)).await.unwrap_err();
        let is_memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
        assert!(is_memory, "{error}");
        let plan = session(roomy, true).sql(LEFT_JOIN).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false);
        let plan = plan.to_string();
        assert!(
            plan.contains("NestedLoopJoinExec") && plan.contains("OnceExec"),
            "{plan}"
        );
    }
}
