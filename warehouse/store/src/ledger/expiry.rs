//! What has left the disk, in the ledger: said first, done afterwards.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use goyong_types::TableName;
use sqlx::Row;

use super::{Ledger, unsigned};
use crate::error::{Result, StoreError};
use crate::fault;

/// What ends.
#[derive(Debug, Default)]
pub(crate) struct Expired {
    pub(crate) releases: Vec<String>,
    /// Table, path below its folder, bytes.
    pub(crate) files: Vec<(TableName, String, u64)>,
}

const EXPIRE: &str = "expire old versions";

impl Ledger {
    /// Ends the releases published before a moment, except the newest and those to keep, and the files that no newer
    /// version and no remaining release has. A rehearsal tells the same and changes nothing.
    pub(crate) async fn expire(
        &self,
        before: DateTime<Utc>,
        kept: &BTreeSet<String>,
        is_rehearsal: bool,
    ) -> Result<Expired> {
        let error = || StoreError::ledger(EXPIRE);
        let now = Utc::now().to_rfc3339();
        let before = before.to_rfc3339();
        let kept = serde_json::to_string(kept).unwrap_or_default();
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error())?;
        let releases: Vec<String> = sqlx::query_scalar(
            "update releases set expired_at = ?1 \
             where expired_at is null and created_at < ?2 \
               and sequence < (select max(sequence) from releases) \
               and release_id not in (select value from json_each(?3)) \
             returning release_id",
        )
        .bind(&now)
        .bind(&before)
        .bind(&kept)
        .fetch_all(&mut *transaction)
        .await
        .map_err(error())?;
        let rows = sqlx::query(
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
                   and release_tables.version < files.removed_version) \
             returning table_name, path, bytes",
        )
        .bind(&now)
        .bind(&before)
        .fetch_all(&mut *transaction)
        .await
        .map_err(error())?;
        let mut expired = Expired {
            releases,
            files: Vec::with_capacity(rows.len()),
        };
        for row in rows {
            let table: String = row.try_get(0).map_err(error())?;
            if let Ok(table) = table.parse() {
                let bytes: i64 = row.try_get(2).map_err(error())?;
                let path = row.try_get(1).map_err(error())?;
                expired.files.push((table, path, unsigned(bytes)));
            }
        }
        if is_rehearsal {
            transaction.rollback().await.map_err(error())?;
        } else {
            fault::committing(transaction.commit())
                .await
                .map_err(error())?;
        }
        Ok(expired)
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
                Ok((path, unsigned(bytes)))
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
