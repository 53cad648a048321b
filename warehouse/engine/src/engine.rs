//! The engine: a project over a warehouse.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use chrono::NaiveDate;
use datafusion::datasource::view::ViewTable;
use goyong_catalog::{Materialized, Project, ProjectState, Selection, Vars};
use goyong_store::Warehouse;
use goyong_types::{Month, TableName};
use tokio::sync::Semaphore;

use crate::build;
use crate::cluster::Backend;
use crate::error::{EngineError, Result};
use crate::lake::{LakeCatalog, Versions};
use crate::memo::{ModelMemo, remembered_state};
use crate::open_tables::OpenTables;
use crate::plan::BuildPlan;
use crate::plan_details::{self, StepDetail};
use crate::planning;
use crate::planning_errors::{Written, explain};
use crate::report::{BuildReport, Progress};
use crate::rows::Rows;
use crate::session::{Limits, Purpose, SessionFactory};
use crate::sharing::computed_once;
use crate::targets::Scope;

/// What the engine may use.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Threads of one query, and models computed side by side.
    pub threads: usize,
    /// Memory of all queries together; what does not fit is spilled.
    pub memory_limit_bytes: usize,
    /// Where rows are spilled; `state/spill` of the warehouse when absent.
    pub spill_dir: Option<PathBuf>,
    /// Most bytes spilled at one time.
    pub spill_limit_bytes: u64,
    /// Values of `var()` beside `as_of`.
    pub vars: Vars,
    /// Where queries run.
    pub backend: Backend,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            memory_limit_bytes: 6 << 30,
            spill_dir: None,
            spill_limit_bytes: 200 << 30,
            vars: Vars::new(),
            backend: Backend::Local,
        }
    }
}

/// How much of what is selected a build looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BuildScope {
    /// Fresh rows are computed again.
    pub full_refresh: bool,
    /// Of models by month only those from the first month to before the second. With `full_refresh`
    /// these months are computed again and tables without months are not.
    pub months: Option<(Month, Month)>,
}

/// Builds a project's models in a warehouse and answers queries on their newest versions.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub warehouse: Warehouse,
    pub project: Project,
    pub factory: SessionFactory,
    pub backend: Backend,
    /// Sessions that run in this process whatever the backend: for sets of keys and single files,
    /// which do not travel.
    pub here: SessionFactory,
    pub vars: Vars,
    /// Models computed at one time.
    pub slots: Semaphore,
    pub slot_count: u32,
    /// Tables that queries on the newest versions have read.
    pub open_tables: Arc<OpenTables>,
    /// The lineage as it was planned last.
    pub lineage: tokio::sync::Mutex<Option<Arc<crate::lineage::ProjectLineage>>>,
}

