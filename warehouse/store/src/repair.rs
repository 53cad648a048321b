//! Repair: what can be restored exactly is, what cannot is left and named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use goyong_types::TableName;

use crate::backup::BackupStore;
use crate::content_hash::sha256_hex;
use crate::durable::{create_directories, replace_durably, sync_path};
use crate::encoder::absolute;
use crate::error::{Result, StoreError};
use crate::lake::{Claim, log_version, names_local};
use crate::verify::{Damage, VerifyProblem, VerifyReport, hash_of};
use crate::warehouse::{StoreConfig, Warehouse};

/// Scope and key of the names of the state database's copies.
const COPIES: (&str, &str) = ("ledger", "copies");

/// What a repair did.
#[derive(Debug, Clone, Default)]
pub struct RepairReport {
    /// Files that are again what was written, byte for byte.
    pub restored: Vec<PathBuf>,
    /// Where damaged files went that were in the way; nothing is thrown away.
    pub set_aside: Vec<PathBuf>,
    /// What is still damaged.
    pub left: Vec<VerifyProblem>,
}

/// A damaged data file of a table's newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostFile {
    /// The table.
    pub table: TableName,
    /// The file.
    pub path: PathBuf,
    /// The partition whose rows it held.
    pub partition: Option<String>,
    /// Hexadecimal SHA-256 of its bytes.
    pub sha256: String,
}

impl Warehouse {
    /// Restores damaged files: log entries from the ledger's copies, data files from a backup where one is at hand.
    /// An entry of the log that is no commit of ours is set aside. The caller holds the lock that keeps writers out.
    pub async fn repair(
        &self,
        found: &VerifyReport,
        backup: Option<&BackupStore>,
    ) -> Result<RepairReport> {
        let mut report = RepairReport::default();
        for problem in &found.problems {
            let restored = match &problem.table {
                None if problem.path.parent() == Some(&self.root().join("state/copies")) => {
                    // The next publication makes a new copy.
                    self.set_aside(&problem.path, &mut report).await?;
                    self.remember_copies().await?;
                    true
                }
                None => false,
                Some(table) => match version_of(&problem.path) {
                    Some(version) => self.repair_commit(table, version, &mut report).await?,
                    None => {
                        self.repair_data(table, &problem.path, backup, &mut report)
                            .await?
                    }
                },
            };
            if !restored {
                report.left.push(problem.clone());
            }
        }
        Ok(report)
    }

    /// Puts a log entry back, or takes away one that the ledger does not know.
    async fn repair_commit(
        &self,
        table: &TableName,
        version: i64,
        report: &mut RepairReport,
    ) -> Result<bool> {
        let path = self.commit_path(table, version);
        let Some(recorded) = self.ledger().commit(table, version).await? else {
            // What follows the ledger is taken over when it is sound; what is not was never committed by us.
            if self.catch_up(table).await.is_err() {
                self.set_aside(&path, report).await?;
            }
            return Ok(true);
        };
        let copy = self.ledger().commit_copy(table, version).await?;
        let Some(copy) = copy.filter(|copy| sha256_hex(copy) == recorded.sha256) else {
            return Ok(false);
        };
        self.set_aside(&path, report).await?;
        let restored = self.lake().replace(&path, copy.into()).await;
        restored.map_err(StoreError::io("restore", &path))?;
        report.restored.push(path);
        Ok(true)
    }

    async fn repair_data(
        &self,
        table: &TableName,
        path: &Path,
        backup: Option<&BackupStore>,
        report: &mut RepairReport,
    ) -> Result<bool> {
        let directory = self.table_directory(table);
        let files = self.ledger().all_files(table).await?;
        let recorded = files
            .into_iter()
            .find(|file| absolute(&directory, &file.path) == path);
        let (Some(recorded), Some(backup)) = (recorded, backup) else {
            return Ok(false);
        };
        self.set_aside(path, report).await?;
        if !backup
            .fetch_into(self.lake(), &recorded.sha256, path)
            .await?
        {
            return Ok(false);
        }
        report.restored.push(path.to_owned());
        Ok(true)
    }

