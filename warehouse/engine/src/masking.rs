//! Which values may stand in a message or in a kept failing row.

use std::collections::BTreeSet;

use goyong_catalog::{Project, is_person_column};
use goyong_types::TableName;

use crate::tables::KnownTable;

/// Tags of columns whose values are never shown outside of their tables.
const MASKED_TAGS: [&str; 6] = [
    "direct_identifier",
    "pseudonym",
    "sensitive",
    "free_text",
    "personal",
    "account",
];

/// The columns that are masked wherever they turn up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Masks {
    names: BTreeSet<String>,
}

impl Masks {
    /// Columns that any contract, seed or model of the project tags, by name: a select that carries
    /// one on seldom renames it, and what lineage finds beyond that stands in the stored tags.
    pub fn of(project: &Project) -> Self {
        let mut names = BTreeSet::new();
        let mut add = |name: &str, tags: &[String]| {
            if tags.iter().any(|tag| is_masked_tag(tag)) {
                names.insert(name.to_owned());
            }
        };
        for contract in project.contracts().values() {
            for column in &contract.columns {
                add(&column.name, &column.tags);
            }
        }
        for seed in project.seeds().values() {
            for column in &seed.header.columns {
                add(&column.name, &column.tags);
            }
        }
        for model in project.models().values() {
            for (name, column) in &model.header.columns {
                add(name, &column.tags);
            }
        }
        Self { names }
    }

    /// The same and the columns of a table that are tagged where it is stored.
    pub fn with_stored(mut self, known: &KnownTable) -> Self {
        let columns = known.snapshot.iter().flat_map(|snapshot| &snapshot.columns);
        for (name, note) in columns {
            if note.tags.iter().any(|tag| is_masked_tag(tag)) {
                self.names.insert(name.clone());
            }
        }
        self
    }

    /// Whether a column's values are masked.
    pub fn is_masked(&self, column: &str) -> bool {
        is_person_column(column) || self.names.contains(column)
    }
}

fn is_masked_tag(tag: &str) -> bool {
    MASKED_TAGS.contains(&tag)
}

/// Whether a table holds test results: reading it makes nothing stale, as every build writes it.
pub(crate) fn is_test_log(table: &TableName) -> bool {
    table.schema() == "ops" && matches!(table.table(), "test_results" | "test_failures")
}
