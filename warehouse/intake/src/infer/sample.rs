//! The bytes that are looked at, and what kind of file they are.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use goyong_catalog::contract::Encoding;

use super::unreadable;
use crate::encoding::TranscodingReader;
use crate::error::IntakeError;

/// Bytes of the start that are looked at, after expansion.
const HEAD_BYTES: u64 = 8 << 20;
/// Bytes of the middle and of the end of plain text.
const PIECE_BYTES: u64 = 1 << 20;
/// Most bytes of a workbook.
const WORKBOOK_BYTES: u64 = 256 << 20;

/// Kinds of file that can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Delimited,
    Fixed,
    Xlsx,
    Xml,
    Json,
    JsonLines,
    Parquet,
}

/// What of a file is looked at.
#[derive(Debug)]
pub(super) struct Sample {
    pub kind: Kind,
    /// `gzip`, `zstd` or `zip`.
    pub compression: Option<&'static str>,
    pub encoding: Encoding,
    /// Why that encoding.
    pub encoding_evidence: String,
    /// The start as text, cut at a line where the file goes on. Empty for workbooks and Parquet.
    pub text: String,
    /// Later pieces, each from the start of a line to the end of one.
    pub pieces: Vec<String>,
    /// The workbook.
    pub bytes: Vec<u8>,
    /// Bytes of the file as it lies there.
    pub file_bytes: u64,
    /// Whether text is the whole file.
    pub is_whole: bool,
}

impl Sample {
    pub fn read(path: &Path) -> Result<Self, IntakeError> {
        let open = |error| IntakeError::file("open", path, error);
        let read = |error| IntakeError::file("read", path, error);
        let mut file = File::open(path).map_err(open)?;
        let file_bytes = file.metadata().map_err(open)?.len();
        let mut magic = [0; 8];
        let magic_length = file.read(&mut magic).map_err(read)?;
        let magic = &magic[..magic_length];
        file.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut sample = Self {
            kind: Kind::Delimited,
            compression: None,
            encoding: Encoding::Utf8,
            encoding_evidence: String::new(),
            text: String::new(),
            pieces: Vec::new(),
            bytes: Vec::new(),
            file_bytes,
            is_whole: true,
        };
        if magic.is_empty() {
            return Err(unreadable("the file is empty".to_owned()));
        }
        if magic.starts_with(b"PAR1") {
            sample.kind = Kind::Parquet;
            return Ok(sample);
        }
        let mut head = Vec::new();
        if magic.starts_with(b"\x1f\x8b") {
            sample.compression = Some("gzip");
            expand(MultiGzDecoder::new(&mut file), &mut head)?;
        } else if magic.starts_with(b"\x28\xb5\x2f\xfd") {
            sample.compression = Some("zstd");
            let decoder = zstd::stream::read::Decoder::new(&mut file).map_err(damaged)?;
            expand(decoder, &mut head)?;
        } else if magic.starts_with(b"PK\x03\x04") {
            if file_bytes > WORKBOOK_BYTES {
                return Err(unreadable(format!(
                    "the archive has more than {} MiB",
                    WORKBOOK_BYTES >> 20
                )));
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(read)?;
            let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).map_err(damaged)?;
            if archive.by_name("xl/workbook.xml").is_ok() {
                sample.kind = Kind::Xlsx;
                sample.bytes = bytes;
                return Ok(sample);
            }
            if archive.len() != 1 {
                return Err(unreadable(format!(
                    "the archive holds {} files: unpack it and name one",
                    archive.len()
                )));
            }
            sample.compression = Some("zip");
            expand(archive.by_index(0).map_err(damaged)?, &mut head)?;
        } else {
            (&mut file)
                .take(HEAD_BYTES)
                .read_to_end(&mut head)
                .map_err(read)?;
        }
        sample.is_whole = match sample.compression {
            Some(_) => (head.len() as u64) < HEAD_BYTES,
            None => head.len() as u64 == file_bytes,
        };
        (sample.encoding, sample.encoding_evidence) = encoding_of(&head)?;
        let cut = if sample.is_whole {
            head.len()
        } else {
            end_of_lines(&head, sample.encoding)
        };
        sample.text = decode(&head[..cut], sample.encoding)?;
        sample.kind = kind_of(&sample.text, &head[..cut], sample.encoding);
        let has_lines = matches!(sample.kind, Kind::Delimited | Kind::Fixed | Kind::JsonLines);
        let is_wide = matches!(sample.encoding, Encoding::Utf16Le | Encoding::Utf16Be);
        if !sample.is_whole && sample.compression.is_none() && has_lines && !is_wide {
            for start in [file_bytes / 2, file_bytes.saturating_sub(PIECE_BYTES)] {
                let start = start.max(head.len() as u64);
                file.seek(SeekFrom::Start(start)).map_err(read)?;
                let mut piece = Vec::new();
                (&mut file)
                    .take(PIECE_BYTES)
                    .read_to_end(&mut piece)
                    .map_err(read)?;
                let from = memchr::memchr(b'\n', &piece).map_or(piece.len(), |at| at + 1);
                let to = end_of_lines(&piece, sample.encoding).max(from);
                sample
                    .pieces
                    .push(decode(&piece[from..to], sample.encoding)?);
            }
        }
        Ok(sample)
    }
}

