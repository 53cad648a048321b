//! Where every column of a plan comes from.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::{Column, DFSchemaRef, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, LogicalPlan, RecursiveQuery, TableScan,
};
use goyong_types::TableName;

use super::expression::passed;
use super::flow::{
    Carry, ColumnLineage, ColumnRef, EVERY_COLUMN, How, Influence, Sources, TableLineage, Transform,
};
use super::planned::PlannedTable;
use super::spells::spells;
use crate::session::DEFAULT_SCHEMA;

/// Longest text of an expression that is kept.
const LONGEST_EXPRESSION: usize = 400;

/// The lineage of a plan that was not optimised yet.
pub(crate) fn trace_plan(plan: &LogicalPlan) -> Result<TableLineage> {
    let mut tracer = Tracer::default();
    let relation = tracer.plan(plan, None)?;
    let mut rows = relation.rows;
    let named: BTreeSet<&TableName> = relation
        .columns
        .iter()
        .chain([&rows])
        .flatten()
        .map(|(source, _)| &source.table)
        .collect();
    let unnamed: Vec<TableName> = relation
        .tables
        .iter()
        .filter(|table| !named.contains(table))
        .cloned()
        .collect();
    for table in unnamed {
        let source = ColumnRef::new(&table, EVERY_COLUMN);
        rows.insert((source, How::Influence(Influence::Rows)));
    }
    let columns = plan
        .schema()
        .fields()
        .iter()
        .zip(relation.columns)
        .zip(relation.expressions)
        .map(|((field, sources), expression)| ColumnLineage {
            name: field.name().clone(),
            sources,
            expression,
        })
        .collect();
    Ok(TableLineage { columns, rows })
}

/// What is known of the rows a plan gives.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub schema: DFSchemaRef,
    /// Sources by column.
    pub columns: Vec<Sources>,
    /// The last expression that computed each column.
    pub expressions: Vec<String>,
    /// What decides which rows there are.
    pub rows: Sources,
    /// Every table read.
    pub tables: BTreeSet<TableName>,
}

/// The relation an expression is evaluated on, inside the relations around it.
pub(super) struct Scope<'a> {
    pub relation: &'a Relation,
    pub outer: Option<&'a Scope<'a>>,
}

impl Relation {
    pub fn column(&self, column: &Column) -> Result<&Sources> {
        let index = self.schema.index_of_column(column)?;
        self.columns
            .get(index)
            .ok_or_else(|| unexpected(&format!("no sources for {column}")))
    }

    /// The sources of a truth about whether there are rows.
    pub fn rows_or_presence(mut self) -> Sources {
        if self.rows.is_empty() {
            for table in &self.tables {
                let source = ColumnRef::new(table, EVERY_COLUMN);
                self.rows.insert((source, How::Influence(Influence::Rows)));
            }
        }
        self.rows
    }

    pub fn empty(schema: &DFSchemaRef) -> Self {
        let width = schema.fields().len();
        Self {
            schema: Arc::clone(schema),
            columns: vec![Sources::new(); width],
            expressions: vec![String::new(); width],
            rows: Sources::new(),
            tables: BTreeSet::new(),
        }
    }

    fn with_schema(mut self, schema: &DFSchemaRef) -> Self {
        self.schema = Arc::clone(schema);
        self
    }
}

impl Scope<'_> {
    pub fn outer_column(&self, column: &Column) -> Result<Sources> {
        let mut scope = self.outer;
        while let Some(around) = scope {
            if let Ok(sources) = around.relation.column(column) {
                return Ok(sources.clone());
            }
            scope = around.outer;
        }
        Err(unexpected(&format!("no outer query has {column}")))
    }
}

#[derive(Default)]
pub(super) struct Tracer {
    /// A common table expression named several times is one plan: traced once. By address, which
    /// holds because the plan outlives the tracer.
    seen: HashMap<usize, Relation>,
    /// What the recursive queries around a plan give so far.
    recursive: Vec<(String, Relation)>,
}

