//! The bytes of a delivery, read once: hashed and archived while they pass.

use std::fs::{File, FileType};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::archive::ArchiveWriter;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::identity::hex;

/// Bytes hashed at once, so that they are still in the cache.
const STEP: usize = 256 << 10;

/// Passes on the bytes of a file, hashing them and writing them to the archive.
pub(crate) struct DeliveryReader {
    file: File,
    hasher: Sha256,
    bytes: u64,
    is_complete: bool,
    archive: Option<ArchiveWriter>,
    archive_error: Option<IntakeError>,
}

impl DeliveryReader {
    /// Opens a regular file; a link, pipe, device or folder is refused.
    pub fn open(path: &Path, archive: Option<ArchiveWriter>) -> Result<Self, IntakeError> {
        Ok(Self {
            file: open_regular(path)?,
            hasher: Sha256::new(),
            bytes: 0,
            is_complete: false,
            archive,
            archive_error: None,
        })
    }

    /// The first bytes, which are not passed by this.
    pub fn head(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            match self.file.read_at(&mut head[filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        head.truncate(filled);
        Ok(head)
    }

    /// The same open file from its start, for a layout that is read from its end. Nothing may be
    /// read through the reader afterwards.
    pub fn rewound(&mut self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        // Both share one position; the hash is complete, so what is left must look read.
        self.is_complete = true;
        Ok(file)
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
        if self.is_complete {
            return Ok(0);
        }
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

/// Opens a regular file for reading; anything else is refused unopened.
///
/// What the path names may change between looking and opening, so the open itself follows no link
/// and waits for no writer, and what was opened is looked at again.
pub(crate) fn open_regular(path: &Path) -> Result<File, IntakeError> {
    let error = |source| IntakeError::file("open", path, source);
    let kind = std::fs::symlink_metadata(path).map_err(error)?.file_type();
    if !kind.is_file() {
        return Err(not_a_file(kind).into());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(error)?;
    let kind = file.metadata().map_err(error)?.file_type();
    if !kind.is_file() {
        return Err(not_a_file(kind).into());
    }
    Ok(file)
}

/// The refusal of what lies where a file should.
pub(crate) fn not_a_file(kind: FileType) -> Refusal {
    let what = if kind.is_symlink() {
        "a link"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device or socket"
    };
    Refusal::new(
        RefusalRule::NotAFile,
        format!("{what} lies where a file should: deliver the file itself"),
    )
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
