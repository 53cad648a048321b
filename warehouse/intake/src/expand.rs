//! Compressed files as streams that stop at limits, and what the first bytes of a file say it is.

pub(crate) mod magic;
pub(crate) mod members;

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::chunks::ReadLimits;
use crate::error::{IntakeError, Refusal, RefusalRule};

/// What may be expanded from one file, whatever its headers claim.
pub(crate) struct Budget {
    compressed: AtomicU64,
    expanded: AtomicU64,
    /// Set when the compressed bytes themselves cannot be read: then the machine failed.
    source_failed: AtomicBool,
    most_bytes: u64,
    most_ratio: u64,
    /// Expanded bytes up to which the ratio does not matter.
    ratio_from: u64,
}

impl Budget {
    pub fn new(limits: ReadLimits) -> Self {
        Self {
            compressed: AtomicU64::new(0),
            expanded: AtomicU64::new(0),
            source_failed: AtomicBool::new(false),
            most_bytes: limits.expanded_bytes,
            most_ratio: limits.expanded_ratio.max(1),
            ratio_from: limits.part_bytes as u64,
        }
    }

    /// For an archive whose parts may share their compressed bytes: the whole file counts once.
    pub fn for_archive(limits: ReadLimits, file_bytes: u64) -> Self {
        let budget = Self::new(limits);
        budget.compressed.store(file_bytes, Ordering::Relaxed);
        budget
    }

    fn spend(&self, bytes: u64) -> Result<(), Refusal> {
        let expanded = self.expanded.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if expanded > self.most_bytes {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!(
                    "the file expands to more than {}: deliver it in parts",
                    size_text(self.most_bytes)
                ),
            ));
        }
        let compressed = self.compressed.load(Ordering::Relaxed).max(1);
        if expanded > self.ratio_from && expanded / compressed > self.most_ratio {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!(
                    "the file expands more than {} times, as no table does: deliver it uncompressed if it is genuine",
                    self.most_ratio
                ),
            ));
        }
        Ok(())
    }
}

/// Bytes in the largest unit that does not round them to nothing.
fn size_text(bytes: u64) -> String {
    match bytes {
        0..=0xFF_FFFF => format!("{} KiB", bytes >> 10),
        0x100_0000..=0x3_FFFF_FFFF => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// Counts the compressed bytes that pass.
struct Compressed<'b, R> {
    inner: R,
    budget: &'b Budget,
}

impl<R: Read> Read for Compressed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.budget
                    .compressed
                    .fetch_add(read as u64, Ordering::Relaxed);
                Ok(read)
            }
            Err(error) => {
                self.budget.source_failed.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

/// Counts the expanded bytes that pass and stops where the budget ends.
pub(crate) struct Expanded<'b, R> {
    inner: R,
    budget: &'b Budget,
}

impl<'b, R: Read> Expanded<'b, R> {
    pub fn new(inner: R, budget: &'b Budget) -> Self {
        Self { inner, budget }
    }
}

impl<R: Read> Read for Expanded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => match self.budget.spend(read as u64) {
                Ok(()) => Ok(read),
                Err(refusal) => Err(io::Error::new(io::ErrorKind::InvalidData, refusal)),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) if self.budget.source_failed.load(Ordering::Relaxed) => Err(error),
            // Decompressors do not agree on a kind; whatever they say is damage of the file.
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

/// The content of a gzip file, all its members.
pub(crate) fn gzip<'b, R: Read + Send + 'b>(
    reader: R,
    budget: &'b Budget,
) -> impl Read + Send + 'b {
    let inner = Compressed {
        inner: reader,
        budget,
    };
    Expanded::new(MultiGzDecoder::new(inner), budget)
}

/// The content of a Zstandard file, all its frames. A frame may ask for a window of 128 MiB at
/// most, the decoder's own limit.
pub(crate) fn zstandard<'b, R: Read + Send + 'b>(
    reader: R,
    budget: &'b Budget,
) -> Result<impl Read + Send + 'b, IntakeError> {
    let inner = Compressed {
        inner: reader,
        budget,
    };
    let decoder =
        zstd::stream::read::Decoder::new(inner).map_err(|source| IntakeError::Stream { source })?;
    Ok(Expanded::new(decoder, budget))
}

#[cfg(test)]
mod tests;
