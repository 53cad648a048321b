//! Original files, encrypted to a key that need not be on the machine.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;
use goyong_store::files;

use crate::error::IntakeError;
use crate::identity::{Keys, sync_folder};

/// An archive file under work. Dropped unfinished, it leaves nothing.
pub(crate) struct ArchiveWriter {
    stream: Option<StreamWriter<BufWriter<File>>>,
    pending: PendingArchive,
}

/// A complete archive file under a temporary name. Dropped unkept, it leaves nothing.
pub(crate) struct PendingArchive {
    temporary: PathBuf,
    path: PathBuf,
    is_kept: bool,
}

impl ArchiveWriter {
    /// Starts `<folder>/<file name>.age`.
    pub fn create(folder: &Path, file_name: &str, keys: &Keys) -> Result<Self, IntakeError> {
        files::create_folders(folder)
            .map_err(|error| IntakeError::file("create archive folder", folder, error))?;
        let path = folder.join(format!("{file_name}.age"));
        let temporary = folder.join(format!(".{file_name}.age.new"));
        let pending = PendingArchive {
            temporary: temporary.clone(),
            path,
            is_kept: false,
        };
        let recipient: &dyn age::Recipient = keys.recipient();
        let encryptor =
            age::Encryptor::with_recipients(std::iter::once(recipient)).map_err(|error| {
                IntakeError::Keys {
                    message: format!("the archive recipient cannot be used: {error}"),
                }
            })?;
        let stream = files::create(&temporary)
            .map(|file| BufWriter::with_capacity(1 << 18, file))
            .and_then(|file| encryptor.wrap_output(file))
            .map_err(|error| IntakeError::file("write archive", &temporary, error))?;
        Ok(Self {
            stream: Some(stream),
            pending,
        })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), IntakeError> {
        match &mut self.stream {
            Some(stream) => stream.write_all(bytes).map_err(|error| {
                IntakeError::file("write archive", &self.pending.temporary, error)
            }),
            None => Ok(()),
        }
    }

    /// Completes the file on the disk, still under its temporary name.
    pub fn finish(mut self) -> Result<PendingArchive, IntakeError> {
        if let Some(stream) = self.stream.take() {
            let path = &self.pending.temporary;
            let finish = || files::sync(&stream.finish()?.into_inner()?, path);
            finish().map_err(|error| IntakeError::file("write archive", path, error))?;
        }
        Ok(self.pending)
    }
}

impl PendingArchive {
    /// Gives the file its name, durably.
    pub fn keep(mut self) -> Result<PathBuf, IntakeError> {
        files::rename(&self.temporary, &self.path)
            .map_err(|error| IntakeError::file("name archive", &self.path, error))?;
        self.is_kept = true;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        Ok(self.path.clone())
    }
}

impl Drop for PendingArchive {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing but an encrypted copy; the next run writes over it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;

    #[test]
    fn archive_opens_with_the_identity_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let archive = folder.path().join("archive");
        let mut writer = ArchiveWriter::create(&archive, "a.csv", &keys).unwrap();
        let content = b"8001011000001,".repeat(10_000);
        writer.write(&content).unwrap();
        let path = writer.finish().unwrap().keep().unwrap();
        assert_eq!(path, archive.join("a.csv.age"));
        let sealed = fs::read(&path).unwrap();
        assert!(!crate::testing::number_is_readable(&sealed));
        let identity: age::x25519::Identity =
            fs::read_to_string(folder.path().join("keys/archive.identity"))
                .unwrap()
                .trim()
                .parse()
                .unwrap();
        let decryptor = age::Decryptor::new(&sealed[..]).unwrap();
        let mut reader = decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .unwrap();
        let mut opened = Vec::new();
        reader.read_to_end(&mut opened).unwrap();
        assert_eq!(opened, content);
    }

    #[test]
    fn unfinished_archive_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let archive = folder.path().join("archive");
        let mut writer = ArchiveWriter::create(&archive, "a.csv", &keys).unwrap();
        writer.write(b"x").unwrap();
        drop(writer.finish().unwrap());
        drop(ArchiveWriter::create(&archive, "b.csv", &keys).unwrap());
        assert_eq!(fs::read_dir(&archive).unwrap().count(), 0);
    }
}
