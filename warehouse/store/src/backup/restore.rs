//! Restoring a backup into an empty place.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use super::{BackedUpFile, BackupManifest, BackupStore, LEDGER};
use crate::content_hash::hex;
use crate::durable::{create_directories, sync_path};
use crate::error::{Result, StoreError};
use crate::verify::hash_of;
use crate::warehouse::{StoreConfig, Warehouse};

/// Files fetched side by side.
const FETCHED_TOGETHER: usize = 4;

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// The release that can be read.
    pub release: String,
    /// Files of the backup.
    pub files: usize,
    /// Those of them that an earlier, interrupted restore had fetched.
    pub files_there: usize,
    /// Bytes fetched.
    pub bytes_fetched: u64,
    /// Tables whose content hash is the backup's.
    pub tables: usize,
}

impl BackupStore {
    /// Restores a backup: `place` tells where a path of the manifest goes, `None` for one that is left out.
    ///
    /// A file that is there with the same bytes stays, so an interrupted restore goes on where it was; one with other
    /// bytes is refused before anything is written. The state database comes last: until then there is no warehouse.
    /// Afterwards every file is hashed, and every table's content hash compared with the backup's.
    pub async fn restore(
        &self,
        manifest: &BackupManifest,
        warehouse: &Path,
        place: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<RestoreReport> {
        let mut wanted = Vec::new();
        let mut ledger = None;
        for file in &manifest.files {
            self.refuse_unsafe(file)?;
            let target = match file.path.strip_prefix("warehouse/") {
                Some(below) => Some(warehouse.join(below)),
                None => place(&file.path),
            };
            match target {
                Some(target) if file.path == LEDGER => ledger = Some((file, target)),
                Some(target) => wanted.push((file, target)),
                None => {}
            }
        }
        let Some((ledger_file, ledger)) = ledger else {
            return Err(self.wrong("the backup has no state database".to_owned()));
        };
        let mut report = RestoreReport {
            release: manifest.release.clone(),
            files: wanted.len() + 1,
            ..RestoreReport::default()
        };
        let mut missing = Vec::new();
        for (file, target) in wanted {
            if self.is_there(file, &target)? {
                report.files_there += 1;
            } else {
                missing.push((file, target));
            }
        }
        if self.is_there(ledger_file, &ledger)? {
            report.files_there += 1;
        } else {
            missing.push((ledger_file, ledger));
        }
        let last = missing.len().saturating_sub(1);
        report.bytes_fetched = missing.iter().map(|(file, _)| file.bytes).sum();
        let (before, after) = missing.split_at(last);
        futures::stream::iter(before)
            .map(|(file, target)| self.fetch_or_fail(file, target))
            .buffer_unordered(FETCHED_TOGETHER)
            .try_collect::<Vec<()>>()
            .await?;
        for (file, target) in after {
            self.fetch_or_fail(file, target).await?;
        }
        report.tables = self.check(manifest, warehouse).await?;
        Ok(report)
    }

    /// Opens what was restored and compares it with the backup.
    async fn check(&self, manifest: &BackupManifest, root: &Path) -> Result<usize> {
        let config = StoreConfig {
            root: root.to_owned(),
        };
        let warehouse = Warehouse::open(&config).await?;
        // Copies of the state database are not part of a backup: the database itself is.
        warehouse.remember_copies().await?;
        let problems = warehouse.verify(None).await?.problems;
        if !problems.is_empty() {
            return Err(StoreError::Unsound { problems });
        }
        let release = warehouse.release(&manifest.release).await?;
        let release = release.ok_or_else(|| {
            self.wrong(format!(
                "release {} is not in its state database",
                manifest.release
            ))
        })?;
        for (table, hash) in &manifest.tables {
            let name = table
                .parse()
                .map_err(|_| self.wrong(format!("`{table}` is no table name")))?;
            let pinned = release.tables.get(&name);
            let snapshot = match pinned {
                Some(pinned) => warehouse.snapshot_at(&name, pinned.version).await?,
                None => None,
            };
            if snapshot.map(|snapshot| snapshot.content_hash()).as_ref() != Some(hash) {
                return Err(self.wrong(format!("table {table} has other rows than were backed up")));
            }
        }
        warehouse.close().await;
        Ok(manifest.tables.len())
    }

    /// A path that leads out of where it is restored to would write over any file.
    fn refuse_unsafe(&self, file: &BackedUpFile) -> Result<()> {
        let is_plain = Path::new(&file.path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let is_known = file.path.starts_with("warehouse/") || file.path.starts_with("project/");
        if is_plain && is_known {
            return Ok(());
        }
        Err(self.wrong(format!(
            "the manifest names {:?}, which leads elsewhere",
            file.path
        )))
    }

    fn is_there(&self, file: &BackedUpFile, target: &Path) -> Result<bool> {
        match hash_of(target) {
            Ok((_, sha256)) if sha256 == file.sha256 => Ok(true),
            Ok(_) => Err(StoreError::Occupied {
                path: target.to_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("read", target)(error)),
        }
    }

    async fn fetch_or_fail(&self, file: &BackedUpFile, target: &Path) -> Result<()> {
        if fetch(self, &file.sha256, target).await? {
            return Ok(());
        }
        Err(self.wrong(format!("{} is missing in it", file.path)))
    }

    fn wrong(&self, problem: String) -> StoreError {
        StoreError::Backup {
            location: self.location.clone(),
            problem,
        }
    }
}

/// See [`BackupStore::fetch`].
pub(super) async fn fetch(from: &BackupStore, sha256: &str, target: &Path) -> Result<bool> {
    let found = match from.store.get(&from.object(sha256)).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(false),
        Err(problem) => return Err(from.failed("read a file")(problem)),
    };
    let folder = target.parent().unwrap_or(target);
    create_directories(folder).map_err(StoreError::io("create", folder))?;
    let mut staging = target.as_os_str().to_owned();
    staging.push(format!("#{}", std::process::id()));
    let staging = PathBuf::from(staging);
    let outcome = write_staging(from, found, sha256, &staging).await;
    if outcome.is_err() {
        // A staging file that stays is an orphan, which an expiry removes.
        let _ = std::fs::remove_file(&staging);
    }
    outcome?;
    std::fs::rename(&staging, target).map_err(StoreError::io("name", target))?;
    sync_path(folder).map_err(StoreError::io("sync", folder))?;
    Ok(true)
}

async fn write_staging(
    from: &BackupStore,
    found: object_store::GetResult,
    sha256: &str,
    staging: &Path,
) -> Result<()> {
    let write = StoreError::io;
    let mut file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(staging)
        .map_err(write("create", staging))?;
    let mut hasher = Sha256::new();
    let mut parts = found.into_stream();
    while let Some(part) = parts.try_next().await.map_err(from.failed("read a file"))? {
        hasher.update(&part);
        file.write_all(&part).map_err(write("write", staging))?;
    }
    if hex(&hasher.finalize()) != sha256 {
        return Err(from.wrong(format!("its file {sha256} is damaged")));
    }
    file.sync_all().map_err(write("sync", staging))
}
