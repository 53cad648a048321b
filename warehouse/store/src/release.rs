//! A release: one consistent set of table versions that readers stay on.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::content_hash::hex;
use crate::error::{Result, StoreError};
use crate::warehouse::Warehouse;

/// What shall be published.
#[derive(Debug, Clone)]
pub struct ReleaseRequest {
    /// The night's business date.
    pub business_date: NaiveDate,
    /// Tables with the version each is pinned to.
    pub tables: Vec<(TableName, i64)>,
    /// A remark for people; not part of the release's identity.
    pub note: String,
}

/// A table as a release pins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedTable {
    /// Delta version.
    pub version: i64,
    /// SHA-256 of the commit's bytes.
    pub commit_sha256: String,
    /// Canonical hash of the rows.
    pub content_hash: String,
    /// Rows in the table.
    pub rows: u64,
}

/// A published set of table versions. Rolling back is publishing an older set again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `<business date>.<number on that date>`, such as `2025-12-31.1`.
    pub id: String,
    /// The night's business date.
    pub business_date: NaiveDate,
    /// The tables, by name.
    pub tables: BTreeMap<TableName, ReleasedTable>,
    /// Hash over all tables' content hashes; equal nights have equal hashes, whatever their versions.
    pub content_hash: String,
    /// A remark for people.
    pub note: String,
}

impl Warehouse {
    /// Publishes a set of table versions in one atomic act.
    ///
    /// When the newest release has the same date and tables, that one is returned and nothing is written. Refused
    /// when a table or version is unknown, or a pinned commit or data file is missing or has another length.
    pub async fn publish(&self, request: ReleaseRequest) -> Result<Release> {
        let mut tables = BTreeMap::new();
        for (table, version) in &request.tables {
            let snapshot = self.snapshot_at(table, *version).await?.ok_or_else(|| {
                StoreError::UnknownVersion {
                    table: table.clone(),
                    version: *version,
                }
            })?;
            for file in &snapshot.files {
                let problem = match std::fs::metadata(&file.path) {
                    Err(_) => "is missing".to_owned(),
                    Ok(found) if found.len() != file.size => {
                        format!("has {} of {} bytes", found.len(), file.size)
                    }
                    Ok(_) => continue,
                };
                return Err(StoreError::DamagedFile {
                    table: table.clone(),
                    path: file.path.clone(),
                    problem,
                });
            }
            tables.insert(
                table.clone(),
                ReleasedTable {
                    version: *version,
                    content_hash: snapshot.content_hash(),
                    rows: snapshot.rows(),
                    commit_sha256: snapshot.commit_sha256,
                },
            );
        }
        let content_hash = release_hash(&tables);
        self.ledger()
            .publish(request.business_date, tables, content_hash, &request.note)
            .await
    }

    /// The newest release.
    pub async fn latest_release(&self) -> Result<Option<Release>> {
        self.ledger().latest_release().await
    }

    /// A release by its id.
    pub async fn release(&self, id: &str) -> Result<Option<Release>> {
        self.ledger().release(id).await
    }

    /// All releases, oldest first.
    pub async fn releases(&self) -> Result<Vec<Release>> {
        self.ledger().releases().await
    }
}

fn release_hash(tables: &BTreeMap<TableName, ReleasedTable>) -> String {
    let mut hasher = Sha256::new();
    for (table, released) in tables {
        hasher.update(format!("{table}\t{}\n", released.content_hash));
    }
    hex(&hasher.finalize())
}
