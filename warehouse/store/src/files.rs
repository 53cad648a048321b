//! Files that others keep beside the tables, such as the vault: on the disk in the same order, and with the same faults
//! on request.

use std::fs::File;
use std::io::Result;
use std::path::Path;

use bytes::Bytes;

use crate::durable::{create_directories, replace_durably, sync_path};
use crate::fault;

/// Makes a folder and its parents, each durable before the next.
pub fn create_folders(folder: &Path) -> Result<()> {
    create_directories(folder)
}

/// Creates a file, or empties it; its name is durable once its folder was synced.
pub fn create(path: &Path) -> Result<File> {
    fault::step(path, || File::create(path))
}

/// Brings the bytes of a file to the disk.
pub fn sync(file: &File, path: &Path) -> Result<()> {
    fault::step(path, || file.sync_all())
}

/// Brings the names in a folder to the disk.
pub fn sync_folder(folder: &Path) -> Result<()> {
    sync_path(folder)
}

/// Gives a file another name; durable once its folder was synced.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fault::step(from, || std::fs::rename(from, to))
}

/// Removes a file; durable once its folder was synced.
pub fn remove(path: &Path) -> Result<()> {
    fault::removing(|| std::fs::remove_file(path))
}

/// Writes a small file that is on the disk, with its name, when this returns; replaces one that exists.
pub fn replace(path: &Path, bytes: impl Into<Bytes>) -> Result<()> {
    replace_durably(path, bytes.into())
}
