//! Sorts behind exchanges that keep an order in one process and lose it on a cluster.
//!
//! Rows of one partition that are dealt out by key stay in their order, so the planner sorts them no more. On a cluster
//! they travel as files that promise nothing. Its planner looks after that at the end of each stage but the last one.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::{LexOrdering, OrderingRequirements};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, Partitioning, ReplaceChildrenOptions,
};

/// Sorts rows again where an operator relies on an order from before an exchange. One that would only be faster with
/// it decides anew on the executor.
#[derive(Debug)]
pub(super) struct SortAfterExchanges;

impl PhysicalOptimizerRule for SortAfterExchanges {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let sorted = plan.transform_up(|plan| {
            let required = plan.required_input_ordering();
            let mut is_changed = false;
            let inputs: Vec<Arc<dyn ExecutionPlan>> = plan
                .children()
                .into_iter()
                .zip(required)
                .map(|(input, required)| match required {
                    Some(order @ OrderingRequirements::Hard(_))
                        if is_ordered_before_an_exchange(input) =>
                    {
                        is_changed = true;
                        let order = LexOrdering::from(order.into_single());
                        let sort = SortExec::new(order, Arc::clone(input));
                        Arc::new(sort.with_preserve_partitioning(true)) as _
                    }
                    _ => Arc::clone(input),
                })
                .collect();
            if !is_changed {
                return Ok(Transformed::no(plan));
            }
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(plan.replace_children(inputs, options)?))
        })?;
        Ok(sorted.data)
    }

    fn name(&self) -> &'static str {
        "sort_after_exchanges"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether an operator's order, if it has one, comes from below an exchange by key. Exchanges of other kinds are no part
/// of a plan on a cluster.
fn is_ordered_before_an_exchange(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let by_key =
        |exchange: &RepartitionExec| matches!(exchange.partitioning(), Partitioning::Hash(..));
    if plan.downcast_ref::<RepartitionExec>().is_some_and(by_key) {
        return true;
    }
    let keeps_order = plan.maintains_input_order();
    let mut inputs = plan.children().into_iter().zip(keeps_order);
    inputs.any(|(input, keeps_order)| keeps_order && is_ordered_before_an_exchange(input))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::{Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::logical_expr::{SortExpr, col};
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// The plan of a query over one partition of rows that are sorted by both columns.
    async fn plan(sql: &str) -> Arc<dyn ExecutionPlan> {
        // Few rows are not dealt out.
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .with_batch_size(8);
        let session = SessionContext::new_with_config(config);
        let column = || Arc::new((0..30).collect::<Int64Array>()) as _;
        let batch = RecordBatch::try_from_iter([("key", column()), ("day", column())]).unwrap();
        let ascending = |name: &str| SortExpr::new(col(name), true, false);
        let spell = MemTable::try_new(batch.schema(), vec![vec![batch]])
            .unwrap()
            .with_sort_order(vec![vec![ascending("key"), ascending("day")]]);
        session.register_table("spell", Arc::new(spell)).unwrap();
        session
            .sql(sql)
            .await
            .unwrap()
            .create_physical_plan()
            .await
            .unwrap()
    }

    fn shown(plan: Arc<dyn ExecutionPlan>) -> String {
        displayable(plan.as_ref()).indent(false).to_string()
    }

    #[tokio::test]
    async fn a_window_over_rows_that_were_sorted_before_the_exchange_sorts_them_again() {
        let plan =
            plan("select key, lag(day) over (partition by key order by day) from spell").await;
        let before = shown(Arc::clone(&plan));
        assert!(
            before.contains("RepartitionExec: partitioning=Hash") && !before.contains("SortExec"),
            "{before}"
        );
        let sorted = SortAfterExchanges
            .optimize(plan, &ConfigOptions::new())
            .unwrap();
        let after = shown(Arc::clone(&sorted));
        let place = |operator: &str| after.find(operator).unwrap();
        assert!(place("BoundedWindowAggExec") < place("SortExec"), "{after}");
        assert!(place("SortExec") < place("RepartitionExec"), "{after}");
        // Once is enough.
        let again = SortAfterExchanges
            .optimize(sorted, &ConfigOptions::new())
            .unwrap();
        assert_eq!(shown(again), after);
    }

    #[tokio::test]
    async fn what_needs_no_order_is_not_sorted() {
        let plan = plan("select key, count(*) from spell group by key").await;
        let before = shown(Arc::clone(&plan));
        let after = SortAfterExchanges
            .optimize(plan, &ConfigOptions::new())
            .unwrap();
        assert_eq!(shown(after), before);
    }
}
