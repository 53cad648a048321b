//! Walking the lineage: up to the columns of contracts, down to features and reports.

use std::collections::BTreeSet;

use goyong_types::{TableName, nearest_name};
use serde::Serialize;

use super::flow::{ColumnRef, EVERY_COLUMN, How};
use super::project::{LineageNode, NodeKind, ProjectLineage};

/// Which way to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To where values come from.
    Upstream,
    /// To where values go.
    Downstream,
}

/// One edge on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineageStep {
    /// How many steps from the column that was asked about, from 1.
    pub distance: usize,
    /// The column computed; `*` for all columns of its table.
    pub target: ColumnRef,
    /// The column it comes from; `*` for the rows of its table.
    pub source: ColumnRef,
    /// `value` or `influence`.
    pub kind: &'static str,
    /// The transform or the reason of the influence.
    pub subtype: &'static str,
    /// The expression that computed the target; empty where it is passed on.
    pub expression: String,
    /// The provider's name of the source, where the source is a delivery.
    pub field: String,
    /// Sensitivity of the source.
    pub tags: Vec<String>,
}

impl ProjectLineage {
    /// Every edge between a column and its beginnings or ends. Values are followed to the end;
    /// influence is listed where it touches a column on the way and followed no further.
    pub fn walk(&self, start: &ColumnRef, direction: Direction) -> Vec<LineageStep> {
        let mut steps = Vec::new();
        let mut seen: BTreeSet<ColumnRef> = [start.clone()].into();
        let mut front = vec![start.clone()];
        let mut distance = 0;
        while !front.is_empty() {
            distance += 1;
            let mut next = Vec::new();
            for column in &front {
                let edges = match direction {
                    Direction::Upstream => self.sources_of(column),
                    Direction::Downstream => self.targets_of(column),
                };
                for (target, source, how) in edges {
                    let further = match direction {
                        Direction::Upstream => &source,
                        Direction::Downstream => &target,
                    };
                    if matches!(how, How::Value(..)) && seen.insert(further.clone()) {
                        next.push(further.clone());
                    }
                    steps.push(self.step(distance, target, source, how));
                }
            }
            front = next;
        }
        steps
    }

    fn sources_of(&self, column: &ColumnRef) -> Vec<(ColumnRef, ColumnRef, How)> {
        let Some(node) = self.node(&column.table) else {
            return Vec::new();
        };
        edges_of(&column.table, node)
            .filter(|(target, ..)| target.column == column.column || target.column == EVERY_COLUMN)
            .collect()
    }

    fn targets_of(&self, column: &ColumnRef) -> Vec<(ColumnRef, ColumnRef, How)> {
        self.nodes()
            .flat_map(|(table, node)| edges_of(table, node))
            .filter(|(_, source, _)| source == column)
            .collect()
    }

    fn step(&self, distance: usize, target: ColumnRef, source: ColumnRef, how: How) -> LineageStep {
        let expression = self
            .node(&target.table)
            .and_then(|node| node.lineage.column(&target.column))
            .map(|column| column.expression.clone())
            .unwrap_or_default();
        let field = self
            .node(&source.table)
            .and_then(|node| node.fields.get(&source.column))
            .cloned()
            .unwrap_or_default();
        let tags = self.tags(&source.table, &source.column);
        LineageStep {
            distance,
            target,
            source,
            kind: how.kind(),
            subtype: how.subtype(),
            expression,
            field,
            tags: tags.into_iter().collect(),
        }
    }

    /// The column a person means by `table.column` or `schema.table.column`; `None` as the column
    /// where a table alone is named.
    pub fn find(&self, name: &str) -> Result<(TableName, Option<String>), String> {
        let parts: Vec<&str> = name.split('.').collect();
        let by_name = |table: &str| -> Vec<&TableName> {
            self.nodes()
                .map(|(name, _)| name)
                .filter(|known| known.table() == table)
                .collect()
        };
        let full = |schema: &str, table: &str| {
            let table = TableName::new(schema, table).ok();
            table.filter(|table| self.node(table).is_some())
        };
        let (table, column) = match parts.as_slice() {
            [table] => (self.only(table, &by_name(table))?, None),
            [first, second] => match full(first, second) {
                Some(table) => (table, None),
                None => (self.only(first, &by_name(first))?, Some(*second)),
            },
            [schema, table, column] => match full(schema, table) {
                Some(known) => (known, Some(*column)),
                None => return Err(self.no_table(&format!("{schema}.{table}"))),
            },
            _ => return Err(format!("`{name}` is no column; write schema.table.column")),
        };
        let Some(column) = column else {
            return Ok((table, None));
        };
        let columns = self.node(&table).map_or(&[][..], |node| &node.columns);
        if columns.iter().any(|known| known == column) {
            return Ok((table, Some(column.to_owned())));
        }
        let nearest = nearest_name(column, columns.iter().map(String::as_str))
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        Err(format!("{table} has no column `{column}`{nearest}"))
    }

    fn only(&self, name: &str, found: &[&TableName]) -> Result<TableName, String> {
        match found {
            [table] => Ok((*table).clone()),
            [] => Err(self.no_table(name)),
            several => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                Err(format!(
                    "`{name}` is in several schemas; write one of {}",
                    names.join(", ")
                ))
            }
        }
    }

    fn no_table(&self, name: &str) -> String {
        let names: Vec<String> = self
            .nodes()
            .flat_map(|(table, _)| [table.to_string(), table.table().to_owned()])
            .collect();
        let nearest = nearest_name(name, names.iter().map(String::as_str))
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        format!("no table `{name}`{nearest}")
    }
}

fn edges_of<'a>(
    table: &'a TableName,
    node: &'a LineageNode,
) -> impl Iterator<Item = (ColumnRef, ColumnRef, How)> + 'a {
    node.lineage
        .edges()
        .map(move |(target, source, how)| (ColumnRef::new(table, target), source.clone(), how))
}

impl NodeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Seed => "seed",
            Self::Model => "model",
            Self::View => "view",
            Self::Job => "job",
            Self::Report => "report",
        }
    }
}
