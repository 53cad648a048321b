//! The scheduler: opens tables by version, cuts plans into stages, hands them to executors.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::error::{BallistaError, Result as ClusterResult};
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_core::{ConfigProducer, JobId};
use ballista_scheduler::SessionBuilder;
use ballista_scheduler::cluster::memory::{InMemoryClusterState, InMemoryJobState};
use ballista_scheduler::cluster::{
    BallistaCluster, BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot,
};
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::start_server;
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::execution::SessionStateBuilder;
use goyong_store::Warehouse;

use super::build_id::{build_id, refusal};
use super::codec::{PlanCodec, StageCodec};
use super::deep_plans::{CutStages, JoinPieces};
use super::exchange_order::SortAfterExchanges;
use super::join_modes::with_spread_joins;
use super::{Cluster, check_bind, cluster_config, cluster_rules, free_port, node_error};
use crate::error::Result;
use crate::session::{Limits, Purpose, SessionFactory};

/// Memory for planning; the scheduler holds no rows.
const PLANNING_BYTES: usize = 256 << 20;

/// An executor that was silent for so long is taken for lost.
const EXECUTOR_TIMEOUT_SECONDS: u64 = 20;

/// How often lost executors are looked for.
const EXPIRY_INTERVAL_SECONDS: u64 = 5;

/// How long a query waits while there is no executor at all.
const NO_EXECUTORS_GRACE_SECONDS: u64 = 20;

/// Largest message: plans and the lists of their files and shuffle files.
const MESSAGE_BYTES: u32 = 64 << 20;

/// Where a scheduler listens.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// Address it binds.
    pub bind: IpAddr,
    /// Port it binds; 0 takes a free one.
    pub port: u16,
    /// Whether an address that other machines reach may be bound.
    pub insecure_network: bool,
}

/// Runs a scheduler over a warehouse until `stop` ends. `ready` is told its address once it listens.
///
/// # Errors
/// [`crate::EngineError::Refused`] for an address that others reach, [`crate::EngineError::Node`] when
/// the port is taken.
pub async fn run_scheduler(
    warehouse: Warehouse,
    options: SchedulerOptions,
    ready: impl FnOnce(&Cluster) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    check_bind(options.bind, options.insecure_network)?;
    let port = free_port(options.bind, options.port)?;
    let address = SocketAddr::new(options.bind, port);
    let nodes = scheduler_cluster(&warehouse, address)?;
    let config = SchedulerConfig {
        bind_host: options.bind.to_string(),
        external_host: options.bind.to_string(),
        bind_port: port,
        executor_timeout_seconds: EXECUTOR_TIMEOUT_SECONDS,
        expire_dead_executor_interval_seconds: EXPIRY_INTERVAL_SECONDS,
        no_executors_grace_period_seconds: NO_EXECUTORS_GRACE_SECONDS,
        grpc_server_max_decoding_message_size: MESSAGE_BYTES,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES,
        grpc_client_max_message_size: MESSAGE_BYTES,
        override_logical_codec: Some(Arc::new(PlanCodec::over(warehouse))),
        override_physical_codec: Some(Arc::new(StageCodec::default())),
        ..SchedulerConfig::default()
    }
    .with_task_distribution(TaskDistributionPolicy::RoundRobin);
    let cluster = Cluster {
        host: options.bind.to_string(),
        port,
    };
    let serving = async {
        let ended = start_server(nodes, address, Arc::new(config)).await;
        ended.map_err(|error| node_error("serve", error))
    };
    tokio::pin!(serving, stop);
    tokio::select! {
        ended = &mut serving => return ended,
        () = cluster.listens() => {}
        () = &mut stop => return Ok(()),
    }
    ready(&cluster);
    tokio::select! {
        ended = serving => ended,
        () = stop => Ok(()),
    }
}

fn scheduler_cluster(warehouse: &Warehouse, address: SocketAddr) -> Result<BallistaCluster> {
    let limits = Limits {
        threads: 1,
        memory_bytes: PLANNING_BYTES,
        spill_bytes: 0,
    };
    let spill = warehouse.root().join("state/spill");
    let factory = SessionFactory::new(warehouse.lake_files()?, &spill, &limits, Purpose::Build)?;
    let state = factory.state().clone();
    let own_config = cluster_config(state.config().clone());
    let config: ConfigProducer = Arc::new(move || own_config.clone());
    let mut analyzer_rules = state.analyzer().rules.clone();
    analyzer_rules.insert(0, Arc::new(JoinPieces));
    let Some(stage_rules) = with_spread_joins(state.physical_optimizers()) else {
        return Err(node_error("plan queries", "its rules are not known"));
    };
    let session: SessionBuilder = Arc::new(move |config| {
        Ok(SessionStateBuilder::new_from_existing(state.clone())
            .with_config(config)
            .with_analyzer_rules(analyzer_rules.clone())
            .with_optimizer_rules(cluster_rules(state.optimizers()))
            .with_physical_optimizer_rules(stage_rules.clone())
            .with_physical_optimizer_rule(Arc::new(CutStages))
            .with_physical_optimizer_rule(Arc::new(SortAfterExchanges))
            .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
            .build())
    });
    let build = build_id().map_err(|error| node_error("read the program", error))?;
    let executors = Executors {
        build,
        known: InMemoryClusterState::default(),
    };
    let jobs = InMemoryJobState::new(address.to_string(), session, config);
    Ok(BallistaCluster::new(Arc::new(executors), Arc::new(jobs)))
}

/// The executors of a scheduler, all of its own build.
struct Executors {
    build: &'static str,
    known: InMemoryClusterState,
}

/// The name of an executor begins with its build.
pub(super) fn executor_name(build: &str) -> String {
    format!("{build}.{}", ballista_core::ids::new_instance_id())
}

impl Executors {
    fn check(&self, executor: &ExecutorMetadata) -> ClusterResult<()> {
        let theirs = executor
            .id
            .split_once('.')
            .map_or("unknown", |(build, _)| build);
        if theirs == self.build {
            return Ok(());
        }
        let refusal = refusal(theirs, self.build);
        tracing::warn!(host = executor.host, "refused an executor: {refusal}");
        Err(BallistaError::Configuration(refusal))
    }
}

#[async_trait]
impl ClusterState for Executors {
    async fn init(&self) -> ClusterResult<()> {
        self.known.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> ClusterResult<Vec<BoundTask>> {
        self.known
            .bind_schedulable_tasks(distribution, active_jobs, executors)
            .await
    }

    async fn unbind_tasks(&self, executor_slots: Vec<ExecutorSlot>) -> ClusterResult<()> {
        self.known.unbind_tasks(executor_slots).await
    }

    async fn register_executor(
        &self,
        metadata: ExecutorMetadata,
        spec: ExecutorData,
    ) -> ClusterResult<()> {
        self.check(&metadata)?;
        self.known.register_executor(metadata, spec).await
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> ClusterResult<()> {
        self.check(&metadata)?;
        self.known.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> ClusterResult<ExecutorMetadata> {
        self.known.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.known.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> ClusterResult<()> {
        self.known.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor_id: &str) -> ClusterResult<()> {
        self.known.remove_executor(executor_id).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.known.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.known.get_executor_heartbeat(executor_id)
    }

    async fn cluster_state_events(&self) -> ClusterResult<ClusterStateEventStream> {
        self.known.cluster_state_events().await
    }
}
