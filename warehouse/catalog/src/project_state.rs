//! What a project said at one time, to be compared with what it says now.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::TableName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::header::ModelHeader;
use crate::normalise::normalise_sql;
use crate::project::Project;

/// A digest of every model, seed and source: of what it means, not of its layout or its texts for
/// people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectState {
    digests: BTreeMap<TableName, String>,
}

impl ProjectState {
    /// The state of a project as it is.
    pub fn of(project: &Project) -> Self {
        let mut digests = BTreeMap::new();
        for (table, model) in project.models() {
            let sql = project.any_sql(model);
            let header = meaning(&model.header);
            digests.insert(
                table.clone(),
                digest(&["model", &normalise_sql(&sql), &header]),
            );
        }
        for (name, seed) in project.seeds() {
            if let Ok(table) = TableName::new("seed", name) {
                let columns = format!("{:?} {:?}", seed.header.key, seed.header.columns);
                digests.insert(table, digest(&["seed", &seed.csv, &columns]));
            }
        }
        for name in project.contracts().keys() {
            let text = project.files().text(&format!("sources/{name}.yml"));
            if let Ok(table) = TableName::new("staging", name) {
                digests.insert(table, digest(&["source", text.unwrap_or_default()]));
            }
        }
        Self { digests }
    }

    /// This state with what a later one says of some tables, and without tables the later one lacks.
    #[must_use]
    pub fn with(&self, later: &Self, tables: impl IntoIterator<Item = TableName>) -> Self {
        let mut digests = self.digests.clone();
        digests.retain(|table, _| later.digests.contains_key(table));
        for table in tables {
            if let Some(digest) = later.digests.get(&table) {
                digests.insert(table, digest.clone());
            }
        }
        Self { digests }
    }

    /// Tables that are new or mean something else than in an earlier state.
    pub fn modified_since(&self, earlier: &Self) -> BTreeSet<TableName> {
        let differs = |table: &TableName| earlier.digests.get(table) != self.digests.get(table);
        self.digests
            .keys()
            .filter(|table| differs(table))
            .cloned()
            .collect()
    }

    /// Tables that an earlier state does not have.
    pub fn new_since(&self, earlier: &Self) -> BTreeSet<TableName> {
        let is_new = |table: &&TableName| !earlier.digests.contains_key(*table);
        self.digests.keys().filter(is_new).cloned().collect()
    }
}

/// The header without what only people read.
fn meaning(header: &ModelHeader) -> String {
    let mut header = header.clone();
    header.title = None;
    header.description = Default::default();
    header.owner = None;
    header.legal_basis = None;
    header.meta.clear();
    for column in header.columns.values_mut() {
        column.title = None;
        column.description = None;
    }
    format!("{header:?}")
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
