//! An executor: computes stages over the lake files of its warehouse folder.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::health::ExecutorHealth;
use datafusion::prelude::SessionConfig;
use goyong_store::{StoreConfig, lake_files};

use super::build_id::build_id;
use super::codec::{PlanCodec, StageCodec};
use super::scheduler::executor_name;
use super::stages::Stages;
use super::work_folder::WorkFolder;
use super::{Cluster, bracketed, check_bind, cluster_config, node_error};
use crate::error::{EngineError, Result};
use crate::session::{Limits, Purpose, SessionFactory};

/// How often an executor says that it lives.
const HEARTBEAT_SECONDS: u64 = 5;

/// Result files that no client asked to remove are removed after so long.
const JOB_DATA_SECONDS: u64 = 4 * 3600;

/// How often they are looked for.
const CLEAN_UP_SECONDS: u64 = 600;

/// Most bytes of an executor's spilled rows at one time.
const SPILL_BYTES: u64 = 200 << 30;

const MESSAGE_BYTES: u32 = 64 << 20;

/// What an executor may use and whom it serves.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// The scheduler.
    pub scheduler: Cluster,
    /// How long to wait for it.
    pub wait_seconds: u16,
    /// Address it binds.
    pub bind: IpAddr,
    /// Port that rows are fetched from; 0 takes a free one.
    pub port: u16,
    /// Port that takes tasks; 0 takes a free one.
    pub control_port: u16,
    /// Name under which other nodes reach it; the bound address when absent.
    pub advertise: Option<String>,
    /// Whether an address that other machines reach may be bound.
    pub insecure_network: bool,
    /// The warehouse folder and its lake, the same as the client's.
    pub warehouse: StoreConfig,
    /// Folder below which shuffle files and spilled rows lie; `state/cluster` of the warehouse when absent.
    pub work_folder: Option<PathBuf>,
    /// Tasks computed side by side.
    pub threads: usize,
    /// Memory of all tasks together.
    pub memory_limit_bytes: usize,
    /// Counts the tasks that were computed to their end.
    pub tasks: Arc<AtomicU64>,
}

/// Runs an executor until it is told to stop (SIGTERM, SIGINT): it then takes no more tasks, finishes those it has and
/// empties its work folder. `ready` is told the address rows are fetched from once the scheduler took it.
///
/// # Errors
/// [`EngineError::Refused`] for an address that others reach, [`EngineError::Node`] when the scheduler is not there or
/// refuses this build, or a port is taken.
pub async fn run_executor(
    options: ExecutorOptions,
    ready: impl FnOnce(SocketAddr) + Send,
) -> Result<()> {
    check_bind(options.bind, options.insecure_network)?;
    let build = build_id().map_err(|error| node_error("read the program", error))?;
    let root = std::fs::canonicalize(&options.warehouse.root).map_err(|error| {
        node_error(
            "open the warehouse",
            format!("{}: {error}", options.warehouse.root.display()),
        )
    })?;
    let parent = options
        .work_folder
        .clone()
        .unwrap_or_else(|| root.join("state/cluster"));
    let work = WorkFolder::create(&parent).map_err(|source| EngineError::Io {
        operation: "make the work folder",
        source,
    })?;
    let limits = Limits {
        threads: options.threads.max(1),
        memory_bytes: options.memory_limit_bytes,
        spill_bytes: SPILL_BYTES,
    };
    let shuffle = work.path().join("shuffle");
    std::fs::create_dir(&shuffle).map_err(|source| EngineError::Io {
        operation: "make the work folder",
        source,
    })?;
    let spill = work.path().join("spill");
    let factory = SessionFactory::new(
        lake_files(&options.warehouse)?,
        &spill,
        &limits,
        Purpose::Build,
    )?;
    let (port, control_port) = ports(&options)?;
    let health = ExecutorHealth::new();
    let config = process_config(&options, &factory, build, (port, control_port), &health);
    let process = start_executor_process(Arc::new(ExecutorProcessConfig {
        work_dir: Some(shuffle.to_string_lossy().into_owned()),
        ..config
    }));
    let running = async {
        let outcome = process.await;
        outcome.map_err(|error| node_error("run the executor", error))
    };
    tokio::pin!(running);
    tokio::select! {
        outcome = &mut running => return outcome,
        () = is_ready(&health) => ready(SocketAddr::new(options.bind, port)),
    }
    running.await
}

fn process_config(
    options: &ExecutorOptions,
    factory: &SessionFactory,
    build: &str,
    (port, control_port): (u16, u16),
    health: &ExecutorHealth,
) -> ExecutorProcessConfig {
    let state = factory.state();
    let config: SessionConfig = cluster_config(state.config().clone());
    let runtime = Arc::clone(state.runtime_env());
    let reached_as = options
        .advertise
        .clone()
        .unwrap_or_else(|| bracketed(&options.bind.to_string()));
    ExecutorProcessConfig {
        executor_id: executor_name(build),
        bind_host: bracketed(&options.bind.to_string()),
        external_host: Some(reached_as),
        port,
        grpc_port: control_port,
        scheduler_host: bracketed(&options.scheduler.host),
        scheduler_port: options.scheduler.port,
        scheduler_connect_timeout_seconds: options.wait_seconds,
        vcores: options.threads.max(1),
        job_data_ttl_seconds: JOB_DATA_SECONDS,
        job_data_clean_up_interval_seconds: CLEAN_UP_SECONDS,
        grpc_max_decoding_message_size: MESSAGE_BYTES,
        grpc_max_encoding_message_size: MESSAGE_BYTES,
        executor_heartbeat_interval_seconds: HEARTBEAT_SECONDS,
        memory_pool_size: Some(options.memory_limit_bytes as u64),
        override_execution_engine: Some(Arc::new(Stages::counting(Arc::clone(&options.tasks)))),
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(state))),
        override_runtime_producer: Some(Arc::new(move |_| Ok(Arc::clone(&runtime)))),
        override_config_producer: Some(Arc::new(move || config.clone())),
        override_logical_codec: Some(Arc::new(PlanCodec::default())),
        override_physical_codec: Some(Arc::new(StageCodec::default())),
        health: health.clone(),
        ..ExecutorProcessConfig::default()
    }
}

/// The two ports, with free ones where none is named.
fn ports(options: &ExecutorOptions) -> Result<(u16, u16)> {
    let bound = |port| {
        std::net::TcpListener::bind((options.bind, port))
            .and_then(|listener| Ok((listener.local_addr()?.port(), listener)))
            .map_err(|error| node_error("listen", error))
    };
    // Both are held until both are known, so that they differ; then the services bind them.
    let (port, _held) = bound(options.port)?;
    let (control_port, _also_held) = bound(options.control_port)?;
    Ok((port, control_port))
}

/// Ends when the scheduler has answered.
async fn is_ready(health: &ExecutorHealth) {
    while !health.is_ready() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
