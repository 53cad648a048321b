//! The columns of every table of a project, found by planning over tables without rows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::{MemoryCatalogProvider, TableProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use goyong_catalog::{Model, Project, TableOrigin, Vars};
use goyong_types::{Month, TableName};

use crate::column_contract::check_columns;
use crate::error::{EngineError, Result};
use crate::inputs::register;
use crate::planning;
use crate::planning_errors::{Written, explain};
use crate::seeds::seed_rows;
use crate::session::{Limits, Purpose, SessionFactory};
use crate::storage::stored_schema;
use crate::tables::{declared_schema, staging_schema};

/// `as_of` where nothing says another day.
const ANY_DAY: &str = "2024-12-31";

/// Plans the models of a project without a warehouse.
#[derive(Debug)]
pub(crate) struct PlannedSchemas<'a> {
    pub project: &'a Project,
    factory: SessionFactory,
    folder: PathBuf,
    known: BTreeMap<TableName, SchemaRef>,
}

impl<'a> PlannedSchemas<'a> {
    /// A planner in a private folder of its own, removed when it is dropped.
    pub fn new(project: &'a Project, threads: usize) -> Result<Self> {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("goyong-plan-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|source| EngineError::Io {
            operation: "create a folder for rows of unit tests",
            source,
        })?;
        let limits = Limits {
            threads: threads.max(1),
            memory_bytes: 1 << 30,
            spill_bytes: 0,
        };
        let spill = folder.join("spill");
        let factory = SessionFactory::without_lake(&spill, &limits, Purpose::Build)?;
        Ok(Self {
            project,
            factory,
            folder,
            known: BTreeMap::new(),
        })
    }

    /// A session in which exactly these tables exist.
    pub fn session(
        &self,
        tables: impl IntoIterator<Item = (TableName, Arc<dyn TableProvider>)>,
    ) -> Result<SessionContext> {
        let schemas = Arc::new(MemoryCatalogProvider::new());
        for (table, provider) in tables {
            register(&schemas, &table, provider)?;
        }
        Ok(self.factory.session(schemas, false))
    }

    /// The columns of a table, read from its contract or seed or planned.
    pub async fn schema_of(&mut self, table: &TableName) -> Result<SchemaRef> {
        if let Some(schema) = self.known.get(table) {
            return Ok(Arc::clone(schema));
        }
        let schema = match self.project.origin(table) {
            TableOrigin::Source(contract) => staging_schema(contract),
            TableOrigin::Seed(seed) => seed_rows(seed)?.schema(),
            TableOrigin::Model(model) => Box::pin(self.plan(model)).await?,
            TableOrigin::Elsewhere => self.expected(table)?,
        };
        self.known.insert(table.clone(), Arc::clone(&schema));
        Ok(schema)
    }

    async fn plan(&mut self, model: &Model) -> Result<SchemaRef> {
        let mut tables: Vec<(TableName, Arc<dyn TableProvider>)> = Vec::new();
        for input in &model.inputs {
            let schema = self.schema_of(input).await?;
            tables.push((input.clone(), Arc::new(EmptyTable::new(schema))));
        }
        let session = self.session(tables)?;
        let vars = vars_for(model, &Vars::new(), None);
        let compiled = self
            .project
            .compile(model, &vars)
            .map_err(EngineError::Compile)?;
        let written = Written {
            project: self.project,
            file: &model.file,
            body: &model.body,
            vars: &vars,
        };
        let planned = planning::query(&session, &compiled.sql).await;
        match planned {
            Ok(rows) => {
                let schema = stored_schema(&model.table, rows.schema().as_arrow())?;
                check_columns(model, &schema)?;
                Ok(schema)
            }
            Err(error) => Err(explain(&session, &compiled.sql, written, error).await),
        }
    }

    /// What a reader says of a table that a job writes.
    fn expected(&self, table: &TableName) -> Result<SchemaRef> {
        let Some(columns) = self.project.expected_columns(table) else {
            return Err(EngineError::Plan(format!(
                "the columns of {table} are not known; a model that reads it says them in `expects`"
            )));
        };
        declared_schema(columns)
            .map_err(|problem| EngineError::Plan(format!("expects of {table}: {problem}")))
    }
}

impl Drop for PlannedSchemas<'_> {
    fn drop(&mut self) {
        // A folder that stays is empty but for rows written by hand.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Variables to compile a model with: those given, the day and the month.
pub(crate) fn vars_for(model: &Model, given: &Vars, month: Option<Month>) -> Vars {
    let mut vars = given.clone();
    vars.entry("as_of".into()).or_insert_with(|| ANY_DAY.into());
    let any = Month::new(2024, 12).ok();
    if let Some(month) = month.or(model.partition_column().and(any)) {
        vars.insert("partition_start".into(), month.first_day().to_string());
        vars.insert("partition_end".into(), month.next().first_day().to_string());
    }
    vars
}
