//! Errors of planning at the place of the model's own file, with the nearest name.

use datafusion::common::{DataFusionError, Location, SchemaError, Span};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    GroupByExpr, Query, Select, SelectItem, SetExpr, Spanned, Statement as SqlStatement,
};
use goyong_catalog::{Problem, Project, Vars};

use crate::error::{EngineError, is_memory, short};

/// Most columns listed when none is near the wrong one.
const LISTED_COLUMNS: usize = 12;

/// A text of the project, as it was compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub project: &'a Project,
    pub file: &'a str,
    pub body: &'a str,
    pub vars: &'a Vars,
}

/// What is wrong with a compiled text, where it was written. Errors that are not about the text are
/// named after the file only.
pub(crate) async fn explain(
    session: &SessionContext,
    sql: &str,
    written: Written<'_>,
    error: DataFusionError,
) -> EngineError {
    if is_memory(&error) || !is_about_text(&error) {
        return EngineError::of(error, written.file);
    }
    let (message, help) = in_words(&error);
    let mut problem = Problem::new(written.file, message);
    problem.help = help;
    let map = written
        .project
        .source_map(written.file, written.body, written.vars)
        .filter(|map| map.sql() == sql);
    if let Some(map) = map
        && let Some((line, column)) = locate(&session.state(), sql, &error).await
        && let Some(place) = map.place(line, column)
    {
        problem = problem.at_line(place.line).at_column(place.column);
        if let Some(inner) = place.within {
            problem.message = format!("{} (in the macro at {inner})", problem.message);
        }
    }
    EngineError::Plan(problem.to_string())
}

/// Whether changing the text is what helps.
pub(crate) fn is_about_text(error: &DataFusionError) -> bool {
    matches!(
        error.find_root(),
        DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
    )
}

/// 1-based line and column in the compiled text.
async fn locate(
    state: &SessionState,
    sql: &str,
    error: &DataFusionError,
) -> Option<(usize, usize)> {
    if let Some(place) = parser_place(&error.strip_backtrace()) {
        return Some(place);
    }
    let state = with_spans(state);
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect).ok()?;
    crate::intervals::open_table_arguments(&mut statement);
    let again = match state.statement_to_plan(statement.clone()).await {
        Ok(plan) => state.optimize(&plan).err(),
        Err(error) => Some(error),
    };
    if let Some(place) = again.as_ref().and_then(span_of) {
        return Some(place);
    }
    let Statement::Statement(statement) = statement else {
        return None;
    };
    let SqlStatement::Query(query) = *statement else {
        return None;
    };
    Box::pin(failing_part(&state, &query)).await
}

/// The same planner, whose columns know where they are written.
pub(crate) fn with_spans(state: &SessionState) -> SessionState {
    let mut config = state.config().clone();
    config.options_mut().sql_parser.collect_spans = true;
    SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .build()
}

/// `… at Line: 3, Column: 8` of the parser's messages.
fn parser_place(message: &str) -> Option<(usize, usize)> {
    let (_, rest) = message.rsplit_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits = |text: &str| {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].parse().ok()
    };
    Some((digits(line)?, digits(rest)?))
}

fn span_of(error: &DataFusionError) -> Option<(usize, usize)> {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let of_column = || match error.find_root() {
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, .. }
            | SchemaError::AmbiguousReference { field } => field.spans.first(),
            _ => None,
        },
        _ => None,
    };
    let Span { start, .. } = span.or_else(of_column)?;
    of_location(start)
}

fn of_location(Location { line, column }: Location) -> Option<(usize, usize)> {
    let place = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    (place.0 > 0 && place.1 > 0).then_some(place)
}

fn start_of(part: &impl Spanned) -> Option<(usize, usize)> {
    let start = part.span().start;
    of_location(Location {
        line: start.line,
        column: start.column,
    })
}

/// The first step of a query that cannot be planned by itself, and within it the expression.
async fn failing_part(state: &SessionState, query: &Query) -> Option<(usize, usize)> {
    let with = query.with.as_ref();
    for (position, step) in with
        .iter()
        .flat_map(|with| with.cte_tables.iter())
        .enumerate()
    {
        let mut alone = step.query.as_ref().clone();
        let mut before = with.cloned();
        if let Some(before) = &mut before {
            before.cte_tables.truncate(position);
            if let Some(inner) = &alone.with {
                before.cte_tables.extend(inner.cte_tables.iter().cloned());
            }
        }
        alone.with = before.filter(|with| !with.cte_tables.is_empty());
        if with.is_some_and(|with| with.recursive) {
            // A step that reads itself cannot stand alone.
            continue;
        }
        if !plans(state, &alone).await {
            let name = &step.alias.name;
            let inner = Box::pin(failing_expression(state, &alone)).await;
            return inner.or_else(|| {
                of_location(Location {
                    line: name.span.start.line,
                    column: name.span.start.column,
                })
            });
        }
    }
    failing_expression(state, query).await
}

