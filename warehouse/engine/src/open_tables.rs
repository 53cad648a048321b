//! Tables opened at their newest version, kept for as long as it is the newest.
//!
//! Opening a table asks the state database and checks the newest commit against it. What was learnt so holds until the
//! next commit, since neither a version nor a data file ever changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use goyong_catalog::Project;
use goyong_store::{NewestCommit, TableSnapshot, Warehouse};
use goyong_types::TableName;

use crate::error::{EngineError, Result};
use crate::memo::ModelMemo;
use crate::provider::SnapshotTable;
use crate::tables::staging_schema;

/// The open tables of an engine.
#[derive(Debug)]
pub(crate) struct OpenTables {
    newest: Mutex<BTreeMap<TableName, (NewestCommit, Arc<SnapshotTable>)>>,
    /// Columns of what the project has contracts for.
    sources: BTreeMap<TableName, SchemaRef>,
}

impl OpenTables {
    /// Nothing is open yet.
    pub fn of(project: &Project) -> Self {
        let sources = project.contracts().iter().filter_map(|(source, contract)| {
            let table = TableName::new("staging", source).ok()?;
            Some((table, staging_schema(contract)))
        });
        Self {
            newest: Mutex::default(),
            sources: sources.collect(),
        }
    }

    /// A table at its newest version, a source without deliveries as an empty one, `None` when there is no such table.
    pub async fn newest(
        &self,
        warehouse: &Warehouse,
        table: &TableName,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let known = self
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
            .cloned();
        if let Some((commit, provider)) = known
            && warehouse.is_still_newest(table, &commit).await
        {
            return Ok(Some(provider));
        }
        let Some(snapshot) = warehouse.snapshot(table).await? else {
            let empty = self.sources.get(table).map(Arc::clone).map(EmptyTable::new);
            return Ok(empty.map(|table| Arc::new(table) as Arc<dyn TableProvider>));
        };
        let provider = Arc::new(open(warehouse, &snapshot).await?);
        if let Some(commit) = warehouse.newest_commit(table, snapshot.version).await {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            newest.insert(table.clone(), (commit, Arc::clone(&provider)));
        }
        Ok(Some(provider))
    }
}

/// All rows of a version, in the order its model declared.
pub(crate) async fn open(warehouse: &Warehouse, snapshot: &TableSnapshot) -> Result<SnapshotTable> {
    let memo = ModelMemo::read(warehouse, &snapshot.table).await?;
    SnapshotTable::new(
        snapshot,
        warehouse.lake_base(),
        memo.sorted_by(snapshot.version),
        |_| true,
    )
    .map_err(|error| EngineError::of(error, &snapshot.table.to_string()))
}
