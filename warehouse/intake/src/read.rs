//! The files of a delivery, each read once: format, rows, hash and archive together. Knows no table.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use goyong_catalog::contract::{Compression, Encoding, FormatKind};
use sha2::{Digest, Sha256};

use crate::archive::{ArchiveWriter, PendingArchive};
use crate::chunks::{ChunkFormat, ReadLimits, RowSink, read_parts};
use crate::drift::Columns;
use crate::encoding::TranscodingReader;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::expand::members::{Members, ambiguous};
use crate::expand::{Budget, gzip, magic, zstandard};
use crate::format::fixed::FixedChunks;
use crate::format::{Batches, Envelope, csv, json, parquet, stream_error, xlsx, xml};
use crate::identity::hex;
use crate::input::DeliveryReader;
use crate::pages::PageTally;
use crate::plan::Plan;
use crate::rows::{ParsedRows, RowContext};
use crate::shown::shown_name;

/// Most bytes of a header with all lines before it.
pub(crate) const HEAD_BYTES: usize = 1 << 20;
/// Most bytes of a workbook, which is held in memory.
const WORKBOOK_FILE_BYTES: u64 = 256 << 20;

/// A file of a delivery.
pub(crate) struct DeliveredFile {
    pub path: PathBuf,
    /// Where its encrypted copy goes.
    pub archive: Option<ArchiveWriter>,
    /// Records and delivery with which the same page came before; it is not loaded again.
    pub earlier: Option<(u64, String)>,
}

/// What reading a delivery told beside its rows.
pub(crate) struct FileReport {
    /// Hash of the file; of several, hash of their hashes.
    pub sha256: String,
    pub bytes: u64,
    /// Records the provider says there are.
    pub expected: Option<u64>,
    pub notices: Vec<String>,
    /// The files' columns and where they differ from the contract's.
    pub columns: Columns,
    pub archives: Vec<PendingArchive>,
    /// Hash and records of each file that was loaded.
    pub files: Vec<(String, u64)>,
    /// Why the delivery is not taken, found while reading; hash and length are right all the same.
    pub refusal: Option<Refusal>,
}

/// Reads the files of a delivery by its contract and hands the rows to `sink` in file order.
pub(crate) fn read_files(
    plan: &Plan,
    files: Vec<DeliveredFile>,
    context: &RowContext,
    limits: ReadLimits,
    sink: &mut RowSink<'_>,
) -> Result<FileReport, IntakeError> {
    let mut report = FileReport {
        sha256: String::new(),
        bytes: 0,
        expected: None,
        notices: Vec::new(),
        columns: Columns::default(),
        archives: Vec::new(),
        files: Vec::new(),
        refusal: None,
    };
    let mut pages = PageTally::new(&plan.contract);
    let mut hashes = Vec::new();
    let is_alone = files.len() == 1;
    for file in files {
        let path = file.path;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut reader = DeliveryReader::open(&path, file.archive)?;
        let mut records = 0;
        let outcome = match (&report.refusal, &file.earlier) {
            // What follows a refusal is hashed and archived, not read.
            (Some(_), _) => Ok(()),
            (None, Some((records, delivery))) => {
                pages.add_earlier(&name, *records, delivery);
                Ok(())
            }
            (None, None) => {
                let mut counted = |rows: ParsedRows| {
                    records += rows.record_count;
                    sink(rows)
                };
                let mut content = Content {
                    plan,
                    name: &name,
                    context,
                    limits,
                    pages: &mut pages,
                };
                content.read(&mut reader, &mut counted)
            }
        };
        let passed = reader.finish(&path)?;
        match outcome {
            Ok(()) => {}
            Err(IntakeError::Refused(mut refusal)) => {
                if !is_alone {
                    refusal.message = format!("{}: {}", shown_name(&name), refusal.message);
                }
                report.refusal = Some(refusal);
            }
            Err(IntakeError::Stream { source }) => {
                return Err(IntakeError::file("read", &path, source));
            }
            Err(error) => return Err(error),
        }
        report.bytes += passed.bytes;
        report.archives.extend(passed.archive);
        if file.earlier.is_none() {
            report.files.push((passed.sha256.clone(), records));
        }
        hashes.push(passed.sha256);
    }
    report.sha256 = hash_of_hashes(hashes);
    report.columns = std::mem::take(&mut pages.columns);
    if report.refusal.is_none() {
        match pages.finish() {
            Ok((expected, notices)) => {
                report.expected = expected;
                report.notices = notices;
            }
            Err(refusal) => report.refusal = Some(refusal),
        }
    }
    Ok(report)
}