    /// Moves a damaged file out of the way, if it is there.
    async fn set_aside(&self, path: &Path, report: &mut RepairReport) -> Result<()> {
        let lake = self.lake();
        if !(lake.is_remote() && path.starts_with(lake.base())) {
            if path.exists() {
                report.set_aside.push(set_aside_in(self.root(), path)?);
            }
            return Ok(());
        }
        let bytes = match lake.read(path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io("set aside", path)(error)),
        };
        let below = path.strip_prefix(lake.base()).unwrap_or(path);
        let aside = place_aside(self.root(), &Path::new("lake").join(below))?;
        replace_durably(&aside, bytes).map_err(StoreError::io("set aside", path))?;
        let removed = lake.remove(&[path.to_owned()]).await;
        removed.map_err(StoreError::io("remove", path))?;
        report.set_aside.push(aside);
        Ok(())
    }

    /// Which of the damaged files the newest versions still need.
    pub async fn lost_files(&self, problems: &[VerifyProblem]) -> Result<Vec<LostFile>> {
        let mut lost = Vec::new();
        for problem in problems {
            let Some(table) = &problem.table else {
                continue;
            };
            let directory = self.table_directory(table);
            let newest = self.ledger().files(table, i64::MAX).await?.into_iter();
            lost.extend(
                newest
                    .filter(|file| absolute(&directory, &file.path) == problem.path)
                    .map(|file| LostFile {
                        table: table.clone(),
                        path: problem.path.clone(),
                        partition: file.partition,
                        sha256: file.sha256,
                    }),
            );
        }
        Ok(lost)
    }

    /// Puts a lost file back where the newest version has one with the same bytes.
    pub async fn restore_from_newest(&self, lost: &LostFile) -> Result<bool> {
        let directory = self.table_directory(&lost.table);
        let newest = self.ledger().files(&lost.table, i64::MAX).await?;
        let twin = newest.into_iter().find(|file| file.sha256 == lost.sha256);
        let Some(twin) = twin else { return Ok(false) };
        let source = absolute(&directory, &twin.path);
        if source != lost.path {
            let bytes = self.lake().read(&source).await;
            let bytes = bytes.map_err(StoreError::io("read", &source))?;
            if sha256_hex(&bytes) != lost.sha256 {
                return Ok(false);
            }
            let restored = self.lake().replace(&lost.path, bytes).await;
            restored.map_err(StoreError::io("restore", &lost.path))?;
        }
        Ok(true)
    }

    /// The releases that pin a file.
    pub async fn releases_with(&self, path: &Path) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for release in self.releases().await? {
            for (table, released) in &release.tables {
                let directory = self.table_directory(table);
                if path.starts_with(&directory)
                    && let files = self.ledger().files(table, released.version).await?
                    && files
                        .iter()
                        .any(|file| absolute(&directory, &file.path) == path)
                {
                    ids.push(release.id.clone());
                }
            }
        }
        Ok(ids)
    }

    /// Brings a state database back that is missing or damaged: from its newest sound copy, then from the logs.
    /// Answers what was set aside, and the copy that was used; without one, releases and memos are lost.
    pub async fn rebuild_ledger(config: &StoreConfig) -> Result<(Vec<PathBuf>, Option<PathBuf>)> {
        let state = config.root.join("state");
        let database = state.join("goyong.db");
        let mut aside = Vec::new();
        for name in ["goyong.db", "goyong.db-wal", "goyong.db-shm"] {
            let path = state.join(name);
            if path.exists() {
                aside.push(set_aside_in(&config.root, &path)?);
            }
        }
        let copy = newest_copy(&config.root)?;
        if let Some(copy) = &copy {
            let bytes = std::fs::read(copy).map_err(StoreError::io("read", copy))?;
            replace_durably(&database, bytes.into())
                .map_err(StoreError::io("restore", &database))?;
        }
        let warehouse = Self::create_to(config, Claim::Rebuilt).await?;
        warehouse.remember_copies().await?;
        warehouse.close().await;
        Ok((aside, copy))
    }

    /// Remembers which copies of the state database there are, so that a missing one is noticed.
    pub(crate) async fn remember_copies(&self) -> Result<()> {
        let copies = ledger_copies(self.root())?;
        let names: Vec<_> = copies.iter().filter_map(|copy| copy.file_name()).collect();
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        self.memo_put(COPIES.0, COPIES.1, &names.join("\n")).await
    }

    /// Copies of the state database that are missing or not what their names say.
    pub(crate) async fn damaged_copies(&self) -> Result<Vec<VerifyProblem>> {
        let folder = self.root().join("state/copies");
        let names = self.memo_get(COPIES.0, COPIES.1).await?.unwrap_or_default();
        let mut copies: BTreeSet<PathBuf> = ledger_copies(self.root())?.into_iter().collect();
        copies.extend(names.lines().map(|name| folder.join(name)));
        let problem = |path: PathBuf| {
            let damage = match path.exists() {
                false => Damage::Missing,
                true if is_sound_copy(&path) => return None,
                true => Damage::Altered,
            };
            Some(VerifyProblem {
                table: None,
                path,
                damage,
            })
        };
        Ok(copies.into_iter().filter_map(problem).collect())
    }
}

