//! A repeated part of a query, and the leaf that stands for it.

use std::sync::{Arc, OnceLock};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, TableReference, internal_datafusion_err, internal_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableScan, TableType,
};
use datafusion::physical_plan::ExecutionPlan;

/// A part of a query that is read more than once. Numbers count within one query; a part holds leaves of parts with
/// larger numbers only.
#[derive(Debug)]
pub(super) struct Part {
    pub number: usize,
    schema: SchemaRef,
    plan: OnceLock<LogicalPlan>,
}

impl Part {
    pub fn new(number: usize, plan: &LogicalPlan) -> Arc<Self> {
        Arc::new(Self {
            number,
            schema: Arc::clone(plan.schema().inner()),
            plan: OnceLock::new(),
        })
    }

    /// Says how the part is computed, once all parts in it are known.
    pub fn define(&self, plan: LogicalPlan) -> Result<()> {
        let again = |_| internal_datafusion_err!("shared part {} is defined twice", self.number);
        self.plan.set(plan).map_err(again)
    }

    pub fn plan(&self) -> Result<&LogicalPlan> {
        let missing = || internal_datafusion_err!("shared part {} is not defined", self.number);
        self.plan.get().ok_or_else(missing)
    }

    /// A leaf that stands for the part. No table has a name with a blank.
    pub fn leaf(self: &Arc<Self>) -> Result<LogicalPlan> {
        let name = TableReference::bare(format!("shared part {}", self.number));
        let provider: Arc<dyn TableProvider> = Arc::<Self>::clone(self);
        LogicalPlanBuilder::scan(name, provider_as_source(provider), None)?.build()
    }
}

/// The part a scan stands for.
pub(super) fn part_of(scan: &TableScan) -> Option<Arc<Part>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: Arc<dyn std::any::Any + Send + Sync> = provider;
    provider.downcast::<Part>().ok()
}

#[async_trait]
impl TableProvider for Part {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// The readers' conditions are tried on the part together, so each reader applies its own once more.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("shared part {} is planned on its own", self.number)
    }
}
