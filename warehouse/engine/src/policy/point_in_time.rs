//! Point in time: whether a plan reads only what was known on the day of `as_of`.
//!
//! Every scan of a table whose rows became known on some day leaves a *need*: its knowledge column
//! must be at most `as_of`. A need is met by a comparison `known <= bound` above the scan, where the
//! bound is `as_of` itself or a date that is bounded in its turn (`registered_on <= as_of`). It must
//! be met before rows are put together: an aggregate, a window, a limit or a subquery over rows that
//! are not bounded yet has already looked ahead, and no later condition takes that back. A column may
//! have a knowledge day of its own (a loss reported later than its acquisition): it needs that day,
//! by a condition on the row or in the `case` around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, JoinType, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::utils::{grouping_set_to_exprlist, split_conjunction};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, Operator, TableScan};
use goyong_types::TableName;
use serde::{Deserialize, Serialize};

use crate::lineage::{AS_OF_MARK, table_of};

/// Since when the rows and columns of a table are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Knowledge {
    /// Since when a row is.
    pub rows: KnownBy,
    /// Columns that are known on another day than their row.
    pub columns: BTreeMap<String, KnownBy>,
}

/// What says since when something is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KnownBy {
    /// It was always known: code tables, and what is computed from them or is bounded already.
    #[default]
    Always,
    /// A date column of the table.
    Column(String),
    /// No column says it.
    Nothing,
}

/// Something read before it was known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Leak {
    /// The output column, `None` where it decides about rows.
    pub column: Option<String>,
    /// Names of the steps from the output to the table, nearest to the output first.
    pub path: Vec<String>,
    /// The table.
    pub table: TableName,
    /// The column that must be bounded, `None` where no column says when it was known.
    pub known_by: Option<String>,
}

/// Everything a plan reads that may not have been known at `as_of`.
pub(crate) fn leaks(
    plan: &LogicalPlan,
    knowledge: &dyn Fn(&TableName) -> Knowledge,
) -> Result<Vec<Leak>> {
    let mut walker = Walker {
        knowledge,
        scans: Vec::new(),
        recursive: Vec::new(),
    };
    let relation = walker.plan(plan, None)?;
    let mut found = BTreeSet::new();
    let mut add = |walker: &Walker<'_>, column: Option<String>, needs: &BTreeSet<Need>| {
        for need in needs {
            let scan = &walker.scans[need.scan];
            found.insert(Leak {
                column: column.clone(),
                path: scan.path.iter().rev().cloned().collect(),
                table: scan.table.clone(),
                known_by: need.by.clone(),
            });
        }
    };
    for (field, column) in plan.schema().fields().iter().zip(&relation.columns) {
        add(&walker, Some(field.name().clone()), &column.needs);
    }
    add(&walker, None, &relation.rows);
    Ok(found.into_iter().collect())
}

/// A knowledge column that must be bounded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    scan: usize,
    by: Option<String>,
    /// Whether rows were put together before the bound: no condition helps any more.
    sealed: bool,
}

/// A knowledge column of a scan.
type Known = (usize, String);

#[derive(Debug, Clone, Default)]
struct Value {
    needs: BTreeSet<Need>,
    /// The knowledge columns it is, unchanged.
    is: BTreeSet<Known>,
    /// Whether it is a date that is at most `as_of`.
    bounded: bool,
}

#[derive(Debug, Clone)]
struct Relation {
    schema: DFSchemaRef,
    columns: Vec<Value>,
    rows: BTreeSet<Need>,
}

struct Scope<'a> {
    relation: &'a Relation,
    outer: Option<&'a Scope<'a>>,
}

struct Scan {
    table: TableName,
    /// Aliases it went through.
    path: Vec<String>,
}

struct Walker<'a> {
    knowledge: &'a dyn Fn(&TableName) -> Knowledge,
    scans: Vec<Scan>,
    recursive: Vec<(String, Relation)>,
}

