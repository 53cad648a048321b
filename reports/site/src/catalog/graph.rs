//! Who reads whom, table by table. Built once; every question of a page is answered without looking at all tables.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::analyse::Report;

use super::inputs::{Catalog, CatalogTable};

/// Steps a picture goes in each direction.
const STEPS: usize = 2;
/// Most tables a picture shows in each direction.
const MOST_SHOWN: usize = 18;

/// A table or a report in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// Position in the list of tables.
    Table(usize),
    /// Position in the list of reports.
    Report(usize),
}

/// A part of the graph around one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Neighbourhood {
    /// The table it is about, then what it is computed from, then what is computed from it.
    pub nodes: Vec<Node>,
    /// Positions in `nodes`: from, to.
    pub edges: Vec<(usize, usize)>,
    /// Tables within the steps that were left out.
    pub left_out: usize,
}

/// The tables of a catalogue and the edges between them.
#[derive(Debug)]
pub(crate) struct CatalogGraph<'a> {
    pub tables: Vec<&'a CatalogTable>,
    pub names: Vec<String>,
    position: BTreeMap<String, usize>,
    reads: Vec<Vec<usize>>,
    readers: Vec<Vec<usize>>,
    reports: Vec<Vec<usize>>,
    /// Sources that a table rests on, however far away.
    sources: Vec<BTreeSet<usize>>,
}

impl<'a> CatalogGraph<'a> {
    pub(crate) fn new(catalog: &'a Catalog, reports: &[Report]) -> Self {
        let by_name: BTreeMap<String, &CatalogTable> = catalog
            .tables
            .iter()
            .map(|table| (table.qualified_name(), table))
            .collect();
        let (names, tables): (Vec<String>, Vec<&CatalogTable>) = by_name.into_iter().unzip();
        let position: BTreeMap<String, usize> = names
            .iter()
            .enumerate()
            .map(|(index, name)| (name.clone(), index))
            .collect();
        let reads: Vec<Vec<usize>> = tables
            .iter()
            .enumerate()
            .map(|(index, table)| {
                let known: BTreeSet<usize> = table
                    .reads
                    .iter()
                    .filter_map(|name| position.get(name).copied())
                    .filter(|input| *input != index)
                    .collect();
                known.into_iter().collect()
            })
            .collect();
        let mut readers = vec![Vec::new(); tables.len()];
        for (reader, inputs) in reads.iter().enumerate() {
            for input in inputs {
                readers[*input].push(reader);
            }
        }
        let mut reported: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); tables.len()];
        for (index, report) in reports.iter().enumerate() {
            for name in report.tables.iter().flat_map(|table| &table.reads) {
                if let Some(table) = position.get(name) {
                    reported[*table].insert(index);
                }
            }
        }
        let sources = sources_of(&tables, &reads, &readers);
        Self {
            tables,
            names,
            position,
            reads,
            readers,
            reports: reported
                .into_iter()
                .map(|reports| reports.into_iter().collect())
                .collect(),
            sources,
        }
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.position.get(name).copied()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a CatalogTable> {
        self.position.get(name).map(|index| self.tables[*index])
    }

    pub(crate) fn readers(&self, table: usize) -> &[usize] {
        &self.readers[table]
    }

    pub(crate) fn reads(&self, table: usize) -> &[usize] {
        &self.reads[table]
    }

    /// Reports that read the table itself.
    pub(crate) fn reports(&self, table: usize) -> &[usize] {
        &self.reports[table]
    }

    /// Sources the table rests on, in order of their names; not the table itself.
    pub(crate) fn sources(&self, table: usize) -> &BTreeSet<usize> {
        &self.sources[table]
    }

    /// The tables around one, nearest first, as many as a picture can show.
    pub(crate) fn neighbourhood(&self, focus: usize) -> Neighbourhood {
        let (before, hidden_before) = self.walk(focus, |node| self.before(node));
        let (after, hidden_after) = self.walk(focus, |node| self.after(node));
        let mut nodes = vec![Node::Table(focus)];
        nodes.extend(before.into_iter().chain(after));
        // In a circle a table stands on both sides; it is drawn once.
        let mut seen = BTreeSet::new();
        nodes.retain(|node| seen.insert(*node));
        let place: BTreeMap<Node, usize> = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (*node, index))
            .collect();
        let mut edges = Vec::new();
        for (to, node) in nodes.iter().enumerate() {
            let inputs: Vec<Node> = match node {
                Node::Table(_) => self.before(*node),
                // A report's tables that are not computed from this one are another picture.
                Node::Report(report) => nodes
                    .iter()
                    .copied()
                    .filter(
                        |node| matches!(node, Node::Table(table) if self.reports[*table].contains(report)),
                    )
                    .collect(),
            };
            edges.extend(
                inputs
                    .iter()
                    .filter_map(|input| place.get(input))
                    .map(|from| (*from, to)),
            );
        }
        Neighbourhood {
            nodes,
            edges,
            left_out: hidden_before + hidden_after,
        }
    }

    fn before(&self, node: Node) -> Vec<Node> {
        match node {
            Node::Table(table) => self.reads[table].iter().copied().map(Node::Table).collect(),
            Node::Report(_) => Vec::new(),
        }
    }

    fn after(&self, node: Node) -> Vec<Node> {
        match node {
            Node::Table(table) => {
                let readers = self.readers[table].iter().copied().map(Node::Table);
                let reports = self.reports[table].iter().copied().map(Node::Report);
                readers.chain(reports).collect()
            }
            Node::Report(_) => Vec::new(),
        }
    }

    /// Breadth first, so that what is left out is what is farthest away; how many are left out.
    fn walk(&self, focus: usize, next: impl Fn(Node) -> Vec<Node>) -> (Vec<Node>, usize) {
        let mut seen = BTreeSet::from([Node::Table(focus)]);
        let mut queue = VecDeque::from([(Node::Table(focus), 0)]);
        let mut found = Vec::new();
        let mut left_out = 0;
        while let Some((node, distance)) = queue.pop_front() {
            if distance == STEPS {
                continue;
            }
            for neighbour in next(node) {
                if !seen.insert(neighbour) {
                    continue;
                }
                if found.len() < MOST_SHOWN {
                    found.push(neighbour);
                    queue.push_back((neighbour, distance + 1));
                } else {
                    left_out += 1;
                }
            }
        }
        (found, left_out)
    }
}

