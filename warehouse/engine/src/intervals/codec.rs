//! Nodes and operators as bytes, for a cluster: the one place that knows how they travel.

use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, Result};
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use super::exec::IntervalExec;
use super::node::{IntervalNode, SpellColumns};
use super::settings::{Positions, Settings};

/// What a node or an operator is made of beside its inputs.
#[derive(Serialize, Deserialize)]
struct Wire {
    settings: Settings,
    positions: Vec<Positions>,
    #[serde(default)]
    ties: Vec<Vec<usize>>,
    #[serde(default)]
    as_stored: bool,
}

/// A node as bytes, `None` when it is not one of ours.
pub(crate) fn encode_node(node: &dyn UserDefinedLogicalNode) -> Result<Option<Vec<u8>>> {
    let Some(node) = node.as_any().downcast_ref::<IntervalNode>() else {
        return Ok(None);
    };
    let wire = Wire {
        settings: node.settings.clone(),
        positions: node.positions()?,
        ties: Vec::new(),
        as_stored: false,
    };
    to_bytes(&wire).map(Some)
}

/// The node of [`encode_node`] over its inputs.
pub(crate) fn decode_node(bytes: &[u8], inputs: &[LogicalPlan]) -> Result<IntervalNode> {
    let wire = from_bytes(bytes, inputs.len())?;
    let columns = wire
        .positions
        .iter()
        .zip(inputs)
        .map(|(at, input)| {
            let column = |position: usize| {
                if position >= input.schema().fields().len() {
                    return Err(unreadable("a column is missing"));
                }
                Ok(Column::from(input.schema().qualified_field(position)))
            };
            Ok(SpellColumns {
                key: at
                    .key
                    .iter()
                    .map(|&key| column(key))
                    .collect::<Result<_>>()?,
                start: column(at.start)?,
                end: column(at.end)?,
                continues: at.continues.map(column).transpose()?,
            })
        })
        .collect::<Result<_>>()?;
    IntervalNode::try_new(wire.settings, inputs.to_vec(), columns)
}

/// An operator as bytes, `None` when it is not one of ours.
pub(crate) fn encode_plan(plan: &dyn ExecutionPlan) -> Result<Option<Vec<u8>>> {
    let Some(plan) = plan.downcast_ref::<IntervalExec>() else {
        return Ok(None);
    };
    let wire = Wire {
        settings: plan.settings.clone(),
        positions: plan.positions.clone(),
        ties: plan.ties.clone(),
        as_stored: plan.as_stored,
    };
    to_bytes(&wire).map(Some)
}

/// The operator of [`encode_plan`] over its inputs.
pub(crate) fn decode_plan(
    bytes: &[u8],
    inputs: &[Arc<dyn ExecutionPlan>],
) -> Result<Arc<dyn ExecutionPlan>> {
    let wire = from_bytes(bytes, inputs.len())?;
    for ((at, ties), input) in wire.positions.iter().zip(&wire.ties).zip(inputs) {
        let width = input.schema().fields().len();
        if at.all().chain(ties.iter().copied()).any(|at| at >= width) {
            return Err(unreadable("a column is missing"));
        }
    }
    let plan = IntervalExec::try_new(
        wire.settings,
        inputs.to_vec(),
        wire.positions,
        wire.ties,
        wire.as_stored,
    )?;
    Ok(Arc::new(plan))
}

fn to_bytes(wire: &Wire) -> Result<Vec<u8>> {
    serde_json::to_vec(wire).map_err(|error| unreadable(&error.to_string()))
}

fn from_bytes(bytes: &[u8], inputs: usize) -> Result<Wire> {
    let mut wire: Wire =
        serde_json::from_slice(bytes).map_err(|error| unreadable(&error.to_string()))?;
    if inputs == 0 || wire.positions.len() != inputs {
        return Err(unreadable("an input is missing"));
    }
    wire.ties.resize(inputs, Vec::new());
    Ok(wire)
}

fn unreadable(problem: &str) -> DataFusionError {
    DataFusionError::Execution(format!(
        "a spell function did not arrive as it was sent ({problem}); all nodes must run the same version"
    ))
}
