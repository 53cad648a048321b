//! The ledger: an independent record in SQLite of every commit, file, partition and release.
//!
//! It answers snapshots without replaying Delta logs, and it is what `verify` compares the disk with. It is always
//! derivable from the logs except for releases and memos, so the order is: log first, then ledger.

mod copies;
mod expiry;
mod record;
mod releases;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use goyong_types::TableName;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row};

use crate::content_hash::ContentHash;
use crate::error::{Result, StoreError};
use crate::fault;
use crate::fence::Fence;
use crate::history::PartitionSpan;
use crate::snapshot::PartitionState;

/// Migrations in order, forward only; the database's `user_version` counts those applied.
const MIGRATIONS: [&str; 4] = [
    include_str!("0001_tables_and_releases.sql"),
    include_str!("0002_expiry.sql"),
    include_str!("0003_copies_and_acts.sql"),
    include_str!("0004_fences.sql"),
];

/// A commit as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedCommit {
    pub(crate) version: i64,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// A data file as recorded; the path is relative to the table's folder.
#[derive(Debug, Clone)]
pub(crate) struct RecordedFile {
    pub(crate) path: String,
    pub(crate) partition: Option<String>,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// The connection to the state database.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) pool: SqlitePool,
    /// The scheduled run this handle's commits belong to.
    pub(crate) fence: Arc<OnceLock<Fence>>,
}

impl Ledger {
    /// Opens the database, creates it if `create` is set, and applies the migrations it lacks.
    pub(crate) async fn open(path: &Path, create: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("secure_delete", "on")
            .busy_timeout(Duration::from_secs(30));
        // Connections to a file do not age, and the task that would look after their age counts those that are idle
        // while others take them: a count that has just fallen below zero keeps it, and the process, busy for ever.
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(StoreError::ledger("open the file"))?;
        let ledger = Self {
            pool,
            fence: Arc::default(),
        };
        ledger.migrate().await?;
        Ok(ledger)
    }

