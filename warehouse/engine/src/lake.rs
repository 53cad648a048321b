//! Every table of the warehouse as a catalog whose tables are opened when they are first named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::datasource::empty::EmptyTable;
use goyong_catalog::{Materialized, Project};
use goyong_store::{Release, Warehouse};
use goyong_types::TableName;

use crate::error::Result;
use crate::memo::ModelMemo;
use crate::provider::SnapshotTable;
use crate::tables::staging_schema;

/// Which versions a catalog shows.
#[derive(Debug, Clone)]
pub(crate) enum Versions {
    /// The newest of every table.
    Newest,
    /// Those of a release, and no other table.
    Released(Arc<Release>),
}

/// All schemas of a warehouse.
#[derive(Debug)]
pub(crate) struct LakeCatalog {
    schemas: BTreeMap<String, Arc<LakeSchema>>,
}

#[derive(Debug)]
struct LakeSchema {
    warehouse: Warehouse,
    versions: Versions,
    tables: BTreeSet<TableName>,
    /// Tables without a version, shown without rows.
    empty: BTreeMap<TableName, arrow_schema::SchemaRef>,
    opened: Mutex<BTreeMap<TableName, Arc<dyn TableProvider>>>,
}

impl LakeCatalog {
    /// With a project, sources that were never delivered are there and empty.
    pub async fn open(
        warehouse: &Warehouse,
        versions: Versions,
        project: Option<&Project>,
    ) -> Result<Self> {
        let names: BTreeSet<TableName> = match &versions {
            Versions::Newest => warehouse.table_names().await?.into_iter().collect(),
            Versions::Released(release) => release.tables.keys().cloned().collect(),
        };
        let mut empty = BTreeMap::new();
        if let Some(project) = project {
            for (source, contract) in project.contracts() {
                if let Ok(table) = TableName::new("staging", source)
                    && !names.contains(&table)
                {
                    empty.insert(table, staging_schema(contract));
                }
            }
        }
        let views = project.into_iter().flat_map(|project| {
            let models = project.models().values();
            models
                .filter(|model| model.header.materialized == Materialized::View)
                .map(|model| model.table.clone())
        });
        let mut by_schema: BTreeMap<String, BTreeSet<TableName>> = BTreeMap::new();
        for table in names.into_iter().chain(empty.keys().cloned()).chain(views) {
            by_schema
                .entry(table.schema().to_owned())
                .or_default()
                .insert(table);
        }
        let schemas = by_schema
            .into_iter()
            .map(|(name, tables)| {
                let schema = LakeSchema {
                    warehouse: warehouse.clone(),
                    versions: versions.clone(),
                    empty: empty
                        .iter()
                        .filter(|(table, _)| table.schema() == name)
                        .map(|(table, schema)| (table.clone(), Arc::clone(schema)))
                        .collect(),
                    tables,
                    opened: Mutex::default(),
                };
                (name, Arc::new(schema))
            })
            .collect();
        Ok(Self { schemas })
    }

    /// Says what a view of the project reads; until then a query that names it finds no table.
    pub fn put(&self, table: &TableName, provider: Arc<dyn TableProvider>) {
        if let Some(schema) = self.schemas.get(table.schema()) {
            schema
                .opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(table.clone(), provider);
        }
    }
}

impl LakeSchema {
    async fn provider(&self, table: &TableName) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(schema) = self.empty.get(table) {
            return Ok(Some(Arc::new(EmptyTable::new(Arc::clone(schema)))));
        }
        let snapshot = match &self.versions {
            Versions::Newest => self.warehouse.snapshot(table).await?,
            Versions::Released(release) => match release.tables.get(table) {
                Some(released) => self.warehouse.snapshot_at(table, released.version).await?,
                None => None,
            },
        };
        let Some(snapshot) = snapshot else {
            return Ok(None);
        };
        let memo = ModelMemo::read(&self.warehouse, table).await?;
        let provider = SnapshotTable::new(
            &snapshot,
            self.warehouse.root(),
            memo.sorted_by(snapshot.version),
            |_| true,
        )
        .map_err(|error| crate::error::EngineError::of(error, &table.to_string()))?;
        Ok(Some(Arc::new(provider)))
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let schema = Arc::clone(self.schemas.get(name)?);
        Some(schema)
    }
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables
            .iter()
            .map(|table| table.table().to_owned())
            .collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.tables.iter().find(|table| table.table() == name) else {
            return Ok(None);
        };
        let opened = |schema: &Self| {
            schema
                .opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(table)
                .cloned()
        };
        if let Some(provider) = opened(self) {
            return Ok(Some(provider));
        }
        let provider = self
            .provider(table)
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(provider) = &provider {
            self.opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(table.clone(), Arc::clone(provider));
        }
        Ok(provider)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.table() == name)
    }
}