impl Tracer {
    /// A plan inside an expression, which may name columns of the rows around it.
    pub fn inner_plan(&mut self, plan: &LogicalPlan, scope: &Scope<'_>) -> Result<Relation> {
        self.plan(plan, Some(scope))
    }

    fn input(&mut self, plan: &Arc<LogicalPlan>, outer: Option<&Scope<'_>>) -> Result<Relation> {
        if outer.is_some() || !self.recursive.is_empty() {
            return self.plan(plan, outer);
        }
        let address = Arc::as_ptr(plan) as usize;
        if let Some(relation) = self.seen.get(&address) {
            return Ok(relation.clone());
        }
        let relation = self.plan(plan, None)?;
        self.seen.insert(address, relation.clone());
        Ok(relation)
    }

    pub fn plan(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<Relation> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, outer),
            LogicalPlan::Projection(projection) => {
                let input = self.input(&projection.input, outer)?;
                self.project(&projection.expr, input, &projection.schema, outer)
            }
            LogicalPlan::Filter(filter) => {
                let input = self.input(&filter.input, outer)?;
                self.with_condition(input, &filter.predicate, outer, Influence::Filter)
            }
            LogicalPlan::Window(window) => {
                let mut relation = self.input(&window.input, outer)?;
                let input = relation.clone();
                let scope = Scope {
                    relation: &input,
                    outer,
                };
                for expr in &window.window_expr {
                    relation.columns.push(self.expression(expr, &scope)?);
                    relation.expressions.push(text_of(expr));
                }
                Ok(relation.with_schema(&window.schema))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate_plan(aggregate, outer),
            LogicalPlan::Sort(sort) => {
                let mut input = self.input(&sort.input, outer)?;
                for by in &sort.expr {
                    input = self.with_condition(input, &by.expr, outer, Influence::Sort)?;
                }
                Ok(input)
            }
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(union) => {
                let mut relation = Relation::empty(&union.schema);
                for input in &union.inputs {
                    let input = self.input(input, outer)?;
                    for (sources, more) in relation.columns.iter_mut().zip(input.columns) {
                        sources.extend(more);
                    }
                    for (text, other) in relation.expressions.iter_mut().zip(input.expressions) {
                        if text.is_empty() {
                            *text = other;
                        }
                    }
                    relation.rows.extend(input.rows);
                    relation.tables.extend(input.tables);
                }
                Ok(relation)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                Ok(self.input(&alias.input, outer)?.with_schema(&alias.schema))
            }
            LogicalPlan::Subquery(subquery) => self.input(&subquery.subquery, outer),
            LogicalPlan::Limit(limit) => self.input(&limit.input, outer),
            LogicalPlan::Repartition(repartition) => self.input(&repartition.input, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let mut relation = self.input(input, outer)?;
                let all: Sources = relation.columns.iter().flatten().cloned().collect();
                relation
                    .rows
                    .extend(passed(all, How::Influence(Influence::GroupBy)));
                Ok(relation)
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let mut input = self.input(&on.input, outer)?;
                for expr in &on.on_expr {
                    input = self.with_condition(input, expr, outer, Influence::GroupBy)?;
                }
                for by in on.sort_expr.iter().flatten() {
                    input = self.with_condition(input, &by.expr, outer, Influence::Sort)?;
                }
                self.project(&on.select_expr, input, &on.schema, outer)
            }
            LogicalPlan::Unnest(unnest) => {
                let input = self.input(&unnest.input, outer)?;
                let mut relation = Relation::empty(&unnest.schema);
                let opened: BTreeSet<usize> = unnest
                    .list_type_columns
                    .iter()
                    .map(|(index, _)| *index)
                    .chain(unnest.struct_type_columns.iter().copied())
                    .collect();
                for (position, from) in unnest.dependency_indices.iter().enumerate() {
                    let Some(sources) = input.columns.get(*from) else {
                        continue;
                    };
                    relation.columns[position] = if opened.contains(from) {
                        passed(
                            sources.clone(),
                            How::Value(Transform::Transformed, Carry::Whole),
                        )
                    } else {
                        sources.clone()
                    };
                    relation.expressions[position].clone_from(&input.expressions[*from]);
                }
                relation.rows.extend(input.rows);
                for (index, _) in &unnest.list_type_columns {
                    let sources = input.columns.get(*index).cloned().unwrap_or_default();
                    relation
                        .rows
                        .extend(passed(sources, How::Influence(Influence::Join)));
                }
                relation.tables = input.tables;
                Ok(relation)
            }
            LogicalPlan::RecursiveQuery(query) => self.recursive_query(query, outer),
            LogicalPlan::Values(values) => {
                let mut relation = Relation::empty(&values.schema);
                let nothing = relation.clone();
                let scope = Scope {
                    relation: &nothing,
                    outer,
                };
                for row in &values.values {
                    for (sources, expr) in relation.columns.iter_mut().zip(row) {
                        sources.extend(self.expression(expr, &scope)?);
                    }
                }
                Ok(relation)
            }
            LogicalPlan::EmptyRelation(empty) => Ok(Relation::empty(&empty.schema)),
            LogicalPlan::Extension(_) => self.extension(plan, outer),
            other => Err(unexpected(&format!(
                "a {} is no part of a query",
                other.display()
            ))),
        }
    }

    fn scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Result<Relation> {
        let known = self.recursive.iter().rev().find(|(name, _)| {
            scan.table_name.schema().is_none() && scan.table_name.table() == name
        });
        if let Some((_, relation)) = known {
            let mut relation = relation.clone();
            if let Some(projection) = &scan.projection {
                relation.columns = pick(&relation.columns, projection);
                relation.expressions = pick(&relation.expressions, projection);
            }
            return Ok(relation.with_schema(&scan.projected_schema));
        }
        let mut relation = Relation::empty(&scan.projected_schema);
        if let Some(table) = table_of(scan) {
            for (sources, field) in relation
                .columns
                .iter_mut()
                .zip(scan.projected_schema.fields())
            {
                sources.insert((ColumnRef::new(&table, field.name()), How::IDENTITY));
            }
            relation.tables.insert(table);
        }
        for filter in &scan.filters {
            relation = self.with_condition(relation, filter, outer, Influence::Filter)?;
        }
        Ok(relation)
    }

    fn project(
        &mut self,
        expressions: &[Expr],
        input: Relation,
        schema: &DFSchemaRef,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let mut relation = Relation::empty(schema);
        let scope = Scope {
            relation: &input,
            outer,
        };
        if expressions.len() != relation.columns.len() {
            return Err(unexpected("a select whose columns are not written out"));
        }
        for (position, expr) in expressions.iter().enumerate() {
            relation.columns[position] = self.expression(expr, &scope)?;
            relation.expressions[position] = match bare(expr) {
                Expr::Column(column) => {
                    let index = input.schema.index_of_column(column)?;
                    input.expressions[index].clone()
                }
                other => text_of(other),
            };
        }
        relation.rows = input.rows;
        relation.tables = input.tables;
        Ok(relation)
    }

    fn with_condition(
        &mut self,
        mut relation: Relation,
        condition: &Expr,
        outer: Option<&Scope<'_>>,
        why: Influence,
    ) -> Result<Relation> {
        let scope = Scope {
            relation: &relation,
            outer,
        };
        let sources = self.condition(condition, &scope, why)?;
        relation
            .tables
            .extend(sources.iter().map(|(source, _)| source.table.clone()));
        relation.rows.extend(sources);
        Ok(relation)
    }

    fn aggregate_plan(
        &mut self,
        aggregate: &Aggregate,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let input = self.input(&aggregate.input, outer)?;
        let mut relation = Relation::empty(&aggregate.schema);
        let scope = Scope {
            relation: &input,
            outer,
        };
        let mut groups = Sources::new();
        let mut position = 0;
        for expr in grouping_set_to_exprlist(&aggregate.group_expr)? {
            let sources = self.expression(expr, &scope)?;
            groups.extend(passed(sources.clone(), How::Influence(Influence::GroupBy)));
            relation.columns[position] = sources;
            relation.expressions[position] = match bare(expr) {
                Expr::Column(column) => {
                    input.expressions[input.schema.index_of_column(column)?].clone()
                }
                other => text_of(other),
            };
            position += 1;
        }
        // Behind grouping sets stands the number of the set.
        let first_aggregate = relation.columns.len() - aggregate.aggr_expr.len();
        for number in position..first_aggregate {
            relation.columns[number].extend(groups.iter().cloned());
        }
        for (offset, expr) in aggregate.aggr_expr.iter().enumerate() {
            relation.columns[first_aggregate + offset] = self.expression(expr, &scope)?;
            relation.expressions[first_aggregate + offset] = text_of(expr);
        }
        relation.rows = input.rows;
        relation.rows.extend(groups);
        relation.tables = input.tables;
        Ok(relation)
    }

    fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Result<Relation> {
        let left = self.input(&join.left, outer)?;
        // The right side of a lateral join names columns of the left.
        let right = if matches!(strip_aliases(&join.right), LogicalPlan::Subquery(_)) {
            let scope = Scope {
                relation: &left,
                outer,
            };
            self.plan(&join.right, Some(&scope))?
        } else {
            self.input(&join.right, outer)?
        };
        let mut rows = Sources::new();
        let (left_scope, right_scope) = (
            Scope {
                relation: &left,
                outer,
            },
            Scope {
                relation: &right,
                outer,
            },
        );
        for (on_left, on_right) in &join.on {
            rows.extend(self.condition(on_left, &left_scope, Influence::Join)?);
            rows.extend(self.condition(on_right, &right_scope, Influence::Join)?);
        }
        if let Some(filter) = &join.filter {
            let schema = left.schema.join(&right.schema);
            let both = beside(&left, &right, &Arc::new(schema?));
            let scope = Scope {
                relation: &both,
                outer,
            };
            rows.extend(self.condition(filter, &scope, Influence::Join)?);
        }
        rows.extend(left.rows.iter().chain(&right.rows).cloned());
        let mut relation = match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                beside(&left, &right, &join.schema)
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left.clone().with_schema(&join.schema),
            JoinType::RightSemi | JoinType::RightAnti => right.clone().with_schema(&join.schema),
            JoinType::LeftMark | JoinType::RightMark => {
                let kept = if join.join_type == JoinType::LeftMark {
                    &left
                } else {
                    &right
                };
                let mut marked = kept.clone().with_schema(&join.schema);
                marked.columns.push(rows.clone());
                marked.expressions.push(String::new());
                marked
            }
        };
        relation.tables = left.tables.union(&right.tables).cloned().collect();
        relation
            .tables
            .extend(rows.iter().map(|(source, _)| source.table.clone()));
        relation.rows = rows;
        Ok(relation)
    }

    /// Repeats the recursive part until it adds no source any more.
    fn recursive_query(
        &mut self,
        query: &RecursiveQuery,
        outer: Option<&Scope<'_>>,
    ) -> Result<Relation> {
        let mut relation = self
            .input(&query.static_term, outer)?
            .with_schema(&query.schema);
        loop {
            self.recursive.push((query.name.clone(), relation.clone()));
            let step = self.plan(&query.recursive_term, outer);
            self.recursive.pop();
            let step = step?;
            let mut grown = relation.clone();
            for (sources, more) in grown.columns.iter_mut().zip(step.columns) {
                sources.extend(more);
            }
            for (text, other) in grown.expressions.iter_mut().zip(step.expressions) {
                if text.is_empty() {
                    *text = other;
                }
            }
            grown.rows.extend(step.rows);
            grown.tables.extend(step.tables);
            if query.is_distinct {
                let all: Sources = grown.columns.iter().flatten().cloned().collect();
                grown
                    .rows
                    .extend(passed(all, How::Influence(Influence::GroupBy)));
            }
            let settled = grown.columns == relation.columns && grown.rows == relation.rows;
            relation = grown;
            if settled {
                return Ok(relation);
            }
        }
    }

    /// An operator that is none of the planner's own. A column it has under the name of an input
    /// column is that column; any other is computed from everything the operator is told to look at,
    /// and its rows depend on the same.
    fn extension(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<Relation> {
        let LogicalPlan::Extension(extension) = plan else {
            return Err(unexpected("no operator of an extension"));
        };
        let mut inputs = Vec::new();
        for input in extension.node.inputs() {
            inputs.push(self.plan(input, outer)?);
        }
        if let Some(node) = extension.node.as_any().downcast_ref() {
            return spells(node, inputs);
        }
        let mut relation = Relation::empty(extension.node.schema());
        let mut looked_at = Sources::new();
        for expr in extension.node.expressions() {
            for input in &inputs {
                let scope = Scope {
                    relation: input,
                    outer,
                };
                // An expression is about one of the inputs; on the others its columns are unknown.
                if let Ok(sources) = self.expression(&expr, &scope) {
                    looked_at.extend(sources);
                }
            }
        }
        if looked_at.is_empty() {
            let all = inputs
                .iter()
                .flat_map(|input| input.columns.iter().flatten());
            looked_at = all.cloned().collect();
        }
        let schema = Arc::clone(&relation.schema);
        for (position, field) in schema.fields().iter().enumerate() {
            let same: Vec<Sources> = inputs
                .iter()
                .flat_map(|input| {
                    let fields = input.schema.fields().iter().zip(&input.columns);
                    fields
                        .filter(|(other, _)| other.name() == field.name())
                        .map(|(_, sources)| sources.clone())
                })
                .collect();
            relation.columns[position] = match same.as_slice() {
                [] => passed(
                    looked_at.clone(),
                    How::Value(Transform::Windowed, Carry::Whole),
                ),
                several => several.iter().flatten().cloned().collect(),
            };
        }
        relation
            .rows
            .extend(passed(looked_at, How::Influence(Influence::Window)));
        for input in inputs {
            relation.rows.extend(input.rows);
            relation.tables.extend(input.tables);
        }
        Ok(relation)
    }
}