/// The hash of one file, or of the hashes of several in their order.
pub(crate) fn hash_of_hashes(mut hashes: Vec<String>) -> String {
    match hashes.len() {
        1 => hashes.remove(0),
        _ => hex(&Sha256::digest(hashes.join("\n").as_bytes())),
    }
}

/// One file under work.
struct Content<'a, 'c> {
    plan: &'a Plan,
    name: &'a str,
    context: &'a RowContext,
    limits: ReadLimits,
    pages: &'a mut PageTally<'c>,
}

impl Content<'_, '_> {
    fn read(
        &mut self,
        reader: &mut DeliveryReader,
        sink: &mut RowSink<'_>,
    ) -> Result<(), IntakeError> {
        let format = &self.plan.contract.format;
        let head = reader
            .head(magic::HEAD_BYTES)
            .map_err(|source| IntakeError::Stream { source })?;
        magic::refuse_other_content(format, &head)?;
        let name = self.name;
        match magic::compression_of(format, &head) {
            Compression::None if matches!(format.kind, FormatKind::Parquet) => {
                // Parquet is read from its end; hash first, then the same open file again.
                let file = passed(reader)?;
                let (plan, context) = (self.plan, self.context);
                let longest_value = self.limits.record_bytes;
                let mut records = 0;
                let mut counted = |rows: ParsedRows| {
                    records += rows.record_count;
                    sink(rows)
                };
                let envelope = overlapped(plan, context, &mut counted, |batches| {
                    parquet::read(plan, file, longest_value, batches)
                })?;
                Ok(self.pages.add(name, envelope, records)?)
            }
            Compression::None | Compression::Detect => self.read_stream(name, reader, sink),
            Compression::Gzip => {
                let budget = Budget::new(self.limits);
                self.read_expanded(name, &mut gzip(reader, &budget), sink)
            }
            Compression::Zstd => {
                let budget = Budget::new(self.limits);
                self.read_expanded(name, &mut zstandard(reader, &budget)?, sink)
            }
            Compression::Zip => {
                // The directory of an archive stands at its end.
                let file = passed(reader)?;
                let bytes = file
                    .metadata()
                    .map_err(|source| IntakeError::Stream { source })?
                    .len();
                let budget = Budget::for_archive(self.limits, bytes);
                let mut members = Members::open(file, format)?;
                let names = members.names();
                let contract = &self.plan.contract;
                let may_be_several = contract.pages.is_some() || contract.child_of.is_some();
                if names.len() > 1 && !may_be_several {
                    return Err(ambiguous(&names));
                }
                for (position, member) in names.iter().enumerate() {
                    let mut stream = members.read(position, &budget)?;
                    let base = member.rsplit('/').next().unwrap_or(member);
                    self.read_expanded(base, &mut stream, sink)?;
                }
                Ok(())
            }
        }
    }

    /// Reads what a decompressor puts out, once it looks like the layout of the contract.
    fn read_expanded(
        &mut self,
        name: &str,
        stream: &mut (dyn Read + Send),
        sink: &mut RowSink<'_>,
    ) -> Result<(), IntakeError> {
        let head = head_of(&mut *stream, magic::HEAD_BYTES)?;
        magic::refuse_other_layout(&self.plan.contract.format, &head)?;
        self.read_stream(name, &mut Cursor::new(head).chain(stream), sink)
    }

    fn read_stream(
        &mut self,
        name: &str,
        stream: &mut (dyn Read + Send),
        sink: &mut RowSink<'_>,
    ) -> Result<(), IntakeError> {
        let (plan, context, limits) = (self.plan, self.context, self.limits);
        let mut records = 0;
        let mut counted = |rows: ParsedRows| {
            records += rows.record_count;
            sink(rows)
        };
        let envelope = match &plan.contract.format.kind {
            FormatKind::Xlsx(format) => {
                let bytes = workbook_bytes(stream)?;
                overlapped(plan, context, &mut counted, |batches| {
                    xlsx::read(plan, format, &bytes, limits.workbook_bytes, batches)
                })?
            }
            _ => read_text(plan, context, limits, stream, &mut counted)?,
        };
        Ok(self.pages.add(name, envelope, records)?)
    }
}

/// Lets a whole file pass through its hash and archive, and gives the same open file again.
fn passed(reader: &mut DeliveryReader) -> Result<File, IntakeError> {
    std::io::copy(reader, &mut std::io::sink())
        .and_then(|_| reader.rewound())
        .map_err(|source| IntakeError::Stream { source })
}

