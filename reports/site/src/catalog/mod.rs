//! The data catalogue: every table of the release with its columns, tests, lineage, freshness, size and history.
//!
//! Metadata only: nothing here ever holds a value of a row. What a page shows of the rest of the warehouse is bounded,
//! so that the catalogue grows with the number of tables and not with its square.

mod columns;
mod graph;
mod inputs;
mod layout;
mod picture;
mod search;
mod table_page;
mod words;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use inputs::{
    Catalog, CatalogChange, CatalogCheck, CatalogColumn, CatalogDefinition, CatalogTable,
    CatalogTest, Declassification, Freshness, LineageEdge, PartitionSize, StoredTable, TestResult,
};

use crate::analyse::Report;
use crate::language::Language;
use crate::number::grouped;

use columns::ColumnLineage;
pub(crate) use graph::CatalogGraph;
pub(crate) use search::search_script;
pub(crate) use words::bytes_text;
use words::kind_text;

/// The catalogue with everything looked up once.
#[derive(Debug)]
pub(crate) struct CatalogPages<'a> {
    catalog: &'a Catalog,
    graph: &'a CatalogGraph<'a>,
    columns: ColumnLineage<'a>,
    reports: &'a [Report],
    /// For each table the positions of the checks that read it.
    checks: Vec<Vec<usize>>,
    /// Queries of reports by their name in the lineage, with the address of their table below the catalogue's folder.
    queries: BTreeMap<String, String>,
}

impl<'a> CatalogPages<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        graph: &'a CatalogGraph<'a>,
        reports: &'a [Report],
    ) -> Self {
        let mut checks = vec![Vec::new(); graph.tables.len()];
        for (index, check) in catalog.checks.iter().enumerate() {
            for table in check.reads.iter().filter_map(|name| graph.position(name)) {
                checks[table].push(index);
            }
        }
        Self {
            catalog,
            graph,
            columns: ColumnLineage::new(catalog, &graph.names),
            reports,
            checks,
            queries: reports.iter().flat_map(report_queries).collect(),
        }
    }

    /// Addresses below the catalogue's folder and titles of all tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, String, &str)> {
        self.graph
            .tables
            .iter()
            .zip(&self.graph.names)
            .enumerate()
            .map(|(index, (table, name))| {
                let address = format!("catalog/{}/{}/index.html", table.schema, table.name);
                (index, address, name.as_str())
            })
    }

    /// The list of all tables.
    pub(crate) fn index(&self, language: Language) -> Value {
        let mut schemas: Vec<(&str, Vec<Value>)> = Vec::new();
        for table in &self.graph.tables {
            let entry = index_entry(table, language);
            match schemas.last_mut() {
                Some((schema, tables)) if *schema == table.schema => tables.push(entry),
                _ => schemas.push((&table.schema, vec![entry])),
            }
        }
        let schemas: Vec<Value> = schemas
            .into_iter()
            .map(|(schema, tables)| json!({ "schema": schema, "tables": tables }))
            .collect();
        json!({
            "schemas": schemas,
            "tables": self.graph.tables.len(),
            "checks": self.catalog.checks.len(),
            "kinds": search_kinds(language),
        })
    }

    /// The list of checks.
    pub(crate) fn checks(&self, language: Language) -> Value {
        let checks: Vec<Value> = self
            .catalog
            .checks
            .iter()
            .map(|check| {
                json!({
                    "name": check.name,
                    "description": check.description.get(language),
                    "owner": check.owner,
                    "legal_basis": check.legal_basis.get(language),
                    "warns": check.warns,
                    "result": check.outcome.result.key(),
                    "failing_rows": grouped(i128::from(check.outcome.failing_rows)),
                    "as_of": check.outcome.as_of.map(|day| day.to_string()),
                    "reads": check.reads.iter().map(|name| self.link(name)).collect::<Vec<_>>(),
                    "path": check.definition.path,
                    "text": check.definition.text,
                })
            })
            .collect();
        json!({ "checks": checks })
    }

    /// Bytes and files of every stored table: the one page that depends on how the tables were laid out, by how many
    /// threads wrote them for instance, and not on their content alone.
    pub(crate) fn storage(&self) -> Value {
        let stored = |table: &'a CatalogTable| table.stored.as_ref();
        let tables: Vec<Value> = self
            .graph
            .tables
            .iter()
            .zip(&self.graph.names)
            .filter_map(|(table, name)| {
                let stored = stored(table)?;
                Some(json!({
                    "link": self.link(name),
                    "name": name,
                    "rows": grouped(i128::from(stored.rows)),
                    "bytes": bytes_text(stored.bytes),
                    "files": grouped(i128::from(stored.files)),
                    "partitions": stored.partitions.len(),
                    "per_row": bytes_per_row(stored.bytes, stored.rows),
                }))
            })
            .collect();
        let sum = |of: fn(&StoredTable) -> u64| -> u64 {
            let tables = self.graph.tables.iter().copied();
            tables.filter_map(stored).map(of).sum()
        };
        json!({
            "tables": tables,
            "rows": grouped(i128::from(sum(|stored| stored.rows))),
            "bytes": bytes_text(sum(|stored| stored.bytes)),
            "files": grouped(i128::from(sum(|stored| stored.files))),
        })
    }

    /// A table's name with the address of its page, where it has one.
    fn link(&self, name: &str) -> Value {
        match self.graph.get(name) {
            Some(table) => {
                json!({ "text": name, "at": format!("{}/{}/index.html", table.schema, table.name) })
            }
            None => json!({ "text": name, "at": null }),
        }
    }
}

/// In the lineage a report's query stands under `report.<report>_<table>`.
fn report_queries(report: &Report) -> Vec<(String, String)> {
    let slug = &report.definition.slug;
    report
        .tables
        .iter()
        .map(|table| {
            let name = &table.definition.name;
            (
                format!("report.{slug}_{name}").replace('-', "_"),
                format!("../reports/{slug}/index.html#{name}"),
            )
        })
        .collect()
}

/// Bytes of a row with one decimal; empty for a table without rows.
fn bytes_per_row(bytes: u64, rows: u64) -> String {
    if rows == 0 {
        return String::new();
    }
    crate::number::fixed(bytes as f64 / rows as f64, 1)
}

fn index_entry(table: &CatalogTable, language: Language) -> Value {
    let mut tags: Vec<&str> = table
        .columns
        .iter()
        .flat_map(|column| &column.tags)
        .chain(&table.tags)
        .map(String::as_str)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let stored = table.stored.as_ref();
    json!({
        "name": table.name,
        "title": table.title.get(language),
        "description": table.description.get(language),
        "kind": kind_text(&table.kind, language),
        "owner": table.owner.get(language),
        "rows": stored.map(|stored| grouped(i128::from(stored.rows))),
        "changed": table.history.first().map(|change| change.business_date.to_string()),
        "tags": tags.iter().map(|tag| kind_text(tag, language)).collect::<Vec<_>>(),
    })
}

/// Words for the kinds that the search shows beside a name.
fn search_kinds(language: Language) -> Value {
    let kinds = [
        "view",
        "table",
        "partitioned",
        "keyed",
        "snapshot",
        "source",
        "seed",
        "job",
        "check",
    ];
    kinds
        .iter()
        .map(|kind| ((*kind).to_owned(), Value::String(kind_text(kind, language))))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}
