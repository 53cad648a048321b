//! Old versions leave the disk: files that no kept version or release has, and what crashed writers
//! left behind.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use goyong_types::TableName;

use crate::encoder::absolute;
use crate::error::{Result, StoreError};
use crate::lake::StoredFile;
use crate::warehouse::Warehouse;

/// What may leave.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// Releases published since this moment stay, and so do files superseded since.
    pub before: DateTime<Utc>,
    /// Older releases that stay as well, by id.
    pub kept: BTreeSet<String>,
    /// Files that no version knows leave when they are older than this. Must lie further back than the longest run
    /// takes: a running writer's files are known to no version yet.
    pub orphans_before: DateTime<Utc>,
    /// Tell what would leave and remove nothing.
    pub is_rehearsal: bool,
}

/// What an expiry did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// Releases that cannot be opened any more.
    pub releases: Vec<String>,
    /// Files removed, by path.
    pub removed: Vec<PathBuf>,
    /// Those of them that no version of a table knew.
    pub orphans: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Releases whose files were hashed afterwards and found as they were written.
    pub releases_verified: usize,
}

impl Warehouse {
    /// Ends what [`Retention`] does not keep: releases; data files of superseded versions that no remaining release
    /// pins; files that no version knows. The newest release and the newest version of every table always stay.
    ///
    /// The caller holds the lock that keeps writers out. The ledger is told first and the files are removed
    /// afterwards, so that a crash leaves files to remove and never a hole; run again, it removes them. The log keeps
    /// its entries. Afterwards every remaining release is verified; damage is [`StoreError::Unsound`].
    pub async fn expire(&self, retention: &Retention) -> Result<ExpireReport> {
        let tables = self.tables_in_lake().await?;
        for table in &tables {
            self.catch_up(table).await?;
        }
        let expired = self
            .ledger()
            .expire(retention.before, &retention.kept, retention.is_rehearsal)
            .await?;
        let mut report = ExpireReport {
            releases: expired.releases,
            ..ExpireReport::default()
        };
        for table in &tables {
            let directory = self.table_directory(table);
            let mut leaving: BTreeSet<PathBuf> = self
                .ledger()
                .expired_files(table)
                .await?
                .into_iter()
                .map(|(path, _)| absolute(&directory, &path))
                .collect();
            let ending = expired.files.iter().filter(|(of, _, _)| of == table);
            leaving.extend(ending.map(|(_, path, _)| absolute(&directory, path)));
            let there = self.lake().list(&directory).await;
            let there = there.map_err(StoreError::io("list", &directory))?;
            let orphans = self
                .old_orphans(table, &there, retention.orphans_before)
                .await?;
            report.orphans += orphans.len();
            let is_leaving = |file: &&StoredFile| leaving.contains(&file.path);
            let mut leaving: Vec<_> = there.iter().filter(is_leaving).cloned().collect();
            leaving.extend(orphans);
            self.remove_files(leaving, retention.is_rehearsal, &mut report)
                .await?;
        }
        if !retention.is_rehearsal {
            report.releases_verified = self.verify_releases().await?;
        }
        Ok(report)
    }

    /// Data files and abandoned staging files that no version knows.
    async fn old_orphans(
        &self,
        table: &TableName,
        there: &[StoredFile],
        before: DateTime<Utc>,
    ) -> Result<Vec<StoredFile>> {
        let directory = self.table_directory(table);
        let ended = self.ledger().expired_files(table).await?.into_iter();
        let known: BTreeSet<_> = self
            .ledger()
            .all_files(table)
            .await?
            .into_iter()
            .map(|file| file.path)
            .chain(ended.map(|(path, _)| path))
            .map(|path| absolute(&directory, &path))
            .collect();
        let is_old_orphan = |file: &&StoredFile| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let is_ours = name.ends_with(".parquet") || is_staging(&name);
            is_ours && !known.contains(&file.path) && file.modified < before
        };
        Ok(there.iter().filter(is_old_orphan).cloned().collect())
    }

    async fn remove_files(
        &self,
        leaving: Vec<StoredFile>,
        is_rehearsal: bool,
        report: &mut ExpireReport,
    ) -> Result<()> {
        report.bytes += leaving.iter().map(|file| file.bytes).sum::<u64>();
        let paths: Vec<_> = leaving.into_iter().map(|file| file.path).collect();
        if !is_rehearsal {
            let removed = self.lake().remove(&paths).await;
            removed.map_err(StoreError::io("remove files of", self.lake().base()))?;
        }
        report.removed.extend(paths);
        Ok(())
    }

    /// Hashes every file that a remaining release pins, each once; answers how many releases there are.
    async fn verify_releases(&self) -> Result<usize> {
        let releases = self.releases().await?;
        let problems = self.verify_all_of(&releases).await?.problems;
        if problems.is_empty() {
            Ok(releases.len())
        } else {
            Err(StoreError::Unsound { problems })
        }
    }
}

/// Whether a name is one a durable write uses before it gives the file its own: `x.json#12345`.
fn is_staging(name: &str) -> bool {
    let digits = name.rsplit_once('#').map_or("", |(_, digits)| digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
