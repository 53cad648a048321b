//! Which values may stand in a message or in a kept failing row.

use std::collections::BTreeSet;

use datafusion::logical_expr::LogicalPlan;
use goyong_catalog::{Project, is_person_column};
use goyong_types::TableName;

use crate::engine::Inner;
use crate::lineage::{Carry, ColumnLineage, ColumnRef, ProjectLineage, trace_plan};
use crate::policy::inherited;
use crate::tables::TableCache;

/// Tags of columns whose values are never shown outside of their tables.
const MASKED_TAGS: [&str; 6] = [
    "direct_identifier",
    "pseudonym",
    "sensitive",
    "free_text",
    "personal",
    "account",
];

/// The tag of columns that single a person out beside others.
const QUASI_IDENTIFIER: &str = "quasi_identifier";

/// The columns of one query's rows that are masked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Masks {
    columns: BTreeSet<String>,
    everything: bool,
}

impl Masks {
    /// By the lineage of the query's own plan, so that neither another name nor a function around it brings a value to
    /// light; by name as well, for tags that do not travel. Where a table has rows of persons, what singles a person
    /// out is masked too. A plan that cannot be traced shows nothing.
    pub async fn of(inner: &Inner, cache: &TableCache, plan: &LogicalPlan) -> Self {
        let traced = trace_plan(plan);
        let lineage = inner.lineage(cache).await;
        let (Ok(traced), Ok(lineage)) = (traced, lineage) else {
            return Self {
                everything: true,
                ..Self::default()
            };
        };
        let by_name = names_tagged(&inner.project);
        let is_masked = |column: &ColumnLineage| {
            by_name.contains(&column.name)
                || is_person_column(&column.name)
                || column.values().into_iter().any(|(source, carry)| {
                    let is_person = is_person_column(&source.column) && carry != Carry::Count;
                    is_person || shows_a_person(&lineage, source, carry)
                })
        };
        let masked = traced.columns.iter().filter(|column| is_masked(column));
        Self {
            columns: masked.map(|column| column.name.clone()).collect(),
            everything: false,
        }
    }

    /// Whether a column's values are masked.
    pub fn is_masked(&self, column: &str) -> bool {
        self.everything || self.columns.contains(column)
    }
}

fn shows_a_person(lineage: &ProjectLineage, source: &ColumnRef, carry: Carry) -> bool {
    let tags = inherited(&lineage.tags(&source.table, &source.column), carry);
    let of_persons = || {
        let node = lineage.node(&source.table);
        node.is_some_and(|node| node.tags.values().flatten().any(|tag| is_identifier(tag)))
    };
    tags.iter().any(|tag| is_masked_tag(tag)) || (tags.contains(QUASI_IDENTIFIER) && of_persons())
}

/// Columns that any contract, seed or model of the project tags, by name.
fn names_tagged(project: &Project) -> BTreeSet<String> {
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
    names
}

fn is_identifier(tag: &str) -> bool {
    matches!(tag, "direct_identifier" | "pseudonym")
}

fn is_masked_tag(tag: &str) -> bool {
    MASKED_TAGS.contains(&tag)
}

/// Whether a table holds test results: reading it makes nothing stale, as every build writes it.
pub(crate) fn is_test_log(table: &TableName) -> bool {
    table.schema() == "ops" && matches!(table.table(), "test_results" | "test_failures")
}
