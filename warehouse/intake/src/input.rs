//! The bytes of a delivery, read once: hashed and archived while they pass.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::archive::ArchiveWriter;
use crate::error::IntakeError;
use crate::identity::hex;

/// Bytes hashed at once, so that they are still in the cache.
const STEP: usize = 256 << 10;

/// Passes on the bytes of a file, hashing them and writing them to the archive.
pub(crate) struct DeliveryReader {
    file: File,
    hasher: Sha256,
    bytes: u64,
    archive: Option<ArchiveWriter>,
    archive_error: Option<IntakeError>,
}

impl DeliveryReader {
    /// Opens a regular file; a link or device is refused.
    pub fn open(path: &Path, archive: Option<ArchiveWriter>) -> Result<Self, IntakeError> {
        let error = |source| IntakeError::file("open", path, source);
        let kind = std::fs::symlink_metadata(path).map_err(error)?.file_type();
        if !kind.is_file() {
            return Err(error(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file: deliver the file itself",
            )));
        }
        Ok(Self {
            file: File::open(path).map_err(error)?,
            hasher: Sha256::new(),
            bytes: 0,
            archive,
            archive_error: None,
        })
    }

    /// Reads what the parser left unread, then gives hash, length and finished archive.
    pub fn finish(mut self, path: &Path) -> Result<Passed, IntakeError> {
        io::copy(&mut self, &mut io::sink())
            .map_err(|error| IntakeError::file("read", path, error))?;
        if let Some(error) = self.archive_error {
            return Err(error);
        }
        let archive = match self.archive {
            Some(archive) => Some(archive.finish()?),
            None => None,
        };
        Ok(Passed {
            sha256: hex(&self.hasher.finalize()),
            bytes: self.bytes,
            archive,
        })
    }
}

/// What passed through a [`DeliveryReader`].
pub(crate) struct Passed {
    pub sha256: String,
    pub bytes: u64,
    pub archive: Option<crate::archive::PendingArchive>,
}

impl Read for DeliveryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(STEP);
        let read = self.file.read(&mut buffer[..length])?;
        let passed = &buffer[..read];
        self.hasher.update(passed);
        self.bytes += read as u64;
        if let Some(archive) = &mut self.archive
            && let Err(error) = archive.write(passed)
        {
            self.archive = None;
            self.archive_error = Some(error);
            return Err(io::Error::other("the archive cannot be written"));
        }
        Ok(read)
    }
}

/// SHA-256 of a file, hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String, IntakeError> {
    let mut reader = DeliveryReader::open(path, None)?;
    let mut buffer = vec![0; STEP];
    loop {
        let read = reader
            .read(&mut buffer)
            .map_err(|error| IntakeError::file("read", path, error))?;
        if read == 0 {
            break;
        }
    }
    Ok(reader.finish(path)?.sha256)
}
