//! Releases in the ledger: appended, never changed.

use std::collections::BTreeMap;

use chrono::DateTime;
use goyong_types::TableName;
use sqlx::{Row, SqliteConnection};

use super::{Ledger, unsigned};
use crate::commit::signed;
use crate::error::{Result, StoreError};
use crate::fault;
use crate::release::{Release, ReleasedTable};

const PUBLISH: &str = "publish a release";
const READ: &str = "read a release";

impl Ledger {
    /// Appends a release, unless the newest one has the same date and tables: then that one is returned. The release
    /// told has no id and no time yet.
    pub(crate) async fn publish(&self, release: Release) -> Result<Release> {
        let error = StoreError::ledger;
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error(PUBLISH))?;
        self.check_fence(&mut transaction).await?;
        let newest: Option<String> =
            sqlx::query_scalar("select release_id from releases order by sequence desc limit 1")
                .fetch_optional(&mut *transaction)
                .await
                .map_err(error(PUBLISH))?;
        if let Some(newest) = newest
            && let Some(newest) = read(&mut transaction, &newest).await?
            && newest.pins_the_same(&release)
        {
            return Ok(newest);
        }
        let earlier: i64 =
            sqlx::query_scalar("select count(*) from releases where business_date = ?1")
                .bind(release.business_date.to_string())
                .fetch_one(&mut *transaction)
                .await
                .map_err(error(PUBLISH))?;
        let release = Release {
            id: format!("{}.{}", release.business_date, earlier + 1),
            published_at: chrono::Utc::now(),
            ..release
        };
        insert(&mut transaction, &release).await?;
        fault::committing(transaction.commit())
            .await
            .map_err(error(PUBLISH))?;
        Ok(release)
    }

    pub(crate) async fn release(&self, id: &str) -> Result<Option<Release>> {
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(StoreError::ledger(READ))?;
        read(&mut connection, id).await
    }

    pub(crate) async fn latest_release(&self) -> Result<Option<Release>> {
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(StoreError::ledger(READ))?;
        let newest: Option<String> = sqlx::query_scalar(
            "select release_id from releases where expired_at is null \
                 order by sequence desc limit 1",
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::ledger(READ))?;
        match newest {
            Some(id) => read(&mut connection, &id).await,
            None => Ok(None),
        }
    }

    /// Bytes of the files of each release's tables, by its id.
    pub(crate) async fn release_bytes(&self) -> Result<BTreeMap<String, u64>> {
        let error = || StoreError::ledger("add up the files of the releases");
        let rows = sqlx::query(
            "select release_tables.release_id, sum(files.bytes) \
             from release_tables join files \
               on files.table_name = release_tables.table_name \
              and files.added_version <= release_tables.version \
              and (files.removed_version is null or files.removed_version > release_tables.version) \
             group by release_tables.release_id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(error())?;
        rows.iter()
            .map(|row| {
                let bytes: i64 = row.try_get(1).map_err(error())?;
                Ok((row.try_get(0).map_err(error())?, unsigned(bytes)))
            })
            .collect()
    }

    /// All releases, oldest first.
    pub(crate) async fn releases(&self) -> Result<Vec<Release>> {
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(StoreError::ledger(READ))?;
        let ids: Vec<String> = sqlx::query_scalar(
            "select release_id from releases where expired_at is null order by sequence",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::ledger(READ))?;
        let mut releases = Vec::with_capacity(ids.len());
        for id in ids {
            releases.extend(read(&mut connection, &id).await?);
        }
        Ok(releases)
    }
}

async fn insert(connection: &mut SqliteConnection, release: &Release) -> Result<()> {
    sqlx::query(
        "insert into releases \
         (release_id, business_date, content_hash, note, created_at, account, republishes) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(&release.id)
    .bind(release.business_date.to_string())
    .bind(&release.content_hash)
    .bind(&release.note)
    .bind(release.published_at.to_rfc3339())
    .bind(&release.account)
    .bind(&release.republishes)
    .execute(&mut *connection)
    .await
    .map_err(StoreError::ledger(PUBLISH))?;
    for (table, released) in &release.tables {
        sqlx::query(
            "insert into release_tables (release_id, table_name, version, commit_sha256, content_hash, rows) \
             values (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(&release.id)
        .bind(table.to_string())
        .bind(released.version)
        .bind(&released.commit_sha256)
        .bind(&released.content_hash)
        .bind(signed(released.rows))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(PUBLISH))?;
    }
    Ok(())
}

async fn read(connection: &mut SqliteConnection, id: &str) -> Result<Option<Release>> {
    let error = || StoreError::ledger(READ);
    let Some(head) = sqlx::query(
        "select business_date, content_hash, note, created_at, account, republishes \
             from releases where release_id = ?1 and expired_at is null",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await
    .map_err(error())?
    else {
        return Ok(None);
    };
    let decode =
        |problem: Box<dyn std::error::Error + Send + Sync>| error()(sqlx::Error::Decode(problem));
    let date: String = head.try_get(0).map_err(error())?;
    let published_at: String = head.try_get(3).map_err(error())?;
    let published_at = DateTime::parse_from_rfc3339(&published_at)
        .map_err(|problem: chrono::ParseError| decode(problem.into()))?;
    let mut release = Release {
        id: id.to_owned(),
        business_date: date
            .parse()
            .map_err(|problem: chrono::ParseError| decode(problem.into()))?,
        tables: BTreeMap::new(),
        content_hash: head.try_get(1).map_err(error())?,
        note: head.try_get(2).map_err(error())?,
        published_at: published_at.to_utc(),
        account: head.try_get(4).map_err(error())?,
        republishes: head.try_get(5).map_err(error())?,
    };
    let rows = sqlx::query(
        "select table_name, version, commit_sha256, content_hash, rows \
         from release_tables where release_id = ?1",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await
    .map_err(error())?;
    for row in rows {
        let name: String = row.try_get(0).map_err(error())?;
        let table: TableName = name
            .parse()
            .map_err(|problem: goyong_types::TableNameError| decode(problem.into()))?;
        let released = ReleasedTable {
            version: row.try_get(1).map_err(error())?,
            commit_sha256: row.try_get(2).map_err(error())?,
            content_hash: row.try_get(3).map_err(error())?,
            rows: unsigned(row.try_get(4).map_err(error())?),
        };
        release.tables.insert(table, released);
    }
    Ok(Some(release))
}
