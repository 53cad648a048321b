//! Lineage through spell functions: each says of its columns where they come from.

use std::collections::BTreeSet;

use datafusion::common::Result;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;

use super::expression::passed;
use super::flow::{Carry, How, Influence, Sources, Transform};
use super::trace::Relation;
use crate::intervals::{IntervalNode, Origin};

/// The result of a spell function over its inputs. Which rows there are, and which ones a column is computed
/// over, is decided by the key and the dates.
pub(super) fn spells(node: &IntervalNode, inputs: Vec<Relation>) -> Result<Relation> {
    let mut relation = Relation::empty(node.schema());
    let influence = match inputs.len() {
        1 => Influence::Window,
        _ => Influence::Join,
    };
    let positions = node.positions()?;
    let deciding: Sources = inputs
        .iter()
        .zip(&positions)
        .flat_map(|(input, at)| at.all().filter_map(|column| input.columns.get(column)))
        .flatten()
        .cloned()
        .collect();
    let keys: Sources = inputs
        .iter()
        .zip(&positions)
        .flat_map(|(input, at)| {
            at.key
                .iter()
                .filter_map(|&column| input.columns.get(column))
        })
        .flatten()
        .cloned()
        .collect();
    let of = |input: usize, column: usize| {
        let columns = inputs.get(input).map(|input| &input.columns);
        columns
            .and_then(|columns| columns.get(column))
            .cloned()
            .unwrap_or_default()
    };
    for (target, column) in relation.columns.iter_mut().zip(node.output()?) {
        *target = match column.origin {
            Origin::Column { input, column } => of(input, column),
            Origin::Computed { from } => {
                let sources: BTreeSet<_> = from
                    .into_iter()
                    .flat_map(|(input, column)| of(input, column))
                    .collect();
                let step = How::Value(Transform::Windowed, Carry::Whole);
                let mut sources = passed(sources, step);
                sources.extend(passed(keys.clone(), How::Influence(influence)));
                sources
            }
        };
    }
    relation
        .rows
        .extend(passed(deciding, How::Influence(influence)));
    for input in inputs {
        relation.rows.extend(input.rows);
        relation.tables.extend(input.tables);
    }
    Ok(relation)
}
