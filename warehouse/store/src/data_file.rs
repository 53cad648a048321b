//! A data file while it is written: where its bytes go, what they are, and how it is taken back.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::content_hash::hex;
use crate::lake::{Lake, Upload};

/// The files a writer has created, so that they can be removed unless they are committed.
#[derive(Debug, Clone)]
pub(crate) struct CreatedFiles {
    lake: Lake,
    paths: Arc<Mutex<Vec<PathBuf>>>,
}

impl CreatedFiles {
    pub(crate) fn new(lake: &Lake) -> Self {
        Self {
            lake: lake.clone(),
            paths: Arc::default(),
        }
    }

    pub(crate) fn push(&self, path: PathBuf) {
        self.paths().push(path);
    }

    /// Takes the files out: from now on dropping the writer leaves them alone.
    pub(crate) fn take(&self) -> Self {
        Self {
            lake: self.lake.clone(),
            paths: Arc::new(Mutex::new(std::mem::take(&mut *self.paths()))),
        }
    }

    /// Removes the files; what cannot be removed is an orphan that verification reports.
    pub(crate) fn remove(&self) {
        let paths = std::mem::take(&mut *self.paths());
        self.lake.discard(paths);
    }

    fn paths(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a file's bytes go.
pub(crate) enum Target {
    File(File),
    Store(Upload),
    /// The file is complete.
    Closed,
}

/// A file that hashes what it is given.
pub(crate) struct HashingFile {
    target: Target,
    sha256: Sha256,
    size: u64,
}

impl HashingFile {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            sha256: Sha256::new(),
            size: 0,
        }
    }

    /// Takes what was written to out: nothing more can be written.
    pub(crate) fn close(&mut self) -> Target {
        std::mem::replace(&mut self.target, Target::Closed)
    }

    /// Bytes written.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Hexadecimal SHA-256 of the bytes written.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.sha256.clone().finalize())
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = match &mut self.target {
            Target::File(file) => file.write(bytes)?,
            Target::Store(upload) => {
                upload.write(bytes)?;
                bytes.len()
            }
            Target::Closed => return Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        self.sha256.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.target {
            Target::File(file) => file.flush(),
            Target::Store(_) | Target::Closed => Ok(()),
        }
    }
}
