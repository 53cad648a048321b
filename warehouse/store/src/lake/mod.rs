//! Where the files of the tables lie: `lake/` of the warehouse folder, or a prefix of an S3-compatible store.
//!
//! Every file has a path below [`Lake::base`], which for an object store reads like its URL: paths name files in
//! reports and are compared with each other, wherever the lake is. A local lake is read and written by the file system,
//! which syncs in bulk; an object store stores whole objects and acknowledges them once they are durable.

mod claim;
mod copy;
mod open_file;
mod probe;
mod remote;
mod settings;
mod upload;

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use goyong_types::TableName;
use object_store::local::LocalFileSystem;
use object_store::path::{Path as ObjectPath, PathPart};
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use sha2::{Digest, Sha256};

pub(crate) use claim::{Claim, claim_for_restore};
pub(crate) use copy::{CopyError, store_checked};
pub use open_file::OpenedFile;
pub use probe::{LakeFault, LakeProbe, probe_lake};
pub(crate) use remote::{Patience, open_remote, wait_for};
pub(crate) use settings::without_credentials;
pub(crate) use upload::{Completion, Upload};

use crate::content_hash::hex;
use crate::durable::{DurableLocalStore, create_directories, replace_durably, sync_all};
use crate::error::StoreError;
use crate::verify::hash_of;

/// Requests to an object store that are on their way at one time.
pub(crate) const REQUESTS_TOGETHER: usize = 16;

/// The files of all tables.
#[derive(Debug, Clone)]
pub(crate) struct Lake {
    base: PathBuf,
    store: Arc<dyn ObjectStore>,
    /// Where the lake lies in the store; `None` for one in the warehouse folder.
    prefix: Option<ObjectPath>,
}

