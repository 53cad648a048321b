//! Finds the equal parts of a query.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, get_required_group_by_exprs_indices};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, SubqueryAlias, TableSource};

use super::part::Part;

/// The plan with a leaf for every part that it reads more than once and that is worth keeping.
pub(super) fn with_shared_parts(plan: LogicalPlan) -> Result<LogicalPlan> {
    if is_recursive(&plan)? {
        return Ok(plan);
    }
    // Larger parts first: what only they read is found once in them, and then stays where it is.
    let mut candidates = repeated(&plan)?;
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.size));
    let mut trees = vec![plan];
    let mut parts: Vec<Arc<Part>> = Vec::new();
    for candidate in candidates {
        let mut readers = 0;
        for tree in &trees {
            readers += count(tree, &candidate)?;
        }
        if readers < 2 {
            continue;
        }
        let part = Part::new(parts.len() + 1, &candidate.plan);
        for tree in &mut trees {
            *tree = replace(std::mem::take(tree), &candidate, &part)?;
        }
        trees.push(candidate.plan.as_ref().clone());
        parts.push(part);
    }
    let mut trees = trees.into_iter();
    let plan = trees.next().unwrap_or_default();
    for (part, definition) in parts.iter().zip(trees) {
        part.define(definition)?;
    }
    Ok(plan)
}

/// A plan that stands behind a name, and what it reads.
struct Candidate {
    plan: Arc<LogicalPlan>,
    size: usize,
    sources: Vec<usize>,
}

impl Candidate {
    /// Whether a plan gives the same rows. Equal plans name the same tables; two tables may have one name.
    fn is(&self, plan: &Arc<LogicalPlan>) -> Result<bool> {
        let equal = Arc::ptr_eq(&self.plan, plan) || self.plan == *plan;
        Ok(equal && self.sources == sources(plan)?)
    }
}

/// The different plans that stand behind names more than once and may be shared.
fn repeated(plan: &LogicalPlan) -> Result<Vec<Candidate>> {
    let mut found: Vec<(Candidate, usize)> = Vec::new();
    each_named(plan, &mut |named| {
        for (candidate, count) in &mut found {
            if candidate.is(named)? {
                *count += 1;
                return Ok(());
            }
        }
        if is_worth_keeping(named)?
            && is_deterministic(named)?
            && is_closed(named, &mut Vec::new())?
        {
            let candidate = Candidate {
                size: size(named)?,
                sources: sources(named)?,
                plan: Arc::clone(named),
            };
            found.push((candidate, 1));
        }
        Ok(())
    })?;
    let repeated = found.into_iter().filter(|(_, count)| *count > 1);
    Ok(repeated.map(|(candidate, _)| candidate).collect())
}

