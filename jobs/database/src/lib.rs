//! SQLite and PostgreSQL behind one face: whole numbers and texts, `$1` for parameters, one writer at a time.
//!
//! Both databases take the same statements. A transaction holds the only writer's place from its first statement
//! (`begin immediate`, an advisory lock), so what it read still holds when it writes, on either. Where they differ
//! (triggers, rows handed over in bulk) a statement has a text for each: [`Dialects`], [`Load`].

mod load;
mod migration;
mod postgres;
mod sqlite;
mod tls;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use load::{ColumnKind, Load};
pub use migration::{Migration, MigrationError, Migrations};
use postgres::{Postgres, PostgresTransaction};
use sqlite::{Sqlite, SqliteTransaction};

/// Why a database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// SQLite said so.
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
    /// PostgreSQL said so.
    #[error("{}", of_postgres(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The server's certificate is not trusted, or it offers no encryption.
    #[error(
        "the connection to the database cannot be encrypted: {0}; correct the host or the certificates that sslrootcert \
         names"
    )]
    Encryption(String),
    /// The connection is gone.
    #[error("the connection was lost")]
    Lost,
    /// The location is no database's.
    #[error("{0}")]
    Location(String),
    /// A text that holds JSON could not be read or written.
    #[error("a stored account is no valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An answer has another shape than the statement promises.
    #[error("column {0} of the answer is not what it should be")]
    Column(usize),
}

fn of_postgres(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => error.to_string(),
    }
}

impl DatabaseError {
    /// Whether the same can succeed later: the database was busy, or the connection was lost.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Lost | Self::Sqlite(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // 5 is busy, 6 locked; the rest of the number says more about it.
            Self::Sqlite(sqlx::Error::Database(error)) => error
                .code()
                .and_then(|code| code.parse::<i64>().ok())
                .is_some_and(|code| matches!(code & 0xff, 5 | 6)),
            // Class 08 is the connection, 40 the transaction, 53 resources, 57 an operator's intervention.
            Self::Postgres(error) => match error.code() {
                Some(code) => ["08", "40", "53", "57"].contains(&&code.code()[..2]),
                None => true,
            },
            Self::Sqlite(_)
            | Self::Encryption(_)
            | Self::Location(_)
            | Self::Json(_)
            | Self::Column(_) => false,
        }
    }
}

/// Where a ledger lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, made when it is not there.
    Sqlite(PathBuf),
    /// `postgresql://user@host/database` or `host=… dbname=…`.
    Postgres(String),
}

impl std::str::FromStr for Location {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        let is_postgres = ["postgres://", "postgresql://", "host="]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if is_postgres {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(_) => Err(DatabaseError::Location(
                "sqlite:// names no file".to_owned(),
            )),
            None if text.contains("://") => Err(DatabaseError::Location(
                "runs are kept in sqlite:// or postgresql://".to_owned(),
            )),
            None => Ok(Self::Sqlite(text.into())),
        }
    }
}

/// A value of a parameter or an answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Statements that are sent together at most. Texts of so few come again, so that they stay prepared.
const MOST_SENT_TOGETHER: usize = 12;

/// A statement with the values of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: &'static str,
    /// A value for each parameter.
    pub values: Vec<Value>,
}

/// A text for each database, where the two say the same thing differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialects {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl Row {
    /// All of it, in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// A whole number.
    pub fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        self.optional_integer(column)?
            .ok_or(DatabaseError::Column(column))
    }

    /// A whole number or nothing.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Integer(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            _ => Err(DatabaseError::Column(column)),
        }
    }

    /// A text.
    pub fn text(&self, column: usize) -> Result<String, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.clone()),
            _ => Err(DatabaseError::Column(column)),
        }
    }
}

impl Row {
    /// Whether there is nothing in a column.
    pub fn is_null(&self, column: usize) -> bool {
        self.0.get(column) == Some(&Value::Null)
    }