/// What a condition makes sure of.
#[derive(Debug, Clone, Default)]
struct Assurance {
    /// Knowledge columns that are bounded where it holds.
    met: BTreeSet<Known>,
    /// Positions of columns that are dates at most `as_of` where it holds.
    bounded: BTreeSet<usize>,
}

impl Relation {
    fn empty(schema: &DFSchemaRef) -> Self {
        Self {
            schema: Arc::clone(schema),
            columns: vec![Value::default(); schema.fields().len()],
            rows: BTreeSet::new(),
        }
    }

    fn with_schema(mut self, schema: &DFSchemaRef) -> Self {
        self.schema = Arc::clone(schema);
        self
    }

    fn value(&self, column: &Column) -> Option<&Value> {
        let index = self.schema.maybe_index_of_column(column)?;
        self.columns.get(index)
    }

    fn assure(&mut self, assurance: &Assurance, columns: std::ops::Range<usize>) {
        for position in columns {
            if let Some(value) = self.columns.get_mut(position) {
                value.needs = unmet(&value.needs, assurance);
                value.bounded |= assurance.bounded.contains(&position);
            }
        }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.columns.len()
    }
}

fn unmet(needs: &BTreeSet<Need>, assurance: &Assurance) -> BTreeSet<Need> {
    let met = |need: &Need| {
        !need.sealed
            && need
                .by
                .as_ref()
                .is_some_and(|by| assurance.met.contains(&(need.scan, by.clone())))
    };
    needs.iter().filter(|need| !met(need)).cloned().collect()
}

fn sealed(needs: &BTreeSet<Need>) -> BTreeSet<Need> {
    needs
        .iter()
        .map(|need| Need {
            sealed: true,
            ..need.clone()
        })
        .collect()
}

