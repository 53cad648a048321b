//! Codes of two versions of a classification are never compared as they stand: the industry 10730
//! of one revision need not be the 10730 of another. They meet through a crosswalk, or the model
//! does not compile.
//!
//! A column says its classification by a tag of its contract, seed or header: `classification:KSIC10`.
//! `classification:KSIC@ksic_version` says that the column beside it holds the version; such a
//! code may be compared with a version where that column is held to this version by the same
//! conditions, and with a code of the same kind where the two version columns are equal. The columns
//! of a select have the classification of what they were taken from.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{Case, WindowFunctionDefinition};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, JoinType, LogicalPlan, Operator, UserDefinedLogicalNodeCore,
};
use goyong_types::TableName;

use crate::intervals::{IntervalNode, Origin};
use crate::lineage::table_of;

/// What a tag begins with that names a classification.
const TAG: &str = "classification:";

/// What compares its two sides.
const COMPARING: [Operator; 8] = [
    Operator::Eq,
    Operator::NotEq,
    Operator::Lt,
    Operator::LtEq,
    Operator::Gt,
    Operator::GtEq,
    Operator::IsDistinctFrom,
    Operator::IsNotDistinctFrom,
];

/// Functions that leave a code of the same classification, or its upper levels.
const KEEPING: [&str; 9] = [
    "substr",
    "substring",
    "left",
    "btrim",
    "trim",
    "ltrim",
    "rtrim",
    "nullif",
    "ksic_level",
];

/// Functions that give the value of one of their arguments.
const CHOOSING: [&str; 4] = ["coalesce", "nvl", "greatest", "least"];

/// Aggregates and window functions that give one of the values they see.
const PICKING: [&str; 8] = [
    "min",
    "max",
    "first_value",
    "last_value",
    "nth_value",
    "lag",
    "lead",
    "any_value",
];

/// The classification that tags name.
pub(crate) fn classification_of<'t>(tags: impl IntoIterator<Item = &'t String>) -> Option<String> {
    tags.into_iter()
        .find_map(|tag| tag.strip_prefix(TAG))
        .map(str::to_owned)
}

/// Two versions that meet without a crosswalk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub message: String,
    pub help: String,
    /// 1-based line and column in the compiled text, where the plan knows it.
    pub place: Option<(usize, usize)>,
}

/// What a plan does with classified codes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Classified {
    /// The classification of each column of the result.
    pub columns: Vec<Option<String>>,
    /// Comparisons across versions, each once.
    pub crossings: Vec<Crossing>,
}

/// Looks through a plan as it was written. `known` is the classification of a table's column,
/// `has_crosswalk` whether a crosswalk leads from one version to another.
pub(crate) fn classify(
    plan: &LogicalPlan,
    known: &dyn Fn(&TableName, &str) -> Option<String>,
    has_crosswalk: &dyn Fn(&str, &str) -> bool,
) -> Classified {
    let mut search = Search {
        known,
        has_crosswalk,
        crossings: BTreeMap::new(),
        around: Vec::new(),
    };
    let columns = search.visit(plan);
    Classified {
        columns,
        crossings: search.crossings.into_values().collect(),
    }
}

type Classes = Vec<Option<String>>;

struct Search<'a> {
    known: &'a dyn Fn(&TableName, &str) -> Option<String>,
    has_crosswalk: &'a dyn Fn(&str, &str) -> bool,
    crossings: BTreeMap<String, Crossing>,
    /// The columns of the queries around the one that is looked at.
    around: Vec<(DFSchema, Classes)>,
}

/// Which comparisons are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// Those of codes whose classification names its version. Conditions inside of expressions, which
    /// may say the version of others, are not taken apart.
    Named,
    All,
}

/// The columns an expression may name, with their classifications.
struct Scope<'a> {
    schema: &'a DFSchema,
    classes: &'a [Option<String>],
}

