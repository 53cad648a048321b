//! Backups: the files of a release and the state, addressed by content in any object store, and a manifest last.
//!
//! `objects/<sha256>` holds each file once, however many backups name it; `manifests/<moment>-<release>-<digest>.json`
//! names the files of one backup and is written after all of them. So an interrupted backup goes on where it was, a
//! later one sends only what is new, and what has no manifest is no backup. Keys are never among the files.

mod restore;
mod send;

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use url::Url;

pub use restore::RestoreReport;
pub use send::BackupReport;

use crate::content_hash::sha256_hex;
use crate::durable::{DurableLocalStore, create_directories};
use crate::error::{Result, StoreError};
use crate::lake::{Lake, Patience, open_remote, without_credentials};

const FORMAT: u32 = 1;
/// Digits of the manifest's digest in its name.
const DIGEST_DIGITS: usize = 16;
/// Where the state database stands in a manifest; it is restored last.
const LEDGER: &str = "warehouse/state/goyong.db";

/// A place that holds backups.
#[derive(Clone)]
pub struct BackupStore {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    location: String,
}

impl fmt::Debug for BackupStore {
    /// The place alone: a store's settings may hold credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackupStore")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// What one backup consists of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupManifest {
    format: u32,
    /// The release that can be read again.
    pub release: String,
    /// Its business date.
    pub business_date: NaiveDate,
    /// Hash over its tables' content hashes.
    pub content_hash: String,
    /// When the backup was finished.
    pub created_at: DateTime<Utc>,
    /// Content hash of each table of the release.
    pub tables: BTreeMap<String, String>,
    /// Every file, by the path it is restored to.
    pub files: Vec<BackedUpFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpFile {
    /// `warehouse/…` or `project/…`, with `/` between parts.
    pub path: String,
    /// Hexadecimal SHA-256 of its bytes.
    pub sha256: String,
    /// Length.
    pub bytes: u64,
}

impl BackupStore {
    /// Opens a folder, made when missing, or the URL of an object store that this program was built with.
    pub fn open(location: &str) -> Result<Self> {
        let wrong = |problem: String| StoreError::Backup {
            location: without_credentials(location),
            problem,
        };
        let url = match Url::parse(location) {
            Ok(url) if location.contains("://") => url,
            _ => {
                let folder = std::path::absolute(location)
                    .map_err(StoreError::io("find", Path::new(location)))?;
                Url::from_directory_path(&folder)
                    .map_err(|()| wrong("is neither a folder nor a URL".to_owned()))?
            }
        };
        if let Ok(folder) = url.to_file_path() {
            create_directories(&folder).map_err(StoreError::io("create", &folder))?;
            let folder = std::fs::canonicalize(&folder).map_err(StoreError::io("find", &folder))?;
            let prefix = ObjectPath::from_absolute_path(&folder)
                .map_err(|problem| wrong(problem.to_string()))?;
            return Ok(Self {
                store: Arc::new(DurableLocalStore::new()),
                prefix,
                location: location.to_owned(),
            });
        }
        if url.scheme() == "s3" {
            let (store, prefix, shown) =
                open_remote(location, Patience::Work).map_err(|problem| StoreError::Backup {
                    location: without_credentials(location),
                    problem,
                })?;
            return Ok(Self {
                store,
                prefix,
                location: shown,
            });
        }
        let options = std::env::vars().map(|(name, value)| (name.to_lowercase(), value));
        let (store, prefix) = object_store::parse_url_opts(&url, options).map_err(|problem| {
            wrong(format!(
                "cannot be opened ({problem}); name a folder, a file:// URL or a store this program was built with"
            ))
        })?;
        Ok(Self {
            store: Arc::from(store),
            prefix,
            location: without_credentials(location),
        })
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn object(&self, sha256: &str) -> ObjectPath {
        self.prefix.clone().join("objects").join(sha256)
    }

    pub(crate) fn manifests(&self) -> ObjectPath {
        self.prefix.clone().join("manifests")
    }

    fn failed(&self, operation: &str) -> impl Fn(object_store::Error) -> StoreError + use<> {
        let (location, operation) = (self.location.clone(), operation.to_owned());
        move |problem| StoreError::Backup {
            location: location.clone(),
            problem: format!("could not {operation}: {problem}"),
        }
    }

    /// Names of the finished backups, oldest first.
    pub async fn names(&self) -> Result<Vec<String>> {
        let prefix = self.manifests();
        let found: Vec<_> = self
            .store
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(self.failed("list the backups"))?;
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json"))
            .map(str::to_owned)
            .collect();
        names.sort();
        Ok(names)
    }

    /// A backup's manifest, the newest when none is named. A manifest that is not what its name says is refused.
    pub async fn manifest(&self, name: Option<&str>) -> Result<BackupManifest> {
        let names = self.names().await?;
        let wrong = |problem: String| StoreError::Backup {
            location: self.location.clone(),
            problem,
        };
        let name = match name {
            Some(name) => names.iter().find(|known| *known == name).ok_or_else(|| {
                wrong(format!(
                    "has no backup `{name}`, it has: {}",
                    names.join(", ")
                ))
            })?,
            None => names
                .last()
                .ok_or_else(|| wrong("holds no finished backup".to_owned()))?,
        };
        let bytes = self
            .store
            .get(&self.manifests().join(format!("{name}.json")))
            .await
            .map_err(self.failed("read the manifest"))?
            .bytes()
            .await
            .map_err(self.failed("read the manifest"))?;
        if !name.ends_with(&sha256_hex(&bytes)[..DIGEST_DIGITS]) {
            return Err(wrong(format!(
                "the manifest of `{name}` is damaged, name an older one"
            )));
        }
        let manifest: BackupManifest = serde_json::from_slice(&bytes).map_err(|problem| {
            wrong(format!(
                "the manifest of `{name}` cannot be read: {problem}"
            ))
        })?;
        if manifest.format != FORMAT {
            return Err(wrong(format!(
                "`{name}` has format {}, this program knows {FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }

    /// A file of a backup, `None` when it has no such file. One that is not what the manifest says is refused.
    pub async fn read(&self, manifest: &BackupManifest, path: &str) -> Result<Option<Bytes>> {
        let Some(file) = manifest.files.iter().find(|file| file.path == path) else {
            return Ok(None);
        };
        let found = self.store.get(&self.object(&file.sha256)).await;
        let found = found.map_err(self.failed("read a file"))?;
        let bytes = found.bytes().await.map_err(self.failed("read a file"))?;
        if sha256_hex(&bytes) != file.sha256 {
            return Err(StoreError::Backup {
                location: self.location.clone(),
                problem: format!("{path} is damaged in it"),
            });
        }
        Ok(Some(bytes))
    }

    /// Fetches a file of the lake by its digest, durably; `false` when the backup does not have it.
    pub(crate) async fn fetch_into(
        &self,
        lake: &Lake,
        sha256: &str,
        target: &Path,
    ) -> Result<bool> {
        restore::fetch_into(self, lake, sha256, target).await
    }

    async fn put_manifest(&self, manifest: &BackupManifest) -> Result<String> {
        let bytes = serde_json::to_vec_pretty(manifest).map_err(|problem| StoreError::Backup {
            location: self.location.clone(),
            problem: format!("could not describe the backup: {problem}"),
        })?;
        let name = format!(
            "{}-{}-{}",
            manifest.created_at.format("%Y%m%dT%H%M%S%3fZ"),
            manifest.release,
            &sha256_hex(&bytes)[..DIGEST_DIGITS]
        );
        self.store
            .put(
                &self.manifests().join(format!("{name}.json")),
                Bytes::from(bytes).into(),
            )
            .await
            .map_err(self.failed("write the manifest"))?;
        Ok(name)
    }
}

/// Writes a copy of a SQLite database, as it is at one moment whoever writes to it, to a file that is replaced.
pub async fn copy_database(from: &Path, to: &Path) -> Result<()> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io("remove", to)(error));
        }
        _ => {}
    }
    let error = || StoreError::ledger("copy a database for a backup");
    let options = SqliteConnectOptions::new()
        .filename(from)
        .busy_timeout(Duration::from_secs(30));
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(error())?;
    sqlx::query("vacuum into ?1")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await
        .map_err(error())?;
    connection.close().await.map_err(error())
}

/// A file to back up.
#[derive(Debug, Clone)]
pub struct BackupSource {
    /// The path it is restored to, see [`BackedUpFile::path`].
    pub path: String,
    /// Where it is.
    pub file: PathBuf,
    /// Its digest and length where the ledger knows them; a file that differs is refused.
    pub recorded: Option<(String, u64)>,
}