/// A file as it lies in the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Lake {
    /// The lake of a warehouse folder, or at the URL of an object store.
    pub(crate) fn open(root: &Path, url: Option<&str>) -> crate::Result<Self> {
        Self::open_with(root, url, Patience::Work)
    }

    fn open_with(root: &Path, url: Option<&str>, patience: Patience) -> crate::Result<Self> {
        let Some(url) = url else {
            return Ok(Self {
                base: root.join("lake"),
                store: Arc::new(DurableLocalStore::new()),
                prefix: None,
            });
        };
        let (store, prefix, base) =
            open_remote(url, patience).map_err(|problem| StoreError::Lake {
                location: without_credentials(url),
                problem,
            })?;
        Ok(Self {
            base: PathBuf::from(base),
            store,
            prefix: Some(prefix),
        })
    }

    /// The same lake behind another store, to see what faults of it do.
    #[cfg(test)]
    pub(crate) fn with_store(&self, store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            ..self.clone()
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// What every path of the lake begins with.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    pub(crate) fn is_remote(&self) -> bool {
        self.prefix.is_some()
    }

    /// The files to be read by paths below the base.
    pub(crate) fn reader(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        Ok(match &self.prefix {
            None => Arc::new(LocalFileSystem::new_with_prefix(&self.base)?),
            Some(prefix) => Arc::new(PrefixStore::new(Arc::clone(&self.store), prefix.clone())),
        })
    }

    pub(crate) fn table_directory(&self, table: &TableName) -> PathBuf {
        self.base.join(table.schema()).join(table.table())
    }

    /// Where the store has a file.
    pub(crate) fn object(&self, path: &Path) -> Result<ObjectPath> {
        let Some(prefix) = &self.prefix else {
            return ObjectPath::from_absolute_path(path).map_err(Error::other);
        };
        let below = path.strip_prefix(&self.base).map_err(Error::other)?;
        let mut object = prefix.clone();
        for part in below.components() {
            match part {
                Component::Normal(name) => {
                    let name = name.to_string_lossy();
                    let part = PathPart::parse(&name).map_err(Error::other)?;
                    object = object.join(part);
                }
                _ => return Err(ErrorKind::InvalidInput.into()),
            }
        }
        Ok(object)
    }

    /// The path of a file the store has listed.
    fn path_of(&self, object: &ObjectPath) -> Option<PathBuf> {
        let below = object.prefix_match(self.prefix.as_ref()?)?;
        Some(below.fold(self.base.clone(), |path, part| path.join(part.as_ref())))
    }

    /// All bytes of a file.
    pub(crate) async fn read(&self, path: &Path) -> Result<Bytes> {
        if !self.is_remote() {
            return std::fs::read(path).map(Bytes::from);
        }
        let found = self.store.get(&self.object(path)?).await.map_err(as_io)?;
        found.bytes().await.map_err(as_io)
    }

    /// The bytes of a file as they arrive.
    pub(crate) async fn stream(&self, path: &Path) -> Result<BoxStream<'static, Result<Bytes>>> {
        if !self.is_remote() {
            return Ok(futures::stream::iter(chunks(File::open(path)?)).boxed());
        }
        let found = self.store.get(&self.object(path)?).await.map_err(as_io)?;
        Ok(found.into_stream().map_err(as_io).boxed())
    }

    /// Length and hexadecimal SHA-256 of a file.
    pub(crate) async fn hash(&self, path: &Path) -> Result<(u64, String)> {
        if !self.is_remote() {
            return hash_of(path);
        }
        let (mut hasher, mut length) = (Sha256::new(), 0);
        let mut parts = self.stream(path).await?;
        while let Some(part) = parts.try_next().await? {
            hasher.update(&part);
            length += part.len() as u64;
        }
        Ok((length, hex(&hasher.finalize())))
    }

    /// Length and time of a file.
    pub(crate) async fn stat(&self, path: &Path) -> Result<StoredFile> {
        if !self.is_remote() {
            return stat_local(path);
        }
        let found = self.store.head(&self.object(path)?).await.map_err(as_io)?;
        Ok(StoredFile {
            path: path.to_owned(),
            bytes: found.size,
            modified: found.last_modified,
        })
    }

    /// All files below a directory, by path; none when it does not exist.
    pub(crate) async fn list(&self, directory: &Path) -> Result<Vec<StoredFile>> {
        let mut found = Vec::new();
        if !self.is_remote() {
            list_local(directory, &mut found)?;
            found.sort_by(|left, right| left.path.cmp(&right.path));
            return Ok(found);
        }
        let mut listed = self.store.list(Some(&self.object(directory)?));
        while let Some(file) = listed.try_next().await.map_err(as_io)? {
            if let Some(path) = self.path_of(&file.location) {
                found.push(StoredFile {
                    path,
                    bytes: file.size,
                    modified: file.last_modified,
                });
            }
        }
        found.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(found)
    }

    /// Names of the tables that have a directory.
    pub(crate) async fn tables(&self) -> Result<Vec<TableName>> {
        let mut tables = Vec::new();
        for schema in self.directories(&self.base).await? {
            for table in self.directories(&self.base.join(&schema)).await? {
                if let Ok(name) = TableName::new(&schema, &table)
                    && (self.is_remote() || self.table_directory(&name).join(LOG).is_dir())
                {
                    tables.push(name);
                }
            }
        }
        tables.sort();
        Ok(tables)
    }

    async fn directories(&self, directory: &Path) -> Result<Vec<String>> {
        if !self.is_remote() {
            return directories_local(directory);
        }
        let prefix = self.object(directory)?;
        let listed = self.store.list_with_delimiter(Some(&prefix)).await;
        let below = listed.map_err(as_io)?.common_prefixes;
        Ok(below
            .iter()
            .filter_map(|below| below.filename().map(str::to_owned))
            .collect())
    }

    /// The highest version that has an entry in a table's log, -1 for none. An object store is asked for what follows
    /// `known` alone, and answers `known` when nothing does.
    pub(crate) async fn newest_version(&self, table: &TableName, known: i64) -> Result<i64> {
        let log = self.table_directory(table).join(LOG);
        let mut newest = -1;
        if !self.is_remote() {
            for name in names_local(&log)? {
                newest = newest.max(log_version(&name).unwrap_or(-1));
            }
            return Ok(newest);
        }
        newest = known;
        let offset = self.object(&entry(&log, known))?;
        let prefix = self.object(&log)?;
        let mut listed = match known {
            0.. => self.store.list_with_offset(Some(&prefix), &offset),
            _ => self.store.list(Some(&prefix)),
        };
        while let Some(file) = listed.try_next().await.map_err(as_io)? {
            let version = file.location.filename().and_then(log_version);
            newest = newest.max(version.unwrap_or(-1));
        }
        Ok(newest)
    }

    /// Stores a file that must not exist, durably: of several writers of one path, one succeeds.
    pub(crate) async fn create(&self, path: &Path, bytes: Bytes) -> object_store::Result<()> {
        let object = self
            .object(path)
            .map_err(|source| object_store::Error::Generic {
                store: "lake",
                source: Box::new(source),
            })?;
        let options = PutOptions::from(PutMode::Create);
        let put = self.store.put_opts(&object, bytes.into(), options).await;
        put.map(|_| ())
    }

    /// Stores a file durably, in place of one that exists.
    pub(crate) async fn replace(&self, path: &Path, bytes: Bytes) -> Result<()> {
        if !self.is_remote() {
            return replace_durably(path, bytes);
        }
        let put = self.store.put(&self.object(path)?, bytes.into()).await;
        put.map(|_| ()).map_err(as_io)
    }

    /// Starts a file that becomes visible when it is complete.
    pub(crate) fn upload(&self, path: &Path) -> Result<Upload> {
        Ok(Upload::new(Arc::clone(&self.store), self.object(path)?))
    }

    /// Removes files durably; those that are not there are none.
    pub(crate) async fn remove(&self, paths: &[PathBuf]) -> Result<()> {
        if !self.is_remote() {
            return remove_local(paths);
        }
        let objects: Vec<_> = paths
            .iter()
            .map(|path| {
                self.object(path)
                    .map_err(|source| object_store::Error::Generic {
                        store: "lake",
                        source: Box::new(source),
                    })
            })
            .collect();
        let mut removed = self
            .store
            .delete_stream(futures::stream::iter(objects).boxed());
        loop {
            match removed.try_next().await {
                Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(as_io(error)),
            }
        }
    }

    /// Removes files that nobody needs, for a thread that may block. What cannot be removed is an orphan that
    /// verification reports.
    pub(crate) fn discard(&self, paths: Vec<PathBuf>) {
        if paths.is_empty() {
            return;
        }
        if !self.is_remote() {
            for path in paths {
                let _ = std::fs::remove_file(path);
            }
            return;
        }
        let lake = self.clone();
        let removed = wait_for(async move { lake.remove(&paths).await });
        if let Err(error) = removed {
            tracing::warn!(%error, "files that were not committed stay behind in the object store");
        }
    }
}

