//! Named exclusive locks between processes. The system releases them when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::durable::create_directories;
use crate::error::{Result, StoreError};
use crate::warehouse::Warehouse;

/// Holds a lock until dropped.
#[derive(Debug)]
pub struct LockGuard {
    file: File,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        // Closing the file releases the lock as well.
        let _ = self.file.unlock();
    }
}

impl Warehouse {
    /// Takes a named lock or answers [`StoreError::Locked`] at once. `name` is lower-case letters, digits, `_`, `-`.
    pub fn lock(&self, name: &str) -> Result<LockGuard> {
        lock_in(self.root(), name)
    }
}

/// The same for the folder of a warehouse that is not open.
pub fn lock_in(root: &Path, name: &str) -> Result<LockGuard> {
    let path = root.join("state/locks").join(format!("{name}.lock"));
    let is_plain = !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
        });
    if !is_plain {
        let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
        return Err(StoreError::io("use as a lock name", name)(source));
    }
    if let Some(directory) = path.parent() {
        create_directories(directory).map_err(StoreError::io("create", directory))?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(LockGuard { file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            name: name.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &path)(source)),
    }
}
