use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{try_join, try_join_all};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Statement as Prepared};

use super::tls::{Encryption, Wish};
use super::{DatabaseError, MOST_SENT_TOGETHER, Row, Statement, Value};

/// One writer at a time: the lock every transaction takes first. The number is arbitrary and ours.
const ONE_WRITER: &str = "begin; select pg_advisory_xact_lock(5218045190)";

/// A PostgreSQL database over one connection, which is made again when it was lost.
#[derive(Debug)]
pub(crate) struct Postgres {
    config: Config,
    /// `None` where everything stays on this machine, or was asked to be in the clear.
    encryption: Option<Encryption>,
    connection: Arc<Mutex<Option<Connection>>>,
}

struct Connection {
    client: Client,
    statements: HashMap<&'static str, Prepared>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Postgres {
    pub(super) async fn open(text: &str) -> Result<Self, DatabaseError> {
        let wish = Wish::read(text);
        let mut config: Config = wish.address.parse()?;
        let leaves_the_machine = config.get_hosts().iter().any(|host| match host {
            Host::Tcp(host) => !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
            Host::Unix(_) => false,
        });
        let encryption = wish.encryption(leaves_the_machine);
        let encryption = encryption.map_err(DatabaseError::Location)?;
        config.ssl_mode(match &encryption {
            Some(_) => SslMode::Require,
            None => SslMode::Disable,
        });
        config.connect_timeout(Duration::from_secs(10));
        let database = Self {
            config,
            encryption,
            connection: Arc::new(Mutex::new(None)),
        };
        database.connected().await?;
        Ok(database)
    }

    async fn connected(&self) -> Result<OwnedMutexGuard<Option<Connection>>, DatabaseError> {
        let mut guard = Arc::clone(&self.connection).lock_owned().await;
        let is_open = guard
            .as_ref()
            .is_some_and(|connection| !connection.client.is_closed());
        if !is_open {
            let client = match &self.encryption {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(keep(connection));
                    client
                }
                Some(encryption) => {
                    let made = self.config.connect(encryption.clone()).await;
                    let (client, connection) = made.map_err(of_encryption)?;
                    tokio::spawn(keep(connection));
                    client
                }
            };
            // A process that was stopped in a transaction would keep every other writer out for good.
            client
                .batch_execute("set idle_in_transaction_session_timeout = '10s'")
                .await?;
            *guard = Some(Connection {
                client,
                statements: HashMap::new(),
            });
        }
        Ok(guard)
    }

    /// Begins a transaction and runs statements in it without waiting for one answer before the next is sent. Answers
    /// the rows of each.
    pub(super) async fn begin_with(
        &self,
        statements: &[Statement],
    ) -> Result<(PostgresTransaction, Vec<Vec<Row>>), DatabaseError> {
        let mut guard = self.connected().await?;
        let mut known = Vec::with_capacity(statements.len());
        for statement in statements {
            known.push(prepared(&mut guard, statement.sql).await?.1);
        }
        let mut transaction = PostgresTransaction {
            guard,
            is_open: true,
        };
        let client = &open(&mut transaction.guard)?.client;
        let begin = async { Ok(client.batch_execute(ONE_WRITER).await?) };
        let sent: Vec<_> = statements.iter().zip(&known).collect();
        let (first, others) = sent.split_at(sent.len().min(MOST_SENT_TOGETHER));
        let ((), mut rows) = try_join(begin, answers(client, first)).await?;
        for some in others.chunks(MOST_SENT_TOGETHER) {
            rows.extend(answers(client, some).await?);
        }
        Ok((transaction, rows))
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut guard = self.connected().await?;
        query(&mut guard, sql, values).await
    }
}

/// Moves bytes as long as the connection lasts.
async fn keep(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::warn!("the connection to the state database was lost: {error}");
    }
}

/// Tells a certificate that is not trusted, or a server without encryption, from a server that is away.
fn of_encryption(error: tokio_postgres::Error) -> DatabaseError {
    let text = error.to_string();
    match text.strip_prefix("error performing TLS handshake: ") {
        Some(problem) => DatabaseError::Encryption(problem.to_owned()),
        None => error.into(),
    }
}

/// A transaction that has the connection to itself.
#[derive(Debug)]
pub(crate) struct PostgresTransaction {
    guard: OwnedMutexGuard<Option<Connection>>,
    is_open: bool,
}

impl PostgresTransaction {
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, DatabaseError> {
        let (connection, statement) = prepared(&mut self.guard, sql).await?;
        Ok(connection
            .client
            .execute(&statement, &parameters(values))
            .await?)
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        query(&mut self.guard, sql, values).await
    }

    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        Ok(open(&mut self.guard)?.client.batch_execute(sql).await?)
    }

    pub(super) async fn commit(mut self) -> Result<(), DatabaseError> {
        self.script("commit").await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        if self.is_open {
            // The server undoes what a closed connection had begun.
            *self.guard = None;
        }
    }
}

fn open(guard: &mut Option<Connection>) -> Result<&mut Connection, DatabaseError> {
    guard.as_mut().ok_or(DatabaseError::Lost)
}

async fn prepared<'c>(
    guard: &'c mut Option<Connection>,
    sql: &'static str,
) -> Result<(&'c mut Connection, Prepared), DatabaseError> {
    let connection = open(guard)?;
    if let Some(statement) = connection.statements.get(sql) {
        let statement = statement.clone();
        return Ok((connection, statement));
    }
    let statement = connection.client.prepare(sql).await?;
    connection.statements.insert(sql, statement.clone());
    Ok((connection, statement))
}

async fn query(
    guard: &mut Option<Connection>,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>, DatabaseError> {
    let (connection, statement) = prepared(guard, sql).await?;
    answer(&connection.client, &statement, values).await
}

/// Sends statements one behind the other. Each is sent when its future is polled first, and so few are polled in order.
async fn answers(
    client: &Client,
    sent: &[(&Statement, &Prepared)],
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let waiting = sent
        .iter()
        .map(|(statement, known)| answer(client, known, &statement.values));
    try_join_all(waiting).await
}

async fn answer(
    client: &Client,
    statement: &Prepared,
    values: &[Value],
) -> Result<Vec<Row>, DatabaseError> {
    let rows = client.query(statement, &parameters(values)).await?;
    rows.iter()
        .map(|row| {
            let values = (0..row.len()).map(|column| row.try_get(column));
            Ok(Row(values.collect::<Result<_, _>>()?))
        })
        .collect()
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        <i64 as ToSql>::accepts(ty) || <&str as ToSql>::accepts(ty)
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'r> FromSql<'r> for Value {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if *ty == Type::INT4 {
            return Ok(Self::Integer(i32::from_sql(ty, raw)?.into()));
        }
        if <i64 as FromSql>::accepts(ty) {
            return Ok(Self::Integer(i64::from_sql(ty, raw)?));
        }
        Ok(Self::Text(String::from_sql(ty, raw)?))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INT4 || <i64 as FromSql>::accepts(ty) || <String as FromSql>::accepts(ty)
    }
}
