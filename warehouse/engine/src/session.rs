//! The one place where a session is put together: functions, limits, and no way to a file.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::cluster::{Cluster, cluster_config, cluster_planner, cluster_rules};
use crate::constant_order::ConstantsAreNoOrder;
use crate::error::{EngineError, Result};
use crate::file_footers::FileFooters;
use crate::functions;
use crate::intervals::{SpellFunctions, SpellQueryPlanner};
use crate::key_windows::WindowsByKey;
use crate::lake_files::LakeOnly;
use crate::left_sides::LeftSidesRunOnce;
use crate::memory_pool::SharedMemory;
use crate::sharing::sharing_parts;

/// Name of the catalog that holds every schema of the warehouse.
pub(crate) const CATALOG: &str = "warehouse";

/// Schema of names without one.
pub(crate) const DEFAULT_SCHEMA: &str = "core";

/// Rows of one batch between operators.
const BATCH_ROWS: usize = 8192;

/// The same where memory ran out.
const BATCH_ROWS_WHEN_SPILLING: usize = 1024;

/// Memory for footers of Parquet files, kept between queries.
const FOOTER_CACHE_BYTES: usize = 128 << 20;

/// What a session may use.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub threads: usize,
    pub memory_bytes: usize,
    pub spill_bytes: u64,
}

/// What a session may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Models and checks: nothing that depends on the clock or on chance.
    Build,
    /// People: with `information_schema`.
    Read,
}

/// Makes sessions that share functions, file footers and one memory pool.
#[derive(Debug, Clone)]
pub(crate) struct SessionFactory {
    state: SessionState,
    /// Whether queries run in this process alone.
    is_local: bool,
}

impl SessionFactory {
    /// Sessions over rows in memory.
    pub fn without_lake(spill_folder: &Path, limits: &Limits, purpose: Purpose) -> Result<Self> {
        Self::new(Arc::new(InMemory::new()), spill_folder, limits, purpose)
    }

    /// Sessions that read the files of a lake.
    pub fn new(
        lake: Arc<dyn ObjectStore>,
        spill_folder: &Path,
        limits: &Limits,
        purpose: Purpose,
    ) -> Result<Self> {
        let runtime = runtime(lake, spill_folder, limits)?;
        let mut state = SessionStateBuilder::new()
            .with_config(config(limits, purpose))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_relation_planners(vec![Arc::new(SpellFunctions)])
            .with_query_planner(Arc::new(SpellQueryPlanner))
            .with_table_factories(Default::default())
            .build();
        let mut failure = None;
        {
            use datafusion::logical_expr::registry::FunctionRegistry;
            for function in functions::scalar_functions() {
                failure = failure.or(state.register_udf(function).err());
            }
            for function in functions::aggregate_functions() {
                failure = failure.or(state.register_udaf(function).err());
            }
            if purpose == Purpose::Build {
                for name in functions::NOT_REPRODUCIBLE {
                    failure = failure.or(state.deregister_udf(name).err());
                }
            }
        }
        match failure {
            Some(error) => Err(EngineError::of(error, "the functions of the engine")),
            None => Ok(Self {
                state,
                is_local: true,
            }),
        }
    }

    /// The same sessions, whose queries over tables run on a cluster.
    pub fn on_cluster(self, cluster: &Cluster) -> Self {
        let config = cluster_config(self.state.config().clone());
        let rules = cluster_rules(self.state.optimizers());
        let planner = cluster_planner(cluster, &self.state);
        Self {
            state: SessionStateBuilder::new_from_existing(self.state)
                .with_config(config)
                .with_optimizer_rules(rules)
                .with_query_planner(planner)
                .build(),
            is_local: false,
        }
    }

    /// What every session starts from: functions, limits and rules, without tables.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// A session over the given schemas. `sort_merge` plans joins that spill instead of hash joins, and in smaller
    /// batches.
    pub fn session(
        &self,
        schemas: Arc<dyn datafusion::catalog::CatalogProvider>,
        sort_merge: bool,
    ) -> SessionContext {
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), schemas);
        // Not among the rules of every state: the nodes of a cluster plan for themselves, and know no such operators.
        let mut builder = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(Arc::new(catalogs))
            .with_physical_optimizer_rule(Arc::new(ConstantsAreNoOrder))
            .with_physical_optimizer_rule(Arc::new(WindowsByKey))
            .with_physical_optimizer_rule(Arc::new(LeftSidesRunOnce));
        if self.is_local {
            builder = sharing_parts(builder, &self.state);
        }
        if sort_merge {
            let config = builder.config().get_or_insert_default();
            // A single stream would be joined by hash whatever is preferred, and a merge holds a batch of every file it
            // reads, several of every sort at once.
            let streams = config.target_partitions().max(2);
            *config = std::mem::take(config)
                .with_target_partitions(streams)
                .with_batch_size(BATCH_ROWS_WHEN_SPILLING);
            config.options_mut().optimizer.prefer_hash_join = false;
        }
        SessionContext::new_with_state(builder.build())
    }
}

/// Only queries: no DDL, no DML, no SET and the like.
pub(crate) fn queries_only() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}

fn config(limits: &Limits, purpose: Purpose) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.threads)
        .with_batch_size(BATCH_ROWS)
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(purpose == Purpose::Read)
        .with_extension(Arc::new(FileFooters::default()));
    let options = config.options_mut();
    // File groups are made by the provider; small files must not be cut further.
    options.optimizer.repartition_file_min_size = 16 << 20;
    options.execution.parquet.pushdown_filters = false;
    // Views keep whole input buffers alive and count them once per batch that points into them:
    // a chain of joins over them took four times the memory and twice the time.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // Seoul is the only zone of the warehouse, and its timestamps carry none.
    options.execution.time_zone = None;
    config
}

fn runtime(
    lake: Arc<dyn ObjectStore>,
    spill_folder: &Path,
    limits: &Limits,
) -> Result<Arc<RuntimeEnv>> {
    let io = |operation| move |source| EngineError::Io { operation, source };
    create_private_folder(spill_folder).map_err(io("create the folder for spilled rows"))?;
    let pool: Arc<dyn MemoryPool> = Arc::new(SharedMemory::new(limits.memory_bytes));
    RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(LakeOnly::of(lake)))
        .with_memory_pool(pool)
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES)
        .with_disk_manager_builder(
            DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::Directories(vec![
                    spill_folder.to_path_buf(),
                ]))
                .with_max_temp_directory_size(limits.spill_bytes),
        )
        .build_arc()
        .map_err(|error| EngineError::of(error, "the engine's runtime"))
}

/// Spilled rows are personal data: only the owner may look.
pub(crate) fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
