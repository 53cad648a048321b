//! Sending a release, its state and what else belongs to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use chrono::Utc;
use futures::{StreamExt, TryStreamExt};
use goyong_types::TableName;
use object_store::ObjectStore;

use super::{BackedUpFile, BackupManifest, BackupSource, BackupStore, FORMAT, LEDGER};
use crate::encoder::absolute;
use crate::error::{Result, StoreError};
use crate::lake::{CopyError, Lake, chunks, store_checked};
use crate::release::Release;
use crate::verify::{Damage, VerifyProblem, hash_of};
use crate::warehouse::Warehouse;

/// Files sent side by side.
const SENT_TOGETHER: usize = 4;

/// What a backup did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// The backup's name.
    pub name: String,
    /// Files the backup consists of.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were not there yet.
    pub files_sent: usize,
    /// Bytes of those.
    pub bytes_sent: u64,
}

impl Warehouse {
    /// Backs up a release, the newest version of every table, the state database and other files.
    ///
    /// The caller holds the lock that keeps writers out. Every file is hashed while it is sent; one that is not what
    /// the ledger says ends the backup with [`StoreError::Unsound`], and no manifest is written.
    pub async fn backup(
        &self,
        to: &BackupStore,
        release: &Release,
        others: Vec<BackupSource>,
    ) -> Result<BackupReport> {
        let mut sources = self.release_sources(release).await?;
        let copy = self.root().join("state/backup.db");
        self.ledger().copy_for_backup(&copy, &release.id).await?;
        sources.push(BackupSource {
            path: LEDGER.to_owned(),
            file: copy.clone(),
            recorded: None,
        });
        sources.extend(others);
        let sent = send_all(to, self.lake(), sources).await;
        // The copy is of no use once it was sent; the next backup makes a new one.
        let _ = std::fs::remove_file(&copy);
        let (files, mut report) = sent?;
        let tables = release.tables.iter();
        let manifest = BackupManifest {
            format: FORMAT,
            release: release.id.clone(),
            business_date: release.business_date,
            content_hash: release.content_hash.clone(),
            created_at: Utc::now(),
            tables: tables
                .map(|(table, released)| (table.to_string(), released.content_hash.clone()))
                .collect(),
            files,
        };
        report.name = to.put_manifest(&manifest).await?;
        Ok(report)
    }

    /// Every log entry, and the data files of the release and of the newest versions.
    async fn release_sources(&self, release: &Release) -> Result<Vec<BackupSource>> {
        let mut sources = Vec::new();
        for table in self.table_names().await? {
            let directory = self.table_directory(&table);
            for commit in self.ledger().commits(&table, i64::MAX).await? {
                let file = self.commit_path(&table, commit.version);
                sources.push(self.source(&file, commit.sha256, commit.bytes));
            }
            let mut versions = BTreeSet::from([i64::MAX]);
            versions.extend(release.tables.get(&table).map(|released| released.version));
            let mut files = BTreeMap::new();
            for version in versions {
                for file in self.ledger().files(&table, version).await? {
                    files.insert(file.path.clone(), file);
                }
            }
            for (path, file) in files {
                sources.push(self.source(&absolute(&directory, &path), file.sha256, file.bytes));
            }
        }
        Ok(sources)
    }

    fn source(&self, file: &Path, sha256: String, bytes: u64) -> BackupSource {
        let below = file.strip_prefix(self.lake_base()).unwrap_or(file);
        BackupSource {
            path: format!("warehouse/lake/{}", below.display()),
            file: file.to_owned(),
            recorded: Some((sha256, bytes)),
        }
    }
}

async fn send_all(
    to: &BackupStore,
    lake: &Lake,
    sources: Vec<BackupSource>,
) -> Result<(Vec<BackedUpFile>, BackupReport)> {
    let there: BTreeMap<String, u64> = to
        .store
        .list(Some(&to.prefix.clone().join("objects")))
        .map_ok(|meta| {
            (
                meta.location.filename().unwrap_or_default().to_owned(),
                meta.size,
            )
        })
        .try_collect()
        .await
        .map_err(to.failed("list the files"))?;
    let there = &there;
    let mut sent: Vec<(BackedUpFile, bool)> = futures::stream::iter(sources)
        .map(|source| async move {
            let (sha256, bytes) = match &source.recorded {
                Some(recorded) => recorded.clone(),
                None => hashed(&source).await?,
            };
            let is_new = there.get(&sha256) != Some(&bytes);
            if is_new {
                send(to, lake, &source, &sha256, bytes).await?;
            }
            let file = BackedUpFile {
                path: source.path,
                sha256,
                bytes,
            };
            Ok::<_, StoreError>((file, is_new))
        })
        .buffer_unordered(SENT_TOGETHER)
        .try_collect()
        .await?;
    sent.sort_by(|left, right| left.0.path.cmp(&right.0.path));
    let mut report = BackupReport::default();
    for (file, is_new) in &sent {
        report.files += 1;
        report.bytes += file.bytes;
        if *is_new {
            report.files_sent += 1;
            report.bytes_sent += file.bytes;
        }
    }
    Ok((sent.into_iter().map(|(file, _)| file).collect(), report))
}

/// Digest and length of a file the ledger does not know.
async fn hashed(source: &BackupSource) -> Result<(String, u64)> {
    let path = source.file.clone();
    let found = tokio::task::spawn_blocking(move || hash_of(&path)).await;
    match found {
        Ok(found) => {
            let (bytes, sha256) = found.map_err(StoreError::io("read", &source.file))?;
            Ok((sha256, bytes))
        }
        Err(_) => Err(StoreError::Stopped { task: "backup" }),
    }
}

/// Sends one file; it is there under its digest only if its bytes have that digest.
async fn send(
    to: &BackupStore,
    lake: &Lake,
    source: &BackupSource,
    sha256: &str,
    bytes: u64,
) -> Result<()> {
    let damaged = |damage| StoreError::Unsound {
        problems: vec![VerifyProblem {
            table: table_of(&source.path),
            path: source.file.clone(),
            damage,
        }],
    };
    let opened = match source.file.starts_with(lake.base()) {
        true => lake.stream(&source.file).await,
        false => File::open(&source.file).map(|file| futures::stream::iter(chunks(file)).boxed()),
    };
    let parts = match opened {
        Ok(parts) => parts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(Damage::Missing));
        }
        Err(error) => return Err(StoreError::io("open", &source.file)(error)),
    };
    let object = to.object(sha256);
    match store_checked(to.store.as_ref(), &object, parts, sha256).await {
        Ok(()) => Ok(()),
        Err(CopyError::Read(error)) => Err(StoreError::io("read", &source.file)(error)),
        Err(CopyError::Differs { found }) if found < bytes => Err(damaged(Damage::Torn {
            found,
            expected: bytes,
        })),
        Err(CopyError::Differs { .. }) => Err(damaged(Damage::Altered)),
        Err(CopyError::Store(problem)) => Err(to.failed("send a file")(problem)),
    }
}

/// The table a path of a manifest belongs to.
fn table_of(path: &str) -> Option<TableName> {
    let mut parts = path.strip_prefix("warehouse/lake/")?.split('/');
    TableName::new(parts.next()?, parts.next()?).ok()
}
