//! Delimited text, split on raw bytes: no trail byte of CP949 is a delimiter, quote or newline.

use std::collections::HashMap;

use goyong_catalog::contract::{CsvFormat, Encoding, QuoteEscape};

use crate::chunks::{ChunkFormat, Part};
use crate::drift::Columns;
use crate::encoding::TextDecoder;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::header::{Mapping, fill_header_lines, join_header_lines};
use crate::plan::Plan;
use crate::read::HEAD_BYTES;
use crate::rows::{Cell, ParsedRows, RowBuilder, RowContext, shown_value};

/// A delimited file whose header has been read.
pub(crate) struct CsvChunks<'p> {
    plan: &'p Plan,
    splitter: Splitter,
    mapping: Mapping,
}

/// How records are cut.
#[derive(Clone, Copy)]
pub(crate) struct Splitter {
    delimiter: u8,
    quote: Option<u8>,
    escape: QuoteEscape,
    comment: Option<u8>,
}

/// One field: a range of the chunk, or of the scratch buffer when quotes were taken out.
#[derive(Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    is_unescaped: bool,
}

/// The fields of the record under work.
#[derive(Default)]
pub(crate) struct Record {
    fields: Vec<Field>,
    unescaped: Vec<u8>,
    /// Text behind a closing quote.
    is_malformed: bool,
    /// A quote never closes.
    is_open: bool,
    /// Fields behind the most that are kept.
    beyond: usize,
}

/// Most fields of a record that are kept: a long line of delimiters must not take a multiple of
/// its own size.
const MOST_FIELDS: usize = 1 << 16;

impl Record {
    pub fn field<'c>(&'c self, chunk: &'c [u8], index: usize) -> &'c [u8] {
        let field = self.fields[index];
        if field.is_unescaped {
            &self.unescaped[field.start..field.end]
        } else {
            &chunk[field.start..field.end]
        }
    }

    pub fn len(&self) -> usize {
        self.fields.len() + self.beyond
    }
}

impl Splitter {
    pub fn new(format: &CsvFormat) -> Self {
        Self {
            delimiter: format.delimiter,
            quote: format.quote,
            escape: format.escape,
            comment: format.comment,
        }
    }

    /// Cuts the record at `start`; returns where the next one starts. Blank and comment lines are
    /// stepped over; `record` is empty when the chunk ends before a record.
    #[inline]
    pub fn split(&self, chunk: &[u8], start: usize, record: &mut Record) -> usize {
        record.fields.clear();
        record.unescaped.clear();
        record.is_malformed = false;
        record.is_open = false;
        record.beyond = 0;
        let mut at = start;
        while let Some(byte) = chunk.get(at) {
            match byte {
                b'\n' | b'\r' => at += 1,
                byte if Some(*byte) == self.comment => at = end_of_line(chunk, at),
                _ => break,
            }
        }
        if at >= chunk.len() {
            return at;
        }
        loop {
            let end = match self.quote {
                Some(quote) if chunk.get(at) == Some(&quote) => {
                    self.quoted_field(chunk, at, quote, record)
                }
                _ => {
                    let end = field_end(chunk, at, self.delimiter);
                    record.fields.push(Field {
                        start: at,
                        end,
                        is_unescaped: false,
                    });
                    end
                }
            };
            if record.fields.len() > MOST_FIELDS {
                record.fields.truncate(MOST_FIELDS);
                record.beyond += 1;
            }
            match chunk.get(end) {
                Some(byte) if *byte == self.delimiter => at = end + 1,
                Some(b'\r') if chunk.get(end + 1) == Some(&b'\n') => return end + 2,
                Some(_) => return end + 1,
                None => return end,
            }
        }
    }

