//! Old versions leave the disk: files that no kept version or release has, and what crashed writers
//! left behind.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::durable::sync_all;
use crate::encoder::absolute;
use crate::error::{Result, StoreError};
use crate::verify::list_files;
use crate::warehouse::Warehouse;

/// What an expiry did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// Releases that cannot be opened any more.
    pub releases: Vec<String>,
    /// Files removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Warehouse {
    /// Ends everything superseded before a moment: releases published before it, except the newest;
    /// data files of versions superseded before it that no remaining release pins; and files older
    /// than it that no version knows. The newest version of every table stays.
    ///
    /// The caller holds the lock that keeps writers out. The ledger is told first and the files are
    /// removed afterwards, so that a crash leaves files to remove and never a hole; run again, it
    /// removes them. The log keeps its entries.
    pub async fn expire(&self, before: DateTime<Utc>) -> Result<ExpireReport> {
        let tables = self.tables_on_disk()?;
        for table in &tables {
            self.catch_up(table).await?;
        }
        let mut report = ExpireReport {
            releases: self.ledger().expire(before).await?,
            ..ExpireReport::default()
        };
        for table in &tables {
            let directory = self.table_directory(table);
            let mut folders = BTreeSet::new();
            let mut remove = |path: &Path| -> Result<()> {
                let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
                match std::fs::remove_file(path) {
                    Ok(()) => {
                        report.files += 1;
                        report.bytes += bytes;
                        folders.extend(path.parent().map(Path::to_path_buf));
                        Ok(())
                    }
                    Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(StoreError::io("remove", path)(error)),
                }
            };
            for (path, _) in self.ledger().expired_files(table).await? {
                remove(&absolute(&directory, &path))?;
            }
            let known: BTreeSet<_> = self
                .ledger()
                .all_files(table)
                .await?
                .into_iter()
                .map(|file| absolute(&directory, &file.path))
                .collect();
            let mut found = Vec::new();
            list_files(&directory, &mut found)?;
            for path in found {
                let is_data = path.extension().is_some_and(|ending| ending == "parquet");
                if is_data && !known.contains(&path) && is_older(&path, before) {
                    remove(&path)?;
                }
            }
            let folders: Vec<_> = folders.into_iter().collect();
            sync_all(&folders).map_err(|(folder, error)| StoreError::io("sync", &folder)(error))?;
        }
        Ok(report)
    }
}

fn is_older(path: &Path, before: DateTime<Utc>) -> bool {
    std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| DateTime::<Utc>::from(modified) < before)
}