async fn failing_expression(state: &SessionState, query: &Query) -> Option<(usize, usize)> {
    let with_body = |body: SetExpr| Query {
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        ..query.clone()
    };
    match query.body.as_ref() {
        SetExpr::Select(select) => {
            let with_select = |select: Select| with_body(SetExpr::Select(Box::new(select)));
            if select.projection.len() > 1 {
                for item in &select.projection {
                    let mut only = select.as_ref().clone();
                    only.projection = vec![item.clone()];
                    only.selection = None;
                    if !plans(state, &with_select(only)).await {
                        return start_of(item);
                    }
                }
            }
            if let Some(condition) = &select.selection {
                let mut without = select.as_ref().clone();
                without.selection = None;
                if plans(state, &with_select(without)).await {
                    return start_of(condition);
                }
            }
            for from in &select.from {
                for join in &from.joins {
                    let mut shorter = select.as_ref().clone();
                    shorter.projection = vec![SelectItem::UnnamedExpr(one())];
                    shorter.selection = None;
                    shorter.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
                    shorter.having = None;
                    let mut upto = from.clone();
                    let end = from.joins.iter().position(|other| other == join)?;
                    upto.joins.truncate(end + 1);
                    shorter.from = vec![upto];
                    if !plans(state, &with_select(shorter)).await {
                        return start_of(join);
                    }
                }
            }
            start_of(select.as_ref())
        }
        SetExpr::SetOperation { left, right, .. } => {
            for side in [left, right] {
                let alone = with_body(side.as_ref().clone());
                if !plans(state, &alone).await {
                    return Box::pin(failing_expression(state, &alone)).await;
                }
            }
            start_of(right.as_ref())
        }
        other => start_of(other),
    }
}

fn one() -> datafusion::sql::sqlparser::ast::Expr {
    use datafusion::sql::sqlparser::ast::{Expr, Value};
    Expr::Value(Value::Null.into())
}

async fn plans(state: &SessionState, query: &Query) -> bool {
    let statement = SqlStatement::Query(Box::new(query.clone()));
    let statement = Statement::Statement(Box::new(statement));
    match state.statement_to_plan(statement).await {
        Ok(plan) => state.optimize(&plan).is_ok(),
        Err(_) => false,
    }
}

/// What is wrong, and what to do.
pub(crate) fn in_words(error: &DataFusionError) -> (String, Option<String>) {
    if let DataFusionError::SchemaError(error, _) = error.find_root() {
        match error.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => {
                let known: Vec<String> = valid_fields
                    .iter()
                    .filter(|known| field.relation.is_none() || known.relation == field.relation)
                    .map(|known| known.name().to_owned())
                    .collect();
                let message = match &field.relation {
                    Some(table) if known.is_empty() => {
                        let mut tables: Vec<&str> = valid_fields
                            .iter()
                            .filter_map(|known| known.relation.as_ref().map(|table| table.table()))
                            .collect();
                        tables.dedup();
                        let help = nearest_or_list(table.table(), &tables);
                        return (
                            format!("`{}` is not among what is selected from", table.table()),
                            help,
                        );
                    }
                    Some(table) => format!("{} has no column `{}`", table.table(), field.name()),
                    None => format!("no column is called `{}`", field.name()),
                };
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return (message, nearest_or_list(field.name(), &known));
            }
            SchemaError::AmbiguousReference { field } => {
                return (
                    format!("`{}` is a column of more than one table", field.name()),
                    Some("write the table before it, `table.column`".into()),
                );
            }
            _ => {}
        }
    }
    let text = short(error);
    let text = text.split(" at Line: ").next().unwrap_or(&text);
    let text = text
        .trim_start_matches("ParserError(\"")
        .trim_start_matches("sql parser error: ");
    if let Some(rest) = text.strip_prefix("Invalid function '")
        && let Some((name, rest)) = rest.split_once('\'')
    {
        let nearest = rest.split('\'').nth(1);
        return (
            format!("no function is called `{name}`"),
            nearest.map(|nearest| format!("did you mean `{nearest}`?")),
        );
    }
    if let Some(rest) = text.strip_prefix("table '")
        && let Some((name, _)) = rest.split_once("' not found")
    {
        let name = name.trim_start_matches("warehouse.");
        let bare = name.rsplit('.').next().unwrap_or(name);
        return (
            format!("no table is called `{name}`"),
            Some(format!("tables are named by ref('{bare}') and the like")),
        );
    }
    let mut letters = text.chars();
    let lower: String = letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default();
    (lower.trim_end_matches('.').to_owned(), None)
}

fn nearest_or_list(name: &str, known: &[&str]) -> Option<String> {
    match goyong_types::nearest_name(name, known.iter().copied()) {
        Some(nearest) => Some(format!("did you mean `{nearest}`?")),
        None if known.is_empty() => None,
        None => {
            let more = if known.len() > LISTED_COLUMNS {
                ", …"
            } else {
                ""
            };
            let listed: Vec<&str> = known.iter().take(LISTED_COLUMNS).copied().collect();
            Some(format!("there are {}{more}", listed.join(", ")))
        }
    }
}
