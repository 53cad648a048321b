//! Plans nested more deeply than messages may be.
//!
//! A reader of protocol buffers follows a hundred nested messages and no more, since each costs it stack; a plan takes two
//! for each operator. So a deep plan travels in pieces: below every few operators stands a [`Cut`], and what is
//! below it travels as bytes of their own, which are opened by themselves. Logical plans are cut by the client and put
//! together by the first rule of the scheduler's planner; stages are cut by its last rule, and executors put them
//! together while they read them.
//!
//! Only how deep a plan may be is raised, not how much of it is trusted: a piece states how many are nested in it, no
//! piece may hold as many as it says itself, and more than [`MOST_CUTS`] are refused. So the reader's stack stays below
//! what the engine's threads have ([`crate::runtime()`]), whoever sent the bytes.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::proto::ExecutionPlanEncodeCtx;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    SendableRecordBatchStream,
};
use datafusion_proto::logical_plan::{AsLogicalPlan, LogicalExtensionCodec};
use datafusion_proto::physical_plan::{AsExecutionPlan, PhysicalExtensionCodec};
use datafusion_proto::protobuf::{
    LogicalPlanNode, PhysicalExtensionNode, PhysicalPlanNode, physical_plan_node::PhysicalPlanType,
};

use crate::operator::{has_no_expressions, with_new_children_replaces};

/// Operators of a piece, one below the other. The rest of the messages a reader follows is for expressions and types.
const LOGICAL_DEPTH: usize = 12;

/// The same for stages, which are read inside other messages and whose expressions have grown casts.
const PHYSICAL_DEPTH: usize = 10;

/// Plans of so many operators, one below the other, fit into one message with room for their expressions.
const WHOLE_STAGE_HEIGHT: usize = 32;

/// Most pieces, one inside the other.
const MOST_CUTS: u16 = 64;

/// Marks a piece. No message of the cluster's own operators starts with a zero byte.
const MARK: &[u8] = b"\0goyong cut";

/// A plan below which the message ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash)]
struct Cut {
    plan: LogicalPlan,
    /// Pieces nested in this one, itself included.
    nested: u16,
}

impl UserDefinedLogicalNodeCore for Cut {
    fn name(&self) -> &'static str {
        "Cut"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        self.plan.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cut")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

/// The plan in pieces that messages can hold; a flat one as it is.
pub(super) fn cut(plan: &LogicalPlan) -> Result<LogicalPlan> {
    Ok(cut_below(plan.clone())?.plan)
}

/// A plan whose deep parts are cut away.
struct Shortened {
    plan: LogicalPlan,
    /// Operators on the longest way down to a cut or to the end.
    depth: usize,
    nested: u16,
}

fn cut_below(plan: LogicalPlan) -> Result<Shortened> {
    let (mut depth, mut nested) = (0, 0);
    let plan = plan
        .map_children(|child| {
            let below = cut_below(child)?;
            nested = nested.max(below.nested);
            if below.depth < LOGICAL_DEPTH {
                depth = depth.max(below.depth);
                return Ok(Transformed::yes(below.plan));
            }
            if below.nested == MOST_CUTS {
                return exec_err!("it is nested more deeply than a cluster takes");
            }
            nested = nested.max(below.nested + 1);
            let node = Arc::new(Cut {
                plan: below.plan,
                nested: below.nested + 1,
            });
            Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
        })?
        .data;
    Ok(Shortened {
        plan,
        depth: depth + 1,
        nested,
    })
}

/// Puts logical plans together again, before any other rule sees them.
#[derive(Debug)]
pub(super) struct JoinPieces;

impl AnalyzerRule for JoinPieces {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let joined = plan.transform_down(|node| {
            let cut = match &node {
                LogicalPlan::Extension(extension) => as_cut(extension.node.as_ref()),
                _ => None,
            };
            Ok(match cut {
                Some(cut) => Transformed::yes(cut.plan.clone()),
                None => Transformed::no(node),
            })
        })?;
        Ok(joined.data)
    }

    fn name(&self) -> &'static str {
        "join_pieces"
    }
}

fn as_cut(node: &dyn UserDefinedLogicalNode) -> Option<&Cut> {
    node.as_any().downcast_ref()
}

