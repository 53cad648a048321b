//! From SQL to a plan: the one way in, for models, checks and people.

use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use crate::intervals::open_table_arguments;
use crate::session::queries_only;

/// The logical plan of a statement, whatever it is. Tables may be named as arguments of spell functions.
pub(crate) async fn logical_plan(
    state: &SessionState,
    sql: &str,
) -> Result<LogicalPlan, DataFusionError> {
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    open_table_arguments(&mut statement);
    state.statement_to_plan(statement).await
}

/// A query ready to run; anything that is no query is refused.
pub(crate) async fn query(
    session: &SessionContext,
    sql: &str,
) -> Result<DataFrame, DataFusionError> {
    let plan = logical_plan(&session.state(), sql).await?;
    queries_only().verify_plan(&plan)?;
    session.execute_logical_plan(plan).await
}
