//! Which classification the codes of every column are written in, carried through selects as tags are.

use std::collections::BTreeMap;

use datafusion::logical_expr::LogicalPlan;
use goyong_catalog::{Problem, Project, Vars};
use goyong_types::TableName;

use super::project::LineageNode;
use crate::policy::{Classified, Crossing, classification_of, classify};

impl LineageNode {
    /// Takes over the classification that a column's tags name.
    pub(super) fn add_classification(&mut self, column: &str, tags: &[String]) {
        if let Some(classification) = classification_of(tags) {
            self.classifications
                .insert(column.to_owned(), classification);
        }
    }
}

/// Looks through a text's plan, over what is known of its inputs.
pub(super) fn classified(
    plan: &LogicalPlan,
    project: &Project,
    nodes: &BTreeMap<TableName, LineageNode>,
) -> Classified {
    let known = |table: &TableName, column: &str| {
        let classifications = &nodes.get(table)?.classifications;
        classifications.get(column).cloned()
    };
    let has_crosswalk = |from: &str, to: &str| {
        let seed = format!("crosswalk_{}_{}", from.to_lowercase(), to.to_lowercase());
        project.seeds().contains_key(&seed)
    };
    classify(plan, &known, &has_crosswalk)
}

/// Each crossing as one line, at its place in the file where the text is all that stands in one.
pub(super) fn in_words(
    crossings: Vec<Crossing>,
    project: &Project,
    vars: &Vars,
    sql: &str,
    written: Option<(&str, &str)>,
) -> Vec<String> {
    if crossings.is_empty() {
        return Vec::new();
    }
    let Some((file, body)) = written else {
        let plain = crossings.into_iter();
        return plain
            .map(|crossing| format!("{}; {}", crossing.message, crossing.help))
            .collect();
    };
    let map = project.source_map(file, body, vars);
    let map = map.filter(|map| map.sql() == sql);
    crossings
        .into_iter()
        .map(|crossing| {
            let mut problem = Problem::new(file, crossing.message).with_help(crossing.help);
            if let Some((line, column)) = crossing.place
                && let Some(place) = map.as_ref().and_then(|map| map.place(line, column))
            {
                problem = problem.at_line(place.line).at_column(place.column);
                if let Some(inner) = place.within {
                    problem.message = format!("{} (in the macro at {inner})", problem.message);
                }
            }
            problem.to_string()
        })
        .collect()
}