const CHUNK_BYTES: u64 = 1 << 20;
const LOG: &str = "_delta_log";

fn entry(log: &Path, version: i64) -> PathBuf {
    log.join(format!("{version:020}.json"))
}

/// A file of this machine in chunks, read as they are asked for.
pub(crate) fn chunks(mut file: File) -> impl Iterator<Item = Result<Bytes>> + Send {
    std::iter::from_fn(move || {
        let mut chunk = Vec::new();
        match (&mut file).take(CHUNK_BYTES).read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some(Ok(chunk.into())),
            Err(error) => Some(Err(error)),
        }
    })
}

/// The path of a log entry.
pub(crate) fn entry_of(table_directory: &Path, version: i64) -> PathBuf {
    entry(&table_directory.join(LOG), version)
}

/// The version a log entry's file name stands for.
pub(crate) fn log_version(file_name: &str) -> Option<i64> {
    let digits = file_name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// An answer of an object store as the file system would give it.
pub(crate) fn as_io(error: object_store::Error) -> Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        _ => ErrorKind::Other,
    };
    Error::new(kind, error)
}

fn stat_local(path: &Path) -> Result<StoredFile> {
    let metadata = std::fs::metadata(path)?;
    Ok(StoredFile {
        path: path.to_owned(),
        bytes: metadata.len(),
        modified: metadata.modified()?.into(),
    })
}

/// What a writer removes in the meantime was not there.
fn list_local(directory: &Path, found: &mut Vec<StoredFile>) -> Result<()> {
    for name in names_local(directory)? {
        let path = directory.join(name);
        if path.is_dir() {
            list_local(&path, found)?;
            continue;
        }
        match stat_local(&path) {
            Ok(file) => found.push(file),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Names in a folder of this machine, none when there is no such folder.
pub(crate) fn names_local(directory: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn directories_local(directory: &Path) -> Result<Vec<String>> {
    let mut names = names_local(directory)?;
    names.retain(|name| directory.join(name).is_dir());
    Ok(names)
}

fn remove_local(paths: &[PathBuf]) -> Result<()> {
    let mut folders = std::collections::BTreeSet::new();
    for path in paths {
        match std::fs::remove_file(path) {
            Ok(()) => folders.extend(path.parent().map(Path::to_path_buf)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let folders: Vec<_> = folders.into_iter().collect();
    sync_all(&folders).map_err(|(_, error)| error)
}

/// Makes the directory of a lake in the warehouse folder.
pub(crate) fn create_local(root: &Path) -> crate::Result<()> {
    let folder = root.join("lake");
    create_directories(&folder).map_err(StoreError::io("create", &folder))
}
