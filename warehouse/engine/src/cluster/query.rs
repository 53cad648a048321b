//! A query that runs on the cluster, as one operator of a plan of this process.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use ballista_core::JobId;
use ballista_core::execution_plans::DistributedQueryExec;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{CancelJobParams, CleanJobDataParams};
use ballista_core::utils::create_grpc_client_endpoint;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use datafusion_proto::protobuf::LogicalPlanNode;
use futures::future::ready;
use futures::stream::{self, StreamExt};

use super::Cluster;
use crate::operator::{has_no_expressions, with_new_children_replaces};

/// Rows that a cluster computes.
#[derive(Debug)]
pub(super) struct ClusterQuery {
    cluster: Cluster,
    query: DistributedQueryExec<LogicalPlanNode>,
}

impl ClusterQuery {
    pub fn new(cluster: Cluster, query: DistributedQueryExec<LogicalPlanNode>) -> Self {
        Self { cluster, query }
    }
}

/// Whether any rows of a plan are computed by a cluster.
pub(crate) fn ran_on_cluster(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<ClusterQuery>().is_some() || plan.children().into_iter().any(ran_on_cluster)
}

impl DisplayAs for ClusterQuery {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClusterQuery: {}", self.cluster)
    }
}

impl ExecutionPlan for ClusterQuery {
    fn name(&self) -> &'static str {
        "ClusterQuery"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.query.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    has_no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            internal_err!("a query on a cluster has no inputs in this process")
        }
    }

    with_new_children_replaces!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let cluster = self.cluster.clone();
        let schema: SchemaRef = self.schema();
        let rows = self.query.execute(partition, context)?;
        let mut job = Job {
            cluster: self.cluster.clone(),
            query: Some(self.query.clone()),
        };
        let rows = rows.map(move |batch| batch.map_err(|error| of_cluster(&error, &cluster)));
        let end = stream::once(async move { job.forget().await }).filter_map(|()| ready(None));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            rows.chain(end),
        )))
    }
}

/// What the cluster keeps of a query: its result files, until somebody says that they were read.
struct Job {
    cluster: Cluster,
    query: Option<DistributedQueryExec<LogicalPlanNode>>,
}

impl Job {
    /// Has the executors remove the files. One that cannot be reached removes them later by itself.
    async fn forget(&mut self) {
        let job = self.query.take().and_then(|query| query.job_id());
        if let Some(job) = job
            && let Err(error) = remove_files(&self.cluster, job, false).await
        {
            tracing::debug!("the files of a finished query stay for now: {error}");
        }
    }
}

impl Drop for Job {
    /// Whoever stops reading stops the query.
    fn drop(&mut self) {
        let job = self.query.take().and_then(|query| query.job_id());
        if let (Some(job), Ok(runtime)) = (job, tokio::runtime::Handle::try_current()) {
            let cluster = self.cluster.clone();
            runtime.spawn(async move {
                if let Err(error) = remove_files(&cluster, job, true).await {
                    tracing::debug!("a query could not be stopped: {error}");
                }
            });
        }
    }
}

async fn remove_files(
    cluster: &Cluster,
    job: JobId,
    is_running: bool,
) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let endpoint = create_grpc_client_endpoint(cluster.http_url(), None)?;
    let mut scheduler = SchedulerGrpcClient::new(endpoint.connect().await?);
    let job_id = job.to_string();
    if is_running {
        let job_id = job_id.clone();
        scheduler.cancel_job(CancelJobParams { job_id }).await?;
    }
    scheduler
        .clean_job_data(CleanJobDataParams {
            job_id,
            remove_stage_ids: Vec::new(),
        })
        .await?;
    Ok(())
}

/// An error that arrived as text, sorted again into what can be done about it.
fn of_cluster(error: &DataFusionError, cluster: &Cluster) -> DataFusionError {
    let text = error.to_string();
    let any_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any_of(&["Resources exhausted", "ResourcesExhausted"]) {
        return DataFusionError::ResourcesExhausted(format!("an executor of {cluster}"));
    }
    if any_of(&[
        "transport error",
        "tcp connect error",
        "TransportError",
        "GrpcConnectionError",
    ]) {
        return DataFusionError::Execution(format!(
            "the connection to {cluster} or to one of its executors was lost; build again when they run"
        ));
    }
    DataFusionError::Execution(format!("on {cluster}: {}", innermost(&text)))
}

/// The sentence inside the names of the errors that wrapped it on its way.
fn innermost(text: &str) -> &str {
    const WRAPPERS: [&str; 8] = [
        "DataFusionError(",
        "External(",
        "Execution error: ",
        "Execution(\"",
        "Error during planning: ",
        "External error: ",
        "failed: ",
        "ArrowError(",
    ];
    let mut rest = text;
    while let Some(end) = WRAPPERS
        .iter()
        .filter_map(|wrapper| Some(rest.find(wrapper)? + wrapper.len()))
        .min()
    {
        rest = &rest[end..];
    }
    rest.trim_end_matches([')', '"', ' ', '\n'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cluster() -> Cluster {
        Cluster {
            host: "127.0.0.1".into(),
            port: 50050,
        }
    }

    #[test]
    fn an_executor_without_memory_is_told_from_one_that_failed() {
        let arrived = |text: &str| of_cluster(&DataFusionError::Execution(text.into()), &cluster());
        let memory = arrived("Job a1 failed: Task failed: ResourcesExhausted(\"…\")");
        assert!(matches!(memory, DataFusionError::ResourcesExhausted(_)));
        let lost = arrived("tonic::transport::Error(Transport, transport error)").to_string();
        assert!(lost.contains("ballista://127.0.0.1:50050 or to one of its executors was lost"));
        let failed = arrived(
            "Job a1 failed: Task failed due to DataFusionError(Execution(\"divide by zero\"))",
        )
        .to_string();
        assert!(
            failed.ends_with("on ballista://127.0.0.1:50050: divide by zero"),
            "{failed}"
        );
    }
}