    /// Reads the field whose quote opens at `open`; returns the position behind it.
    fn quoted_field(&self, chunk: &[u8], open: usize, quote: u8, record: &mut Record) -> usize {
        let start = open + 1;
        let mut at = start;
        let mut copied: Option<usize> = None;
        let mut kept = start;
        loop {
            let found = match self.escape {
                QuoteEscape::Doubled => memchr::memchr(quote, &chunk[at..]),
                QuoteEscape::Backslash => memchr::memchr2(quote, b'\\', &chunk[at..]),
            };
            let Some(position) = found.map(|offset| at + offset) else {
                record.is_open = true;
                record.fields.push(Field {
                    start,
                    end: chunk.len(),
                    is_unescaped: false,
                });
                return chunk.len();
            };
            let is_escape = chunk[position] != quote
                || (self.escape == QuoteEscape::Doubled && chunk.get(position + 1) == Some(&quote));
            if is_escape && position + 1 < chunk.len() {
                // Keep what stands before the escape, drop it, keep the escaped character.
                let begin = *copied.get_or_insert(record.unescaped.len());
                debug_assert!(begin <= record.unescaped.len());
                record.unescaped.extend_from_slice(&chunk[kept..position]);
                record.unescaped.push(chunk[position + 1]);
                at = position + 2;
                kept = at;
                continue;
            }
            if is_escape {
                at = position + 1;
                continue;
            }
            record.fields.push(match copied {
                None => Field {
                    start,
                    end: position,
                    is_unescaped: false,
                },
                Some(begin) => {
                    record.unescaped.extend_from_slice(&chunk[kept..position]);
                    Field {
                        start: begin,
                        end: record.unescaped.len(),
                        is_unescaped: true,
                    }
                }
            });
            let end = field_end(chunk, position + 1, self.delimiter);
            record.is_malformed |= end != position + 1;
            return end;
        }
    }

    /// Position behind the last complete record; the chunk starts at a record.
    fn boundary(&self, chunk: &[u8]) -> Option<usize> {
        let Some(quote) = self.quote else {
            return last_newline(chunk);
        };
        if self.comment.is_some() {
            return self.boundary_record_by_record(chunk);
        }
        let mut boundary = None;
        let mut outside_from = 0;
        loop {
            // A quote opens only where a field starts; elsewhere it is a character.
            let mut search = outside_from;
            let open = loop {
                let Some(offset) = memchr::memchr(quote, &chunk[search..]) else {
                    break None;
                };
                let position = search + offset;
                let opens = match position.checked_sub(1) {
                    None => true,
                    Some(before) => {
                        let before = chunk[before];
                        before == self.delimiter || before == b'\n' || before == b'\r'
                    }
                };
                if opens {
                    break Some(position);
                }
                search = position + 1;
            };
            let outside = &chunk[outside_from..open.unwrap_or(chunk.len())];
            if let Some(newline) = last_newline(outside) {
                boundary = Some(outside_from + newline);
            }
            let Some(close) = open.and_then(|open| self.closing_quote(chunk, open, quote)) else {
                return boundary;
            };
            outside_from = close + 1;
        }
    }

    fn closing_quote(&self, chunk: &[u8], open: usize, quote: u8) -> Option<usize> {
        let mut at = open + 1;
        loop {
            let offset = match self.escape {
                QuoteEscape::Doubled => memchr::memchr(quote, &chunk[at..]),
                QuoteEscape::Backslash => memchr::memchr2(quote, b'\\', &chunk[at..]),
            }?;
            let position = at + offset;
            let is_escape = chunk[position] != quote
                || (self.escape == QuoteEscape::Doubled && chunk.get(position + 1) == Some(&quote));
            if !is_escape {
                return Some(position);
            }
            at = (position + 2).min(chunk.len());
        }
    }

    /// Comment lines may hold quotes that mean nothing, so records are cut one by one.
    fn boundary_record_by_record(&self, chunk: &[u8]) -> Option<usize> {
        let mut record = Record::default();
        let (mut at, mut boundary) = (0, None);
        while at < chunk.len() {
            at = self.split(chunk, at, &mut record);
            let ended_by_newline = at > 0 && matches!(chunk[at - 1], b'\n' | b'\r');
            if !record.is_open && ended_by_newline && at <= chunk.len() {
                boundary = Some(at);
            }
        }
        boundary
    }
}

/// Position behind the last line feed, or behind the last carriage return of a file without any.
fn last_newline(bytes: &[u8]) -> Option<usize> {
    match memchr::memrchr(b'\n', bytes) {
        Some(position) => Some(position + 1),
        // The last byte may be half of a CRLF.
        None => {
            let searched = &bytes[..bytes.len().saturating_sub(1)];
            memchr::memrchr(b'\r', searched).map(|position| position + 1)
        }
    }
}

