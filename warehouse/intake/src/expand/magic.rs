//! What the first bytes of a file say it is, against what the contract says.

use goyong_catalog::contract::{Compression, Encoding, Format, FormatKind};

use crate::error::{Refusal, RefusalRule};

/// Bytes that are enough to tell.
pub(crate) const HEAD_BYTES: usize = 512;

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Gzip,
    Zstd,
    Zip,
    SevenZip,
    Parquet,
    /// Excel before 2007, Hangul documents, and workbooks under a password.
    CompoundFile,
    Pdf,
    Html,
    /// Text, or anything without a mark.
    Unmarked,
}

impl Content {
    fn of(head: &[u8]) -> Self {
        let marks: [(&[u8], Self); 8] = [
            (b"\x1f\x8b", Self::Gzip),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"PK\x03\x04", Self::Zip),
            (b"PK\x05\x06", Self::Zip),
            (b"7z\xbc\xaf\x27\x1c", Self::SevenZip),
            (b"PAR1", Self::Parquet),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Self::CompoundFile),
            (b"%PDF-", Self::Pdf),
        ];
        if let Some((_, content)) = marks.iter().find(|(mark, _)| head.starts_with(mark)) {
            return *content;
        }
        let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
        let text = text.trim_ascii_start();
        let starts_with = |word: &[u8]| {
            text.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        if starts_with(b"<!doctype html") || starts_with(b"<html") {
            return Self::Html;
        }
        Self::Unmarked
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip file",
            Self::Zstd => "a Zstandard file",
            Self::Zip => "a zip archive",
            Self::SevenZip => "a 7z archive",
            Self::Parquet => "a Parquet file",
            Self::CompoundFile => "an old office document or a workbook under a password",
            Self::Pdf => "a PDF document",
            Self::Html => "a web page",
            Self::Unmarked => "not compressed",
        }
    }
}

/// The compression of a file with this beginning, which the contract may leave to the file.
pub(crate) fn compression_of(format: &Format, head: &[u8]) -> Compression {
    if format.compression != Compression::Detect {
        return format.compression;
    }
    match Content::of(head) {
        Content::Gzip => Compression::Gzip,
        Content::Zstd => Compression::Zstd,
        Content::Zip => Compression::Zip,
        _ => Compression::None,
    }
}

/// Refuses a file that is visibly something else than its contract says. An empty file is left to
/// the reader, which knows what is missing.
pub(crate) fn refuse_other_content(format: &Format, head: &[u8]) -> Result<(), Refusal> {
    if head.is_empty() {
        return Ok(());
    }
    let found = Content::of(head);
    let wanted = match compression_of(format, head) {
        Compression::Gzip => Content::Gzip,
        Compression::Zstd => Content::Zstd,
        Compression::Zip => Content::Zip,
        Compression::None | Compression::Detect => return refuse_other_layout(format, head),
    };
    if found == wanted {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalRule::Malformed,
        format!(
            "the file is {}, the contract says compression {}: {}",
            found.name(),
            format.compression.as_str(),
            advice(found)
        ),
    ))
}

/// The same for what a decompressor put out.
pub(crate) fn refuse_other_layout(format: &Format, head: &[u8]) -> Result<(), Refusal> {
    let found = Content::of(head);
    let wanted = match format.kind {
        FormatKind::Xlsx(_) => Content::Zip,
        FormatKind::Parquet => Content::Parquet,
        _ => {
            refuse_other_byte_order_mark(format, head)?;
            Content::Unmarked
        }
    };
    // What has no mark of its own is explained by the reader that cannot read it.
    if found == wanted || found == Content::Unmarked {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalRule::Malformed,
        format!(
            "the file is {}, the contract says {}: {}",
            found.name(),
            format.kind.as_str(),
            advice(found)
        ),
    ))
}

/// A mark of an encoding the contract does not name means the contract is wrong, not the rows.
fn refuse_other_byte_order_mark(format: &Format, head: &[u8]) -> Result<(), Refusal> {
    let declared = format.encoding;
    let marked = if head.starts_with(b"\xFF\xFE") {
        Encoding::Utf16Le
    } else if head.starts_with(b"\xFE\xFF") {
        Encoding::Utf16Be
    } else if head.starts_with(b"\xEF\xBB\xBF") {
        Encoding::Utf8
    } else {
        return Ok(());
    };
    if marked == declared {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalRule::Encoding,
        format!(
            "the file starts with the mark of {}, the contract says {}: correct `encoding`",
            marked.as_str(),
            declared.as_str()
        ),
    ))
}

fn advice(found: Content) -> &'static str {
    match found {
        Content::Gzip | Content::Zstd | Content::Zip | Content::Unmarked => {
            "correct `compression` in the contract"
        }
        Content::Parquet => "correct `kind` in the contract",
        Content::SevenZip => "ask the provider for zip, gzip or zstd",
        Content::CompoundFile => "ask the provider for xlsx without a password",
        Content::Pdf => "ask the provider for the data",
        Content::Html => "the provider answered with a page instead of the data; fetch it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"PK\x03\x04....", Content::Zip)]
    #[case(b"\x1f\x8b\x08", Content::Gzip)]
    #[case(b"\x28\xb5\x2f\xfd", Content::Zstd)]
    #[case(b"\xEF\xBB\xBF \n<!DOCTYPE HTML>", Content::Html)]
    #[case(b"<html lang=ko>", Content::Html)]
    #[case(b"<htm", Content::Unmarked)]
    #[case(b"a,b\n", Content::Unmarked)]
    #[case(b"", Content::Unmarked)]
    fn files_are_told_by_their_first_bytes(#[case] head: &[u8], #[case] expected: Content) {
        assert_eq!(Content::of(head), expected);
    }
}
