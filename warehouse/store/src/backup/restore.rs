//! Restoring a backup into an empty place.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use super::{BackedUpFile, BackupManifest, BackupStore, LEDGER};
use crate::content_hash::hex;
use crate::durable::{create_directories, sync_path};
use crate::error::{Result, StoreError};
use crate::lake::{CopyError, Lake, as_io, claim_for_restore, store_checked};
use crate::ledger::Ledger;
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
    /// Restores a backup to the folder and lake of a configuration: `place` tells where a path of the project goes,
    /// `None` for one that is left out. Tables go to the lake that is configured, wherever they were.
    ///
    /// A file that is there with the same bytes stays, so an interrupted restore goes on where it was; one with other
    /// bytes is refused before anything is written. The state database comes last: until then there is no warehouse.
    /// Afterwards every file is hashed, and every table's content hash compared with the backup's.
    pub async fn restore(
        &self,
        manifest: &BackupManifest,
        config: &StoreConfig,
        place: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<RestoreReport> {
        let lake = Lake::open(&config.root, config.lake.as_deref())?;
        let mut wanted = Vec::new();
        let mut ledger = None;
        for file in &manifest.files {
            self.refuse_unsafe(file)?;
            let target = match file.path.strip_prefix("warehouse/") {
                Some(below) => Some(match below.strip_prefix("lake/") {
                    Some(below) => lake.base().join(below),
                    None => config.root.join(below),
                }),
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
        let (mut missing, mut holds_files) = (Vec::new(), false);
        for (file, target) in wanted {
            if self.is_there(file, &lake, &target).await? {
                report.files_there += 1;
                holds_files |= target.starts_with(lake.base());
            } else {
                missing.push((file, target));
            }
        }
        report.bytes_fetched = missing.iter().map(|(file, _)| file.bytes).sum();
        let staged = if self.is_there(ledger_file, &lake, &ledger).await? {
            report.files_there += 1;
            None
        } else {
            report.bytes_fetched += ledger_file.bytes;
            Some(
                self.stage_ledger(ledger_file, &ledger, &lake, holds_files)
                    .await?,
            )
        };
        let mut fetches = Vec::with_capacity(missing.len());
        for (file, target) in &missing {
            fetches.push(self.fetch_or_fail(file, &lake, target));
        }
        let mut fetched = futures::stream::iter(fetches).buffer_unordered(FETCHED_TOGETHER);
        while fetched.try_next().await?.is_some() {}
        if let Some(staged) = staged {
            name_durably(&staged, &ledger)?;
        }
        report.tables = self.check(manifest, config).await?;
        Ok(report)
    }

    /// Fetches the state database to a name that no warehouse has, and lets it belong to the lake.
    async fn stage_ledger(
        &self,
        file: &BackedUpFile,
        target: &Path,
        lake: &Lake,
        holds_files: bool,
    ) -> Result<PathBuf> {
        let staged = target.with_extension("restored");
        for left in ["restored", "restored-wal", "restored-shm"] {
            // Of a restore that was interrupted here.
            let left = target.with_extension(left);
            match std::fs::remove_file(&left) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &left)(error));
                }
                _ => {}
            }
        }
        self.fetch_or_fail(file, lake, &staged).await?;
        let ledger = Ledger::open(&staged, false).await?;
        let claimed = claim_for_restore(&ledger, lake, holds_files).await;
        ledger.close().await;
        claimed.map(|()| staged)
    }

    /// Opens what was restored and compares it with the backup.
    async fn check(&self, manifest: &BackupManifest, config: &StoreConfig) -> Result<usize> {
        let warehouse = Warehouse::open(config).await?;
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

    async fn is_there(&self, file: &BackedUpFile, lake: &Lake, target: &Path) -> Result<bool> {
        let found = match is_in(lake, target) {
            true => lake.hash(target).await,
            false => hash_of(target),
        };
        match found {
            Ok((_, sha256)) if sha256 == file.sha256 => Ok(true),
            Ok(_) => Err(StoreError::Occupied {
                path: target.to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("read", target)(error)),
        }
    }

    async fn fetch_or_fail(&self, file: &BackedUpFile, lake: &Lake, target: &Path) -> Result<()> {
        if fetch_into(self, lake, &file.sha256, target).await? {
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

/// Whether a path is one of an object store.
fn is_in(lake: &Lake, target: &Path) -> bool {
    lake.is_remote() && target.starts_with(lake.base())
}

/// Fetches a file to the lake or to another place; `false` when the backup does not have it.
pub(super) async fn fetch_into(
    from: &BackupStore,
    lake: &Lake,
    sha256: &str,
    target: &Path,
) -> Result<bool> {
    let found = match from.store.get(&from.object(sha256)).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(false),
        Err(problem) => return Err(from.failed("read a file")(problem)),
    };
    if is_in(lake, target) {
        let object = lake
            .object(target)
            .map_err(StoreError::io("name", target))?;
        let parts = found.into_stream().map_err(as_io).boxed();
        let stored = store_checked(lake.store().as_ref(), &object, parts, sha256).await;
        return match stored {
            Ok(()) => Ok(true),
            Err(CopyError::Differs { .. }) => Err(damaged(from, sha256)),
            Err(CopyError::Read(problem)) => {
                Err(from.wrong(format!("could not read a file: {problem}")))
            }
            Err(CopyError::Store(problem)) => Err(StoreError::io("store", target)(as_io(problem))),
        };
    }
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
    name_durably(&staging, target)?;
    Ok(true)
}

/// Gives a file that is on the disk its name.
fn name_durably(staging: &Path, target: &Path) -> Result<()> {
    std::fs::rename(staging, target).map_err(StoreError::io("name", target))?;
    let folder = target.parent().unwrap_or(target);
    sync_path(folder).map_err(StoreError::io("sync", folder))
}

fn damaged(from: &BackupStore, sha256: &str) -> StoreError {
    from.wrong(format!("its file {sha256} is damaged"))
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
        return Err(damaged(from, sha256));
    }
    file.sync_all().map_err(write("sync", staging))
}
