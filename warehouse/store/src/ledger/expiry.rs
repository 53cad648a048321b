//! What has left the disk, in the ledger: said first, done afterwards.

use chrono::{DateTime, Utc};
use goyong_types::TableName;
use sqlx::Row;

use super::Ledger;
use crate::error::{Result, StoreError};

const EXPIRE: &str = "expire old versions";

impl Ledger {
    /// Ends the releases published before a moment, except the newest, and the files that no newer
    /// version and no remaining release has. Answers the names of the releases.
    pub(crate) async fn expire(&self, before: DateTime<Utc>) -> Result<Vec<String>> {
        let error = || StoreError::ledger(EXPIRE);
        let now = Utc::now().to_rfc3339();
        let before = before.to_rfc3339();
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error())?;
        let releases: Vec<String> = sqlx::query_scalar(
            "update releases set expired_at = ?1 \
             where expired_at is null and created_at < ?2 \
               and sequence < (select max(sequence) from releases) \
             returning release_id",
        )
        .bind(&now)
        .bind(&before)
        .fetch_all(&mut *transaction)
        .await
        .map_err(error())?;
        sqlx::query(
            "update files set expired_at = ?1 \
             where expired_at is null and removed_version is not null \
               and exists ( \
                 select 1 from commits \
                 where commits.table_name = files.table_name \
                   and commits.version = files.removed_version \
                   and commits.recorded_at < ?2) \
               and not exists ( \
                 select 1 from release_tables \
                 join releases on releases.release_id = release_tables.release_id \
                 where releases.expired_at is null \
                   and release_tables.table_name = files.table_name \
                   and release_tables.version >= files.added_version \
                   and release_tables.version < files.removed_version)",
        )
        .bind(&now)
        .bind(&before)
        .execute(&mut *transaction)
        .await
        .map_err(error())?;
        transaction.commit().await.map_err(error())?;
        Ok(releases)
    }

    /// Paths of the files that ended, with their lengths.
    pub(crate) async fn expired_files(&self, table: &TableName) -> Result<Vec<(String, u64)>> {
        let error = || StoreError::ledger(EXPIRE);
        let rows = sqlx::query(
            "select path, bytes from files where table_name = ?1 and expired_at is not null \
             order by path",
        )
        .bind(table.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(error())?;
        rows.iter()
            .map(|row| {
                let bytes: i64 = row.try_get(1).map_err(error())?;
                let path: String = row.try_get(0).map_err(error())?;
                Ok((path, u64::try_from(bytes).unwrap_or_default()))
            })
            .collect()
    }

    /// Whether a version has files that ended.
    pub(crate) async fn is_expired(&self, table: &TableName, version: i64) -> Result<bool> {
        sqlx::query_scalar(
            "select exists (select 1 from files \
             where table_name = ?1 and added_version <= ?2 and removed_version > ?2 \
               and expired_at is not null)",
        )
        .bind(table.to_string())
        .bind(version)
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::ledger("look up a version"))
    }
}
