//! What several readers of one query use is computed once.
//!
//! DataFusion writes a common table expression out for each of its readers, and computes it as often. Here a query is
//! looked through for equal parts before it is optimised ([`parts`]): each becomes a leaf that stands for the part. The
//! query is optimised around the leaves, and every part below the columns and conditions that its readers push down to
//! their leaves together ([`planner`]). All leaves of a part run one plan: its rows are kept until the last reader has
//! had them, in memory as far as the session's pool allows, else in spill files ([`exec`], [`buffer`]).
//!
//! A reader's leaf ends its plan: whatever the optimiser pushes down from one reader, a filter built while a join runs
//! as well, stays above it. Lineage, fingerprints and checks see the query as it was written, as parts are looked for
//! only when it is about to run. Plans for a cluster have no shared parts: its stages run in processes of their own.

mod buffer;
mod exec;
mod part;
mod parts;
mod planner;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;

use exec::ShownOnce;
use parts::with_shared_parts;
use planner::SharingPlanner;

/// Marks sessions whose queries share parts.
struct SharesParts;

/// Lets the queries of a session share parts.
pub(crate) fn sharing_parts(
    builder: SessionStateBuilder,
    state: &SessionState,
) -> SessionStateBuilder {
    let planner = SharingPlanner::new(Arc::clone(state.query_planner()));
    let config = state.config().clone().with_extension(Arc::new(SharesParts));
    builder
        .with_config(config)
        .with_query_planner(Arc::new(planner))
        .with_physical_optimizer_rule(Arc::new(ShownOnce))
}

/// The same rows from a plan that computes repeated parts once, where the session shares parts. To be asked for last:
/// the plan is for running only.
pub(crate) fn computed_once(rows: DataFrame) -> Result<DataFrame> {
    let (state, plan) = rows.into_parts();
    if state.config().get_extension::<SharesParts>().is_none() {
        return Ok(DataFrame::new(state, plan));
    }
    let plan = match plan {
        LogicalPlan::Explain(mut explain) => {
            explain.plan = Arc::new(shared(&state, explain.plan.as_ref().clone())?);
            LogicalPlan::Explain(explain)
        }
        plan => shared(&state, plan)?,
    };
    Ok(DataFrame::new(state, plan))
}

/// Types are made to agree first, as a leaf says what type the columns of its part have.
fn shared(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let options = state.config_options();
    let plan = state
        .analyzer()
        .execute_and_check(plan, options, |_, _| {})?;
    with_shared_parts(plan)
}