/// A logical piece as bytes; `None` for other nodes.
pub(super) fn encode_logical(
    node: &dyn UserDefinedLogicalNode,
    codec: &dyn LogicalExtensionCodec,
) -> Option<Result<Vec<u8>>> {
    let cut = as_cut(node)?;
    let encode = || {
        let message = LogicalPlanNode::try_from_logical_plan(&cut.plan, codec)?;
        let mut bytes = header(cut.nested);
        let start = bytes.len();
        message.try_encode(&mut bytes)?;
        // Messages nested more deeply than the reader allows are written without complaint.
        LogicalPlanNode::try_decode(&bytes[start..])?;
        Ok(bytes)
    };
    Some(encode())
}

/// A logical piece; `None` where the bytes are of another node. `codec` reads a piece that may hold so many others.
pub(super) fn decode_logical<C: LogicalExtensionCodec>(
    bytes: &[u8],
    within: Option<u16>,
    context: &TaskContext,
    codec: impl FnOnce(u16) -> C,
) -> Option<Result<Extension>> {
    let (nested, message) = match opened(bytes, within)? {
        Ok(piece) => piece,
        Err(error) => return Some(Err(error)),
    };
    let decode = || {
        let message = LogicalPlanNode::try_decode(message)?;
        let plan = message.try_into_logical_plan(context, &codec(nested))?;
        let node = Arc::new(Cut { plan, nested });
        Ok(Extension { node })
    };
    Some(decode())
}

fn header(nested: u16) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.extend(nested.to_be_bytes());
    bytes
}

/// How many pieces are nested in a piece, and its message. `within` is what the piece around it said of itself.
fn opened(bytes: &[u8], within: Option<u16>) -> Option<Result<(u16, &[u8])>> {
    let (nested, message) = bytes.strip_prefix(MARK)?.split_first_chunk()?;
    let nested = u16::from_be_bytes(*nested);
    let most = within.map_or(MOST_CUTS, |within| within.saturating_sub(1));
    Some(if (1..=most).contains(&nested) {
        Ok((nested, message))
    } else {
        exec_err!("a plan arrived whose pieces do not fit into each other")
    })
}

/// Whether a message may end between two operators. The scheduler knows its exchanges, and the sides of joins, by the
/// operators next to them, and asks again what an operator requires of its input; one that asks for nothing and one
/// that is no exchange can be parted.
fn may_end_between(above: &dyn ExecutionPlan, below: &dyn ExecutionPlan) -> bool {
    let takes_any = above.is::<ProjectionExec>() || above.is::<FilterExec>();
    takes_any
        && (below.is::<ProjectionExec>()
            || below.is::<FilterExec>()
            || below.is::<AggregateExec>()
            || below.is::<BoundedWindowAggExec>()
            || below.is::<WindowAggExec>())
}

/// Operators on the longest way down.
fn height(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below = plan.children().into_iter().map(height).max();
    below.unwrap_or_default() + 1
}

/// Marks where the message of a stage ends. It changes no row and is gone when the stage has arrived.
#[derive(Debug)]
struct StageCut {
    input: Arc<dyn ExecutionPlan>,
    nested: u16,
}

impl DisplayAs for StageCut {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StageCut")
    }
}

impl ExecutionPlan for StageCut {
    fn name(&self) -> &'static str {
        "StageCut"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    has_no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self {
                input,
                nested: self.nested,
            })),
            _ => exec_err!("a cut has one input"),
        }
    }

    with_new_children_replaces!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn try_to_proto(
        &self,
        context: &ExecutionPlanEncodeCtx<'_>,
    ) -> Result<Option<PhysicalPlanNode>> {
        let mut node = header(self.nested);
        context.encode_child(&self.input)?.try_encode(&mut node)?;
        Ok(Some(PhysicalPlanNode {
            physical_plan_type: Some(PhysicalPlanType::Extension(PhysicalExtensionNode {
                node,
                inputs: Vec::new(),
            })),
        }))
    }
}

/// Cuts physical plans, behind every other rule.
#[derive(Debug)]
pub(super) struct CutStages;

impl PhysicalOptimizerRule for CutStages {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if height(&plan) <= WHOLE_STAGE_HEIGHT {
            return Ok(plan);
        }
        Ok(cut_stages(plan)?.0)
    }

    fn name(&self) -> &'static str {
        "cut_stages"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The plan, its operators down to the next cut, and the cuts nested in it.
