//! Where lineage meets the engine: planned once per state of the project, asked by builds and readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use goyong_types::TableName;

use crate::engine::{Engine, Inner};
use crate::error::{EngineError, Result};
use crate::lineage::{ProjectLineage, StoredTable, tables_of_jobs};
use crate::policy::{SENSITIVITY_TAGS, Tags};
use crate::tables::TableCache;

impl Engine {
    /// The lineage and sensitivity of every column of the project, planned where it changed.
    pub async fn lineage(&self) -> Result<Arc<ProjectLineage>> {
        let cache = TableCache::new(&self.inner.warehouse);
        self.inner.lineage(&cache).await
    }
}

impl Inner {
    /// The lineage of the project over the tables that a cache sees.
    pub async fn lineage(&self, cache: &TableCache) -> Result<Arc<ProjectLineage>> {
        let mut stored = BTreeMap::new();
        for table in tables_of_jobs(&self.project) {
            if let Some(known) = stored_table(cache, &table).await? {
                stored.insert(table, known);
            }
        }
        let mut remembered = self.lineage.lock().await;
        let digest = ProjectLineage::digest(&self.project, &self.vars, &stored);
        if let Some(lineage) = remembered.as_ref().filter(|known| known.digest == digest) {
            return Ok(Arc::clone(lineage));
        }
        let planned = ProjectLineage::of(
            &self.project,
            &self.factory,
            &self.vars,
            &self.warehouse,
            &stored,
            digest,
        );
        let lineage = Arc::new(planned.await?);
        *remembered = Some(Arc::clone(&lineage));
        Ok(lineage)
    }

    /// The sensitivity of a table's columns by the lineage that was planned last.
    pub async fn tags_of(&self, table: &TableName) -> BTreeMap<String, Tags> {
        let lineage = self.lineage.lock().await;
        let node = lineage.as_ref().and_then(|lineage| lineage.node(table));
        node.map(|node| node.tags.clone()).unwrap_or_default()
    }

    /// Refuses reports that would receive what they may not.
    pub fn refuse_reports(lineage: &ProjectLineage) -> Result<()> {
        let problems = lineage.problems_of_reports();
        if problems.is_empty() {
            return Ok(());
        }
        Err(EngineError::Refused(problems.join("\n")))
    }
}

async fn stored_table(cache: &TableCache, table: &TableName) -> Result<Option<StoredTable>> {
    let known = cache.get(table).await?;
    Ok(known.snapshot.as_ref().map(|snapshot| StoredTable {
        schema: Arc::clone(&snapshot.schema),
        tags: snapshot
            .columns
            .iter()
            .map(|(column, note)| {
                let tags = note.tags.iter();
                let tags = tags.filter(|tag| SENSITIVITY_TAGS.contains(&tag.as_str()));
                (column.clone(), tags.cloned().collect())
            })
            .collect(),
    }))
}
