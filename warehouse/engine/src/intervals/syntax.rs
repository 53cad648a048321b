//! Calls of spell functions in a `from` clause.

use std::ops::ControlFlow;

use datafusion::common::{Column, DFSchema, Result, plan_err};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, TableFactor,
    UnaryOperator, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use goyong_types::nearest_name;

use super::node::{IntervalNode, SpellColumns};
use super::settings::{EndIs, FUNCTIONS, Invalid, JoinKind, Operation, Settings, Within};

const PREFIX: &str = "spell_";

/// Plans `spell_gaps(…)` and the like.
#[derive(Debug)]
pub(crate) struct SpellFunctions;

impl RelationPlanner for SpellFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (function, arguments, alias) = match relation {
            TableFactor::Table {
                ref name,
                args: Some(ref arguments),
                ref alias,
                ..
            } => match function_named(name)? {
                Some(function) => (function, arguments.args.clone(), alias.clone()),
                None => return Ok(RelationPlanning::Original(Box::new(relation))),
            },
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let call = Call::read(function, arguments)?;
        let node = call.plan(context)?;
        let plan = LogicalPlan::Extension(Extension {
            node: std::sync::Arc::new(node),
        });
        let plan = match alias {
            Some(_) => plan,
            // The columns belong to the call and no longer to the table it reads.
            None => LogicalPlanBuilder::from(plan).alias(function.0)?.build()?,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, alias,
        ))))
    }
}

/// Lets tables be named as arguments: `spell_gaps(core.insured_spell, …)` becomes
/// `spell_gaps((select * from core.insured_spell), …)`, so that the planner finds the table.
pub(crate) fn open_table_arguments(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = statement.visit(&mut TableArguments);
        }
        Statement::Explain(explain) => open_table_arguments(&mut explain.statement),
        _ => {}
    }
}

struct TableArguments;

