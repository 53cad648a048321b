//! Copies of the commits themselves: what a lost log entry is restored from.

use std::path::Path;

use goyong_types::TableName;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection};

use super::Ledger;
use crate::error::{Result, StoreError};

const KEEP: &str = "keep a copy of a commit";
const READ: &str = "read the copy of a commit";

impl Ledger {
    /// The bytes of a commit, `None` where no copy was kept.
    pub(crate) async fn commit_copy(
        &self,
        table: &TableName,
        version: i64,
    ) -> Result<Option<Vec<u8>>> {
        sqlx::query_scalar("select body from commit_copies where table_name = ?1 and version = ?2")
            .bind(table.to_string())
            .bind(version)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::ledger(READ))
    }

    /// Versions recorded by a program that kept no copies, with the digest a copy must have.
    pub(crate) async fn without_copy(&self) -> Result<Vec<(TableName, i64, String)>> {
        let error = || StoreError::ledger(READ);
        let rows = sqlx::query(
            "select table_name, version, sha256 from commits \
             where not exists (select 1 from commit_copies as copies \
               where copies.table_name = commits.table_name and copies.version = commits.version)",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(error())?;
        let mut found = Vec::new();
        for row in rows {
            let name: String = row.try_get(0).map_err(error())?;
            if let Ok(table) = name.parse() {
                let version = row.try_get(1).map_err(error())?;
                found.push((table, version, row.try_get(2).map_err(error())?));
            }
        }
        Ok(found)
    }

    /// Keeps copies that are missing, all or none.
    pub(crate) async fn keep_copies(&self, copies: &[(TableName, i64, Vec<u8>)]) -> Result<()> {
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(StoreError::ledger(KEEP))?;
        for (table, version, body) in copies {
            keep(&mut transaction, table, *version, body).await?;
        }
        transaction.commit().await.map_err(StoreError::ledger(KEEP))
    }
}

impl Ledger {
    /// Writes a copy of the whole database, as it is at one moment, to a file that does not exist.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<()> {
        sqlx::query("vacuum into ?1")
            .bind(path.to_string_lossy().into_owned())
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(StoreError::ledger("copy the database"))
    }

    /// Writes a copy in which one release and the newest versions are all that can be read: files of others are not
    /// part of the backup.
    pub(crate) async fn copy_for_backup(&self, path: &Path, release: &str) -> Result<()> {
        const OPERATION: &str = "copy the database for a backup";
        let error = || StoreError::ledger(OPERATION);
        if path.exists() {
            std::fs::remove_file(path).map_err(StoreError::io("remove", path))?;
        }
        self.copy_to(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full);
        let mut copy = SqliteConnection::connect_with(&options)
            .await
            .map_err(error())?;
        let now = chrono::Utc::now().to_rfc3339();
        for statement in [
            "update releases set expired_at = ?1 where expired_at is null and release_id <> ?2",
            "update files set expired_at = ?1 \
             where expired_at is null and removed_version is not null \
               and not exists ( \
                 select 1 from release_tables \
                 where release_id = ?2 and release_tables.table_name = files.table_name \
                   and version >= files.added_version and version < files.removed_version)",
        ] {
            sqlx::query(statement)
                .bind(&now)
                .bind(release)
                .execute(&mut copy)
                .await
                .map_err(error())?;
        }
        copy.close().await.map_err(error())
    }
}

/// Keeps the bytes of a commit; a copy that is there stays.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: i64,
    body: &[u8],
) -> Result<()> {
    sqlx::query(
        "insert into commit_copies (table_name, version, body) values (?1, ?2, ?3) \
         on conflict (table_name, version) do nothing",
    )
    .bind(table.to_string())
    .bind(version)
    .bind(body)
    .execute(&mut *connection)
    .await
    .map(|_| ())
    .map_err(StoreError::ledger(KEEP))
}