impl Search<'_> {
    /// The classifications of a plan's columns, in their order.
    fn visit(&mut self, plan: &LogicalPlan) -> Classes {
        let width = plan.schema().fields().len();
        let inputs: Vec<Classes> = plan.inputs().iter().map(|one| self.visit(one)).collect();
        let first = inputs.first().cloned().unwrap_or_default();
        let mut classes = match plan {
            LogicalPlan::TableScan(scan) => match table_of(scan) {
                Some(table) => plan
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| (self.known)(&table, field.name()))
                    .collect(),
                None => Classes::new(),
            },
            LogicalPlan::Projection(projection) => {
                let scope = &Scope::of(projection.input.schema(), &first);
                for expression in &projection.expr {
                    self.compare_all(&[expression], scope, Versions::Named);
                }
                let found: Classes = projection
                    .expr
                    .iter()
                    .map(|one| self.class(scope, one))
                    .collect();
                self.look_into(&projection.expr, scope);
                found
            }
            LogicalPlan::Filter(filter) => {
                let scope = &Scope::of(filter.input.schema(), &first);
                self.compare_all(&split_conjunction(&filter.predicate), scope, Versions::All);
                self.look_into([&filter.predicate], scope);
                first
            }
            LogicalPlan::Aggregate(aggregate) => {
                let scope = &Scope::of(aggregate.input.schema(), &first);
                let listed = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
                let found: Classes = listed.clone().map(|one| self.class(scope, one)).collect();
                self.look_into(listed, scope);
                if found.len() == width {
                    found
                } else {
                    Classes::new()
                }
            }
            LogicalPlan::Join(join) => {
                let (left, right) = (&inputs[0], &inputs[1]);
                let both: Classes = left.iter().chain(right).cloned().collect();
                self.compare_join(join, left, right);
                match join.join_type {
                    JoinType::RightSemi | JoinType::RightAnti => right.clone(),
                    _ => both,
                }
            }
            LogicalPlan::Window(window) => {
                let scope = &Scope::of(window.input.schema(), &first);
                let computed = window.window_expr.iter().map(|one| self.class(scope, one));
                let found = first.iter().cloned().chain(computed).collect();
                self.look_into(&window.window_expr, scope);
                found
            }
            LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref() {
                Some(node) => self.spells(node, &inputs),
                None => Classes::new(),
            },
            LogicalPlan::Union(union) => self.united(&union.inputs, &inputs, width),
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => first,
            _ => Classes::new(),
        };
        classes.resize(width, None);
        classes
    }

    /// What a spell function takes over keeps its classification; keys of two tables must agree in it.
    fn spells(&mut self, node: &IntervalNode, inputs: &[Classes]) -> Classes {
        let (Ok(output), Ok(positions)) = (node.output(), node.positions()) else {
            return Classes::new();
        };
        let of = |input: usize, column: usize| inputs.get(input)?.get(column)?.clone();
        if let [left, right] = positions.as_slice() {
            for (&one, &other) in left.key.iter().zip(&right.key) {
                let classes = (of(0, one), of(1, other));
                if let (Some(one), Some(other)) = classes
                    && one != other
                {
                    let name = UserDefinedLogicalNodeCore::name(node);
                    let what = format!("the tables of {name} meet by a key");
                    self.refuse(&what, &one, &other, None);
                }
            }
        }
        let origins = output.into_iter().map(|column| match column.origin {
            Origin::Column { input, column } => of(input, column),
            Origin::Computed { .. } => None,
        });
        origins.collect()
    }

    /// A column of a union has the classification of its inputs, which must agree.
    fn united(&mut self, plans: &[Arc<LogicalPlan>], inputs: &[Classes], width: usize) -> Classes {
        (0..width)
            .map(|position| {
                let mut found = inputs.iter().zip(plans).filter_map(|(classes, plan)| {
                    Some((classes.get(position)?.clone()?, plan.as_ref()))
                });
                let (first, plan) = found.next()?;
                for (other, other_plan) in found {
                    if first != other && is_one_version(&first) && is_one_version(&other) {
                        let name = |plan| output_name(plan, position);
                        let what = format!(
                            "a union puts `{}` and `{}` into one column",
                            name(plan),
                            name(other_plan)
                        );
                        let place = output_place(other_plan, position);
                        self.refuse(&what, &first, &other, place);
                    }
                }
                Some(first)
            })
            .collect()
    }

    fn compare_join(
        &mut self,
        join: &datafusion::logical_expr::Join,
        left: &[Option<String>],
        right: &[Option<String>],
    ) {
        let Ok(schema) = join.left.schema().join(join.right.schema()) else {
            return;
        };
        let both: Classes = left.iter().chain(right).cloned().collect();
        let scope = &Scope::of(&schema, &both);
        let pairs: Vec<Expr> = join
            .on
            .iter()
            .map(|(one, other)| one.clone().eq(other.clone()))
            .collect();
        let mut conditions: Vec<&Expr> = pairs.iter().collect();
        if let Some(filter) = &join.filter {
            conditions.extend(split_conjunction(filter));
            self.look_into([filter], scope);
        }
        self.compare_all(&conditions, scope, Versions::All);
    }

    /// Judges every comparison in conditions that hold together.
    fn compare_all(&mut self, conditions: &[&Expr], scope: &Scope<'_>, versions: Versions) {
        for condition in conditions {
            let mut pairs: Vec<(&Expr, &Expr, bool)> = Vec::new();
            let _ = condition.apply(|inner| {
                match inner {
                    Expr::BinaryExpr(BinaryExpr { left, op, right }) if COMPARING.contains(op) => {
                        let is_difference =
                            matches!(op, Operator::NotEq | Operator::IsDistinctFrom);
                        pairs.push((left.as_ref(), right.as_ref(), is_difference));
                    }
                    Expr::InList(list) => {
                        let listed = list.list.iter();
                        pairs.extend(listed.map(|one| (list.expr.as_ref(), one, list.negated)));
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            });
            for (left, right, is_difference) in pairs {
                let (Some(one), Some(other)) = (self.class(scope, left), self.class(scope, right))
                else {
                    continue;
                };
                let may_meet = match (is_one_version(&one), is_one_version(&other)) {
                    (true, true) => one == other,
                    _ if versions == Versions::Named => true,
                    // That two codes with their versions differ is true as well where the versions do.
                    (false, false) if one == other && is_difference => true,
                    _ => {
                        family(&one) == family(&other)
                            && is_settled(&one, &other, conditions)
                            && is_settled(&other, &one, conditions)
                    }
                };
                if may_meet {
                    continue;
                }
                let what = format!("`{left}` is compared with `{right}`");
                let place = place_of(left).or_else(|| place_of(right));
                self.refuse(&what, &one, &other, place);
            }
        }
    }

    /// Subqueries inside expressions.
    fn look_into<'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e Expr>,
        scope: &Scope<'_>,
    ) {
        self.around
            .push((scope.schema.clone(), scope.classes.to_vec()));
        for expression in expressions {
            let mut compared: Vec<(Expr, String, Classes)> = Vec::new();
            let mut mixed: Vec<Vec<&Expr>> = Vec::new();
            let _ = expression.apply(|inner| {
                match inner {
                    Expr::ScalarSubquery(query) => {
                        self.visit(&query.subquery);
                    }
                    Expr::Exists(exists) => {
                        self.visit(&exists.subquery.subquery);
                    }
                    Expr::InSubquery(query) => {
                        let plan = &query.subquery.subquery;
                        let classes = self.visit(plan);
                        compared.push((query.expr.as_ref().clone(), output_name(plan, 0), classes));
                    }
                    Expr::ScalarFunction(function) if CHOOSING.contains(&function.name()) => {
                        mixed.push(function.args.iter().collect());
                    }
                    Expr::Case(case) => mixed.push(results(case).collect()),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            });
            for (code, listed, classes) in compared {
                if let (Some(one), Some(other)) =
                    (self.class(scope, &code), classes.first().cloned().flatten())
                    && one != other
                {
                    let what = format!("`{code}` is looked up among `{listed}`");
                    self.refuse(&what, &one, &other, place_of(&code));
                }
            }
            for choices in mixed {
                // Which version a code with its version beside it has, is for the condition to say.
                let codes: Vec<(String, &Expr)> = choices
                    .into_iter()
                    .filter_map(|choice| Some((self.class(scope, choice)?, choice)))
                    .filter(|(class, _)| is_one_version(class))
                    .collect();
                let Some(((one, first), others)) = codes.split_first() else {
                    continue;
                };
                for (other, choice) in others.iter().filter(|(other, _)| other != one) {
                    let what = format!("`{first}` and `{choice}` are put into one column");
                    self.refuse(&what, one, other, place_of(choice));
                }
            }
        }
        self.around.pop();
    }

    /// The classification of one of several values: the version that is named, where one is.
    fn chosen<'e>(
        &self,
        scope: &Scope<'_>,
        choices: impl IntoIterator<Item = &'e Expr>,
    ) -> Option<String> {
        let classes = choices
            .into_iter()
            .filter_map(|choice| self.class(scope, choice));
        classes.min_by_key(|class| !is_one_version(class))
    }

    /// The classification of what an expression gives.
    fn class(&self, scope: &Scope<'_>, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Column(column) => {
                let position = scope.schema.maybe_index_of_column(column)?;
                scope.classes.get(position).cloned().flatten()
            }
            Expr::OuterReferenceColumn(_, column) => {
                let (schema, classes) = (self.around.iter().rev())
                    .find(|(schema, _)| schema.maybe_index_of_column(column).is_some())?;
                let position = schema.maybe_index_of_column(column)?;
                classes.get(position).cloned().flatten()
            }
            Expr::Alias(alias) => self.class(scope, &alias.expr),
            Expr::Cast(cast) => self.class(scope, &cast.expr),
            Expr::TryCast(cast) => self.class(scope, &cast.expr),
            Expr::Case(case) => self.chosen(scope, results(case)),
            Expr::ScalarFunction(function) if CHOOSING.contains(&function.name()) => {
                self.chosen(scope, &function.args)
            }
            Expr::ScalarFunction(function) if KEEPING.contains(&function.name()) => {
                self.class(scope, function.args.first()?)
            }
            Expr::AggregateFunction(function) if PICKING.contains(&function.func.name()) => {
                self.class(scope, function.params.args.first()?)
            }
            Expr::WindowFunction(function) => {
                let name = match &function.fun {
                    WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                    WindowFunctionDefinition::WindowUDF(function) => function.name(),
                };
                if !PICKING.contains(&name) {
                    return None;
                }
                self.class(scope, function.params.args.first()?)
            }
            _ => None,
        }
    }

    fn refuse(&mut self, what: &str, one: &str, other: &str, place: Option<(usize, usize)>) {
        let way = |from: &str, to: &str| {
            (self.has_crosswalk)(from, to)
                .then(|| format!("join through {{{{ crosswalk('{from}', '{to}') }}}}"))
        };
        let versioned = || {
            let (_, column) = [one, other]
                .into_iter()
                .find_map(|one| one.split_once('@'))?;
            Some(format!(
                "say in the same condition which `{column}` is meant"
            ))
        };
        let help = way(one, other)
            .or_else(|| way(other, one))
            .or_else(versioned)
            .unwrap_or_else(|| format!("no crosswalk joins {one} and {other}: add a seed for it"));
        let message = format!("{what}, a code of {one} with one of {other}");
        let crossing = Crossing {
            message: message.clone(),
            help,
            place,
        };
        self.crossings.entry(message).or_insert(crossing);
    }
}

