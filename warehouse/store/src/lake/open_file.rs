//! Data files to be read by whoever reads Parquet without an engine.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{ChunkReader, Length};

use super::{Lake, wait_for};
use crate::error::{Result, StoreError};
use crate::warehouse::Warehouse;

/// A data file that is open: a file of this machine, or the bytes of an object.
#[derive(Debug)]
pub struct OpenedFile(Opened);

#[derive(Debug)]
enum Opened {
    File(File),
    Object(Bytes),
}

impl Length for OpenedFile {
    fn len(&self) -> u64 {
        match &self.0 {
            Opened::File(file) => file.len(),
            Opened::Object(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for OpenedFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match &self.0 {
            Opened::File(file) => Box::new(file.get_read(start)?),
            Opened::Object(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match &self.0 {
            Opened::File(file) => file.get_bytes(start, length),
            Opened::Object(bytes) => bytes.get_bytes(start, length),
        }
    }
}

impl Lake {
    pub(crate) fn open_file(&self, path: &Path) -> Result<OpenedFile> {
        let opened = match self.is_remote() {
            false => File::open(path).map(Opened::File),
            true => {
                let (lake, path) = (self.clone(), path.to_owned());
                wait_for(async move { lake.read(&path).await }).map(Opened::Object)
            }
        };
        opened
            .map(OpenedFile)
            .map_err(StoreError::io("read table file", path))
    }
}

impl Warehouse {
    /// Opens a data file by the path its snapshot gives; an object is fetched whole. Call it on a thread that may block.
    pub fn open_file(&self, path: &Path) -> Result<OpenedFile> {
        self.lake().open_file(path)
    }

    /// Whether a data file is still there. Call it on a thread that may block.
    pub fn has_file(&self, path: &Path) -> bool {
        if !self.lake().is_remote() {
            return path.exists();
        }
        let (lake, path) = (self.lake().clone(), path.to_owned());
        wait_for(async move { lake.stat(&path).await }).is_ok()
    }
}
