//! Large files in parts: read in order, cut at records, parsed on several threads, handed over in
//! order, so that the result does not depend on the number of threads.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::rows::{ParsedRows, RowContext};

/// Some records of a file.
pub(crate) struct Part {
    /// Whole records, from the start of one.
    pub bytes: Vec<u8>,
}

/// A layout whose records can be cut apart without reading them.
pub(crate) trait ChunkFormat: Sync {
    /// Position behind the last complete record; `bytes` starts at a record.
    fn boundary(&self, bytes: &[u8]) -> Option<usize>;

    /// Reads the records of a part.
    fn parse(&self, part: &Part, context: &RowContext) -> Result<ParsedRows, IntakeError>;
}

/// How large files are read.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Threads that parse.
    pub threads: usize,
    /// Bytes of a part.
    pub part_bytes: usize,
    /// Longest record.
    pub record_bytes: usize,
    /// Most bytes an office workbook may expand to.
    pub workbook_bytes: u64,
    /// Most bytes a compressed file may expand to.
    pub expanded_bytes: u64,
    /// How many times its size a compressed file may expand to.
    pub expanded_ratio: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            part_bytes: 8 << 20,
            record_bytes: 64 << 20,
            workbook_bytes: 1 << 30,
            expanded_bytes: 256 << 30,
            expanded_ratio: 400,
        }
    }
}

/// Receives rows in file order.
pub(crate) type RowSink<'s> = dyn FnMut(ParsedRows) -> Result<(), IntakeError> + 's;

/// Reads `reader` to its end, `carry` first, and hands the rows to `sink` in file order.
pub(crate) fn read_parts(
    format: &dyn ChunkFormat,
    reader: &mut (dyn Read + Send),
    carry: Vec<u8>,
    limits: ReadLimits,
    context: &RowContext,
    read_error: &(dyn Fn(std::io::Error) -> IntakeError + Sync),
    sink: &mut RowSink<'_>,
) -> Result<(), IntakeError> {
    let threads = limits.threads.max(1);
    std::thread::scope(|scope| {
        let mut to_workers: Vec<SyncSender<Part>> = Vec::new();
        let mut from_workers: Vec<Receiver<Result<ParsedRows, IntakeError>>> = Vec::new();
        for _ in 0..threads {
            // One part waits while one is parsed: enough to keep a thread busy, bounded memory.
            let (part_sender, parts) = sync_channel::<Part>(1);
            let (rows_sender, rows) = sync_channel(1);
            to_workers.push(part_sender);
            from_workers.push(rows);
            scope.spawn(move || {
                for part in parts {
                    let parsed = format.parse(&part, context);
                    drop(part);
                    if rows_sender.send(parsed).is_err() {
                        return;
                    }
                }
            });
        }
        let producer = scope.spawn(move || {
            let mut next = 0;
            cut(format, reader, carry, limits, read_error, &mut |part| {
                let accepted = to_workers[next].send(part).is_ok();
                next = (next + 1) % to_workers.len();
                accepted
            })
        });
        // Part i was parsed by worker i mod threads, so taking turns restores the file's order.
        let mut outcome = Ok(());
        'parts: loop {
            for rows in &from_workers {
                match rows.recv() {
                    Ok(Ok(parsed)) => {
                        if let Err(error) = sink(parsed) {
                            outcome = Err(error);
                            break 'parts;
                        }
                    }
                    Ok(Err(error)) => {
                        outcome = Err(error);
                        break 'parts;
                    }
                    Err(_) => break 'parts,
                }
            }
        }
        // Dropping the receivers ends workers and producer when the outcome is an error.
        drop(from_workers);
        let produced = match producer.join() {
            Ok(produced) => produced,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        outcome.and(produced)
    })
}

/// Cuts the stream into parts that end at records; `send` says whether to go on.
fn cut(
    format: &dyn ChunkFormat,
    reader: &mut (dyn Read + Send),
    carry: Vec<u8>,
    limits: ReadLimits,
    read_error: &(dyn Fn(std::io::Error) -> IntakeError + Sync),
    send: &mut dyn FnMut(Part) -> bool,
) -> Result<(), IntakeError> {
    let mut buffer = carry;
    let mut wanted = limits.part_bytes;
    loop {
        let missing = wanted.saturating_sub(buffer.len());
        buffer.reserve(missing + 1);
        let read = (&mut *reader)
            .take(missing as u64)
            .read_to_end(&mut buffer)
            .map_err(read_error)?;
        if read < missing {
            if !buffer.is_empty() {
                send(Part { bytes: buffer });
            }
            return Ok(());
        }
        match format.boundary(&buffer) {
            Some(end) => {
                let rest = buffer[end..].to_vec();
                buffer.truncate(end);
                if !send(Part { bytes: buffer }) {
                    return Ok(());
                }
                buffer = Vec::with_capacity(limits.part_bytes + 1);
                buffer.extend_from_slice(&rest);
                wanted = limits.part_bytes.max(rest.len() + 1);
            }
            None if buffer.len() >= limits.record_bytes => {
                return Err(Refusal::new(
                    RefusalRule::TooLarge,
                    format!(
                        "a record is longer than {} MiB: a quote is never closed or newlines are missing",
                        limits.record_bytes >> 20
                    ),
                )
                .into());
            }
            None => wanted = (wanted * 2).min(limits.record_bytes),
        }
    }
}