fn beside(left: &Relation, right: &Relation, schema: &DFSchemaRef) -> Relation {
    Relation {
        schema: Arc::clone(schema),
        columns: left.columns.iter().chain(&right.columns).cloned().collect(),
        expressions: left
            .expressions
            .iter()
            .chain(&right.expressions)
            .cloned()
            .collect(),
        rows: Sources::new(),
        tables: BTreeSet::new(),
    }
}

fn strip_aliases(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => strip_aliases(&alias.input),
        other => other,
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

/// An expression as text, cut where it is long.
fn text_of(expr: &Expr) -> String {
    if matches!(bare(expr), Expr::Column(_)) {
        return String::new();
    }
    let text = bare(expr).human_display().to_string();
    match text.char_indices().nth(LONGEST_EXPRESSION) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The table a scan reads; `None` for what a table function computes from constants.
pub(crate) fn table_of(scan: &TableScan) -> Option<TableName> {
    if let Ok(provider) = source_as_provider(&scan.source)
        && let Some(planned) = provider.downcast_ref::<PlannedTable>()
    {
        return Some(planned.table.clone());
    }
    let schema = scan.table_name.schema().unwrap_or(DEFAULT_SCHEMA);
    TableName::new(schema, scan.table_name.table()).ok()
}

fn pick<T: Clone>(values: &[T], positions: &[usize]) -> Vec<T> {
    positions
        .iter()
        .filter_map(|position| values.get(*position).cloned())
        .collect()
}

fn unexpected(what: &str) -> DataFusionError {
    DataFusionError::Plan(format!("lineage: {what}"))
}