/// The version of a log entry, `None` for any other file.
fn version_of(path: &Path) -> Option<i64> {
    let in_log = path.parent()?.ends_with("_delta_log");
    let name = path.file_name()?.to_str()?;
    log_version(name).filter(|_| in_log)
}

/// `state/set_aside/<name>.<n>` for a path below the warehouse folder, never over another.
fn place_aside(root: &Path, below: &Path) -> Result<PathBuf> {
    let folder = root.join("state/set_aside");
    create_directories(&folder).map_err(StoreError::io("create", &folder))?;
    let name = below.to_string_lossy().replace('/', "~");
    let mut number = 0;
    loop {
        let aside = folder.join(format!("{name}.{number}"));
        if !aside.exists() {
            return Ok(aside);
        }
        number += 1;
    }
}

/// Moves a file of the warehouse folder aside.
fn set_aside_in(root: &Path, path: &Path) -> Result<PathBuf> {
    let aside = place_aside(root, path.strip_prefix(root).unwrap_or(path))?;
    std::fs::rename(path, &aside).map_err(StoreError::io("set aside", path))?;
    for folder in [aside.parent(), path.parent()].into_iter().flatten() {
        sync_path(folder).map_err(StoreError::io("sync", folder))?;
    }
    Ok(aside)
}

/// The newest copy of the state database whose bytes are what its name says.
fn newest_copy(root: &Path) -> Result<Option<PathBuf>> {
    let mut copies = ledger_copies(root)?;
    copies.sort();
    Ok(copies.into_iter().rev().find(|copy| is_sound_copy(copy)))
}

/// Copies of the state database, `state/copies/<moment>-<digest>.db`.
pub(crate) fn ledger_copies(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("state/copies");
    let names = names_local(&folder).map_err(StoreError::io("list", &folder))?;
    let copies = names.iter().filter(|name| name.ends_with(".db"));
    Ok(copies.map(|name| folder.join(name)).collect())
}

/// Whether a copy's bytes have the digest in its name.
fn is_sound_copy(copy: &Path) -> bool {
    let name = copy.file_stem().unwrap_or_default().to_string_lossy();
    let digest = name.rsplit_once('-').map_or("", |(_, digest)| digest);
    hash_of(copy).is_ok_and(|(_, sha256)| !digest.is_empty() && sha256.starts_with(digest))
}