impl Engine {
    /// An engine for a project in a warehouse.
    pub fn new(warehouse: Warehouse, project: Project, config: EngineConfig) -> Result<Self> {
        let threads = config.threads.max(1);
        let limits = Limits {
            threads,
            memory_bytes: config.memory_limit_bytes,
            spill_bytes: config.spill_limit_bytes,
        };
        let spill = config
            .spill_dir
            .unwrap_or_else(|| warehouse.root().join("state/spill"));
        let here = SessionFactory::new(warehouse.lake_files()?, &spill, &limits, Purpose::Build)?;
        let mut factory = here.clone();
        if let Backend::Cluster(cluster) = &config.backend {
            factory = factory.on_cluster(cluster);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                here,
                factory,
                backend: config.backend,
                warehouse,
                open_tables: Arc::new(OpenTables::of(&project)),
                project,
                vars: config.vars,
                slots: Semaphore::new(threads),
                slot_count: u32::try_from(threads).unwrap_or(u32::MAX),
                lineage: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.inner.project
    }

    /// The warehouse.
    pub fn warehouse(&self) -> &Warehouse {
        &self.inner.warehouse
    }

    /// Finds out what a build would do; computes nothing and plans no query.
    pub async fn plan(&self, selection: &Selection, as_of: NaiveDate) -> Result<BuildPlan> {
        self.plan_scope(selection, as_of, BuildScope::default())
            .await
    }

    /// The same for a build that trusts nothing it remembers.
    pub async fn plan_full_refresh(
        &self,
        selection: &Selection,
        as_of: NaiveDate,
    ) -> Result<BuildPlan> {
        let scope = BuildScope {
            full_refresh: true,
            months: None,
        };
        self.plan_scope(selection, as_of, scope).await
    }

    /// The same for a build of some months, or one that trusts nothing it remembers of them.
    pub async fn plan_scope(
        &self,
        selection: &Selection,
        as_of: NaiveDate,
        scope: BuildScope,
    ) -> Result<BuildPlan> {
        if let Some((from, to)) = scope.months.filter(|(from, to)| from >= to) {
            return Err(EngineError::Refused(format!(
                "the event time ends at {to}, which is not after its start {from}; the end is exclusive, \
                 so one month is {from} to {}",
                from.next()
            )));
        }
        let scope = Scope {
            as_of,
            forced: scope.full_refresh,
            months: scope.months,
        };
        BuildPlan::make(&self.inner, selection, scope).await
    }

    /// What the steps of a plan cost and change, in their order; plans the queries of what is stale.
    pub async fn describe(&self, plan: &BuildPlan) -> Result<Vec<StepDetail>> {
        plan_details::describe(&self.inner, plan).await
    }

    /// Builds and tests what a plan names, in the order of the graph.
    ///
    /// An error is something that stops everything, such as a damaged table; what a single model
    /// meets stands in the report.
    pub async fn build(&self, plan: &BuildPlan, progress: &dyn Progress) -> Result<BuildReport> {
        if let Backend::Cluster(cluster) = &self.inner.backend {
            cluster.check_reachable().await?;
        }
        build::build(&self.inner, plan, progress).await
    }

    /// A model's SQL as the planner would get it; a partitioned one for the month of `as_of`.
    pub fn compile(&self, model: &str, as_of: NaiveDate) -> Result<String> {
        let model = self.inner.project.model(model).map_err(EngineError::Plan)?;
        let mut vars = self.inner.vars_at(as_of);
        let month = Month::of(as_of);
        vars.insert("partition_start".into(), month.first_day().to_string());
        vars.insert("partition_end".into(), month.next().first_day().to_string());
        let compiled = self.inner.project.compile(model, &vars);
        Ok(compiled.map_err(EngineError::Compile)?.sql)
    }

    /// Runs a query on the newest versions, before they are released. The text may use `ref()` and
    /// the like; tables are `schema.table`.
    pub async fn query_latest(&self, sql: &str, as_of: NaiveDate) -> Result<Vec<RecordBatch>> {
        self.stream_latest(sql, as_of).await?.collect().await
    }

    /// The same, batch by batch.
    pub async fn stream_latest(&self, sql: &str, as_of: NaiveDate) -> Result<Rows> {
        let inner = &self.inner;
        let vars = inner.vars_at(as_of);
        let compiled = inner
            .project
            .compile_text("query", sql, &vars)
            .map_err(EngineError::Compile)?;
        let versions = Versions::Newest(Arc::clone(&inner.open_tables));
        let catalog = Arc::new(LakeCatalog::new(&inner.warehouse, versions));
        let session = inner.factory.session(catalog.clone(), false);
        let failed = |error| EngineError::of(error, "the query");
        for (view, text) in inner.views_named_in(&compiled.sql, &vars)? {
            let view_plan = planning::query(&session, &text)
                .await
                .map_err(failed)?
                .into_unoptimized_plan();
            catalog.put(&view, Arc::new(ViewTable::new(view_plan, None)));
        }
        let stream = async {
            let rows = planning::query(&session, &compiled.sql).await?;
            computed_once(rows)?.execute_stream().await
        };
        match stream.await {
            Ok(stream) => Ok(Rows::new(stream)),
            Err(error) => {
                let written = Written {
                    project: &inner.project,
                    file: "query",
                    body: sql,
                    vars: &vars,
                };
                Err(explain(&session, &compiled.sql, written, error).await)
            }
        }
    }

    /// What the project said when it was last built.
    pub async fn last_state(&self) -> Result<Option<ProjectState>> {
        remembered_state(&self.inner.warehouse).await
    }

    /// Forgets what a table was computed from: the next build computes what has no rows, and tests it again.
    pub async fn forget(&self, table: &TableName) -> Result<()> {
        ModelMemo::default()
            .write(&self.inner.warehouse, table)
            .await
    }

    /// The columns of a table's newest version, `None` where it does not exist.
    pub async fn schema_of(&self, table: &TableName) -> Result<Option<SchemaRef>> {
        let snapshot = self.inner.warehouse.snapshot(table).await?;
        Ok(snapshot.map(|snapshot| snapshot.schema))
    }
}

impl Inner {
    /// The views a text names, directly or through another view, each after what it reads.
    fn views_named_in(&self, sql: &str, vars: &Vars) -> Result<Vec<(TableName, String)>> {
        let mut texts = vec![sql.to_owned()];
        let mut views = Vec::new();
        for table in self.project.order().iter().rev() {
            let Some(model) = self.project.models().get(table) else {
                continue;
            };
            if model.header.materialized != Materialized::View {
                continue;
            }
            let quoted = format!("\"{}\".\"{}\"", table.schema(), table.table());
            let plain = table.to_string();
            if texts
                .iter()
                .any(|text| text.contains(&quoted) || text.contains(&plain))
            {
                let compiled = self
                    .project
                    .compile(model, vars)
                    .map_err(EngineError::Compile)?;
                texts.push(compiled.sql.clone());
                views.push((table.clone(), compiled.sql));
            }
        }
        views.reverse();
        Ok(views)
    }

    pub fn vars_at(&self, as_of: NaiveDate) -> Vars {
        let mut vars = self.vars.clone();
        vars.insert("as_of".into(), as_of.to_string());
        vars
    }
}
