//! The private folder of one executor, emptied when it ends and when another one starts.
//!
//! Shuffle files are rows, so personal data. An executor that is killed cannot remove its own; whoever starts next beside
//! it does. A lock that ends with its process tells the dead from the living.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ballista_core::ids::new_instance_id;

use crate::session::create_private_folder;

const PREFIX: &str = "executor-";
const LOCK: &str = "lock";

/// A folder that lives as long as this value.
#[derive(Debug)]
pub(super) struct WorkFolder {
    folder: PathBuf,
    lock_file: PathBuf,
    _lock: File,
}

impl WorkFolder {
    /// Makes a folder that only the owner may enter below `parent`, and removes what dead executors left there.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn create(parent: &Path) -> io::Result<Self> {
        create_private_folder(parent)?;
        remove_what_the_dead_left(parent)?;
        loop {
            let folder = parent.join(format!("{PREFIX}{}", new_instance_id()));
            let lock_file = folder.with_extension(LOCK);
            let lock = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&lock_file)?;
            // Somebody who cleans up may have been faster: then the name is gone, and another is taken.
            if lock.try_lock().is_err() || !lock_file.exists() {
                continue;
            }
            create_private_folder(&folder)?;
            return Ok(Self {
                folder,
                lock_file,
                _lock: lock,
            });
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder, &self.lock_file) {
            tracing::error!(
                folder = %self.folder.display(),
                "could not empty the work folder, the next executor will: {error}"
            );
        }
    }
}

fn remove_what_the_dead_left(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let lock_file = entry?.path();
        let is_lock = lock_file.extension().is_some_and(|ending| ending == LOCK)
            && lock_file
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(PREFIX));
        if !is_lock {
            continue;
        }
        let lock = match File::open(&lock_file) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if lock.try_lock().is_ok() {
            remove(&lock_file.with_extension(""), &lock_file)?;
        }
    }
    Ok(())
}

/// The folder goes before its lock: what is left of a removal that broke off is found again.
fn remove(folder: &Path, lock_file: &Path) -> io::Result<()> {
    let missing_is_fine = |outcome: io::Result<()>| match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    missing_is_fine(std::fs::remove_dir_all(folder))?;
    missing_is_fine(std::fs::remove_file(lock_file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(parent: &Path) -> usize {
        std::fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn a_folder_ends_with_its_value_and_dead_ones_with_the_next_start() {
        let parent = tempfile::tempdir().unwrap();
        let living = WorkFolder::create(parent.path()).unwrap();
        std::fs::write(living.path().join("shuffle"), b"rows").unwrap();
        std::fs::write(parent.path().join("notes.txt"), b"of somebody else").unwrap();

        // A process that was killed leaves a lock nobody holds.
        let dead = parent.path().join("executor-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("shuffle"), b"rows").unwrap();
        std::fs::write(dead.with_extension(LOCK), b"").unwrap();

        let next = WorkFolder::create(parent.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().join("shuffle").exists());
        assert_eq!(names(parent.path()), 5);
        drop((living, next));
        assert_eq!(names(parent.path()), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_enter() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = WorkFolder::create(&parent.path().join("work")).unwrap();
        for path in [folder.path(), &parent.path().join("work")] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}