fn end_of_line(chunk: &[u8], at: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &chunk[at..]).map_or(chunk.len(), |offset| at + offset)
}

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Position of the next delimiter or newline.
///
/// Fields are short, so eight bytes at a time in a register beat a call into a vector search.
#[inline]
fn field_end(bytes: &[u8], mut at: usize, delimiter: u8) -> usize {
    let delimiters = LOW * u64::from(delimiter);
    let feeds = LOW * u64::from(b'\n');
    let returns = LOW * u64::from(b'\r');
    // Sets the high bit of zero bytes; above a true hit there may be false ones, never below.
    let zero_bytes = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    while let Some(word) = bytes.get(at..at + 8).and_then(|slice| slice.first_chunk()) {
        let word = u64::from_le_bytes(*word);
        let hits =
            zero_bytes(word ^ delimiters) | zero_bytes(word ^ feeds) | zero_bytes(word ^ returns);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte == delimiter || *byte == b'\n' || *byte == b'\r' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Reads the header at the start of the file; returns the reader and where the records start.
pub(crate) fn open<'p>(
    plan: &'p Plan,
    format: &CsvFormat,
    head: &[u8],
) -> Result<(CsvChunks<'p>, usize), IntakeError> {
    let splitter = Splitter::new(format);
    let mut at = 0;
    for _ in 0..format.skip_lines {
        at = end_of_line(head, at);
        at += usize::from(head.get(at) == Some(&b'\r') && head.get(at + 1) == Some(&b'\n'));
        at = (at + 1).min(head.len());
    }
    if format.header_lines == 0 {
        let mapping = Mapping::by_position(plan);
        return Ok((
            CsvChunks {
                plan,
                splitter,
                mapping,
            },
            at,
        ));
    }
    let mut lines = Vec::new();
    let mut record = Record::default();
    for _ in 0..format.header_lines {
        at = splitter.split(head, at, &mut record);
        if record.len() == 0 {
            return Err(Refusal::new(
                RefusalRule::Truncated,
                "the file ends before its header: ask the provider to send it again",
            )
            .into());
        }
        // A byte order mark was taken off the head.
        if record.is_open || record.beyond > 0 || (at == head.len() && head.len() + 3 >= HEAD_BYTES)
        {
            return Err(unending_header(&record).into());
        }
        if record.is_malformed {
            return Err(Refusal::new(
                RefusalRule::Header,
                "text stands behind a closing quote in the header: ask the provider to send it again",
            )
            .into());
        }
        let mut line = Vec::with_capacity(record.len());
        for index in 0..record.len() {
            line.push(header_text(plan, record.field(head, index))?);
        }
        lines.push(line);
    }
    if format.fill_header {
        fill_header_lines(&mut lines);
    }
    let mut headers = join_header_lines(&lines);
    let mut notices = Vec::new();
    if format.drop_phantom_last_column && headers.last().is_some_and(String::is_empty) {
        headers.pop();
        notices.push("the empty column behind the trailing delimiter was dropped".to_owned());
    }
    let has_phantom = !notices.is_empty();
    if format.number_repeated_headers {
        notices.extend(number_headers(&mut headers));
    }
    let mut mapping = Mapping::by_header(plan, &headers)?;
    if has_phantom {
        mapping.phantom = Some(mapping.fields);
        mapping.fields += 1;
    }
    notices.append(&mut mapping.notices);
    mapping.notices = notices;
    Ok((
        CsvChunks {
            plan,
            splitter,
            mapping,
        },
        at,
    ))
}

fn unending_header(record: &Record) -> Refusal {
    let (rule, what) = if record.is_open {
        (RefusalRule::Truncated, "a quote in the header never closes")
    } else if record.beyond > 0 {
        (RefusalRule::TooLarge, "the header has too many columns")
    } else {
        (RefusalRule::TooLarge, "the header line does not end")
    };
    Refusal::new(
        rule,
        format!(
            "{what}: at most {MOST_FIELDS} columns in {} KiB are read; newlines are missing or the file is cut off",
            HEAD_BYTES >> 10
        ),
    )
}

/// Tells repeated and empty header texts apart by a number.
fn number_headers(headers: &mut [String]) -> Option<String> {
    let mut numbered = Vec::new();
    // How often each text stood before, with and without a number.
    let mut earlier: HashMap<String, usize> = HashMap::new();
    for (column, header) in headers.iter_mut().enumerate() {
        let text = header.trim().to_owned();
        if text.is_empty() {
            *header = format!("column {}", column + 1);
            numbered.push(header.clone());
        } else if let Some(times) = earlier.get(&text) {
            *header = format!("{text} ({})", times + 1);
            numbered.push(header.clone());
        }
        *earlier.entry(header.clone()).or_default() += 1;
        if let Some(base) = without_number_mark(header) {
            *earlier.entry(base.to_owned()).or_default() += 1;
        }
    }
    (!numbered.is_empty()).then(|| {
        format!(
            "headers are repeated or empty, they were numbered: {}",
            numbered
                .iter()
                .map(|header| format!("`{header}`"))
                .collect::<Vec<_>>()
                .join(", ")
        )
    })
}

/// A text before ` (2)` and its kind.
fn without_number_mark(text: &str) -> Option<&str> {
    let (base, number) = text.strip_suffix(')')?.rsplit_once(" (")?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(base)
}

fn header_text(plan: &Plan, raw: &[u8]) -> Result<String, Refusal> {
    if let Some(text) = plan.decoder.decode(raw) {
        return Ok(text);
    }
    let other = match plan.contract.format.encoding {
        Encoding::Cp949 => (TextDecoder::Utf8, "utf-8"),
        _ => (TextDecoder::Cp949, "cp949"),
    };
    let hint = match other.0.decode(raw) {
        Some(_) => format!(
            "it reads as {}: correct `encoding` in the contract",
            other.1
        ),
        None => "ask the provider which encoding it is".to_owned(),
    };
    Err(Refusal::new(
        RefusalRule::Encoding,
        format!(
            "the header does not decode as {}, {hint}",
            plan.contract.format.encoding.as_str()
        ),
    ))
}

impl CsvChunks<'_> {
    /// What a person should know about the header.
    pub fn notices(&self) -> &[String] {
        &self.mapping.notices
    }

    /// The file's columns and where they differ from the contract's.
    pub fn columns(&self) -> &Columns {
        &self.mapping.columns
    }
}

