//! Archives of documents that an interface answers one by one.

use std::fs::File;
use std::io::{self, Cursor, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::SimulationError;

/// An archive being written; its bytes depend on the documents only.
pub(crate) struct Archive<W: Write + Seek> {
    writer: ZipWriter<W>,
    name: &'static str,
    extension: &'static str,
    members: u64,
}

impl Archive<File> {
    /// An archive in a file. Members are named by `name`, their number and `extension`.
    pub(crate) fn create(
        path: &Path,
        name: &'static str,
        extension: &'static str,
    ) -> Result<Self, SimulationError> {
        let file = File::create(path).map_err(|source| SimulationError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::new(file, name, extension))
    }
}

impl Archive<Cursor<Vec<u8>>> {
    /// An archive in memory, likewise.
    pub(crate) fn in_memory(name: &'static str, extension: &'static str) -> Self {
        Self::new(Cursor::new(Vec::new()), name, extension)
    }
}

impl<W: Write + Seek> Archive<W> {
    fn new(inner: W, name: &'static str, extension: &'static str) -> Self {
        Self {
            writer: ZipWriter::new(inner),
            name,
            extension,
            members: 0,
        }
    }

    /// Adds a document.
    pub(crate) fn add(&mut self, document: &[u8]) -> io::Result<()> {
        self.members += 1;
        let name = format!("{}_{:06}.{}", self.name, self.members, self.extension);
        // The day of writing would be part of the bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default());
        self.writer
            .start_file(name, options)
            .map_err(io::Error::other)?;
        self.writer.write_all(document)
    }

    /// Documents added so far.
    pub(crate) fn members(&self) -> u64 {
        self.members
    }

    /// Writes the directory and returns what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.writer.finish().map_err(io::Error::other)
    }
}
