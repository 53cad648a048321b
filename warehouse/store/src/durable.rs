//! Durable before acknowledged: files and directories reach the disk before anybody is told that they exist.
//!
//! The object store's own local file system never calls `fsync`. [`DurableLocalStore`] wraps it: a put writes and
//! syncs a staging file first and only then gives it its name, so that a reader can never see a name whose bytes
//! a power cut could still take away; then the directory is synced.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    UploadPart,
};

use crate::fault;

type Result<T> = object_store::Result<T>;

/// The system could not say that bytes or names are on the disk. A second attempt may answer that all is well although
/// it is not, because the system forgets what it failed to write: this is never tried again.
#[derive(Debug, thiserror::Error)]
#[error("could not sync to the disk: {0}")]
pub(crate) struct SyncFailed(std::io::Error);

impl SyncFailed {
    pub(crate) fn wrap(error: std::io::Error) -> std::io::Error {
        std::io::Error::new(error.kind(), Self(error))
    }

    /// Whether an error was caused by a failed sync.
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(current) = cause {
            let inner = current
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref);
            if inner.is_some_and(|inner| inner.is::<Self>()) {
                return true;
            }
            cause = current.source();
        }
        false
    }
}

/// Syncs a file's bytes, or a directory, so that the names in it survive a power cut.
pub(crate) fn sync_path(path: &FilePath) -> std::io::Result<()> {
    fault::step(path, || File::open(path)?.sync_all()).map_err(SyncFailed::wrap)
}

/// Threads that sync many files: the file system then shares journal commits among them.
const SYNC_THREADS: usize = 16;

/// Syncs files and directories; answers the first that failed. All at once takes a fraction of one after another.
pub(crate) fn sync_all(paths: &[PathBuf]) -> std::result::Result<(), (PathBuf, std::io::Error)> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = sync_path(path) {
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert((path.clone(), error));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..SYNC_THREADS.min(paths.len()) {
            scope.spawn(work);
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// Creates a directory and its parents, each durable before the next.
pub(crate) fn create_directories(directory: &FilePath) -> std::io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        create_directories(parent)?;
    }
    match fault::step(directory, || std::fs::create_dir(directory)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_path(parent),
        _ => Ok(()),
    }
}

/// Whether a durable write may replace an existing file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Replace,
    Refuse,
}

/// Writes a file that is on the disk, with its name, when this returns; replaces one that exists.
pub(crate) fn replace_durably(path: &FilePath, bytes: Bytes) -> std::io::Result<()> {
    write_durably(path, &[bytes], Existing::Replace)
}

fn write_durably(path: &FilePath, chunks: &[Bytes], existing: Existing) -> std::io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, "path has no directory"))?;
    create_directories(directory)?;
    let (staging, mut file) = open_staging_file(path)?;
    let outcome = (|| {
        for chunk in chunks {
            file.write_all(chunk)?;
        }
        fault::step(&staging, || file.sync_all())?;
        fault::step(&staging, || match existing {
            Existing::Replace => std::fs::rename(&staging, path),
            Existing::Refuse => std::fs::hard_link(&staging, path),
        })
    })();
    if outcome.is_err() || existing == Existing::Refuse {
        // A staging file that stays behind is hidden from listings and reported by verification.
        let _ = std::fs::remove_file(&staging);
    }
    outcome?;
    sync_path(directory)
}

/// A new file beside `path`. Names ending in `#` and digits are hidden from listings by the local object store.
fn open_staging_file(path: &FilePath) -> std::io::Result<(PathBuf, File)> {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{}{number:04}", std::process::id()));
        let staging = PathBuf::from(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&staging)
        {
            Ok(file) => return Ok((staging, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// A local object store that syncs files and directories before it acknowledges.
#[derive(Debug, Clone)]
pub struct DurableLocalStore {
    inner: Arc<LocalFileSystem>,
}

impl DurableLocalStore {
    /// A store whose root is the file system's root.
    pub fn new() -> Self {
        Self {
            inner: Arc::new(LocalFileSystem::new()),
        }
    }
}

impl Default for DurableLocalStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for DurableLocalStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("durable local file system")
    }
}

fn store_error(path: &FilePath, source: std::io::Error) -> Error {
    let text = path.display().to_string();
    match source.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists {
            path: text,
            source: Box::new(source),
        },
        ErrorKind::NotFound => Error::NotFound {
            path: text,
            source: Box::new(source),
        },
        _ => Error::Generic {
            store: "durable local file system",
            source: Box::new(source),
        },
    }
}

async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&FilePath) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let task = tokio::task::spawn_blocking(move || {
        work(&path).map_err(|source| store_error(&path, source))
    });
    match task.await {
        Ok(outcome) => outcome,
        Err(source) => Err(Error::Generic {
            store: "durable local file system",
            source: Box::new(source),
        }),
    }
}

