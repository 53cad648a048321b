//! Joins that a cluster cannot run as they were chosen for one process.
//!
//! A small left side is collected, and each partition of the right side meets all of it. The cluster's planner allows
//! that only where each row of the result comes from one row on the right and the left side is known to be small; other
//! joins it spreads over the cluster by key, when everything above has been planned. What stands above a join of one
//! partition may rely on there being one: an aggregate without groups then gives a row for each of several. So such
//! joins are spread before it is decided where rows have to come together.

use std::sync::Arc;

use ballista_core::config::BallistaConfig;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result, Statistics};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};

/// The rule that adds exchanges where operators require them.
const DECIDES_EXCHANGES: &str = "EnsureRequirements";

/// The rules of a session with [`SpreadJoins`] among them; `None` when the rule it goes before is not there.
pub(super) fn with_spread_joins(
    rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Option<Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>> {
    let at = rules
        .iter()
        .position(|rule| rule.name() == DECIDES_EXCHANGES)?;
    let mut rules = rules.to_vec();
    rules.insert(at, Arc::new(SpreadJoins));
    Some(rules)
}

/// Spreads by key what the cluster's planner would not leave collected.
#[derive(Debug)]
struct SpreadJoins;

impl PhysicalOptimizerRule for SpreadJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let broadcast_bytes = config.extensions.get::<BallistaConfig>().map_or_else(
            || BallistaConfig::default().broadcast_join_threshold_bytes(),
            BallistaConfig::broadcast_join_threshold_bytes,
        );
        let spread = plan.transform_up(|plan| {
            let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(plan));
            };
            // One that asks for nulls on the left is run as a single task.
            let stays = *join.partition_mode() != PartitionMode::CollectLeft
                || join.null_aware
                || (gives_rows_of_the_right(*join.join_type())
                    && is_small(join.left().as_ref(), broadcast_bytes)?);
            if stays {
                return Ok(Transformed::no(plan));
            }
            let spread = join
                .builder()
                .with_partition_mode(PartitionMode::Partitioned)
                .build_exec()?;
            Ok(Transformed::yes(spread))
        })?;
        Ok(spread.data)
    }

    fn name(&self) -> &'static str {
        "spread_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether each row of the result comes from one row on the right, so that copies of the left side do no harm.
fn gives_rows_of_the_right(join: JoinType) -> bool {
    matches!(
        join,
        JoinType::Inner
            | JoinType::Right
            | JoinType::RightSemi
            | JoinType::RightAnti
            | JoinType::RightMark
    )
}

/// Whether rows are known to be there and to be few. The cluster's planner asks the same later; it takes an unknown
/// size, and none at all, for too large.
fn is_small(rows: &dyn ExecutionPlan, broadcast_bytes: usize) -> Result<bool> {
    let known: Arc<Statistics> = StatisticsContext::new().compute(rows, &StatisticsArgs::new())?;
    let bytes = known.total_byte_size.get_value().copied();
    Ok(bytes.is_some_and(|bytes| bytes != 0 && bytes < broadcast_bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::{Int64Array, RecordBatch};
    use ballista_core::JobId;
    use ballista_scheduler::planner::{DefaultDistributedPlanner, DistributedPlanner};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::cluster::cluster_config;

    /// Two tables of one partition each, the second without rows.
    fn session(spreads: bool) -> SessionContext {
        let config = cluster_config(SessionConfig::new().with_target_partitions(2));
        let stock = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .build();
        let mut builder = SessionStateBuilder::new_from_existing(stock.clone());
        if spreads {
            let rules = with_spread_joins(stock.physical_optimizers()).unwrap();
            builder = builder.with_physical_optimizer_rules(rules);
        }
        let session = SessionContext::new_with_state(builder.build());
        for (name, rows) in [("waiting", 2), ("target", 30), ("nothing", 0)] {
            let keys: Int64Array = (0..rows).collect();
            let batch = RecordBatch::try_from_iter([("key", Arc::new(keys) as _)]).unwrap();
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
            session.register_table(name, Arc::new(table)).unwrap();
        }
        session
    }

    /// Tasks of a query's last stage: each would give a row.
    async fn last_tasks(session: &SessionContext, sql: &str) -> usize {
        let plan = session.sql(sql).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let mut planner = DefaultDistributedPlanner::new();
        let state = session.state();
        let job = JobId::from("job");
        let stages = planner
            .plan_query_stages(&job, plan, state.config().options())
            .unwrap();
        let last = stages.last().unwrap();
        last.properties().output_partitioning().partition_count()
    }

    #[tokio::test]
    async fn an_aggregate_over_a_join_of_single_partitions_gives_one_row_on_a_cluster() {
        let unmatched = "select count(*) from waiting where not exists \
                         (select 1 from target where target.key = waiting.key)";
        let empty = "select count(*) from nothing join target on nothing.key = target.key";
        assert_eq!(last_tasks(&session(false), unmatched).await, 2);
        for sql in [unmatched, empty] {
            assert_eq!(last_tasks(&session(true), sql).await, 1, "{sql}");
        }
    }
}