impl VisitorMut for TableArguments {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(arguments),
            ..
        } = factor
            && let Ok(Some(function)) = function_named(name)
        {
            for argument in arguments.args.iter_mut().take(function.tables()) {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(table)) = argument
                    && matches!(table, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
                    && let Some(query) = parse_query(&format!("(select * from {table})"))
                {
                    *table = query;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn parse_query(text: &str) -> Option<Expr> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).ok()?;
    parser.parse_expr().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Function(&'static str);

impl Function {
    fn tables(self) -> usize {
        if self.is_join() { 2 } else { 1 }
    }

    fn is_join(self) -> bool {
        matches!(self.0, "spell_join" | "spell_at")
    }

    /// Columns behind the tables, as the documentation names them.
    fn columns(self) -> &'static [&'static str] {
        match self.0 {
            "spell_join" => &["key", "left_start", "left_end", "right_start", "right_end"],
            "spell_at" => &["key", "point", "start", "end"],
            _ => &["key", "start", "end"],
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self.0 {
            "spell_gaps" => &[
                "next_within_days",
                "next_within_months",
                "end_is",
                "invalid",
            ],
            "spell_merge" => &["join_gap_days", "end_is", "invalid"],
            "spell_join" | "spell_at" => &["kind", "end_is", "invalid"],
            "spell_episodes" => &["continues", "end_is", "invalid"],
            _ => &["end_is", "invalid"],
        }
    }

    fn usage(self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|(name, ..)| *name == self.0)
            .map_or(self.0, |(_, usage, _)| usage)
    }

    fn wrong<T>(self, problem: &str) -> Result<T> {
        plan_err!("{}: {problem}; write {}", self.0, self.usage())
    }
}

/// The function of a name; another name that begins like ours is an error with the nearest one.
fn function_named(name: &ObjectName) -> Result<Option<Function>> {
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else {
        return Ok(None);
    };
    let name = name.value.to_lowercase();
    let known = FUNCTIONS.iter().map(|(known, ..)| *known);
    if let Some(known) = known.clone().find(|known| *known == name) {
        return Ok(Some(Function(known)));
    }
    if name.starts_with(PREFIX) {
        let advice = nearest_name(&name, known)
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        return plan_err!("no function `{name}`{advice}");
    }
    Ok(None)
}

/// The arguments of a call, told apart.
struct Call {
    function: Function,
    tables: Vec<Expr>,
    columns: Vec<Vec<Ident>>,
    key: Vec<Vec<Ident>>,
    continues: Option<Vec<Ident>>,
    settings: Settings,
}

impl Call {
    fn read(function: Function, arguments: Vec<FunctionArg>) -> Result<Self> {
        let (mut positional, mut options) = (Vec::new(), Vec::new());
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                    if !options.is_empty() {
                        return function.wrong("an argument without a name follows a named one");
                    }
                    positional.push(value);
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => options.push((name.value.to_lowercase(), value)),
                FunctionArg::ExprNamed {
                    name: Expr::Identifier(name),
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => options.push((name.value.to_lowercase(), value)),
                other => return function.wrong(&format!("`{other}` is no argument")),
            }
        }
        let named = options.iter().position(|(name, _)| name == "continues");
        let continues = match named.filter(|_| function.options().contains(&"continues")) {
            Some(at) => Some(column_name(function, "continues", &options.remove(at).1)?),
            None => None,
        };
        let needed = function.tables() + function.columns().len();
        if positional.len() != needed {
            return function.wrong(&format!(
                "{} arguments without a name, {needed} are needed",
                positional.len()
            ));
        }
        let mut columns = positional.split_off(function.tables()).into_iter();
        let key = match columns.next() {
            Some(Expr::Tuple(parts)) => parts
                .iter()
                .map(|part| column_name(function, "key", part))
                .collect::<Result<Vec<_>>>()?,
            Some(single) => vec![column_name(function, "key", &single)?],
            None => Vec::new(),
        };
        let columns = columns
            .zip(&function.columns()[1..])
            .map(|(column, role)| column_name(function, role, &column))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            settings: settings(function, options)?,
            function,
            tables: positional,
            columns,
            key,
            continues,
        })
    }

    fn plan(self, context: &mut dyn RelationPlannerContext) -> Result<IntervalNode> {
        let function = self.function;
        let mut inputs = Vec::with_capacity(self.tables.len());
        for table in self.tables {
            inputs.push(plan_table(function, table, context)?);
        }
        let point = function.0 == "spell_at";
        let mut names = self.columns.iter();
        let mut columns = Vec::with_capacity(inputs.len());
        for (side, input) in inputs.iter().enumerate() {
            let resolve = |name: Option<&Vec<Ident>>| match name {
                Some(name) => resolve(function, input.schema(), name, context),
                None => function.wrong("a column is missing"),
            };
            let start = resolve(names.next())?;
            let end = if point && side == 0 {
                start.clone()
            } else {
                resolve(names.next())?
            };
            if start == end && !(point && side == 0) {
                return function.wrong("start and end are the same column");
            }
            columns.push(SpellColumns {
                key: self
                    .key
                    .iter()
                    .map(|name| resolve(Some(name)))
                    .collect::<Result<_>>()?,
                start,
                end,
                continues: match &self.continues {
                    Some(name) => Some(resolve(Some(name))?),
                    None => None,
                },
            });
        }
        IntervalNode::try_new(self.settings, inputs, columns)
    }
}

/// A table argument: a name, a common table expression or a subquery.
fn plan_table(
    function: Function,
    table: Expr,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    match table {
        Expr::Subquery(subquery) => context.plan(TableFactor::Derived {
            lateral: false,
            subquery,
            alias: None,
            sample: None,
        }),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            match parse_query(&format!("(select * from {table})")) {
                Some(query @ Expr::Subquery(_)) => plan_table(function, query, context),
                _ => function.wrong(&format!("`{table}` is no table")),
            }
        }
        other => function.wrong(&format!(
            "`{other}` is no table: name one or write (select …)"
        )),
    }
}

/// A column by name, quoted as text or not.
fn column_name(function: Function, role: &str, argument: &Expr) -> Result<Vec<Ident>> {
    match argument {
        Expr::Identifier(name) => Ok(vec![name.clone()]),
        Expr::CompoundIdentifier(names) => Ok(names.clone()),
        Expr::Nested(inner) => column_name(function, role, inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => Ok(vec![Ident::with_quote('"', name)]),
            _ => function.wrong(&format!("the {role} must be a column, not `{argument}`")),
        },
        other => function.wrong(&format!(
            "the {role} must be a column, not `{other}`: compute it in a subquery"
        )),
    }
}

