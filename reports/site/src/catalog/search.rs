//! The data of the catalogue's search: a script file, because a page opened from a folder may not fetch.

use std::collections::BTreeMap;

use serde::Serialize;

use super::graph::CatalogGraph;
use super::inputs::Catalog;
use crate::language::Bilingual;

/// Both languages as a pair; English is empty where it is the same.
type Pair<'a> = [&'a str; 2];

/// What the search looks through. Columns of the same name and meaning are written once.
#[derive(Debug, Serialize)]
struct SearchIndex<'a> {
    entries: Vec<Entry<'a>>,
    columns: Vec<ColumnEntry<'a>>,
}

/// A table or a check.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    /// Address below the catalogue's folder.
    at: String,
    name: String,
    kind: &'a str,
    title: Pair<'a>,
    text: Pair<'a>,
    owner: Pair<'a>,
    tags: Vec<&'a str>,
    /// Positions in `columns`.
    columns: Vec<usize>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct ColumnEntry<'a> {
    name: &'a str,
    title: Pair<'a>,
    text: Pair<'a>,
    /// Names of the field in the providers' files.
    fields: &'a [String],
}

fn pair(text: &Bilingual) -> Pair<'_> {
    let english = if text.en == text.ko { "" } else { &text.en };
    [&text.ko, english]
}

/// The script file: one assignment, no code.
pub(crate) fn search_script(catalog: &Catalog, graph: &CatalogGraph<'_>) -> Vec<u8> {
    let mut known: BTreeMap<ColumnEntry<'_>, usize> = BTreeMap::new();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (table, name) in graph.tables.iter().zip(&graph.names) {
        let columns = table
            .columns
            .iter()
            .map(|column| {
                let entry = ColumnEntry {
                    name: &column.name,
                    title: pair(&column.title),
                    text: pair(&column.description),
                    fields: &column.fields,
                };
                let next = known.len();
                *known.entry(entry).or_insert(next)
            })
            .collect();
        let mut tags: Vec<&str> = table.tags.iter().map(String::as_str).collect();
        tags.extend(
            table
                .columns
                .iter()
                .flat_map(|column| column.tags.iter().map(String::as_str)),
        );
        tags.sort_unstable();
        tags.dedup();
        entries.push(Entry {
            at: format!("{}/{}/index.html", table.schema, table.name),
            name: name.clone(),
            kind: &table.kind,
            title: pair(&table.title),
            text: pair(&table.description),
            owner: pair(&table.owner),
            tags,
            columns,
        });
    }
    entries.extend(catalog.checks.iter().map(|check| Entry {
        at: format!("checks/index.html#check-{}", check.name),
        name: check.name.clone(),
        kind: "check",
        title: ["", ""],
        text: pair(&check.description),
        owner: [&check.owner, ""],
        tags: Vec::new(),
        columns: Vec::new(),
    }));
    let mut by_position: Vec<(usize, ColumnEntry<'_>)> = known
        .into_iter()
        .map(|(column, position)| (position, column))
        .collect();
    by_position.sort_by_key(|(position, _)| *position);
    let index = SearchIndex {
        entries,
        columns: by_position.into_iter().map(|(_, column)| column).collect(),
    };
    let mut script = b"globalThis.goyongCatalog=".to_vec();
    // Writing texts and numbers to memory cannot fail.
    script.extend(serde_json::to_vec(&index).unwrap_or_default());
    script.extend(b";\n");
    script
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::{CatalogCheck, CatalogColumn, CatalogTable};
    use super::*;

    fn column(name: &str, description: &str) -> CatalogColumn {
        CatalogColumn {
            name: name.into(),
            description: Bilingual::new(description, "in English"),
            fields: vec!["주민등록번호".into()],
            tags: vec!["pseudonym".into()],
            ..CatalogColumn::default()
        }
    }

    fn index(catalog: &Catalog) -> serde_json::Value {
        let graph = CatalogGraph::new(catalog, &[]);
        let script = String::from_utf8(search_script(catalog, &graph)).unwrap();
        let json = script
            .strip_prefix("globalThis.goyongCatalog=")
            .unwrap()
            .strip_suffix(";\n")
            .unwrap();
        serde_json::from_str(json).unwrap()
    }

    fn catalog() -> Catalog {
        let table = |name: &str| CatalogTable {
            schema: "core".into(),
            name: name.into(),
            kind: "table".into(),
            title: Bilingual::same(name),
            columns: vec![column("person_key", "가명 키"), column("won", name)],
            ..CatalogTable::default()
        };
        Catalog {
            tables: vec![table("b"), table("a")],
            checks: vec![CatalogCheck {
                name: "balances".into(),
                ..CatalogCheck::default()
            }],
            lineage: Vec::new(),
        }
    }

    #[test]
    fn every_table_and_check_is_found_with_its_columns() {
        let index = index(&catalog());
        let entries = index["entries"].as_array().unwrap();
        let addresses: Vec<&str> = entries
            .iter()
            .map(|entry| entry["at"].as_str().unwrap())
            .collect();
        assert_eq!(
            addresses,
            [
                "core/a/index.html",
                "core/b/index.html",
                "checks/index.html#check-balances"
            ]
        );
        let columns = index["columns"].as_array().unwrap();
        for entry in &entries[..2] {
            let names: Vec<&str> = entry["columns"]
                .as_array()
                .unwrap()
                .iter()
                .map(|position| {
                    columns[position.as_u64().unwrap() as usize]["name"]
                        .as_str()
                        .unwrap()
                })
                .collect();
            assert_eq!(names, ["person_key", "won"]);
            assert_eq!(entry["tags"], serde_json::json!(["pseudonym"]));
        }
    }

    #[test]
    fn a_column_that_many_tables_have_is_written_once() {
        let index = index(&catalog());
        assert_eq!(index["columns"].as_array().unwrap().len(), 3);
        assert_eq!(index["entries"][0]["title"], serde_json::json!(["a", ""]));
    }

    #[test]
    fn the_index_does_not_depend_on_the_order_of_the_tables() {
        let mut turned = catalog();
        turned.tables.reverse();
        assert_eq!(index(&catalog()), index(&turned));
    }
}
