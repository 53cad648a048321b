//! Where columns come from: the direct edges of a column, its origins in the sources, the column a tag was declared on.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::{Catalog, CatalogColumn, LineageEdge};

/// A column: qualified name of its table, name.
pub(crate) type ColumnName<'a> = (&'a str, &'a str);

/// The edges between columns, by both ends.
#[derive(Debug)]
pub(crate) struct ColumnLineage<'a> {
    columns: BTreeMap<ColumnName<'a>, &'a CatalogColumn>,
    values: BTreeMap<ColumnName<'a>, Vec<&'a LineageEdge>>,
    influences: BTreeMap<&'a str, Vec<&'a LineageEdge>>,
    readers: BTreeMap<ColumnName<'a>, BTreeSet<ColumnName<'a>>>,
    origins: BTreeMap<ColumnName<'a>, BTreeSet<ColumnName<'a>>>,
    tag_origins: BTreeMap<(ColumnName<'a>, &'a str), BTreeSet<ColumnName<'a>>>,
}

/// Stands for every column of a target, or for the rows of a source whatever stands in them.
pub(crate) const EVERY_COLUMN: &str = "*";

/// Columns that influence a table in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Influence<'a> {
    pub source: ColumnName<'a>,
    pub subtype: &'a str,
    pub expression: &'a str,
    /// The columns influenced.
    pub targets: Vec<&'a str>,
}

impl<'a> ColumnLineage<'a> {
    pub(crate) fn new(catalog: &'a Catalog, names: &'a [String]) -> Self {
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let mut columns = BTreeMap::new();
        for table in &catalog.tables {
            let qualified = table.qualified_name();
            let Some(name) = names.get(qualified.as_str()) else {
                continue;
            };
            for column in &table.columns {
                columns.insert((*name, column.name.as_str()), column);
            }
        }
        let mut edges: Vec<&LineageEdge> = catalog.lineage.iter().collect();
        edges.sort();
        edges.dedup();
        let mut lineage = Self {
            columns,
            values: BTreeMap::new(),
            influences: BTreeMap::new(),
            readers: BTreeMap::new(),
            origins: BTreeMap::new(),
            tag_origins: BTreeMap::new(),
        };
        for edge in edges {
            if edge.influence {
                let table = lineage.influences.entry(&edge.target_table).or_default();
                table.push(edge);
            } else {
                let (target, source) = (target(edge), source(edge));
                lineage.values.entry(target).or_default().push(edge);
                lineage.readers.entry(source).or_default().insert(target);
            }
        }
        lineage.find_origins();
        lineage.find_tag_origins();
        lineage
    }

    /// What the column's values are computed from.
    pub(crate) fn values(&self, column: ColumnName<'a>) -> &[&'a LineageEdge] {
        self.values.get(&column).map_or(&[], Vec::as_slice)
    }

