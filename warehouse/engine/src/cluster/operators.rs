//! Operators of ours that travel: the one list of how each becomes bytes and comes back.
//!
//! An operator is found by type when it is sent and by name when it arrives; its inputs travel by themselves. Scalar,
//! aggregate and window functions need no entry: they travel by name.

use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{Extension, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use crate::intervals::{decode_node, decode_plan, encode_node, encode_plan};

type LogicalNode = Arc<dyn UserDefinedLogicalNode>;
type PhysicalNode = Arc<dyn ExecutionPlan>;

/// A node of a logical plan.
pub(crate) struct LogicalOperator {
    /// Unique among logical operators.
    pub name: &'static str,
    /// The node without its inputs; `None` for a node of another type.
    pub to_bytes: fn(&dyn UserDefinedLogicalNode) -> Option<Result<Vec<u8>>>,
    /// The node over its inputs.
    pub from_bytes: fn(&[u8], &[LogicalPlan]) -> Result<LogicalNode>,
}

/// A node of a physical plan.
pub(crate) struct PhysicalOperator {
    /// Unique among physical operators.
    pub name: &'static str,
    /// The node without its inputs; `None` for a node of another type.
    pub to_bytes: fn(&dyn ExecutionPlan) -> Option<Result<Vec<u8>>>,
    /// The node over its inputs.
    pub from_bytes: fn(&[u8], &[PhysicalNode]) -> Result<PhysicalNode>,
}

/// Every logical operator of ours.
const LOGICAL: &[LogicalOperator] = &[LogicalOperator {
    name: "spells",
    to_bytes: |node| encode_node(node).transpose(),
    from_bytes: |bytes, inputs| Ok(Arc::new(decode_node(bytes, inputs)?)),
}];

/// Every physical operator of ours.
const PHYSICAL: &[PhysicalOperator] = &[PhysicalOperator {
    name: "spells",
    to_bytes: |plan| encode_plan(plan).transpose(),
    from_bytes: decode_plan,
}];

/// Marks bytes of ours among those of the cluster's own operators, which are protocol buffers: no message of theirs
/// starts with a zero byte.
const MARK: &[u8] = b"\0goyong";

#[derive(Serialize, Deserialize)]
struct Named {
    operator: String,
    bytes: Vec<u8>,
}

pub(super) fn encode_logical(node: &dyn UserDefinedLogicalNode) -> Option<Result<Vec<u8>>> {
    LOGICAL
        .iter()
        .find_map(|operator| Some(wrap(operator.name, (operator.to_bytes)(node)?)))
}

/// `None` where the bytes are not of an operator of ours.
pub(super) fn decode_logical(bytes: &[u8], inputs: &[LogicalPlan]) -> Option<Result<Extension>> {
    let named = match unwrap(bytes)? {
        Ok(named) => named,
        Err(error) => return Some(Err(error)),
    };
    let operator = LOGICAL.iter().find(|known| known.name == named.operator);
    Some(match operator {
        Some(operator) => {
            (operator.from_bytes)(&named.bytes, inputs).map(|node| Extension { node })
        }
        None => unknown(&named.operator),
    })
}

pub(super) fn encode_physical(node: &dyn ExecutionPlan) -> Option<Result<Vec<u8>>> {
    PHYSICAL
        .iter()
        .find_map(|operator| Some(wrap(operator.name, (operator.to_bytes)(node)?)))
}

/// `None` where the bytes are not of an operator of ours.
pub(super) fn decode_physical(
    bytes: &[u8],
    inputs: &[Arc<dyn ExecutionPlan>],
) -> Option<Result<Arc<dyn ExecutionPlan>>> {
    let named = match unwrap(bytes)? {
        Ok(named) => named,
        Err(error) => return Some(Err(error)),
    };
    let operator = PHYSICAL.iter().find(|known| known.name == named.operator);
    Some(match operator {
        Some(operator) => (operator.from_bytes)(&named.bytes, inputs),
        None => unknown(&named.operator),
    })
}

fn unknown<T>(operator: &str) -> Result<T> {
    exec_err!("this node has no operator `{operator}`")
}

fn wrap(name: &str, bytes: Result<Vec<u8>>) -> Result<Vec<u8>> {
    let named = Named {
        operator: name.to_owned(),
        bytes: bytes?,
    };
    let mut wrapped = MARK.to_vec();
    match serde_json::to_writer(&mut wrapped, &named) {
        Ok(()) => Ok(wrapped),
        Err(error) => exec_err!("the operator `{name}` cannot travel: {error}"),
    }
}

fn unwrap(bytes: &[u8]) -> Option<Result<Named>> {
    let json = bytes.strip_prefix(MARK)?;
    Some(match serde_json::from_slice(json) {
        Ok(named) => Ok(named),
        Err(error) => exec_err!("an operator arrived damaged: {error}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_refused() {
        let mut logical: Vec<_> = LOGICAL.iter().map(|operator| operator.name).collect();
        let mut physical: Vec<_> = PHYSICAL.iter().map(|operator| operator.name).collect();
        let of_all = (logical.len(), physical.len());
        for names in [&mut logical, &mut physical] {
            names.sort_unstable();
            names.dedup();
        }
        assert_eq!((logical.len(), physical.len()), of_all);

        let foreign = wrap("sieve", Ok(b"7".to_vec())).unwrap();
        for error in [
            decode_logical(&foreign, &[]).unwrap().unwrap_err(),
            decode_physical(&foreign, &[]).unwrap().unwrap_err(),
        ] {
            assert!(error.to_string().contains("no operator `sieve`"));
        }
        assert!(decode_logical(b"\x0a\x02hi", &[]).is_none());
        let damaged = [MARK, b"{"].concat();
        assert!(decode_physical(&damaged, &[]).unwrap().is_err());
    }
}
