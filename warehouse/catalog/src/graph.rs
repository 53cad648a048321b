//! The order in which models can be built, and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};

use goyong_types::TableName;

use crate::model::{Model, TestKind};
use crate::problem::{Problem, ProjectError};

/// Every model after its inputs and, where that makes no cycle, after the tables its tests compare
/// with. Ties go by name, so the order is the same for the same project.
pub(crate) fn order(models: &BTreeMap<TableName, Model>) -> Result<Vec<TableName>, ProjectError> {
    let inputs: BTreeMap<&TableName, BTreeSet<&TableName>> = models
        .iter()
        .map(|(table, model)| {
            let known = model
                .inputs
                .iter()
                .filter(|input| models.contains_key(*input));
            (table, known.collect())
        })
        .collect();
    let strict = topological(&inputs).map_err(|left| cycle_problem(models, &inputs, &left))?;
    let mut wanted = inputs;
    for (table, model) in models {
        for test in &model.tests {
            if let TestKind::Relationship { to, .. } = &test.kind
                && models.contains_key(to)
                && let Some(edges) = wanted.get_mut(table)
            {
                edges.insert(to);
            }
        }
    }
    Ok(topological(&wanted)
        .unwrap_or(strict)
        .into_iter()
        .cloned()
        .collect())
}

/// The order, or the nodes that cannot be ordered.
fn topological<'a>(
    inputs: &BTreeMap<&'a TableName, BTreeSet<&'a TableName>>,
) -> Result<Vec<&'a TableName>, BTreeSet<&'a TableName>> {
    let mut waiting = inputs.clone();
    let mut dependants: BTreeMap<&TableName, Vec<&'a TableName>> = BTreeMap::new();
    for (table, needed) in inputs {
        for input in needed {
            dependants.entry(input).or_default().push(table);
        }
    }
    let mut ready: BTreeSet<&TableName> = waiting
        .iter()
        .filter(|(_, needed)| needed.is_empty())
        .map(|(table, _)| *table)
        .collect();
    let mut order = Vec::with_capacity(inputs.len());
    while let Some(table) = ready.pop_first() {
        waiting.remove(table);
        order.push(table);
        for dependant in dependants.remove(table).unwrap_or_default() {
            if let Some(needed) = waiting.get_mut(dependant) {
                needed.remove(table);
                if needed.is_empty() {
                    ready.insert(dependant);
                }
            }
        }
    }
    if waiting.is_empty() {
        Ok(order)
    } else {
        Err(waiting.into_keys().collect())
    }
}

fn cycle_problem(
    models: &BTreeMap<TableName, Model>,
    inputs: &BTreeMap<&TableName, BTreeSet<&TableName>>,
    left: &BTreeSet<&TableName>,
) -> ProjectError {
    // From any node that cannot be ordered, inputs that cannot be ordered lead into a cycle.
    let mut path: Vec<&TableName> = Vec::new();
    let mut next = left.iter().next().copied();
    while let Some(table) = next {
        if let Some(start) = path.iter().position(|earlier| *earlier == table) {
            path.drain(..start);
            path.push(table);
            break;
        }
        path.push(table);
        next = inputs
            .get(table)
            .and_then(|needed| needed.iter().find(|input| left.contains(*input)).copied());
    }
    let file = path
        .first()
        .and_then(|table| models.get(*table))
        .map_or("sql", |model| model.file.as_str());
    let names: Vec<String> = path.iter().map(ToString::to_string).collect();
    Problem::new(
        file,
        format!(
            "models read each other in a circle: {}",
            names.join(" reads ")
        ),
    )
    .with_help("one of them must read something else")
    .into()
}