impl ChunkFormat for CsvChunks<'_> {
    fn boundary(&self, chunk: &[u8]) -> Option<usize> {
        self.splitter.boundary(chunk)
    }

    fn parse(&self, part: &Part, context: &RowContext) -> Result<ParsedRows, IntakeError> {
        let chunk = part.bytes.as_slice();
        let mut builder = RowBuilder::new(self.plan, context);
        let mut record = Record::default();
        let mut at = 0;
        let mut count = 0u32;
        while at < chunk.len() {
            let start = at;
            at = self.splitter.split(chunk, at, &mut record);
            if record.len() == 0 {
                break;
            }
            if record.is_open {
                return Err(Refusal::new(
                    RefusalRule::Truncated,
                    format!(
                        "a quote that opens in the last {} bytes never closes: the file is cut off or a quote is missing",
                        chunk.len() - record.fields.last().map_or(0, |field| field.start)
                    ),
                )
                .into());
            }
            self.push(&mut builder, &record, chunk, start..at, count);
            count += 1;
        }
        let mut rows = builder.finish()?;
        rows.record_count = u64::from(count);
        Ok(rows)
    }
}

impl CsvChunks<'_> {
    #[inline]
    fn push(
        &self,
        builder: &mut RowBuilder<'_>,
        record: &Record,
        chunk: &[u8],
        whole: std::ops::Range<usize>,
        number: u32,
    ) {
        let mapping = &self.mapping;
        let broken = if record.is_malformed {
            // Which column the text belongs to is uncertain, so it is not shown.
            Some(("quoting", None))
        } else if record.len() != mapping.fields {
            let found = record.len();
            let shown = format!("{found} fields instead of {}", mapping.fields);
            Some(("field_count", Some(shown)))
        } else {
            match mapping.phantom.map(|field| record.field(chunk, field)) {
                None | Some(b"") => None,
                Some(raw) => Some(("phantom_column", Some(shown_value(self.plan, raw)))),
            }
        };
        if let Some((rule, shown)) = broken {
            let whole = Some(&chunk[whole]);
            for _ in 0..mapping.variants.len().max(1) {
                if builder.is_overfull() {
                    return;
                }
                builder.push_broken(number, rule, shown.clone(), whole, |_| Cell::Missing);
            }
            return;
        }
        let field = |index: usize| Cell::Raw(record.field(chunk, index));
        if mapping.variants.is_empty() {
            builder.push(number, |column| mapping.cell(column, None, field));
        } else {
            for variant in &mapping.variants {
                if builder.is_overfull() {
                    return;
                }
                builder.push(number, |column| mapping.cell(column, Some(variant), field));
            }
        }
    }
}

#[cfg(test)]
mod tests;
