//! A release: one consistent set of table versions that readers stay on.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use goyong_types::TableName;
use sha2::{Digest, Sha256};

use crate::content_hash::hex;
use crate::durable::{create_directories, sync_path};
use crate::error::{Result, StoreError};
use crate::repair::ledger_copies;
use crate::verify::hash_of;
use crate::warehouse::Warehouse;

/// Copies of the state database that are kept: the newest may be the one that is damaged.
const LEDGER_COPIES: usize = 2;

/// What shall be published.
#[derive(Debug, Clone, Default)]
pub struct ReleaseRequest {
    /// The night's business date.
    pub business_date: NaiveDate,
    /// Tables with the version each is pinned to.
    pub tables: Vec<(TableName, i64)>,
    /// A remark for people, such as the reason; not part of the release's identity.
    pub note: String,
    /// Who publishes: an account of the system, never a person's name.
    pub account: String,
    /// The older release whose tables these are, for a rollback.
    pub republishes: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Who published it; empty where nobody was named.
    pub account: String,
    /// The older release it publishes again, for a rollback.
    pub republishes: Option<String>,
}

impl Release {
    /// Whether both are the same tables at the same versions for the same date.
    pub fn pins_the_same(&self, other: &Self) -> bool {
        self.business_date == other.business_date && self.tables == other.tables
    }
}

impl Warehouse {
    /// Publishes a set of table versions in one atomic act, after every log entry and data file of it was hashed and
    /// found as it was written.
    ///
    /// When the newest release has the same date and tables, that one is returned and nothing is written. Refused
    /// with [`StoreError::Unsound`] when a file is damaged, and when a table or version is unknown.
    pub async fn publish(&self, request: ReleaseRequest) -> Result<Release> {
        let mut tables = BTreeMap::new();
        for (table, version) in &request.tables {
            let snapshot = self.snapshot_at(table, *version).await?.ok_or_else(|| {
                StoreError::UnknownVersion {
                    table: table.clone(),
                    version: *version,
                }
            })?;
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
        let release = Release {
            business_date: request.business_date,
            content_hash: release_hash(&tables),
            tables,
            note: request.note,
            account: request.account,
            republishes: request.republishes,
            ..Release::default()
        };
        if let Some(newest) = self.latest_release().await?
            && newest.pins_the_same(&release)
        {
            return Ok(newest);
        }
        let report = self.verify(Some(&release)).await?;
        if !report.problems.is_empty() {
            return Err(StoreError::Unsound {
                problems: report.problems,
            });
        }
        let release = self.ledger().publish(release).await?;
        self.copy_ledger().await?;
        Ok(release)
    }

    /// Keeps a copy of the state database beside it, named by its digest; the newest two stay. Releases and what
    /// builds remember cannot be told from the logs.
    async fn copy_ledger(&self) -> Result<()> {
        let folder = self.root().join("state/copies");
        create_directories(&folder).map_err(StoreError::io("create", &folder))?;
        let staging = folder.join("copy.new");
        if staging.exists() {
            std::fs::remove_file(&staging).map_err(StoreError::io("remove", &staging))?;
        }
        self.ledger().copy_to(&staging).await?;
        sync_path(&staging).map_err(StoreError::io("sync", &staging))?;
        let (_, sha256) = hash_of(&staging).map_err(StoreError::io("read", &staging))?;
        let now = Utc::now().format("%Y%m%dT%H%M%S%6fZ");
        let copy = folder.join(format!("{now}-{}.db", &sha256[..16]));
        std::fs::rename(&staging, &copy).map_err(StoreError::io("name", &copy))?;
        let mut copies = ledger_copies(self.root())?;
        copies.sort();
        for old in copies.iter().rev().skip(LEDGER_COPIES) {
            std::fs::remove_file(old).map_err(StoreError::io("remove", old))?;
        }
        sync_path(&folder).map_err(StoreError::io("sync", &folder))?;
        self.remember_copies().await
    }

    /// Bytes of the files of each release, by its id. A file that several tables' versions share counts in each.
    pub async fn release_bytes(&self) -> Result<BTreeMap<String, u64>> {
        self.ledger().release_bytes().await
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