fn cut_stages(plan: Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, usize, u16)> {
    let (mut depth, mut nested, mut is_changed) = (0, 0, false);
    let mut inputs = Vec::new();
    for child in plan.children() {
        let (mut input, depth_below, nested_below) = cut_stages(Arc::clone(child))?;
        nested = nested.max(nested_below);
        if depth_below < PHYSICAL_DEPTH || !may_end_between(plan.as_ref(), input.as_ref()) {
            depth = depth.max(depth_below);
        } else if nested_below < MOST_CUTS {
            nested = nested.max(nested_below + 1);
            input = Arc::new(StageCut {
                input,
                nested: nested_below + 1,
            });
        } else {
            return exec_err!("the plan is nested more deeply than executors take");
        }
        is_changed |= !Arc::ptr_eq(&input, child);
        inputs.push(input);
    }
    let plan = match is_changed {
        true => plan.replace_children(
            inputs,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )?,
        false => plan,
    };
    Ok((plan, depth + 1, nested))
}

/// A piece of a stage; `None` where the bytes are of another operator.
pub(super) fn decode_stage<C: PhysicalExtensionCodec>(
    bytes: &[u8],
    within: Option<u16>,
    context: &TaskContext,
    codec: impl FnOnce(u16) -> C,
) -> Option<Result<Arc<dyn ExecutionPlan>>> {
    let (nested, message) = match opened(bytes, within)? {
        Ok(piece) => piece,
        Err(error) => return Some(Err(error)),
    };
    let decode =
        || PhysicalPlanNode::try_decode(message)?.try_into_physical_plan(context, &codec(nested));
    Some(decode())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;
    use crate::cluster::codec::PlanCodec;

    /// As many limits, one over the other, over one row.
    fn limits(depth: usize) -> LogicalPlan {
        let mut plan = LogicalPlanBuilder::values(vec![vec![lit(1)]]).unwrap();
        for _ in 1..depth {
            plan = plan.limit(0, Some(3)).unwrap();
        }
        plan.build().unwrap()
    }

    fn sent(plan: &LogicalPlan) -> Result<LogicalPlan> {
        let codec = PlanCodec::default();
        let mut bytes = Vec::new();
        LogicalPlanNode::try_from_logical_plan(plan, &codec)?.try_encode(&mut bytes)?;
        let arrived = LogicalPlanNode::try_decode(&bytes)?;
        let arrived = arrived.try_into_logical_plan(&TaskContext::default(), &codec)?;
        JoinPieces.analyze(arrived, &ConfigOptions::default())
    }

    fn piece(plan: LogicalPlan, nested: u16) -> LogicalPlan {
        let node = Arc::new(Cut { plan, nested });
        LogicalPlan::Extension(Extension { node })
    }

    /// On a thread whose stack is as large as those of the engine.
    fn on_engine_thread(test: fn()) {
        crate::block_on(1, async move { test() }).unwrap();
    }

    #[test]
    fn a_plan_too_deep_for_a_message_arrives_as_it_was() {
        on_engine_thread(|| {
            let deep = limits(400);
            let error = sent(&deep).unwrap_err().to_string();
            assert!(error.contains("RecursionLimitReached"), "{error}");
            let arrived = sent(&cut(&deep).unwrap()).unwrap();
            assert_eq!(
                arrived.display_indent().to_string(),
                deep.display_indent().to_string()
            );
            let flat = limits(LOGICAL_DEPTH);
            assert_eq!(cut(&flat).unwrap(), flat);
        });
    }

    #[test]
    fn a_plan_deeper_than_the_stack_is_meant_for_is_not_sent() {
        on_engine_thread(|| {
            let most = usize::from(MOST_CUTS + 1) * LOGICAL_DEPTH;
            assert!(cut(&limits(most)).is_ok());
            let error = cut(&limits(most + 1)).unwrap_err().to_string();
            assert!(error.contains("nested more deeply"), "{error}");
        });
    }

    #[test]
    fn pieces_that_say_they_hold_more_than_they_may_are_refused() {
        let hostile = [
            piece(limits(1), 0),
            piece(limits(1), MOST_CUTS + 1),
            piece(piece(limits(1), 1), 1),
            piece(piece(piece(limits(1), 1), 3), 3),
            piece(piece(limits(1), u16::MAX), 2),
        ];
        for plan in hostile {
            let error = sent(&plan).unwrap_err().to_string();
            assert!(error.contains("do not fit into each other"), "{error}");
        }
        assert!(sent(&piece(piece(limits(1), 1), 2)).is_ok());
        let mut cut_off = header(1);
        cut_off.truncate(MARK.len() + 1);
        assert!(opened(&cut_off, None).is_none());
    }
}