fn head_of(reader: impl Read, bytes: usize) -> Result<Vec<u8>, IntakeError> {
    let mut head = Vec::with_capacity(bytes);
    reader
        .take(bytes as u64)
        .read_to_end(&mut head)
        .map_err(stream_error)?;
    Ok(head)
}

fn workbook_bytes(stream: &mut (dyn Read + Send)) -> Result<Vec<u8>, IntakeError> {
    let mut bytes = Vec::new();
    stream
        .take(WORKBOOK_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(stream_error)?;
    if bytes.len() as u64 > WORKBOOK_FILE_BYTES {
        return Err(Refusal::new(
            RefusalRule::TooLarge,
            format!(
                "the workbook has more than {} MiB: ask the provider for a text file",
                WORKBOOK_FILE_BYTES >> 20
            ),
        )
        .into());
    }
    Ok(bytes)
}

/// Reads a text layout from a stream of the file's own encoding.
pub(crate) fn read_text(
    plan: &Plan,
    context: &RowContext,
    limits: ReadLimits,
    reader: &mut (dyn Read + Send),
    sink: &mut RowSink<'_>,
) -> Result<Envelope, IntakeError> {
    let format = &plan.contract.format;
    let is_utf16 = matches!(format.encoding, Encoding::Utf16Le | Encoding::Utf16Be);
    match &format.kind {
        FormatKind::Csv(_) | FormatKind::Fixed(_) if is_utf16 => {
            let mut transcoded = TranscodingReader::new(reader, format.encoding);
            read_chunked(plan, context, limits, &mut transcoded, sink)
        }
        FormatKind::Csv(_) | FormatKind::Fixed(_) => {
            read_chunked(plan, context, limits, reader, sink)
        }
        FormatKind::Json(json_format) => {
            let transcoded = TranscodingReader::new(reader, format.encoding);
            overlapped(plan, context, sink, |batches| {
                json::read(plan, json_format, transcoded, limits.record_bytes, batches)
            })
        }
        FormatKind::Xml(xml_format) => {
            let transcoded = TranscodingReader::new(reader, format.encoding);
            overlapped(plan, context, sink, |batches| {
                xml::read(plan, xml_format, transcoded, limits.record_bytes, batches)
            })
        }
        FormatKind::Xlsx(_) | FormatKind::Parquet => Ok(Envelope::default()),
    }
}

/// Delimited and fixed-width text: parts on several threads.
fn read_chunked(
    plan: &Plan,
    context: &RowContext,
    limits: ReadLimits,
    reader: &mut (dyn Read + Send),
    sink: &mut RowSink<'_>,
) -> Result<Envelope, IntakeError> {
    let mut head = head_of(&mut *reader, HEAD_BYTES)?;
    if head.starts_with(b"\xEF\xBB\xBF") {
        head.drain(..3);
    }
    let (format, notices, columns): (Box<dyn ChunkFormat + '_>, Vec<String>, Columns) =
        match &plan.contract.format.kind {
            FormatKind::Csv(csv_format) => {
                let (chunks, records_at) = csv::open(plan, csv_format, &head)?;
                head.drain(..records_at);
                let notices = chunks.notices().to_vec();
                let columns = chunks.columns().clone();
                (Box::new(chunks), notices, columns)
            }
            FormatKind::Fixed(fixed) => (
                Box::new(FixedChunks::new(plan, *fixed)),
                Vec::new(),
                Columns::default(),
            ),
            _ => return Ok(Envelope::default()),
        };
    read_parts(
        format.as_ref(),
        reader,
        head,
        limits,
        context,
        &stream_error,
        sink,
    )?;
    Ok(Envelope {
        notices,
        columns,
        ..Envelope::default()
    })
}

/// Runs a reader that goes record by record on its own thread, so that rows are written meanwhile.
fn overlapped(
    plan: &Plan,
    context: &RowContext,
    sink: &mut RowSink<'_>,
    read: impl FnOnce(&mut Batches<'_, '_>) -> Result<Envelope, IntakeError> + Send,
) -> Result<Envelope, IntakeError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let producer = scope.spawn(move || {
            let mut hand_over = |rows| {
                sender.send(rows).map_err(|_| IntakeError::Stream {
                    source: std::io::Error::other("the rows are no longer wanted"),
                })
            };
            let mut batches = Batches::new(plan, context, &mut hand_over);
            let envelope = read(&mut batches)?;
            batches.flush()?;
            Ok(envelope)
        });
        let mut outcome = Ok(());
        for rows in receiver {
            outcome = sink(rows);
            if outcome.is_err() {
                break;
            }
        }
        let produced = match producer.join() {
            Ok(produced) => produced,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // The sink's own error says more than that the producer was stopped by it.
        outcome.and(produced)
    })
}
