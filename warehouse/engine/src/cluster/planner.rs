//! Decides for each query where it runs, and plans it for the cluster.

use std::sync::Arc;

use arrow_schema::SortOptions;
use async_trait::async_trait;
use ballista_core::execution_plans::DistributedQueryExec;
use ballista_core::extension::SessionConfigExt;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{LogicalPlan, Sort};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion_proto::logical_plan::{AsLogicalPlan, LogicalExtensionCodec};
use datafusion_proto::protobuf::LogicalPlanNode;

use super::Cluster;
use super::codec::PlanCodec;
use super::deep_plans;
use super::query::ClusterQuery;
use crate::error::short;
use crate::provider::SnapshotTable;

/// Sends queries that read tables to the cluster.
#[derive(Debug)]
pub(super) struct ClusterPlanner {
    cluster: Cluster,
    codec: Arc<dyn LogicalExtensionCodec>,
    here: Arc<dyn QueryPlanner + Send + Sync>,
}

impl ClusterPlanner {
    /// `here` plans what does not go to the cluster.
    pub fn new(cluster: Cluster, here: Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self {
            cluster,
            codec: Arc::new(PlanCodec::default()),
            here,
        }
    }

    fn query(&self, plan: LogicalPlan, session: &dyn Session) -> Arc<dyn ExecutionPlan> {
        let query = DistributedQueryExec::<LogicalPlanNode>::with_extension(
            self.cluster.http_url(),
            session.config().ballista_config(),
            plan,
            Arc::clone(&self.codec),
            session.session_id().to_owned(),
        );
        Arc::new(ClusterQuery::new(self.cluster.clone(), query))
    }

    /// The plan as it survives the way to the scheduler; the error says what of it does not.
    fn travelling(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let plan = deep_plans::cut(plan)?;
        let node = LogicalPlanNode::try_from_logical_plan(&plan, self.codec.as_ref())?;
        let mut bytes = Vec::new();
        node.try_encode(&mut bytes)?;
        // Messages nested deeper than the reader allows are written without complaint.
        LogicalPlanNode::try_decode(&bytes)?;
        Ok(plan)
    }
}

#[async_trait]
impl QueryPlanner for ClusterPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // The last sort stays with the client, which sorts while it writes.
        let (below, sort) = match plan {
            LogicalPlan::Sort(sort @ Sort { fetch: None, .. }) => {
                (sort.input.as_ref(), sort.expr.as_slice())
            }
            other => (other, [].as_slice()),
        };
        if !is_for_cluster(below)? {
            return self.here.create_physical_plan(plan, session).await;
        }
        let rows = match self.travelling(below) {
            Ok(travelling) => self.query(travelling, session),
            Err(error) => {
                tracing::info!(reason = why(&error), "a query stays in this process");
                return self.here.create_physical_plan(plan, session).await;
            }
        };
        let mut order = Vec::with_capacity(sort.len());
        for sort in sort {
            let expression = session.create_physical_expr(sort.expr.clone(), below.schema())?;
            let options = SortOptions::new(!sort.asc, sort.nulls_first);
            order.push(PhysicalSortExpr::new(expression, options));
        }
        Ok(match LexOrdering::new(order) {
            Some(order) => Arc::new(SortExec::new(order, rows)),
            None => rows,
        })
    }
}

/// Why a plan cannot travel, in a few words.
fn why(error: &DataFusionError) -> String {
    let text = short(error);
    if text.contains("RecursionLimitReached") {
        "it is nested more deeply than messages may be".to_owned()
    } else {
        text
    }
}

/// Whether a plan is a query over stored rows that stages can compute. Explanations and the like say what this process
/// would do; a recursive query reads what its round before gave, which no stage sees of another.
fn is_for_cluster(plan: &LogicalPlan) -> Result<bool> {
    let is_query = !matches!(
        plan,
        LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::DescribeTable(_)
    );
    let (mut reads_tables, mut is_recursive) = (false, false);
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => {
                reads_tables |= source_as_provider(&scan.source)
                    .is_ok_and(|provider| provider.downcast_ref::<SnapshotTable>().is_some());
            }
            LogicalPlan::RecursiveQuery(_) => is_recursive = true,
            _ => {}
        }
        Ok::<_, DataFusionError>(if is_recursive {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(is_query && reads_tables && !is_recursive)
}
