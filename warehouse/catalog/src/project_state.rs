//! What a project said at one time, to be compared with what it says now.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::TableName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::header::ModelHeader;
use crate::normalise::normalise_sql;
use crate::project::{Project, TableOrigin};

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
        let in_schema = |schema: &'static str, name: &String| TableName::new(schema, name).ok();
        let seeds = project.seeds().keys();
        let sources = project.contracts().keys();
        let tables = project.models().keys().cloned();
        let tables = tables
            .chain(seeds.filter_map(|name| in_schema("seed", name)))
            .chain(sources.filter_map(|name| in_schema("staging", name)));
        Self::default().with(project, tables)
    }

    /// This state with what a project says of some tables now, and without tables it does not have.
    #[must_use]
    pub fn with(&self, project: &Project, tables: impl IntoIterator<Item = TableName>) -> Self {
        let mut digests = self.digests.clone();
        digests.retain(|table, _| !matches!(project.origin(table), TableOrigin::Elsewhere));
        for table in tables {
            if let Some(digest) = digest_of(project, &table) {
                digests.insert(table, digest);
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

/// What a project says of a table; nothing where it says nothing.
fn digest_of(project: &Project, table: &TableName) -> Option<String> {
    Some(match project.origin(table) {
        TableOrigin::Model(model) => {
            let sql = normalise_sql(&project.any_sql(model));
            digest(&["model", &sql, &meaning(&model.header)])
        }
        TableOrigin::Seed(seed) => {
            let columns = format!("{:?} {:?}", seed.header.key, seed.header.columns);
            digest(&["seed", &seed.csv, &columns])
        }
        TableOrigin::Source(contract) => {
            let text = project
                .files()
                .text(&format!("sources/{}.yml", contract.source));
            digest(&["source", text.unwrap_or_default()])
        }
        TableOrigin::Elsewhere => return None,
    })
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