fn expand(reader: impl Read, head: &mut Vec<u8>) -> Result<(), IntakeError> {
    let read = reader.take(HEAD_BYTES).read_to_end(head);
    match read {
        // What could be expanded is looked at; an ingest would refuse the rest.
        Err(_) if !head.is_empty() => Ok(()),
        other => other.map(|_| ()).map_err(damaged),
    }
}

fn damaged(error: impl std::fmt::Display) -> IntakeError {
    unreadable(format!("the compressed file is damaged: {error}"))
}

fn end_of_lines(bytes: &[u8], encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf8 | Encoding::Cp949 => {
            memchr::memrchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
        }
        // Two bytes a letter; a half surrogate pair decodes to nothing worth looking at.
        Encoding::Utf16Le | Encoding::Utf16Be => bytes.len() & !1,
    }
}

fn decode(bytes: &[u8], encoding: Encoding) -> Result<String, IntakeError> {
    let mut text = Vec::new();
    TranscodingReader::new(bytes, encoding)
        .read_to_end(&mut text)
        .map_err(|source| IntakeError::Stream { source })?;
    let text = String::from_utf8(text)
        .map_err(|_| unreadable("the file is no text that can be decoded".to_owned()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The encoding by mark, by zero bytes, by what decodes.
fn encoding_of(head: &[u8]) -> Result<(Encoding, String), IntakeError> {
    for (mark, encoding) in [
        (&b"\xEF\xBB\xBF"[..], Encoding::Utf8),
        (b"\xFF\xFE", Encoding::Utf16Le),
        (b"\xFE\xFF", Encoding::Utf16Be),
    ] {
        if head.starts_with(mark) {
            return Ok((encoding, "by its byte order mark".to_owned()));
        }
    }
    let zeros = |parity: usize| {
        head.iter()
            .skip(parity)
            .step_by(2)
            .take(4096)
            .filter(|byte| **byte == 0)
            .count()
    };
    let looked = head.len().min(8192) / 2;
    if looked > 0 {
        // A syllable such as 가 has a zero byte on the other side.
        if zeros(1) * 4 > looked && zeros(1) > 3 * zeros(0) {
            return Ok((Encoding::Utf16Le, "every second byte is zero".to_owned()));
        }
        if zeros(0) * 4 > looked && zeros(0) > 3 * zeros(1) {
            return Ok((Encoding::Utf16Be, "every second byte is zero".to_owned()));
        }
    }
    if head.is_ascii() {
        return Ok((
            Encoding::Utf8,
            "ASCII only; ask the provider which encoding Korean would have".to_owned(),
        ));
    }
    let letters = |encoding: &'static encoding_rs::Encoding| {
        let (text, _, _) = encoding.decode(head);
        let wrong = text.chars().filter(|letter| *letter == '\u{fffd}').count();
        let right = text
            .chars()
            .filter(|letter| !letter.is_ascii() && *letter != '\u{fffd}')
            .count();
        (wrong, right)
    };
    let (utf8_wrong, utf8_right) = letters(encoding_rs::UTF_8);
    let (cp949_wrong, cp949_right) = letters(encoding_rs::EUC_KR);
    // The sample may end in the middle of a letter.
    if utf8_wrong <= 1 {
        return Ok((
            Encoding::Utf8,
            format!("all {utf8_right} letters beyond ASCII decode"),
        ));
    }
    if cp949_wrong * 1000 <= cp949_right {
        return Ok((
            Encoding::Cp949,
            format!(
                "{cp949_right} letters decode, {cp949_wrong} do not; as utf-8 {utf8_wrong} do not"
            ),
        ));
    }
    if utf8_wrong * 1000 <= utf8_right {
        return Ok((
            Encoding::Utf8,
            format!("{utf8_right} letters decode, {utf8_wrong} do not"),
        ));
    }
    Err(unreadable(
        "the file is neither text in UTF-8, CP949 or UTF-16 nor a format that is known".to_owned(),
    ))
}

fn kind_of(text: &str, bytes: &[u8], encoding: Encoding) -> Kind {
    let start = text.trim_start();
    match start.chars().next() {
        Some('<') => return Kind::Xml,
        Some('{' | '[') => {
            let mut lines = start.lines().filter(|line| !line.trim().is_empty());
            let is_object = |line: &str| {
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok()
            };
            let first = lines.next().is_some_and(is_object);
            return match lines.next() {
                Some(second) if first && is_object(second) => Kind::JsonLines,
                _ => Kind::Json,
            };
        }
        _ => {}
    }
    if super::table::delimiter_of(text).is_none()
        && super::table::record_bytes(bytes, encoding).is_some()
    {
        return Kind::Fixed;
    }
    Kind::Delimited
}
