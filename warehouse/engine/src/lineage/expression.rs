//! Where the value of an expression comes from.

use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, InSubquery, ScalarFunction, SetComparison, WindowFunction,
};
use datafusion::logical_expr::{Case, Expr, Subquery};

use super::flow::{Carry, How, Influence, Sources, Transform};
use super::functions::{aggregate_carry, chooses_by_null, numbers_rows};
use super::trace::{Relation, Scope, Tracer};

impl Tracer {
    /// The sources of an expression over the rows of a relation.
    pub(super) fn expression(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Sources> {
        Ok(match expr {
            Expr::Alias(alias) => self.expression(&alias.expr, scope)?,
            Expr::Column(column) => scope.relation.column(column)?.clone(),
            Expr::OuterReferenceColumn(_, column) => scope.outer_column(column)?,
            Expr::Case(case) => self.case(case, scope)?,
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                let presence = How::Value(Transform::Transformed, Carry::Count);
                passed(self.expression(inner, scope)?, presence)
            }
            Expr::ScalarFunction(function) => self.scalar_function(function, scope)?,
            Expr::AggregateFunction(function) => self.aggregate(function, scope)?,
            Expr::WindowFunction(function) => self.window(function, scope)?,
            Expr::ScalarSubquery(subquery) => {
                let relation = self.subquery(subquery, scope)?;
                let mut sources = relation.columns.first().cloned().unwrap_or_default();
                sources.extend(relation.rows);
                sources
            }
            Expr::Exists(exists) => self.subquery(&exists.subquery, scope)?.rows_or_presence(),
            Expr::InSubquery(InSubquery { expr, subquery, .. })
            | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
                let relation = self.subquery(subquery, scope)?;
                let mut compared = self.expression(expr, scope)?;
                compared.extend(relation.columns.first().cloned().unwrap_or_default());
                let mut sources = passed(compared, TRANSFORMED);
                sources.extend(relation.rows);
                sources
            }
            Expr::GroupingSet(_) => self.children(expr, scope)?,
            // Everything else computes from its parts: operators, casts, lists, patterns.
            _ => passed(self.children(expr, scope)?, TRANSFORMED),
        })
    }

    /// The sources of a condition: its values decide and go nowhere.
    pub(super) fn condition(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
        why: Influence,
    ) -> Result<Sources> {
        Ok(passed(self.expression(expr, scope)?, How::Influence(why)))
    }

    fn children(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Sources> {
        let mut children = Vec::new();
        expr.apply_children(|child| {
            children.push(child.clone());
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })?;
        let mut sources = Sources::new();
        for child in &children {
            sources.extend(self.expression(child, scope)?);
        }
        Ok(sources)
    }

    fn subquery(&mut self, subquery: &Subquery, scope: &Scope<'_>) -> Result<Relation> {
        self.inner_plan(&subquery.subquery, scope)
    }

    fn case(&mut self, case: &Case, scope: &Scope<'_>) -> Result<Sources> {
        let mut sources = Sources::new();
        for condition in case
            .expr
            .iter()
            .chain(case.when_then_expr.iter().map(|(when, _)| when))
        {
            sources.extend(self.condition(condition, scope, Influence::Conditional)?);
        }
        let results = case.when_then_expr.iter().map(|(_, then)| then);
        for result in results.chain(&case.else_expr) {
            sources.extend(self.expression(result, scope)?);
        }
        Ok(sources)
    }

    fn scalar_function(&mut self, call: &ScalarFunction, scope: &Scope<'_>) -> Result<Sources> {
        let name = call.func.name();
        let mut sources = Sources::new();
        for (position, argument) in call.args.iter().enumerate() {
            let of_argument = self.expression(argument, scope)?;
            let is_last = position + 1 == call.args.len();
            if chooses_by_null(name) {
                if !is_last {
                    sources.extend(decides(&of_argument, Influence::Conditional));
                }
                sources.extend(of_argument);
            } else if name == "nullif" {
                sources.extend(decides(&of_argument, Influence::Conditional));
                if position == 0 {
                    sources.extend(of_argument);
                }
            } else {
                sources.extend(passed(of_argument, TRANSFORMED));
            }
        }
        Ok(sources)
    }

    fn aggregate(&mut self, call: &AggregateFunction, scope: &Scope<'_>) -> Result<Sources> {
        let how = How::Value(Transform::Aggregated, aggregate_carry(call.func.name()));
        let mut sources = Sources::new();
        for argument in &call.params.args {
            sources.extend(passed(self.expression(argument, scope)?, how));
        }
        if let Some(filter) = &call.params.filter {
            sources.extend(self.condition(filter, scope, Influence::Filter)?);
        }
        for sort in &call.params.order_by {
            sources.extend(self.condition(&sort.expr, scope, Influence::Sort)?);
        }
        Ok(sources)
    }

    fn window(&mut self, call: &WindowFunction, scope: &Scope<'_>) -> Result<Sources> {
        let name = call.fun.name();
        let mut sources = Sources::new();
        for argument in &call.params.args {
            let of_argument = self.expression(argument, scope)?;
            sources.extend(if numbers_rows(name) {
                passed(of_argument, How::Influence(Influence::Window))
            } else {
                passed(
                    of_argument,
                    How::Value(Transform::Windowed, aggregate_carry(name)),
                )
            });
        }
        let order = call.params.order_by.iter().map(|sort| &sort.expr);
        for expr in call.params.partition_by.iter().chain(order) {
            sources.extend(self.condition(expr, scope, Influence::Window)?);
        }
        if let Some(filter) = &call.params.filter {
            sources.extend(self.condition(filter, scope, Influence::Filter)?);
        }
        Ok(sources)
    }
}

const TRANSFORMED: How = How::Value(Transform::Transformed, Carry::Whole);

/// Sources after one more step.
pub(super) fn passed(sources: Sources, step: How) -> Sources {
    sources
        .into_iter()
        .map(|(source, how)| (source, how.then(step)))
        .collect()
}

/// Sources that decide something, beside whatever else they do.
fn decides(sources: &Sources, why: Influence) -> Sources {
    passed(sources.clone(), How::Influence(why))
}