    /// Columns whose values are computed from this one.
    pub(crate) fn readers(&self, column: ColumnName<'a>) -> impl Iterator<Item = ColumnName<'a>> {
        self.readers.get(&column).into_iter().flatten().copied()
    }

    /// The columns at the far end of the value flow; empty for a column computed from none.
    pub(crate) fn origins(&self, column: ColumnName<'a>) -> impl Iterator<Item = ColumnName<'a>> {
        self.origins.get(&column).into_iter().flatten().copied()
    }

    /// The columns a tag of this column was declared on; empty when that is this one.
    pub(crate) fn tag_origins(
        &self,
        column: ColumnName<'a>,
        tag: &'a str,
    ) -> impl Iterator<Item = ColumnName<'a>> {
        let own = column;
        self.tag_origins
            .get(&(column, tag))
            .into_iter()
            .flatten()
            .copied()
            .filter(move |origin| *origin != own)
    }

    /// What decides a table's rows and groups, one entry for all columns that it decides.
    pub(crate) fn influences(&self, table: &str) -> Vec<Influence<'a>> {
        let mut grouped: BTreeMap<(ColumnName<'a>, &'a str, &'a str), BTreeSet<&'a str>> =
            BTreeMap::new();
        for edge in self.influences.get(table).into_iter().flatten() {
            let key = (
                source(edge),
                edge.subtype.as_str(),
                edge.expression.as_str(),
            );
            grouped.entry(key).or_default().insert(&edge.target_column);
        }
        grouped
            .into_iter()
            .map(|((source, subtype, expression), targets)| Influence {
                source,
                subtype,
                expression,
                targets: targets.into_iter().collect(),
            })
            .collect()
    }

    /// The column whose texts describe this one as well: the only one whose value is passed on unchanged.
    pub(crate) fn described_by(
        &self,
        column: ColumnName<'a>,
    ) -> Option<(ColumnName<'a>, &'a CatalogColumn)> {
        let mut here = column;
        // As many steps as there are layers in a warehouse; a circle ends here too.
        for _ in 0..16 {
            let [edge] = self.values(here) else {
                return None;
            };
            if edge.subtype != "identity" {
                return None;
            }
            here = source(edge);
            let known = *self.columns.get(&here)?;
            if !known.description.is_empty() || !known.title.is_empty() {
                return Some((here, known));
            }
        }
        None
    }

    fn find_origins(&mut self) {
        let targets: Vec<ColumnName<'a>> = self.values.keys().copied().collect();
        let mut done = BTreeMap::new();
        for target in targets {
            self.origins_of(target, &mut done, &mut BTreeSet::new());
        }
        self.origins = done;
    }

    fn origins_of(
        &self,
        column: ColumnName<'a>,
        done: &mut BTreeMap<ColumnName<'a>, BTreeSet<ColumnName<'a>>>,
        open: &mut BTreeSet<ColumnName<'a>>,
    ) {
        if done.contains_key(&column) || !open.insert(column) {
            return;
        }
        let mut origins = BTreeSet::new();
        for edge in self.values(column) {
            let input = source(edge);
            if self.values(input).is_empty() {
                origins.insert(input);
                continue;
            }
            self.origins_of(input, done, open);
            origins.extend(done.get(&input).into_iter().flatten());
        }
        open.remove(&column);
        done.insert(column, origins);
    }

    fn find_tag_origins(&mut self) {
        let columns: Vec<(ColumnName<'a>, &'a CatalogColumn)> = self
            .columns
            .iter()
            .map(|(name, column)| (*name, *column))
            .collect();
        let mut done = BTreeMap::new();
        for (name, column) in columns {
            for tag in &column.tags {
                self.tag_origins_of(name, tag, &mut done, &mut BTreeSet::new());
            }
        }
        self.tag_origins = done;
    }

    fn tag_origins_of(
        &self,
        column: ColumnName<'a>,
        tag: &'a str,
        done: &mut BTreeMap<(ColumnName<'a>, &'a str), BTreeSet<ColumnName<'a>>>,
        open: &mut BTreeSet<ColumnName<'a>>,
    ) {
        if done.contains_key(&(column, tag)) || !open.insert(column) {
            return;
        }
        let mut origins = BTreeSet::new();
        for edge in self.values(column) {
            let input = source(edge);
            let carried = self
                .columns
                .get(&input)
                .is_some_and(|known| known.tags.iter().any(|known| known == tag));
            if carried && input != column {
                self.tag_origins_of(input, tag, done, open);
                origins.extend(done.get(&(input, tag)).into_iter().flatten());
            }
        }
        if origins.is_empty() {
            origins.insert(column);
        }
        open.remove(&column);
        done.insert((column, tag), origins);
    }
}

pub(crate) fn source(edge: &LineageEdge) -> ColumnName<'_> {
    (&edge.source_table, &edge.source_column)
}

