//! Recording a commit: the same path for a commit just made and for one found in the log after a crash.

use goyong_types::TableName;
use sqlx::{Row, SqliteConnection};

use super::Ledger;
use crate::commit::{CommitRecord, signed};
use crate::content_hash::{ContentHash, sha256_hex};
use crate::error::{Result, StoreError};
use crate::fault;

const OPERATION: &str = "record a commit";

impl Ledger {
    /// Records a commit from its bytes. Recording the same commit again changes nothing.
    pub(crate) async fn record(&self, table: &TableName, version: i64, bytes: &[u8]) -> Result<()> {
        let record =
            CommitRecord::parse(table, bytes).map_err(|problem| StoreError::DamagedLog {
                table: table.clone(),
                version,
                problem,
            })?;
        let error = StoreError::ledger;
        let mut transaction = self
            .pool
            .begin_with("begin immediate")
            .await
            .map_err(error(OPERATION))?;
        let sha256 = sha256_hex(bytes);
        let known: Option<String> =
            sqlx::query_scalar("select sha256 from commits where table_name = ?1 and version = ?2")
                .bind(table.to_string())
                .bind(version)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(error(OPERATION))?;
        if let Some(known) = known {
            return if known == sha256 {
                Ok(())
            } else {
                Err(contradiction(table, version, "another commit is recorded"))
            };
        }
        let newest: Option<i64> =
            sqlx::query_scalar("select max(version) from commits where table_name = ?1")
                .bind(table.to_string())
                .fetch_one(&mut *transaction)
                .await
                .map_err(error(OPERATION))?;
        if version != newest.map_or(0, |newest| newest + 1) {
            return Err(contradiction(
                table,
                version,
                "the commit before it is missing",
            ));
        }
        let connection = &mut *transaction;
        record_files(connection, table, version, &record).await?;
        record_partitions(connection, table, version, &record).await?;
        record_facts(connection, table, version, &record).await?;
        let rows = check_rows(connection, table, version).await?;
        sqlx::query(
            "insert into commits (table_name, version, sha256, bytes, operation, rows, recorded_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(table.to_string())
        .bind(version)
        .bind(sha256)
        .bind(signed(bytes.len() as u64))
        .bind(&record.operation)
        .bind(rows)
        .bind(chrono::Utc::now().to_rfc3339())
        .execute(&mut *transaction)
        .await
        .map_err(error(OPERATION))?;
        super::copies::keep(&mut transaction, table, version, bytes).await?;
        fault::committing(transaction.commit())
            .await
            .map_err(error(OPERATION))
    }
}

fn contradiction(table: &TableName, version: i64, problem: impl Into<String>) -> StoreError {
    StoreError::Contradiction {
        table: table.clone(),
        version,
        problem: problem.into(),
    }
}

async fn record_files(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: i64,
    record: &CommitRecord,
) -> Result<()> {
    for path in &record.removed {
        let removed = sqlx::query(
            "update files set removed_version = ?3 \
             where table_name = ?1 and path = ?2 and removed_version is null",
        )
        .bind(table.to_string())
        .bind(path)
        .bind(version)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
        if removed.rows_affected() != 1 {
            return Err(contradiction(
                table,
                version,
                format!("it removes {path}, which is no file of the table"),
            ));
        }
    }
    for file in &record.added {
        sqlx::query(
            "insert into files (table_name, path, partition, sha256, bytes, rows, added_version) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(table.to_string())
        .bind(&file.relative_path)
        .bind(&file.partition)
        .bind(&file.sha256)
        .bind(file.size)
        .bind(file.rows)
        .bind(version)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
    }
    Ok(())
}

async fn record_partitions(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: i64,
    record: &CommitRecord,
) -> Result<()> {
    for (partition, state) in &record.partitions {
        sqlx::query(
            "update partitions set until_version = ?3 \
             where table_name = ?1 and partition = ?2 and until_version is null",
        )
        .bind(table.to_string())
        .bind(partition)
        .bind(version)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
        let Some(state) = state else { continue };
        sqlx::query(
            "insert into partitions (table_name, partition, from_version, content_hash, fingerprint) \
             values (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(table.to_string())
        .bind(partition)
        .bind(version)
        .bind(state.content_hash.to_string())
        .bind(&state.fingerprint)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
    }
    Ok(())
}

async fn record_facts(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: i64,
    record: &CommitRecord,
) -> Result<()> {
    if let Some(metadata) = &record.metadata {
        sqlx::query(
            "insert into table_metadata (table_name, from_version, metadata) values (?1, ?2, ?3)",
        )
        .bind(table.to_string())
        .bind(version)
        .bind(metadata)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
    }
    for (application, application_version) in &record.applications {
        sqlx::query(
            "insert into applications (table_name, application_id, application_version, version) \
             values (?1, ?2, ?3, ?4)",
        )
        .bind(table.to_string())
        .bind(application)
        .bind(application_version)
        .bind(version)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::ledger(OPERATION))?;
    }
    Ok(())
}

/// The files' rows and the partitions' rows are counted independently; they must agree. Returns the table's rows.
async fn check_rows(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: i64,
) -> Result<i64> {
    let error = StoreError::ledger;
    let in_files: i64 = sqlx::query_scalar(
        "select coalesce(sum(rows), 0) from files where table_name = ?1 and removed_version is null",
    )
    .bind(table.to_string())
    .fetch_one(&mut *connection)
    .await
    .map_err(error(OPERATION))?;
    let states = sqlx::query(
        "select content_hash from partitions where table_name = ?1 and until_version is null",
    )
    .bind(table.to_string())
    .fetch_all(&mut *connection)
    .await
    .map_err(error(OPERATION))?;
    let mut in_partitions = 0i64;
    for row in states {
        let hash: String = row.try_get(0).map_err(error(OPERATION))?;
        let hash: ContentHash = hash
            .parse()
            .map_err(|_| contradiction(table, version, "a partition's hash cannot be read"))?;
        in_partitions += signed(hash.rows);
    }
    if in_files == in_partitions {
        Ok(in_files)
    } else {
        Err(contradiction(
            table,
            version,
            format!("its files have {in_files} rows, its partitions {in_partitions}"),
        ))
    }
}
