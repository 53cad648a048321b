//! One file, read once: format, rows, hash and archive together. Knows no table.

use std::io::Read;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use flate2::read::MultiGzDecoder;
use goyong_catalog::contract::{Compression, Encoding, FormatKind};

use crate::archive::{ArchiveWriter, PendingArchive};
use crate::chunks::{ChunkFormat, ReadLimits, RowSink, read_parts};
use crate::encoding::TranscodingReader;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::format::fixed::FixedChunks;
use crate::format::{Batches, Envelope, csv, json, parquet, stream_error, xlsx, xml};
use crate::input::DeliveryReader;
use crate::plan::Plan;
use crate::rows::RowContext;

/// Most bytes of a header with all lines before it.
pub(crate) const HEAD_BYTES: usize = 1 << 20;
/// Most bytes of a workbook, which is held in memory.
const WORKBOOK_FILE_BYTES: u64 = 256 << 20;

/// What reading a file told beside its rows.
pub(crate) struct FileReport {
    pub sha256: String,
    pub bytes: u64,
    /// Records the provider says there are.
    pub expected: Option<u64>,
    pub notices: Vec<String>,
    pub archive: Option<PendingArchive>,
    /// Why the file is not taken, found while reading; hash and length are right all the same.
    pub refusal: Option<Refusal>,
}

/// Reads `path` by its contract and hands the rows to `sink` in file order.
pub(crate) fn read_file(
    plan: &Plan,
    path: &Path,
    context: &RowContext,
    limits: ReadLimits,
    archive: Option<ArchiveWriter>,
    sink: &mut (dyn FnMut(crate::rows::ParsedRows) -> Result<(), IntakeError> + '_),
) -> Result<FileReport, IntakeError> {
    let mut reader = DeliveryReader::open(path, archive)?;
    let outcome = read_content(plan, path, context, limits, &mut reader, sink);
    let passed = reader.finish(path)?;
    let (envelope, refusal) = match outcome {
        Ok(envelope) => (envelope, None),
        Err(IntakeError::Refused(refusal)) => (Envelope::default(), Some(refusal)),
        Err(IntakeError::Stream { source }) => {
            return Err(IntakeError::file("read", path, source));
        }
        Err(error) => return Err(error),
    };
    Ok(FileReport {
        sha256: passed.sha256,
        bytes: passed.bytes,
        expected: envelope.expected,
        notices: envelope.notices,
        archive: passed.archive,
        refusal,
    })
}

fn read_content(
    plan: &Plan,
    path: &Path,
    context: &RowContext,
    limits: ReadLimits,
    reader: &mut DeliveryReader,
    sink: &mut RowSink<'_>,
) -> Result<Envelope, IntakeError> {
    let format = &plan.contract.format;
    match &format.kind {
        FormatKind::Parquet => {
            // Parquet is read from its end; hash first, then the same open file again.
            std::io::copy(reader, &mut std::io::sink())
                .map_err(|error| IntakeError::file("read", path, error))?;
            let file = reader
                .rewound()
                .map_err(|error| IntakeError::file("read", path, error))?;
            overlapped(plan, context, sink, |batches| {
                parquet::read(plan, file, limits.record_bytes, batches)
            })
        }
        FormatKind::Xlsx(xlsx_format) => {
            let mut bytes = Vec::new();
            reader
                .take(WORKBOOK_FILE_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| IntakeError::file("read", path, error))?;
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
            overlapped(plan, context, sink, |batches| {
                xlsx::read(plan, xlsx_format, &bytes, limits.workbook_bytes, batches)
            })
        }
        _ => match format.compression {
            Compression::None => read_text(plan, context, limits, reader, sink),
            Compression::Gzip => {
                let mut expanded = MultiGzDecoder::new(reader);
                read_text(plan, context, limits, &mut expanded, sink)
            }
        },
    }
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
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut *reader)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(stream_error)?;
    refuse_other_byte_order_mark(plan, &head)?;
    if head.starts_with(b"\xEF\xBB\xBF") {
        head.drain(..3);
    }
    let (format, notices): (Box<dyn ChunkFormat + '_>, Vec<String>) =
        match &plan.contract.format.kind {
            FormatKind::Csv(csv_format) => {
                let (chunks, records_at) = csv::open(plan, csv_format, &head)?;
                head.drain(..records_at);
                let notices = chunks.notices().to_vec();
                (Box::new(chunks), notices)
            }
            FormatKind::Fixed(fixed) => (Box::new(FixedChunks::new(plan, *fixed)), Vec::new()),
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
        expected: None,
        notices,
    })
}

/// A mark of an encoding the contract does not name means the contract is wrong, not the rows.
fn refuse_other_byte_order_mark(plan: &Plan, head: &[u8]) -> Result<(), Refusal> {
    let declared = plan.contract.format.encoding;
    let marked = if head.starts_with(b"\xFF\xFE") {
        Encoding::Utf16Le
    } else if head.starts_with(b"\xFE\xFF") {
        Encoding::Utf16Be
    } else if head.starts_with(b"\xEF\xBB\xBF") && declared == Encoding::Cp949 {
        Encoding::Utf8
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        RefusalRule::Encoding,
        format!(
            "the file starts with the mark of {}, the contract says {}: correct `encoding`",
            marked.as_str(),
            declared.as_str()
        ),
    ))
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