    async fn migrate(&self) -> Result<()> {
        let error = StoreError::ledger;
        let known = MIGRATIONS.len() as i64;
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error("migrate"))?;
        let found: i64 = sqlx::query_scalar("pragma user_version")
            .fetch_one(&mut *transaction)
            .await
            .map_err(error("migrate"))?;
        if found > known {
            return Err(StoreError::NewerLedger { found, known });
        }
        for (number, migration) in (1i64..).zip(MIGRATIONS) {
            if number <= found {
                continue;
            }
            sqlx::raw_sql(migration)
                .execute(&mut *transaction)
                .await
                .map_err(error("migrate"))?;
            // A pragma takes no parameters; the number is ours.
            sqlx::raw_sql(AssertSqlSafe(format!("pragma user_version = {number}")))
                .execute(&mut *transaction)
                .await
                .map_err(error("migrate"))?;
        }
        transaction.commit().await.map_err(error("migrate"))
    }

    /// Closes the connections, so that the write-ahead log is folded into the database.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database file itself is sound.
    pub(crate) async fn integrity_problems(&self) -> Result<Vec<String>> {
        let rows: Vec<String> = sqlx::query_scalar("pragma integrity_check(20)")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::ledger("check the integrity"))?;
        Ok(rows.into_iter().filter(|row| row != "ok").collect())
    }

    pub(crate) async fn table_names(&self) -> Result<Vec<TableName>> {
        let names: Vec<String> =
            sqlx::query_scalar("select distinct table_name from commits order by table_name")
                .fetch_all(&self.pool)
                .await
                .map_err(StoreError::ledger("list the tables"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(crate) async fn newest_commit(&self, table: &TableName) -> Result<Option<RecordedCommit>> {
        let row = sqlx::query(
            "select version, sha256, bytes from commits where table_name = ?1 order by version desc limit 1",
        )
        .bind(table.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::ledger("look up the newest commit"))?;
        row.as_ref().map(recorded_commit).transpose()
    }

    /// All commits of a table up to a version, oldest first.
    pub(crate) async fn commits(
        &self,
        table: &TableName,
        up_to: i64,
    ) -> Result<Vec<RecordedCommit>> {
        let rows = sqlx::query(
            "select version, sha256, bytes from commits where table_name = ?1 and version <= ?2 order by version",
        )
        .bind(table.to_string())
        .bind(up_to)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::ledger("list the commits"))?;
        rows.iter().map(recorded_commit).collect()
    }

    pub(crate) async fn commit(
        &self,
        table: &TableName,
        version: i64,
    ) -> Result<Option<RecordedCommit>> {
        let row = sqlx::query(
            "select version, sha256, bytes from commits where table_name = ?1 and version = ?2",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::ledger("look up a commit"))?;
        row.as_ref().map(recorded_commit).transpose()
    }

    /// The files of a table at a version, by partition and path.
    pub(crate) async fn files(&self, table: &TableName, version: i64) -> Result<Vec<RecordedFile>> {
        let rows = sqlx::query(
            "select path, partition, sha256, bytes, rows from files \
             where table_name = ?1 and added_version <= ?2 \
               and (removed_version is null or removed_version > ?2) \
             order by partition, path",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::ledger("list the files"))?;
        rows.iter().map(recorded_file).collect()
    }

    /// Every file the table ever had and that has not ended.
    pub(crate) async fn all_files(&self, table: &TableName) -> Result<Vec<RecordedFile>> {
        let rows = sqlx::query(
            "select path, partition, sha256, bytes, rows from files \
             where table_name = ?1 and expired_at is null order by path",
        )
        .bind(table.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::ledger("list the files"))?;
        rows.iter().map(recorded_file).collect()
    }

    /// The partitions of a table at a version.
    pub(crate) async fn partitions(
        &self,
        table: &TableName,
        version: i64,
    ) -> Result<Vec<(Option<String>, PartitionState)>> {
        let error = || StoreError::ledger("list the partitions");
        let rows = sqlx::query(
            "select partition, content_hash, fingerprint from partitions \
             where table_name = ?1 and from_version <= ?2 \
               and (until_version is null or until_version > ?2) \
             order by partition",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_all(&self.pool)
        .await
        .map_err(error())?;
        let mut partitions = Vec::with_capacity(rows.len());
        for row in rows {
            let partition: String = row.try_get(0).map_err(error())?;
            let hash: String = row.try_get(1).map_err(error())?;
            let content_hash: ContentHash = hash
                .parse()
                .map_err(|problem| error()(sqlx::Error::Decode(Box::new(problem))))?;
            let state = PartitionState {
                rows: content_hash.rows,
                content_hash,
                fingerprint: row.try_get(2).map_err(error())?,
            };
            partitions.push((partition_value(partition), state));
        }
        Ok(partitions)
    }

    /// The states of all partitions of a table, by partition and version.
    pub(crate) async fn partition_spans(&self, table: &TableName) -> Result<Vec<PartitionSpan>> {
        let error = || StoreError::ledger("list the states of the partitions");
        let rows = sqlx::query(
            "select partition, from_version, until_version, content_hash from partitions \
             where table_name = ?1 order by partition, from_version",
        )
        .bind(table.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(error())?;
        rows.iter()
            .map(|row| {
                Ok(PartitionSpan {
                    partition: partition_value(row.try_get(0).map_err(error())?),
                    from_version: row.try_get(1).map_err(error())?,
                    until_version: row.try_get(2).map_err(error())?,
                    content_hash: row.try_get(3).map_err(error())?,
                })
            })
            .collect()
    }

    /// The `metaData` action in force at a version.
    pub(crate) async fn metadata(&self, table: &TableName, version: i64) -> Result<Option<String>> {
        sqlx::query_scalar(
            "select metadata from table_metadata where table_name = ?1 and from_version <= ?2 \
             order by from_version desc limit 1",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::ledger("read the columns"))
    }

    /// The newest transaction of an application on a table.
    pub(crate) async fn application_version(
        &self,
        table: &TableName,
        application: &str,
    ) -> Result<Option<i64>> {
        sqlx::query_scalar(
            "select application_version from applications \
             where table_name = ?1 and application_id = ?2 order by version desc limit 1",
        )
        .bind(table.to_string())
        .bind(application)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::ledger("look up an application transaction"))
    }

    pub(crate) async fn memo_get(&self, scope: &str, key: &str) -> Result<Option<String>> {
        sqlx::query_scalar("select value from memo where scope = ?1 and key = ?2")
            .bind(scope)
            .bind(key)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::ledger("read a memo"))
    }

    pub(crate) async fn memo_put(&self, scope: &str, key: &str, value: &str) -> Result<()> {
        let error = || StoreError::ledger("write a memo");
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error())?;
        self.check_fence(&mut transaction).await?;
        sqlx::query(
            "insert into memo (scope, key, value) values (?1, ?2, ?3) \
             on conflict (scope, key) do update set value = excluded.value",
        )
        .bind(scope)
        .bind(key)
        .bind(value)
        .execute(&mut *transaction)
        .await
        .map_err(error())?;
        fault::committing(transaction.commit())
            .await
            .map_err(error())
    }

    /// The application of a commit.
    pub(crate) async fn transaction_of(
        &self,
        table: &TableName,
        version: i64,
    ) -> Result<Option<String>> {
        sqlx::query_scalar(
            "select application_id from applications where table_name = ?1 and version = ?2",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::ledger("look up an application transaction"))
    }

    /// The version of the newest commit of an application's transaction on a table.
    pub(crate) async fn application_commit(
        &self,
        table: &TableName,
        application: &(String, i64),
    ) -> Result<Option<i64>> {
        sqlx::query_scalar(
            "select max(version) from applications \
             where table_name = ?1 and application_id = ?2 and application_version = ?3",
        )
        .bind(table.to_string())
        .bind(&application.0)
        .bind(application.1)
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::ledger("look up an application transaction"))
    }
}

/// '' in the database is no partition value.
fn partition_value(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn recorded_commit(row: &sqlx::sqlite::SqliteRow) -> Result<RecordedCommit> {
    let error = || StoreError::ledger("read a commit");
    Ok(RecordedCommit {
        version: row.try_get(0).map_err(error())?,
        sha256: row.try_get(1).map_err(error())?,
        bytes: unsigned(row.try_get(2).map_err(error())?),
    })
}

fn recorded_file(row: &sqlx::sqlite::SqliteRow) -> Result<RecordedFile> {
    let error = || StoreError::ledger("read a file");
    Ok(RecordedFile {
        path: row.try_get(0).map_err(error())?,
        partition: partition_value(row.try_get(1).map_err(error())?),
        sha256: row.try_get(2).map_err(error())?,
        bytes: unsigned(row.try_get(3).map_err(error())?),
        rows: unsigned(row.try_get(4).map_err(error())?),
    })
}