impl Walker<'_> {
    fn plan(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<Relation> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, outer),
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input, outer)?;
                self.project(&projection.expr, &input, &projection.schema, outer)
            }
            LogicalPlan::Filter(filter) => {
                let input = self.plan(&filter.input, outer)?;
                self.filtered(input, &filter.predicate, outer)
            }
            LogicalPlan::Window(window) => {
                let input = self.plan(&window.input, outer)?;
                let mut relation = input.clone();
                let scope = Scope {
                    relation: &input,
                    outer,
                };
                for expr in &window.window_expr {
                    let value = self.value(expr, &scope)?;
                    relation.columns.push(value);
                }
                Ok(relation.with_schema(&window.schema))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate_plan(aggregate, outer),
            LogicalPlan::Sort(sort) => {
                let mut input = self.plan(&sort.input, outer)?;
                if sort.fetch.is_some() {
                    input.rows = sealed(&input.rows);
                }
                Ok(input)
            }
            LogicalPlan::Limit(limit) => {
                let mut input = self.plan(&limit.input, outer)?;
                input.rows = sealed(&input.rows);
                Ok(input)
            }
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(union) => {
                let mut relation = Relation::empty(&union.schema);
                for (number, input) in union.inputs.iter().enumerate() {
                    let input = self.plan(input, outer)?;
                    for (value, more) in relation.columns.iter_mut().zip(input.columns) {
                        value.bounded = more.bounded && (number == 0 || value.bounded);
                        value.needs.extend(more.needs);
                        value.is.extend(more.is);
                    }
                    relation.rows.extend(input.rows);
                }
                Ok(relation)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let first = self.scans.len();
                let relation = self.plan(&alias.input, outer)?.with_schema(&alias.schema);
                let name = alias.alias.table();
                for scan in &mut self.scans[first..] {
                    if scan.path.last().map(String::as_str) != Some(name) {
                        scan.path.push(name.to_owned());
                    }
                }
                Ok(relation)
            }
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery, outer),
            LogicalPlan::Repartition(repartition) => self.plan(&repartition.input, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let mut input = self.plan(input, outer)?;
                let groups: BTreeSet<Known> = input
                    .columns
                    .iter()
                    .flat_map(|value| value.is.clone())
                    .collect();
                input.rows = sealed_unless_grouped(&input.rows, &groups);
                Ok(input)
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let mut input = self.plan(&on.input, outer)?;
                input.rows = sealed(&input.rows);
                self.project(&on.select_expr, &input, &on.schema, outer)
            }
            LogicalPlan::Unnest(unnest) => {
                let input = self.plan(&unnest.input, outer)?;
                let mut relation = Relation::empty(&unnest.schema);
                for (position, from) in unnest.dependency_indices.iter().enumerate() {
                    if let Some(value) = input.columns.get(*from) {
                        relation.columns[position] = value.clone();
                    }
                }
                for (index, _) in &unnest.list_type_columns {
                    relation.rows.extend(input.columns[*index].needs.clone());
                }
                relation.rows.extend(input.rows);
                Ok(relation)
            }
            LogicalPlan::RecursiveQuery(query) => {
                let start = self
                    .plan(&query.static_term, outer)?
                    .with_schema(&query.schema);
                self.recursive.push((query.name.clone(), start.clone()));
                let step = self.plan(&query.recursive_term, outer);
                self.recursive.pop();
                let step = step?;
                let mut relation = start;
                for (value, more) in relation.columns.iter_mut().zip(step.columns) {
                    value.needs.extend(sealed(&more.needs));
                    value.is.clear();
                    value.bounded &= more.bounded;
                }
                relation.rows.extend(sealed(&step.rows));
                Ok(relation)
            }
            LogicalPlan::Values(values) => Ok(Relation::empty(&values.schema)),
            LogicalPlan::EmptyRelation(empty) => Ok(Relation::empty(&empty.schema)),
            LogicalPlan::Extension(extension) => {
                // An operator over several rows of a key: it has looked at all of them.
                let mut relation = Relation::empty(extension.node.schema());
                let mut needs = BTreeSet::new();
                for input in extension.node.inputs() {
                    let input = self.plan(input, outer)?;
                    needs.extend(sealed(&input.rows));
                    for value in &input.columns {
                        needs.extend(sealed(&value.needs));
                    }
                }
                relation.rows = needs;
                Ok(relation)
            }
            other => Err(DataFusionError::Plan(format!(
                "point in time: a {} is no part of a query",
                other.display()
            ))),
        }
    }

    fn scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Result<Relation> {
        let name = scan.table_name.table();
        if let Some((_, relation)) = self.recursive.iter().rev().find(|(known, _)| known == name)
            && scan.table_name.schema().is_none()
        {
            return Ok(relation.clone().with_schema(&scan.projected_schema));
        }
        let mut relation = Relation::empty(&scan.projected_schema);
        let Some(table) = table_of(scan) else {
            return Ok(relation);
        };
        let known = (self.knowledge)(&table);
        let number = self.scans.len();
        self.scans.push(Scan {
            table,
            path: Vec::new(),
        });
        let need = |by: &KnownBy| match by {
            KnownBy::Always => None,
            KnownBy::Column(column) => Some(Need {
                scan: number,
                by: Some(column.clone()),
                sealed: false,
            }),
            KnownBy::Nothing => Some(Need {
                scan: number,
                by: None,
                sealed: true,
            }),
        };
        relation.rows.extend(need(&known.rows));
        let days: BTreeSet<&String> = std::iter::once(&known.rows)
            .chain(known.columns.values())
            .filter_map(|by| match by {
                KnownBy::Column(column) => Some(column),
                KnownBy::Always | KnownBy::Nothing => None,
            })
            .collect();
        for (value, field) in relation
            .columns
            .iter_mut()
            .zip(scan.projected_schema.fields())
        {
            if days.contains(field.name()) {
                value.is.insert((number, field.name().clone()));
                if known.rows != KnownBy::Column(field.name().clone()) {
                    value
                        .needs
                        .extend(need(&KnownBy::Column(field.name().clone())));
                }
            }
            if let Some(by) = known.columns.get(field.name()) {
                value.needs.extend(need(by));
            }
        }
        for filter in &scan.filters {
            relation = self.filtered(relation, filter, outer)?;
        }
        Ok(relation)
    }

    fn project(
        &mut self,
        expressions: &[Expr],
        input: &Relation,
        schema: &DFSchemaRef,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let mut relation = Relation::empty(schema);
        let scope = Scope {
            relation: input,
            outer,
        };
        for (position, expr) in expressions.iter().enumerate() {
            relation.columns[position] = self.value(expr, &scope)?;
        }
        relation.rows.clone_from(&input.rows);
        Ok(relation)
    }

    fn filtered(
        &mut self,
        mut relation: Relation,
        condition: &Expr,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let scope = Scope {
            relation: &relation,
            outer,
        };
        let needs = self.value(condition, &scope)?.needs;
        let assurance = self.assurance(condition, &scope)?;
        relation.rows.extend(needs);
        relation.rows = unmet(&relation.rows, &assurance);
        let all = relation.all();
        relation.assure(&assurance, all);
        Ok(relation)
    }

    /// What holds wherever a condition is true.
    fn assurance(&mut self, condition: &Expr, scope: &Scope<'_>) -> Result<Assurance> {
        let mut assurance = Assurance::default();
        // A bound may rest on another conjunct: repeat until nothing new is bounded.
        loop {
            let before = assurance.clone();
            let mut here = scope.relation.clone();
            let all = here.all();
            here.assure(&assurance, all);
            let now = Scope {
                relation: &here,
                outer: scope.outer,
            };
            for conjunct in split_conjunction(condition) {
                for (small, large) in at_most(conjunct) {
                    if !self.value(large, &now)?.bounded {
                        continue;
                    }
                    assurance.met.extend(self.value(small, &now)?.is);
                    if let Expr::Column(column) = small
                        && let Some(index) = here.schema.maybe_index_of_column(column)
                    {
                        assurance.bounded.insert(index);
                    }
                }
            }
            if assurance.met == before.met && assurance.bounded == before.bounded {
                return Ok(assurance);
            }
        }
    }

    fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Result<Relation> {
        let left = self.plan(&join.left, outer)?;
        let left_scope = Scope {
            relation: &left,
            outer,
        };
        let right = self.plan(&join.right, Some(&left_scope))?;
        let both_schema = Arc::new(left.schema.join(&right.schema)?);
        let mut both = Relation {
            schema: both_schema,
            columns: left.columns.iter().chain(&right.columns).cloned().collect(),
            rows: BTreeSet::new(),
        };
        let on = join
            .on
            .iter()
            .map(|(left, right)| left.clone().eq(right.clone()));
        let condition = on.chain(join.filter.clone()).reduce(Expr::and);
        let (mut assurance, mut needs) = (Assurance::default(), BTreeSet::new());
        if let Some(condition) = &condition {
            let scope = Scope {
                relation: &both,
                outer,
            };
            needs = self.value(condition, &scope)?.needs;
            assurance = self.assurance(condition, &scope)?;
            needs = unmet(&needs, &assurance);
        }
        let width = left.columns.len();
        let all = both.all();
        Ok(match join.join_type {
            JoinType::Inner => {
                both.rows = left.rows.union(&right.rows).cloned().collect();
                both.rows = unmet(&both.rows, &assurance);
                both.rows.extend(needs);
                both.assure(&assurance, all);
                both.with_schema(&join.schema)
            }
            JoinType::Left => {
                both.rows = unmet(&right.rows, &assurance);
                both.rows.extend(left.rows.iter().cloned());
                both.rows.extend(needs);
                both.assure(&assurance, width..all.end);
                both.with_schema(&join.schema)
            }
            JoinType::Right => {
                both.rows = unmet(&left.rows, &assurance);
                both.rows.extend(right.rows.iter().cloned());
                both.rows.extend(needs);
                both.assure(&assurance, 0..width);
                both.with_schema(&join.schema)
            }
            JoinType::Full => {
                both.rows = left.rows.union(&right.rows).cloned().collect();
                both.rows.extend(needs);
                both.with_schema(&join.schema)
            }
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                let asked = unmet(&right.rows, &assurance);
                kept_side(left, &asked, &needs, join, &assurance, 0)
            }
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                let asked = unmet(&left.rows, &assurance);
                kept_side(right, &asked, &needs, join, &assurance, width)
            }
        })
    }

    fn aggregate_plan(
        &mut self,
        aggregate: &Aggregate,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let input = self.plan(&aggregate.input, outer)?;
        let mut relation = Relation::empty(&aggregate.schema);
        let scope = Scope {
            relation: &input,
            outer,
        };
        let mut groups = BTreeSet::new();
        for (position, expr) in grouping_set_to_exprlist(&aggregate.group_expr)?
            .into_iter()
            .enumerate()
        {
            let value = self.value(expr, &scope)?;
            groups.extend(value.is.iter().cloned());
            relation.rows.extend(value.needs.iter().cloned());
            relation.columns[position] = value;
        }
        let first = relation.columns.len() - aggregate.aggr_expr.len();
        for (offset, expr) in aggregate.aggr_expr.iter().enumerate() {
            let mut value = self.value(expr, &scope)?;
            value.needs = sealed_unless_grouped(&value.needs, &groups);
            relation.columns[first + offset] = value;
        }
        relation.rows.extend(input.rows);
        relation.rows = sealed_unless_grouped(&relation.rows, &groups);
        Ok(relation)
    }

    fn value(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Value> {
        Ok(match expr {
            Expr::Alias(alias) => self.value(&alias.expr, scope)?,
            Expr::Column(column) => scope.relation.value(column).cloned().unwrap_or_default(),
            Expr::OuterReferenceColumn(_, column) => {
                let mut around = scope.outer;
                loop {
                    match around {
                        Some(outer) => match outer.relation.value(column) {
                            Some(value) => break value.clone(),
                            None => around = outer.outer,
                        },
                        None => break Value::default(),
                    }
                }
            }
            Expr::Literal(literal, _) => Value {
                bounded: is_as_of(literal),
                ..Value::default()
            },
            Expr::Cast(cast) => self.value(&cast.expr, scope)?,
            Expr::BinaryExpr(binary) if binary.op == Operator::And => {
                let assurance = self.assurance(expr, scope)?;
                let mut needs = self.value(&binary.left, scope)?.needs;
                needs.extend(self.value(&binary.right, scope)?.needs);
                Value {
                    needs: unmet(&needs, &assurance),
                    ..Value::default()
                }
            }
            Expr::BinaryExpr(_) | Expr::Between(_) => {
                let mut value = self.parts(expr, scope)?;
                value.bounded = false;
                if !at_most(expr).is_empty() {
                    // Whether something was known by then may be asked.
                    let assurance = self.assurance(expr, scope)?;
                    value.needs = unmet(&value.needs, &assurance);
                } else if let Expr::BinaryExpr(binary) = expr {
                    value.bounded = binary.op == Operator::Minus
                        && is_positive(&binary.right)
                        && self.value(&binary.left, scope)?.bounded;
                }
                value
            }
            Expr::Case(case) => {
                let mut whole = Value {
                    bounded: true,
                    ..Value::default()
                };
                if let Some(operand) = &case.expr {
                    whole.needs.extend(self.value(operand, scope)?.needs);
                }
                for (when, then) in &case.when_then_expr {
                    whole.needs.extend(self.value(when, scope)?.needs);
                    let mut then = self.value(then, scope)?;
                    if case.expr.is_none() {
                        then.needs = unmet(&then.needs, &self.assurance(when, scope)?);
                    }
                    whole.bounded &= then.bounded;
                    whole.needs.extend(then.needs);
                }
                if let Some(otherwise) = &case.else_expr {
                    let otherwise = self.value(otherwise, scope)?;
                    whole.bounded &= otherwise.bounded;
                    whole.needs.extend(otherwise.needs);
                }
                whole
            }
            Expr::ScalarFunction(call) => self.scalar_function(call, expr, scope)?,
            Expr::AggregateFunction(call) => self.aggregate(call, scope)?,
            Expr::WindowFunction(call) => self.window(call, scope)?,
            Expr::ScalarSubquery(subquery) => {
                let relation = self.plan(&subquery.subquery, Some(scope))?;
                let first = relation.columns.into_iter().next().unwrap_or_default();
                let mut needs = sealed(&first.needs);
                needs.extend(sealed(&relation.rows));
                Value {
                    needs,
                    is: BTreeSet::new(),
                    bounded: first.bounded,
                }
            }
            Expr::Exists(exists) => {
                let relation = self.plan(&exists.subquery.subquery, Some(scope))?;
                needing(sealed(&relation.rows))
            }
            Expr::InSubquery(inside) => {
                let relation = self.plan(&inside.subquery.subquery, Some(scope))?;
                let mut needs = self.value(&inside.expr, scope)?.needs;
                needs.extend(sealed(&relation.rows));
                needs.extend(
                    relation
                        .columns
                        .iter()
                        .flat_map(|value| sealed(&value.needs)),
                );
                needing(needs)
            }
            Expr::SetComparison(comparison) => {
                let relation = self.plan(&comparison.subquery.subquery, Some(scope))?;
                let mut needs = self.value(&comparison.expr, scope)?.needs;
                needs.extend(sealed(&relation.rows));
                needs.extend(
                    relation
                        .columns
                        .iter()
                        .flat_map(|value| sealed(&value.needs)),
                );
                needing(needs)
            }
            _ => {
                let mut value = self.parts(expr, scope)?;
                value.bounded = false;
                value
            }
        })
    }

    /// The needs of all parts.
    fn parts(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Value> {
        let mut children = Vec::new();
        expr.apply_children(|child| {
            children.push(child.clone());
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut needs = BTreeSet::new();
        for child in &children {
            needs.extend(self.value(child, scope)?.needs);
        }
        Ok(needing(needs))
    }

    fn scalar_function(
        &mut self,
        call: &ScalarFunction,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Value> {
        let mut value = self.parts(expr, scope)?;
        let mut bounded = Vec::with_capacity(call.args.len());
        for argument in &call.args {
            bounded.push(self.value(argument, scope)?.bounded);
        }
        let first = bounded.first().copied().unwrap_or(false);
        value.bounded = match call.func.name() {
            "month_start" => first,
            "add_days" | "add_months" => first && call.args.get(1).is_some_and(is_not_positive),
            "date_trunc" => bounded.get(1).copied().unwrap_or(false),
            "least" => bounded.contains(&true),
            "greatest" | "coalesce" => !bounded.contains(&false),
            _ => false,
        };
        Ok(value)
    }

    fn aggregate(&mut self, call: &AggregateFunction, scope: &Scope<'_>) -> Result<Value> {
        let mut needs = scope.relation.rows.clone();
        let mut bounded = matches!(call.func.name(), "min" | "max");
        for argument in &call.params.args {
            let argument = self.value(argument, scope)?;
            bounded &= argument.bounded;
            needs.extend(argument.needs);
        }
        for sort in &call.params.order_by {
            needs.extend(self.value(&sort.expr, scope)?.needs);
        }
        if let Some(filter) = &call.params.filter {
            needs.extend(self.value(filter, scope)?.needs);
            needs = unmet(&needs, &self.assurance(filter, scope)?);
        }
        Ok(Value {
            needs,
            is: BTreeSet::new(),
            bounded,
        })
    }

    fn window(&mut self, call: &WindowFunction, scope: &Scope<'_>) -> Result<Value> {
        let params = &call.params;
        let mut needs = scope.relation.rows.clone();
        let mut bounded = matches!(
            call.fun.name(),
            "min" | "max" | "lag" | "lead" | "first_value" | "last_value" | "nth_value"
        );
        for (position, argument) in params.args.iter().enumerate() {
            let argument = self.value(argument, scope)?;
            bounded &= position > 0 || argument.bounded;
            needs.extend(argument.needs);
        }
        let mut groups = BTreeSet::new();
        for expr in &params.partition_by {
            let value = self.value(expr, scope)?;
            groups.extend(value.is);
            needs.extend(value.needs);
        }
        for sort in &params.order_by {
            needs.extend(self.value(&sort.expr, scope)?.needs);
        }
        if let Some(filter) = &params.filter {
            needs.extend(self.value(filter, scope)?.needs);
            needs = unmet(&needs, &self.assurance(filter, scope)?);
        }
        Ok(Value {
            needs: sealed_unless_grouped(&needs, &groups),
            is: BTreeSet::new(),
            bounded,
        })
    }
}

fn needing(needs: BTreeSet<Need>) -> Value {
    Value {
        needs,
        ..Value::default()
    }
}

/// The side of a semi or anti join that is kept; the other was looked at as a whole.
fn kept_side(
    kept: Relation,
    asked: &BTreeSet<Need>,
    needs: &BTreeSet<Need>,
    join: &Join,
    assurance: &Assurance,
    first: usize,
) -> Relation {
    let mut kept = kept;
    if matches!(join.join_type, JoinType::LeftSemi | JoinType::RightSemi) {
        let shifted = Assurance {
            met: assurance.met.clone(),
            bounded: assurance
                .bounded
                .iter()
                .filter_map(|position| position.checked_sub(first))
                .collect(),
        };
        kept.rows = unmet(&kept.rows, &shifted);
        let all = kept.all();
        kept.assure(&shifted, all);
    }
    kept.rows.extend(sealed(asked));
    kept.rows.extend(sealed(needs));
    let width = join.schema.fields().len();
    kept.columns.resize(width, Value::default());
    kept.with_schema(&join.schema)
}

/// Needs after rows were put together, except where all rows of a group share the knowledge day.
fn sealed_unless_grouped(needs: &BTreeSet<Need>, groups: &BTreeSet<Known>) -> BTreeSet<Need> {
    needs
        .iter()
        .map(|need| {
            let grouped = need
                .by
                .as_ref()
                .is_some_and(|by| groups.contains(&(need.scan, by.clone())));
            Need {
                sealed: need.sealed || !grouped,
                ..need.clone()
            }
        })
        .collect()
}

/// Pairs of which the first is at most the second where a condition is true.
fn at_most(condition: &Expr) -> Vec<(&Expr, &Expr)> {
    match condition {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::Lt | Operator::LtEq => vec![(&*binary.left, &*binary.right)],
            Operator::Gt | Operator::GtEq => vec![(&*binary.right, &*binary.left)],
            Operator::Eq => vec![
                (&*binary.left, &*binary.right),
                (&*binary.right, &*binary.left),
            ],
            _ => Vec::new(),
        },
        Expr::Between(between) if !between.negated => vec![(&*between.expr, &*between.high)],
        _ => Vec::new(),
    }
}

fn is_as_of(literal: &ScalarValue) -> bool {
    match literal {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => text == AS_OF_MARK,
        other => other.to_string() == AS_OF_MARK,
    }
}

fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(literal, _) => literal.to_string().parse().ok(),
        Expr::Negative(inner) => number(inner).map(|value| -value),
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}

fn is_not_positive(expr: &Expr) -> bool {
    number(expr).is_some_and(|value| value <= 0)
}

fn is_positive(expr: &Expr) -> bool {
    number(expr).is_some_and(|value| value >= 0)
}
