use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Row as _, SqlSafeStr, ValueRef,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{DatabaseError, MOST_SENT_TOGETHER, Row, Statement, Value};

/// How long others wait for the connection, and for writers of other processes.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A SQLite file. One connection: a process writes one thing at a time anyway, and waits here in the order it came.
///
/// No pool, because a pool asks the connection's thread whether it lives before each use and after it, and each
/// question wakes two threads.
#[derive(Debug)]
pub(crate) struct Sqlite {
    options: SqliteConnectOptions,
    connection: Arc<Mutex<Option<SqliteConnection>>>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What a person is forgotten from is not left on a free page.
            .pragma("secure_delete", "ON")
            .busy_timeout(LONGEST_WAIT);
        let database = Self {
            options,
            connection: Arc::default(),
        };
        database.connected().await?;
        Ok(database)
    }

    /// The connection, made again when it was given up.
    async fn connected(&self) -> Result<OwnedMutexGuard<Option<SqliteConnection>>, DatabaseError> {
        let lock = Arc::clone(&self.connection).lock_owned();
        let mut guard = tokio::time::timeout(LONGEST_WAIT, lock)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?;
        if guard.is_none() {
            *guard = Some(self.options.connect().await?);
        }
        Ok(guard)
    }

    /// Begins a transaction and runs statements in it, in as few messages to the connection's thread as may be. Answers
    /// the rows of each.
    pub(super) async fn begin_with(
        &self,
        statements: &[Statement],
    ) -> Result<(SqliteTransaction, Vec<Vec<Row>>), DatabaseError> {
        let mut transaction = SqliteTransaction {
            guard: self.connected().await?,
            is_open: true,
        };
        let mut rows = Vec::with_capacity(statements.len() + 1);
        let mut text = "begin immediate".to_owned();
        let mut values = Vec::new();
        for (number, statement) in (1..).zip(statements) {
            text.push(';');
            append_numbered_from(&mut text, statement.sql, values.len());
            values.extend_from_slice(&statement.values);
            if number % MOST_SENT_TOGETHER == 0 {
                let (text, values) = (std::mem::take(&mut text), std::mem::take(&mut values));
                rows.extend(query_together(transaction.connection()?, text, values).await?);
            }
        }
        rows.extend(query_together(transaction.connection()?, text, values).await?);
        // The beginning itself has none.
        rows.remove(0);
        Ok((transaction, rows))
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut guard = self.connected().await?;
        query(open(&mut guard)?, sql, values).await
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!("the state database was not closed: {error}");
        }
    }
}

/// A transaction that has the connection to itself.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    guard: OwnedMutexGuard<Option<SqliteConnection>>,
    is_open: bool,
}

impl SqliteTransaction {
    fn connection(&mut self) -> Result<&mut SqliteConnection, DatabaseError> {
        open(&mut self.guard)
    }

    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, DatabaseError> {
        let done = bound(sql, values).execute(self.connection()?).await?;
        Ok(done.rows_affected())
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        query(self.connection()?, sql, values).await
    }

    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        sqlx::raw_sql(sql).execute(self.connection()?).await?;
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), DatabaseError> {
        self.execute("commit", &[]).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if self.is_open {
            // SQLite undoes what a closed connection had begun.
            *self.guard = None;
        }
    }
}

fn open(guard: &mut Option<SqliteConnection>) -> Result<&mut SqliteConnection, DatabaseError> {
    Ok(guard.as_mut().ok_or(sqlx::Error::WorkerCrashed)?)
}

/// Appends a statement whose parameters are numbered from `offset` + 1, as all of a text share one list of values.
fn append_numbered_from(text: &mut String, sql: &str, offset: usize) {
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        let after_number = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let number = &after[..after.len() - after_number.len()];
        let number = number.parse::<usize>().unwrap_or_default() + offset;
        text.push_str(before);
        // Writing to a text does not fail.
        let _ = write!(text, "${number}");
        rest = after_number;
    }
    text.push_str(rest);
}

fn bound(
    sql: impl SqlSafeStr,
    values: &[Value],
) -> sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut query = sqlx::query(sql);
    for value in values {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Integer(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
        };
    }
    query
}

async fn query(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>, DatabaseError> {
    let rows = bound(sql, values).fetch_all(connection).await?;
    rows.iter().map(row).collect()
}

/// Runs the statements of a text, which stays prepared; answers the rows of each.
async fn query_together(
    connection: &mut SqliteConnection,
    text: String,
    values: Vec<Value>,
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let mut rows = Vec::new();
    let mut current = Vec::new();
    let mut answers = connection.fetch_many(bound(AssertSqlSafe(text), &values));
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Right(found) => current.push(row(&found)?),
            Either::Left(_) => rows.push(std::mem::take(&mut current)),
        }
    }
    Ok(rows)
}

fn row(row: &SqliteRow) -> Result<Row, DatabaseError> {
    let values = (0..row.len()).map(|column| {
        let value = row.try_get_raw(column)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        match row.try_get::<i64, _>(column) {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => Ok(Value::Text(row.try_get(column)?)),
        }
    });
    Ok(Row(values.collect::<Result<_, DatabaseError>>()?))
}

#[cfg(test)]
mod tests {
    use super::append_numbered_from;

    #[test]
    fn parameters_of_a_later_statement_are_numbered_on() {
        let mut text = "begin".to_owned();
        append_numbered_from(&mut text, ";a $1, $2", 0);
        append_numbered_from(&mut text, ";b $2 = $10 and $1", 2);
        append_numbered_from(&mut text, ";c", 12);
        assert_eq!(text, "begin;a $1, $2;b $4 = $12 and $3;c");
    }
}
