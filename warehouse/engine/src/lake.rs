//! Every table of the warehouse as a catalog whose tables are opened when they are first named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use goyong_store::{Release, Warehouse};
use goyong_types::TableName;

use crate::error::Result;
use crate::open_tables::{OpenTables, open};

/// Which versions a catalog shows.
#[derive(Debug, Clone)]
pub(crate) enum Versions {
    /// The newest of every table, and sources that were never delivered without rows.
    Newest(Arc<OpenTables>),
    /// Those of a release, and no other table.
    Released(Arc<Release>),
}

/// All schemas of a warehouse. A table stays at the version it was first opened at.
#[derive(Debug)]
pub(crate) struct LakeCatalog {
    lake: Arc<Lake>,
}

#[derive(Debug)]
struct Lake {
    warehouse: Warehouse,
    versions: Versions,
    opened: Mutex<BTreeMap<TableName, Arc<dyn TableProvider>>>,
}

#[derive(Debug)]
struct LakeSchema {
    name: String,
    lake: Arc<Lake>,
}

impl LakeCatalog {
    /// A catalog that has opened nothing yet.
    pub fn new(warehouse: &Warehouse, versions: Versions) -> Self {
        let lake = Lake {
            warehouse: warehouse.clone(),
            versions,
            opened: Mutex::default(),
        };
        Self {
            lake: Arc::new(lake),
        }
    }

    /// Says what a view of the project reads; until then a query that names it finds no table.
    pub fn put(&self, table: &TableName, provider: Arc<dyn TableProvider>) {
        self.lake.put(table, provider);
    }
}

impl Lake {
    fn put(&self, table: &TableName, provider: Arc<dyn TableProvider>) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(table.clone(), provider);
    }

    fn opened(&self, table: &TableName) -> Option<Arc<dyn TableProvider>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(table).cloned()
    }

    async fn open(&self, table: &TableName) -> Result<Option<Arc<dyn TableProvider>>> {
        let release = match &self.versions {
            Versions::Newest(newest) => return newest.newest(&self.warehouse, table).await,
            Versions::Released(release) => release,
        };
        let Some(released) = release.tables.get(table) else {
            return Ok(None);
        };
        let snapshot = self.warehouse.snapshot_at(table, released.version).await?;
        Ok(match snapshot {
            Some(snapshot) => Some(Arc::new(open(&self.warehouse, &snapshot).await?)),
            None => None,
        })
    }

    /// The tables that can be listed: those of a release, or those that were named so far.
    fn names(&self) -> BTreeSet<TableName> {
        if let Versions::Released(release) = &self.versions {
            return release.tables.keys().cloned().collect();
        }
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.keys().cloned().collect()
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        let names = self.lake.names();
        let schemas: BTreeSet<&str> = names.iter().map(TableName::schema).collect();
        schemas.into_iter().map(ToOwned::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(LakeSchema {
            name: name.to_owned(),
            lake: Arc::clone(&self.lake),
        }))
    }
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        let names = self.lake.names().into_iter();
        let of_schema = names.filter(|table| table.schema() == self.name);
        of_schema.map(|table| table.table().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let Ok(table) = TableName::new(&self.name, name) else {
            return Ok(None);
        };
        if let Some(provider) = self.lake.opened(&table) {
            return Ok(Some(provider));
        }
        let provider = self.lake.open(&table).await;
        let provider = provider.map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(provider) = &provider {
            self.lake.put(&table, Arc::clone(provider));
        }
        Ok(provider)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|table| table == name)
    }
}