/// Unions along the edges in an order in which inputs come first; a circle's tables get what is known by then.
fn sources_of(
    tables: &[&CatalogTable],
    reads: &[Vec<usize>],
    readers: &[Vec<usize>],
) -> Vec<BTreeSet<usize>> {
    let mut waiting: Vec<usize> = reads.iter().map(Vec::len).collect();
    let mut ready: VecDeque<usize> = (0..tables.len())
        .filter(|table| waiting[*table] == 0)
        .collect();
    let mut sources: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); tables.len()];
    while let Some(table) = ready.pop_front() {
        let mut found = BTreeSet::new();
        for input in &reads[table] {
            if tables[*input].kind == "source" {
                found.insert(*input);
            }
            found.extend(&sources[*input]);
        }
        sources[table] = found;
        for reader in &readers[table] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.push_back(*reader);
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn catalog(edges: &[(&str, &[&str])]) -> Catalog {
        Catalog {
            tables: edges
                .iter()
                .map(|(name, reads)| {
                    let (schema, table) = name.split_once('.').unwrap();
                    CatalogTable {
                        schema: schema.into(),
                        name: table.into(),
                        kind: if schema == "staging" {
                            "source"
                        } else {
                            "table"
                        }
                        .into(),
                        reads: reads.iter().map(|read| (*read).to_owned()).collect(),
                        ..CatalogTable::default()
                    }
                })
                .collect(),
            ..Catalog::default()
        }
    }

    #[test]
    fn a_table_rests_on_sources_however_far_away() {
        let catalog = catalog(&[
            ("marts.c", &["core.b"]),
            ("core.b", &["core.a", "staging.y"]),
            ("core.a", &["staging.x"]),
            ("staging.x", &[]),
            ("staging.y", &[]),
        ]);
        let graph = CatalogGraph::new(&catalog, &[]);
        let place = |name: &str| graph.position[name];
        let names: Vec<&str> = graph
            .sources(place("marts.c"))
            .iter()
            .map(|source| graph.names[*source].as_str())
            .collect();
        assert_eq!(names, ["staging.x", "staging.y"]);
        assert!(graph.sources(place("staging.x")).is_empty());
    }

    #[test]
    fn a_picture_stops_after_two_steps_and_keeps_the_nearest() {
        let many: Vec<String> = (0..30)
            .map(|number| format!("core.near{number:02}"))
            .collect();
        let names: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut edges: Vec<(&str, &[&str])> = vec![("marts.focus", &names), ("core.far", &[])];
        let far: &[&str] = &["core.far"];
        edges.extend(names.iter().map(|name| (*name, far)));
        let catalog = catalog(&edges);
        let graph = CatalogGraph::new(&catalog, &[]);
        let around = graph.neighbourhood(graph.position["marts.focus"]);
        assert_eq!(around.nodes.len(), 1 + MOST_SHOWN);
        assert_eq!(
            around.left_out,
            31 - MOST_SHOWN,
            "twelve near ones and the far one"
        );
        assert!(
            !around
                .nodes
                .contains(&Node::Table(graph.position["core.far"]))
        );
    }

    #[test]
    fn tables_in_a_circle_are_drawn_once() {
        let catalog = catalog(&[("core.a", &["core.b"]), ("core.b", &["core.a"])]);
        let graph = CatalogGraph::new(&catalog, &[]);
        let around = graph.neighbourhood(0);
        assert_eq!(around.nodes, [Node::Table(0), Node::Table(1)]);
        assert_eq!(around.edges, [(1, 0), (0, 1)]);
    }
}
