//! Aggregates that are told nothing about the order of columns with one value.
//!
//! A column that a filter fixes counts as sorted, and an aggregate over sorted groups hands them out batch by batch as
//! they are complete, moving up what is left each time. With nothing but fixed columns among the sorted ones no group is
//! complete before the end, and then all of them are handed out in that way: over a month of a million groups this
//! takes longer than everything else. Such an aggregate reads through [`UnorderedExec`], and so hands out all at once.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputOrderMode,
    PlanProperties, ReplaceChildrenOptions,
};

use crate::operator::{has_no_expressions, with_new_children_replaces};

/// Puts [`UnorderedExec`] below aggregates whose sorted groups are constant; behind every other rule, as none may find
/// an order missing that it has used.
#[derive(Debug)]
pub(crate) struct ConstantsAreNoOrder;

impl PhysicalOptimizerRule for ConstantsAreNoOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_up(|plan| {
            let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
                return Ok(Transformed::no(plan));
            };
            if !is_sorted_by_constants(aggregate) {
                return Ok(Transformed::no(plan));
            }
            let input: Arc<dyn ExecutionPlan> =
                Arc::new(UnorderedExec::new(Arc::clone(aggregate.input())));
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            plan.replace_children(vec![input], options)
                .map(Transformed::yes)
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &'static str {
        "constants_are_no_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_sorted_by_constants(aggregate: &AggregateExec) -> bool {
    let InputOrderMode::PartiallySorted(sorted) = aggregate.input_order_mode() else {
        return false;
    };
    let known = aggregate.input().equivalence_properties();
    let groups = aggregate.group_expr().expr();
    sorted.iter().all(|position| {
        groups
            .get(*position)
            .is_some_and(|(group, _)| known.is_expr_constant(group).is_some())
    })
}

/// Hands on what its input gives and says nothing of order or constants.
#[derive(Debug)]
struct UnorderedExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl UnorderedExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for UnorderedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnorderedExec")
    }
}

impl ExecutionPlan for UnorderedExec {
    fn name(&self) -> &'static str {
        "UnorderedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    has_no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input))),
            _ => exec_err!("rows without an order come from one input"),
        }
    }

    with_new_children_replaces!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::{Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionContext, col};

    use super::*;

    /// Persons in order, each with two months.
    fn session(has_rule: bool) -> SessionContext {
        let persons: Int64Array = (0..20_000).map(|row| row / 2).collect();
        let months: Int64Array = (0..20_000).map(|row| row % 2).collect();
        let batch = RecordBatch::try_from_iter([
            ("person", Arc::new(persons) as _),
            ("month", Arc::new(months) as _),
        ])
        .unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])
            .unwrap()
            .with_sort_order(vec![vec![col("person").sort(true, false)]]);
        let mut builder = SessionStateBuilder::new().with_default_features();
        if has_rule {
            builder = builder.with_physical_optimizer_rule(Arc::new(ConstantsAreNoOrder));
        }
        let session = SessionContext::new_with_state(builder.build());
        session.register_table("paid", Arc::new(table)).unwrap();
        session
    }

    async fn planned(session: &SessionContext, sql: &str) -> (String, usize) {
        let frame = session.sql(sql).await.unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let text = displayable(plan.as_ref()).indent(false).to_string();
        (text, frame.count().await.unwrap())
    }

    #[tokio::test]
    async fn month_fixed_by_a_filter_is_no_order() {
        let sql =
            "select person % 7919 as p, month, count(*) from paid where month = 1 group by 1, 2";
        let (plan, rows) = planned(&session(false), sql).await;
        assert!(plan.contains("PartiallySorted"), "{plan}");
        let (rewritten, rewritten_rows) = planned(&session(true), sql).await;
        assert!(rewritten.contains("UnorderedExec"), "{rewritten}");
        assert!(!rewritten.contains("PartiallySorted"), "{rewritten}");
        assert_eq!((rows, rewritten_rows), (7919, 7919));
    }

    #[tokio::test]
    async fn sorted_persons_are_still_grouped_as_they_come() {
        let sql = "select person, month, count(*) from paid where month = 1 group by 1, 2";
        let (plan, rows) = planned(&session(true), sql).await;
        assert!(!plan.contains("UnorderedExec"), "{plan}");
        assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
        assert_eq!(rows, 10_000);
    }
}