/// Syncs a file that was just moved into place, then its directory.
fn sync_file_and_directory(path: &FilePath) -> std::io::Result<()> {
    sync_path(path)?;
    sync_parent(path)
}

fn sync_parent(path: &FilePath) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), sync_path)
}

#[async_trait]
impl ObjectStore for DurableLocalStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let existing = match opts.mode {
            PutMode::Overwrite => Existing::Replace,
            PutMode::Create => Existing::Refuse,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "`put_opts` with `PutMode::Update`".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let chunks: Vec<Bytes> = payload.into_iter().collect();
        blocking(self.inner.path_to_filesystem(location)?, move |path| {
            write_durably(path, &chunks, existing)
        })
        .await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { inner, path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = Arc::clone(&self.inner);
        self.inner
            .delete_stream(locations)
            .then(move |location| {
                let store = Arc::clone(&store);
                async move {
                    let location = location?;
                    blocking(store.path_to_filesystem(&location)?, sync_parent).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        // A copy is a hard link here: the bytes must be on disk before the new name is.
        blocking(self.inner.path_to_filesystem(from)?, sync_path).await?;
        self.inner.copy_opts(from, to, options).await?;
        blocking(self.inner.path_to_filesystem(to)?, sync_file_and_directory).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let source = self.inner.path_to_filesystem(from)?;
        blocking(source.clone(), sync_path).await?;
        self.inner.rename_opts(from, to, options).await?;
        blocking(self.inner.path_to_filesystem(to)?, sync_file_and_directory).await?;
        blocking(source, sync_parent).await
    }
}

/// An upload in parts, synced when complete.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        blocking(self.path.clone(), sync_file_and_directory).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use object_store::ObjectStoreExt;

    fn location(directory: &FilePath, name: &str) -> Path {
        Path::from_absolute_path(directory.join(name)).unwrap()
    }

    #[tokio::test]
    async fn put_creates_directories_and_leaves_no_staging_file() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableLocalStore::new();
        let target = location(directory.path(), "a/b/c.json");
        store.put(&target, "one".into()).await.unwrap();
        store.put(&target, "two".into()).await.unwrap();
        let names: Vec<_> = std::fs::read_dir(directory.path().join("a/b"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["c.json"]);
        assert_eq!(
            std::fs::read(directory.path().join("a/b/c.json")).unwrap(),
            b"two"
        );
    }

    #[tokio::test]
    async fn create_refuses_an_existing_file_and_keeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableLocalStore::new();
        let target = location(directory.path(), "c.json");
        let create = || PutOptions::from(PutMode::Create);
        store
            .put_opts(&target, "one".into(), create())
            .await
            .unwrap();
        let error = store
            .put_opts(&target, "two".into(), create())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert_eq!(
            std::fs::read(directory.path().join("c.json")).unwrap(),
            b"one"
        );
    }

    #[tokio::test]
    async fn copy_rename_and_delete_work_through_the_wrapper() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableLocalStore::new();
        let [first, second, third] = ["1", "2", "3"].map(|name| location(directory.path(), name));
        store.put(&first, "x".into()).await.unwrap();
        store.copy_if_not_exists(&first, &second).await.unwrap();
        assert!(store.copy_if_not_exists(&first, &second).await.is_err());
        store.rename(&second, &third).await.unwrap();
        store.delete(&first).await.unwrap();
        let names: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["3"]);
    }
}
