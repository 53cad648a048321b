//! A table of a plan that arrived: opened when it is scanned.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, Statistics, exec_err};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use goyong_store::Warehouse;
use tokio::sync::OnceCell;

use crate::provider::{SnapshotTable, TableVersion};

/// A version of a table in this node's warehouse.
#[derive(Debug)]
pub(super) struct ArrivedTable {
    version: TableVersion,
    schema: SchemaRef,
    warehouse: Warehouse,
    opened: OnceCell<SnapshotTable>,
}

impl ArrivedTable {
    pub fn new(version: TableVersion, schema: SchemaRef, warehouse: Warehouse) -> Self {
        Self {
            version,
            schema,
            warehouse,
            opened: OnceCell::new(),
        }
    }

    async fn open(&self) -> Result<SnapshotTable> {
        let TableVersion { table, version, .. } = &self.version;
        let snapshot = self
            .warehouse
            .snapshot_at(table, *version)
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let Some(snapshot) = snapshot.filter(|found| found.commit_sha256 == self.version.commit)
        else {
            return exec_err!(
                "{table} has no such version {version} in the warehouse of this node: start every node with the \
                 warehouse that is built"
            );
        };
        let opened =
            SnapshotTable::at_version(&self.version, &snapshot, self.warehouse.lake_base())?;
        if columns(&opened.schema()) != columns(&self.schema) {
            return exec_err!("{table} has other columns in the warehouse of this node");
        }
        Ok(opened)
    }
}

fn columns(schema: &Schema) -> Vec<(&str, &arrow_schema::DataType)> {
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().as_str(), field.data_type()))
        .collect()
}

#[async_trait]
impl TableProvider for ArrivedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(self.version.pushdown(filters))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table = self.opened.get_or_try_init(|| self.open()).await?;
        table.scan(state, projection, filters, limit).await
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.version.statistics(&self.schema))
    }
}
