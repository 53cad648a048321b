//! Tables that have columns and no rows, over which texts are planned to be looked at.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemoryCatalogProvider, Session, TableProvider};
use datafusion::error::Result as PlanResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use goyong_types::TableName;

use crate::error::{EngineError, Result};
use crate::inputs::register;
use crate::planning;
use crate::planning_errors::with_spans;
use crate::session::SessionFactory;

/// A table known by its columns alone.
#[derive(Debug)]
pub(crate) struct PlannedTable {
    pub table: TableName,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for PlannedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        Ok(Arc::new(EmptyExec::new(schema)))
    }
}

/// Plans texts over tables without rows.
pub(crate) struct Planner {
    schemas: Arc<MemoryCatalogProvider>,
    state: SessionState,
}

impl Planner {
    /// A planner that knows no table yet.
    pub fn new(factory: &SessionFactory) -> Self {
        let schemas = Arc::new(MemoryCatalogProvider::new());
        // Problems are told where they are written.
        let state = with_spans(&factory.session(schemas.clone(), false).state());
        Self { schemas, state }
    }

    /// Makes a table known.
    pub fn add(&self, table: &TableName, schema: SchemaRef) -> Result<()> {
        let planned = PlannedTable {
            table: table.clone(),
            schema,
        };
        register(&self.schemas, table, Arc::new(planned))
    }

    /// The plan of a text as it was written: neither optimised nor with views opened.
    pub async fn plan(&self, sql: &str, what: &str) -> Result<LogicalPlan> {
        let plan = planning::logical_plan(&self.state, sql).await;
        plan.map_err(|error| EngineError::of(error, what))
    }
}