/// What a case may give.
fn results(case: &Case) -> impl Iterator<Item = &Expr> {
    let chosen = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    chosen.chain(case.else_expr.as_deref())
}

/// The name of a plan's column, with its table where it has one.
fn output_name(plan: &LogicalPlan, position: usize) -> String {
    let below = match plan {
        LogicalPlan::Projection(projection) => projection.expr.get(position),
        _ => None,
    };
    match below {
        Some(Expr::Alias(alias)) => alias.expr.to_string(),
        Some(expression) => expression.to_string(),
        None => {
            let columns = plan.schema().columns();
            columns
                .get(position)
                .map(Column::flat_name)
                .unwrap_or_default()
        }
    }
}

fn output_place(plan: &LogicalPlan, position: usize) -> Option<(usize, usize)> {
    match plan {
        LogicalPlan::Projection(projection) => place_of(projection.expr.get(position)?),
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Distinct(_) | LogicalPlan::Filter(_) => {
            output_place(plan.inputs().first()?, position)
        }
        _ => None,
    }
}

/// Where the first column of an expression is written.
fn place_of(expression: &Expr) -> Option<(usize, usize)> {
    let mut place = None;
    let _ = expression.apply(|inner| {
        if let Expr::Column(column) = inner
            && let Some(span) = column.spans().first()
        {
            let found = (
                usize::try_from(span.start.line).ok(),
                usize::try_from(span.start.column).ok(),
            );
            if let (Some(line), Some(column)) = found
                && line > 0
                && column > 0
            {
                place = Some((line, column));
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    place
}

/// Whether the version of a code is known where the conditions hold, and is that of the other side
/// where the other side has one.
fn is_settled(class: &str, other: &str, conditions: &[&Expr]) -> bool {
    let Some((family, version)) = class.split_once('@') else {
        return true;
    };
    let wanted = other.strip_prefix(family).filter(|_| !other.contains('@'));
    conditions.iter().any(|condition| match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let against = match (names(left, version), names(right, version)) {
                (true, _) => right,
                (_, true) => left,
                _ => return false,
            };
            wanted.is_none_or(|wanted| text_of(against).is_some_and(|text| text == wanted))
        }
        Expr::InList(list) if !list.negated && names(&list.expr, version) => {
            let mut texts = list.list.iter().filter_map(text_of);
            wanted.is_none_or(|wanted| texts.any(|text| text == wanted))
        }
        _ => false,
    })
}

/// `KSIC` of `KSIC10` and of `KSIC@ksic_version`.
fn family(class: &str) -> &str {
    let family = class.split_once('@').map_or(class, |(family, _)| family);
    family.trim_end_matches(|letter: char| letter.is_ascii_digit())
}

/// Whether a classification says its version itself.
fn is_one_version(class: &str) -> bool {
    !class.contains('@')
}

fn names(expression: &Expr, version: &str) -> bool {
    matches!(expression, Expr::Column(Column { name, .. }) if name == version)
}

fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        Expr::Cast(cast) => text_of(&cast.expr),
        _ => None,
    }
}

impl<'a> Scope<'a> {
    fn of(schema: &'a DFSchema, classes: &'a [Option<String>]) -> Self {
        Self { schema, classes }
    }
}