fn target(edge: &LineageEdge) -> ColumnName<'_> {
    (&edge.target_table, &edge.target_column)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::inputs::CatalogTable;
    use super::*;
    use crate::language::Bilingual;

    fn edge(target: (&str, &str), source: (&str, &str), subtype: &str) -> LineageEdge {
        LineageEdge {
            target_table: target.0.into(),
            target_column: target.1.into(),
            source_table: source.0.into(),
            source_column: source.1.into(),
            influence: matches!(subtype, "filter" | "join"),
            subtype: subtype.into(),
            expression: String::new(),
        }
    }

    fn table(schema: &str, name: &str, columns: &[(&str, &str, &[&str])]) -> CatalogTable {
        CatalogTable {
            schema: schema.into(),
            name: name.into(),
            columns: columns
                .iter()
                .map(|(name, description, tags)| CatalogColumn {
                    name: (*name).into(),
                    description: Bilingual::same(*description),
                    tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                    ..CatalogColumn::default()
                })
                .collect(),
            ..CatalogTable::default()
        }
    }

    fn catalog() -> Catalog {
        Catalog {
            tables: vec![
                table(
                    "staging",
                    "x",
                    &[
                        ("key", "who", &["pseudonym"]),
                        ("won", "paid", &["sensitive"]),
                        ("kind", "", &[]),
                    ],
                ),
                table(
                    "core",
                    "y",
                    &[("key", "", &["pseudonym"]), ("won", "", &["sensitive"])],
                ),
                table(
                    "marts",
                    "z",
                    &[
                        ("key", "", &["pseudonym"]),
                        ("total", "", &["sensitive", "checked"]),
                        ("n", "", &[]),
                    ],
                ),
            ],
            checks: Vec::new(),
            lineage: vec![
                edge(("core.y", "key"), ("staging.x", "key"), "identity"),
                edge(("core.y", "won"), ("staging.x", "won"), "transformation"),
                edge(("core.y", "key"), ("staging.x", "kind"), "filter"),
                edge(("core.y", "won"), ("staging.x", "kind"), "filter"),
                edge(("marts.z", "key"), ("core.y", "key"), "identity"),
                edge(("marts.z", "total"), ("core.y", "won"), "aggregation"),
            ],
        }
    }

    fn names(catalog: &Catalog) -> Vec<String> {
        catalog
            .tables
            .iter()
            .map(CatalogTable::qualified_name)
            .collect()
    }

    #[test]
    fn origins_lie_at_the_far_end_of_the_value_flow_and_influence_is_no_origin() {
        let catalog = catalog();
        let names = names(&catalog);
        let lineage = ColumnLineage::new(&catalog, &names);
        let origins = |column| lineage.origins(column).collect::<Vec<_>>();
        assert_eq!(origins(("marts.z", "total")), [("staging.x", "won")]);
        assert_eq!(origins(("marts.z", "key")), [("staging.x", "key")]);
        assert_eq!(origins(("marts.z", "n")), []);
        assert_eq!(origins(("staging.x", "won")), []);
    }

    #[test]
    fn a_tag_leads_to_the_column_it_was_declared_on() {
        let catalog = catalog();
        let names = names(&catalog);
        let lineage = ColumnLineage::new(&catalog, &names);
        let from = |column, tag| lineage.tag_origins(column, tag).collect::<Vec<_>>();
        assert_eq!(
            from(("marts.z", "total"), "sensitive"),
            [("staging.x", "won")]
        );
        assert_eq!(from(("marts.z", "total"), "checked"), [], "declared here");
        assert_eq!(from(("staging.x", "key"), "pseudonym"), [], "declared here");
    }

    #[test]
    fn one_influence_on_several_columns_is_one_entry() {
        let catalog = catalog();
        let names = names(&catalog);
        let lineage = ColumnLineage::new(&catalog, &names);
        let influences = lineage.influences("core.y");
        assert_eq!(influences.len(), 1);
        assert_eq!(influences[0].targets, ["key", "won"]);
        assert!(lineage.influences("marts.z").is_empty());
    }

    #[test]
    fn a_description_travels_with_a_value_passed_on_unchanged() {
        let catalog = catalog();
        let names = names(&catalog);
        let lineage = ColumnLineage::new(&catalog, &names);
        let from = |column| lineage.described_by(column).map(|(name, _)| name);
        assert_eq!(from(("marts.z", "key")), Some(("staging.x", "key")));
        assert_eq!(from(("marts.z", "total")), None, "a sum is another thing");
        assert_eq!(from(("core.y", "won")), None);
    }

    #[test]
    fn columns_in_a_circle_end() {
        let mut catalog = catalog();
        catalog
            .lineage
            .push(edge(("core.y", "key"), ("marts.z", "key"), "identity"));
        let names = names(&catalog);
        let lineage = ColumnLineage::new(&catalog, &names);
        assert_eq!(
            lineage.origins(("core.y", "key")).collect::<Vec<_>>(),
            [("staging.x", "key")]
        );
    }
}
