use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, ValueRef};

use super::{DatabaseError, Row, Value};

/// A SQLite file. One connection: a process writes one thing at a time anyway, and waits here in the order it came.
#[derive(Debug)]
pub(crate) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    pub(super) async fn begin(
        &self,
    ) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, DatabaseError> {
        Ok(self.pool.begin_with("begin immediate").await?)
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut connection = self.pool.acquire().await?;
        query(&mut connection, sql, values).await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

fn bound(
    sql: &'static str,
    values: &[Value],
) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
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

pub(super) async fn execute(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: &[Value],
) -> Result<u64, DatabaseError> {
    Ok(bound(sql, values)
        .execute(connection)
        .await?
        .rows_affected())
}

pub(super) async fn query(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>, DatabaseError> {
    let rows = bound(sql, values).fetch_all(connection).await?;
    rows.iter().map(row).collect()
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