    /// A text or nothing.
    pub fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(DatabaseError::Column(column)),
        }
    }

    /// A time kept as milliseconds since 1970 in UTC.
    pub fn time(&self, column: usize) -> Result<DateTime<Utc>, DatabaseError> {
        self.optional_time(column)?
            .ok_or(DatabaseError::Column(column))
    }

    /// A time or nothing.
    pub fn optional_time(&self, column: usize) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        self.optional_integer(column)?
            .map(|at| DateTime::from_timestamp_millis(at).ok_or(DatabaseError::Column(column)))
            .transpose()
    }

    /// A small count.
    pub fn count(&self, column: usize) -> Result<u32, DatabaseError> {
        u32::try_from(self.integer(column)?).map_err(|_| DatabaseError::Column(column))
    }
}

/// A database.
#[derive(Debug)]
pub struct Database(Backend);

#[derive(Debug)]
enum Backend {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

/// Statements that take effect together at [`Transaction::commit`] or not at all. Dropped, it is undone.
#[derive(Debug)]
pub struct Transaction(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

impl Database {
    /// Opens a database; a file that is not there is made.
    pub async fn open(location: &Location) -> Result<Self, DatabaseError> {
        Ok(Self(match location {
            Location::Sqlite(path) => Backend::Sqlite(Box::new(Sqlite::open(path).await?)),
            Location::Postgres(text) => Backend::Postgres(Box::new(Postgres::open(text).await?)),
        }))
    }

    /// Begins a transaction, once no other writer has the place.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Ok(self.begin_with(&[]).await?.0)
    }

    /// Begins a transaction with statements that are sent together; answers the rows of each. What it costs to reach the
    /// database is paid once.
    pub async fn begin_with(
        &self,
        statements: &[Statement],
    ) -> Result<(Transaction, Vec<Vec<Row>>), DatabaseError> {
        Ok(match &self.0 {
            Backend::Sqlite(database) => {
                let (transaction, rows) = database.begin_with(statements).await?;
                (Transaction(Inner::Sqlite(transaction)), rows)
            }
            Backend::Postgres(database) => {
                let (transaction, rows) = database.begin_with(statements).await?;
                (Transaction(Inner::Postgres(transaction)), rows)
            }
        })
    }

    /// Rows as they stand now, without keeping writers out.
    pub async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        match &self.0 {
            Backend::Sqlite(database) => database.query(sql, values).await,
            Backend::Postgres(database) => database.query(sql, values).await,
        }
    }

    /// The time of the database's machine; a file has none.
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        match &self.0 {
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres(database) => {
                let sql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
                let rows = database.query(sql, &[]).await?;
                let at = rows.first().ok_or(DatabaseError::Column(0))?.integer(0)?;
                Ok(DateTime::from_timestamp_millis(at))
            }
        }
    }

    /// Closes the connection. Optional; a crash instead loses nothing.
    pub async fn close(&self) {
        if let Backend::Sqlite(database) = &self.0 {
            database.close().await;
        }
    }
}

impl Transaction {
    /// Runs a statement; answers the rows it changed.
    pub async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, DatabaseError> {
        match &mut self.0 {
            Inner::Sqlite(transaction) => transaction.execute(sql, values).await,
            Inner::Postgres(transaction) => transaction.execute(sql, values).await,
        }
    }

    /// Runs a query.
    pub async fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        match &mut self.0 {
            Inner::Sqlite(transaction) => transaction.query(sql, values).await,
            Inner::Postgres(transaction) => transaction.query(sql, values).await,
        }
    }

    /// Runs several statements without parameters.
    pub async fn script(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        match &mut self.0 {
            Inner::Sqlite(transaction) => transaction.script(sql).await,
            Inner::Postgres(transaction) => transaction.script(sql).await,
        }
    }

    /// The text of these two that this database understands.
    pub fn text_of(&self, dialects: Dialects) -> &'static str {
        match &self.0 {
            Inner::Sqlite(_) => dialects.sqlite,
            Inner::Postgres(_) => dialects.postgres,
        }
    }

    /// Makes it durable and visible.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        match self.0 {
            Inner::Sqlite(transaction) => transaction.commit().await,
            Inner::Postgres(transaction) => transaction.commit().await,
        }
    }
}