/// Visits what stands behind names: common table expressions, views and queries in brackets. A second name adds nothing.
fn each_named(
    plan: &LogicalPlan,
    visit: &mut dyn FnMut(&Arc<LogicalPlan>) -> Result<()>,
) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::SubqueryAlias(alias) = node
            && !matches!(alias.input.as_ref(), LogicalPlan::SubqueryAlias(_))
        {
            visit(&alias.input)?;
        }
        Ok(match is_grouped_by_dependents(node) {
            true => TreeNodeRecursion::Jump,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(())
}

/// Whether columns are grouped by that depend on others of the group. The SQL planner adds them, also ones that the
/// query does not name, and the optimiser takes those out again by the dependencies of the input. A leaf has none of
/// these, so such an input is left as it was written.
fn is_grouped_by_dependents(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = plan else {
        return false;
    };
    let groups = aggregate.group_expr.iter();
    let groups: Vec<String> = groups
        .map(|group| group.schema_name().to_string())
        .collect();
    let needed = get_required_group_by_exprs_indices(aggregate.input.schema(), &groups);
    needed.is_some_and(|needed| needed.len() < groups.len())
}

fn count(plan: &LogicalPlan, candidate: &Candidate) -> Result<usize> {
    let mut count = 0;
    each_named(plan, &mut |named| {
        count += usize::from(candidate.is(named)?);
        Ok(())
    })?;
    Ok(count)
}

fn replace(plan: LogicalPlan, candidate: &Candidate, part: &Arc<Part>) -> Result<LogicalPlan> {
    let replaced = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::SubqueryAlias(alias) if candidate.is(&alias.input)? => {
            let leaf = SubqueryAlias::try_new(Arc::new(part.leaf()?), alias.alias)?;
            let leaf = LogicalPlan::SubqueryAlias(leaf);
            Ok(Transformed::new(leaf, true, TreeNodeRecursion::Jump))
        }
        node if is_grouped_by_dependents(&node) => {
            Ok(Transformed::new(node, false, TreeNodeRecursion::Jump))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}

/// Where the rows of every scan come from, in the order of the scans.
fn sources(plan: &LogicalPlan) -> Result<Vec<usize>> {
    let address = |source: &Arc<dyn TableSource>| match source_as_provider(source) {
        Ok(provider) => Arc::as_ptr(&provider) as *const () as usize,
        Err(_) => Arc::as_ptr(source) as *const () as usize,
    };
    let mut sources = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            sources.push(address(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(sources)
}

fn size(plan: &LogicalPlan) -> Result<usize> {
    let mut size = 0;
    plan.apply_with_subqueries(|_| {
        size += 1;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(size)
}

/// A query that reads itself runs a part of it again and again, each time over other rows.
fn is_recursive(plan: &LogicalPlan) -> Result<bool> {
    holds(plan, |node| matches!(node, LogicalPlan::RecursiveQuery(_)))
}

/// Whether computing the part again costs more than reading rows again: each reader of a table reads the columns and
/// the rows it needs.
fn is_worth_keeping(plan: &LogicalPlan) -> Result<bool> {
    holds(plan, |node| {
        matches!(
            node,
            LogicalPlan::Join(_)
                | LogicalPlan::Aggregate(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Distinct(_)
                | LogicalPlan::Sort(_)
                | LogicalPlan::Extension(_)
        )
    })
}

fn holds(plan: &LogicalPlan, is_such: impl Fn(&LogicalPlan) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= is_such(node);
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Whether the part gives the same rows each time: readers of `random()` expect rows of their own.
fn is_deterministic(plan: &LogicalPlan) -> Result<bool> {
    let mut volatile = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            volatile |= expression.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    // A limit without an order may keep other rows each time, and readers that see one result are right as well.
    Ok(!volatile)
}

/// Whether every reference to an outer query leads to a query inside the part. `scopes` are the columns that subqueries
/// at this place may refer to.
fn is_closed(plan: &LogicalPlan, scopes: &mut Vec<DFSchema>) -> Result<bool> {
    if matches!(plan, LogicalPlan::Subquery(_)) {
        // A lateral join refers to what stands beside it.
        return Ok(false);
    }
    let mut columns = DFSchema::empty();
    for input in plan.inputs() {
        columns.merge(input.schema());
    }
    let mut is_inside = true;
    plan.apply_expressions(|expression| {
        expression.apply(|inner| {
            if let Expr::OuterReferenceColumn(_, column) = inner {
                is_inside &= scopes.iter().any(|scope| scope.has_column(column));
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if !is_inside {
        return Ok(false);
    }
    scopes.push(columns);
    plan.apply_subqueries(|subquery| {
        // Given as the node that wraps the query.
        let query = match subquery {
            LogicalPlan::Subquery(wrapped) => wrapped.subquery.as_ref(),
            other => other,
        };
        is_inside = is_inside && is_closed(query, scopes)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    scopes.pop();
    for input in plan.inputs() {
        is_inside = is_inside && is_closed(input, scopes)?;
    }
    Ok(is_inside)
}