fn resolve(
    function: Function,
    schema: &DFSchema,
    name: &[Ident],
    context: &dyn RelationPlannerContext,
) -> Result<Column> {
    let parts: Vec<String> = name
        .iter()
        .map(|part| context.normalize_ident(part.clone()))
        .collect();
    let (column, qualifier) = match parts.as_slice() {
        [column] => (column, None),
        [.., qualifier, column] => (column, Some(qualifier)),
        [] => return function.wrong("a column has no name"),
    };
    let mut found = schema.iter().filter(|(table, field)| {
        field.name() == column
            && qualifier
                .is_none_or(|qualifier| table.is_some_and(|table| table.table() == qualifier))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(Column::from(only)),
        (Some(_), Some(_)) => plan_err!(
            "{}: the table has several columns `{column}`; give them names in a subquery",
            function.0
        ),
        (None, _) => {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let advice = nearest_name(column, names)
                .map(|nearest| format!("; did you mean `{nearest}`?"))
                .unwrap_or_default();
            plan_err!("{}: no column `{column}` in the table{advice}", function.0)
        }
    }
}

fn settings(function: Function, options: Vec<(String, Expr)>) -> Result<Settings> {
    let (mut end_is, mut invalid) = (EndIs::Inclusive, Invalid::Error);
    let (mut label, mut join_gap_days, mut kind) = (None, 0, JoinKind::Inner);
    for (name, value) in options {
        if !function.options().contains(&name.as_str()) {
            let advice = nearest_name(&name, function.options().iter().copied())
                .map(|nearest| format!(", did you mean `{nearest}`?"))
                .unwrap_or_default();
            return function.wrong(&format!("no option `{name}`{advice}"));
        }
        match name.as_str() {
            "next_within_days" | "next_within_months" if label.is_some() => {
                return function
                    .wrong("next_within_days and next_within_months exclude each other");
            }
            "next_within_days" => label = Some(Within::Days(number(function, &name, &value)?)),
            "next_within_months" => label = Some(Within::Months(number(function, &name, &value)?)),
            "join_gap_days" => join_gap_days = number(function, &name, &value)?,
            "end_is" => {
                end_is = word(
                    function,
                    &name,
                    &value,
                    &[
                        ("inclusive", EndIs::Inclusive),
                        ("exclusive", EndIs::Exclusive),
                    ],
                )?;
            }
            "invalid" => {
                invalid = word(
                    function,
                    &name,
                    &value,
                    &[("error", Invalid::Error), ("skip", Invalid::Skip)],
                )?;
            }
            _ => {
                kind = word(
                    function,
                    &name,
                    &value,
                    &[("inner", JoinKind::Inner), ("left", JoinKind::Left)],
                )?;
            }
        }
    }
    let operation = match function.0 {
        "spell_gaps" => Operation::Gaps { label },
        "spell_merge" => Operation::Merge { join_gap_days },
        "spell_depth" => Operation::Depth,
        "spell_episodes" => Operation::Episodes,
        name => Operation::Join {
            kind,
            point: name == "spell_at",
        },
    };
    Ok(Settings {
        operation,
        end_is,
        invalid,
    })
}

fn number(function: Function, option: &str, value: &Expr) -> Result<i32> {
    let text = match value {
        Expr::Value(value) => value.to_string(),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            ..
        } => return function.wrong(&format!("{option} must not be negative")),
        other => other.to_string(),
    };
    match text.parse::<i32>() {
        Ok(number) => Ok(number),
        Err(_) => function.wrong(&format!("{option} must be a whole number, not `{text}`")),
    }
}

fn word<T: Copy>(
    function: Function,
    option: &str,
    value: &Expr,
    choices: &[(&str, T)],
) -> Result<T> {
    let text = match value {
        Expr::Value(value) => value.value.clone().into_string().unwrap_or_default(),
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    };
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let names: Vec<String> = choices
        .iter()
        .map(|(name, _)| format!("'{name}'"))
        .collect();
    function.wrong(&format!("{option} is {}, not `{text}`", names.join(" or ")))
}
