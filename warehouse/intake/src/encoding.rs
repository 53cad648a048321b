//! Bytes to text, never lossy: what does not decode is reported, not replaced.

use std::io::{self, Read};
use std::sync::LazyLock;

use encoding_rs::{DecoderResult, EUC_KR, UTF_8, UTF_16BE, UTF_16LE};
use goyong_catalog::contract::Encoding;

/// Stands in a transcoded stream where bytes did not decode: the noncharacter U+FDD0, so that no
/// legitimate text holds it. A value that holds it is quarantined.
const UNDECODABLE: &[u8] = "\u{FDD0}".as_bytes();

/// How the bytes of a field become UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextDecoder {
    /// Checked as UTF-8.
    Utf8,
    /// Decoded from CP949.
    Cp949,
    /// Already UTF-8, from a [`TranscodingReader`].
    Transcoded,
}

/// Code points of CP949's two-byte characters, 0 where none is assigned.
static CP949: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut table = vec![0u16; CP949_LEADS * 256];
    for lead in 0x81..=0xFEu8 {
        for trail in 0x41..=0xFEu8 {
            let decoded = EUC_KR
                .decode_without_bom_handling_and_without_replacement(&[lead, trail])
                .and_then(|text| {
                    let mut letters = text.chars();
                    match (letters.next(), letters.next()) {
                        (Some(letter), None) => u16::try_from(u32::from(letter)).ok(),
                        _ => None,
                    }
                });
            table[usize::from(lead - 0x81) * 256 + usize::from(trail)] = decoded.unwrap_or(0);
        }
    }
    table
});
const CP949_LEADS: usize = 0x7E;

impl TextDecoder {
    /// Appends the text to `output`; `false`, with `output` unchanged, when bytes do not decode.
    pub fn append(self, raw: &[u8], output: &mut Vec<u8>) -> bool {
        if raw.is_ascii() {
            output.extend_from_slice(raw);
            return true;
        }
        match self {
            Self::Utf8 => {
                let valid = std::str::from_utf8(raw).is_ok();
                if valid {
                    output.extend_from_slice(raw);
                }
                valid
            }
            Self::Transcoded => {
                let valid = memchr::memmem::find(raw, UNDECODABLE).is_none()
                    && std::str::from_utf8(raw).is_ok();
                if valid {
                    output.extend_from_slice(raw);
                }
                valid
            }
            Self::Cp949 => append_cp949(raw, output),
        }
    }

    /// The text, `None` when bytes do not decode.
    pub fn decode(self, raw: &[u8]) -> Option<String> {
        let mut output = Vec::with_capacity(raw.len() + raw.len() / 2);
        if !self.append(raw, &mut output) {
            return None;
        }
        String::from_utf8(output).ok()
    }
}

fn append_cp949(raw: &[u8], output: &mut Vec<u8>) -> bool {
    let table = &*CP949;
    let before = output.len();
    output.reserve(raw.len() + raw.len() / 2);
    let mut position = 0;
    while let Some(&lead) = raw.get(position) {
        if lead < 0x80 {
            output.push(lead);
            position += 1;
            continue;
        }
        let code_point = match raw.get(position + 1) {
            Some(&trail) if (0x81..=0xFE).contains(&lead) => {
                table[usize::from(lead - 0x81) * 256 + usize::from(trail)]
            }
            _ => 0,
        };
        if code_point < 0x80 {
            output.truncate(before);
            return false;
        }
        if code_point < 0x800 {
            output.push(0xC0 | (code_point >> 6) as u8);
        } else {
            output.push(0xE0 | (code_point >> 12) as u8);
            output.push(0x80 | (code_point >> 6 & 0x3F) as u8);
        }
        output.push(0x80 | (code_point & 0x3F) as u8);
        position += 2;
    }
    true
}

/// Turns a stream of any encoding into UTF-8, [`UNDECODABLE`] where bytes did not decode.
pub struct TranscodingReader<R> {
    inner: R,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    input_at: usize,
    input_end: usize,
    output: Vec<u8>,
    output_at: usize,
    finished: bool,
}

impl<R: Read> TranscodingReader<R> {
    /// Reads `inner` as `encoding`; a byte order mark is passed on as a character.
    pub fn new(inner: R, encoding: Encoding) -> Self {
        let encoding = match encoding {
            Encoding::Utf8 => UTF_8,
            Encoding::Cp949 => EUC_KR,
            Encoding::Utf16Le => UTF_16LE,
            Encoding::Utf16Be => UTF_16BE,
        };
        Self {
            inner,
            decoder: encoding.new_decoder_without_bom_handling(),
            input: vec![0; 64 * 1024],
            input_at: 0,
            input_end: 0,
            output: Vec::with_capacity(256 * 1024),
            output_at: 0,
            finished: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.output.clear();
        self.output_at = 0;
        while self.output.is_empty() && !self.finished {
            if self.input_at == self.input_end {
                self.input_end = self.inner.read(&mut self.input)?;
                self.input_at = 0;
            }
            let last = self.input_end == 0;
            self.decode_input(last);
        }
        Ok(())
    }

    fn decode_input(&mut self, last: bool) {
        loop {
            // The decoder writes only into spare capacity; give it room for the worst case.
            let start = self.output.len();
            let wanted = self
                .decoder
                .max_utf8_buffer_length_without_replacement(self.input_end - self.input_at)
                .unwrap_or(4 * self.input.len())
                + 16;
            self.output.resize(start + wanted, 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                &self.input[self.input_at..self.input_end],
                &mut self.output[start..],
                last,
            );
            self.output.truncate(start + written);
            self.input_at += read;
            match result {
                DecoderResult::InputEmpty => {
                    self.finished = last;
                    return;
                }
                DecoderResult::Malformed(..) => self.output.extend_from_slice(UNDECODABLE),
                DecoderResult::OutputFull => {}
            }
        }
    }
}

impl<R: Read> Read for TranscodingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.output_at == self.output.len() {
            self.fill()?;
        }
        let length = buffer.len().min(self.output.len() - self.output_at);
        buffer[..length].copy_from_slice(&self.output[self.output_at..self.output_at + length]);
        self.output_at += length;
        Ok(length)
    }
}

/// What a declaration such as `encoding="EUC-KR"` means, when it is an encoding we know.
pub fn declared_encoding(label: &str) -> Option<Encoding> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    if encoding == EUC_KR {
        Some(Encoding::Cp949)
    } else if encoding == UTF_8 {
        Some(Encoding::Utf8)
    } else if encoding == UTF_16LE {
        Some(Encoding::Utf16Le)
    } else if encoding == UTF_16BE {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

/// Text in an encoding, for literals compared with raw bytes; `None` when it cannot be written.
pub fn encode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    if encoding != Encoding::Cp949 || text.is_ascii() {
        return Some(text.as_bytes().to_vec());
    }
    let mut encoder = EUC_KR.new_encoder();
    let mut output = vec![0; text.len() * 2 + 16];
    let (result, _, written) =
        encoder.encode_from_utf8_without_replacement(text, &mut output, true);
    output.truncate(written);
    match result {
        encoding_rs::EncoderResult::InputEmpty => Some(output),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_two_byte_character_decodes_as_the_reference_does() {
        for lead in 0x80..=0xFFu8 {
            for trail in 0..=0xFFu8 {
                let raw = [lead, trail];
                let reference = EUC_KR
                    .decode_without_bom_handling_and_without_replacement(&raw)
                    .map(|text| text.into_owned());
                assert_eq!(TextDecoder::Cp949.decode(&raw), reference, "{raw:x?}");
            }
        }
    }

    #[rstest]
    #[case(
        TextDecoder::Cp949,
        b"\x8c\x63\xb9\xe6\xb0\xa2\xc7\xcf",
        Some("똠방각하")
    )]
    #[case(TextDecoder::Cp949, b"abc", Some("abc"))]
    #[case(TextDecoder::Cp949, b"\xb0", None)]
    #[case(TextDecoder::Cp949, b"\xb0\x20", None)]
    #[case(TextDecoder::Cp949, b"\xff\xff", None)]
    #[case(TextDecoder::Utf8, "똠".as_bytes(), Some("똠"))]
    #[case(TextDecoder::Utf8, b"\xb0\xa1", None)]
    #[case(TextDecoder::Transcoded, b"a\xEF\xB7\x90", None)]
    fn bytes_decode_or_are_refused(
        #[case] decoder: TextDecoder,
        #[case] raw: &[u8],
        #[case] expected: Option<&str>,
    ) {
        let mut output = b"before".to_vec();
        assert_eq!(decoder.append(raw, &mut output), expected.is_some());
        assert_eq!(
            output,
            format!("before{}", expected.unwrap_or("")).into_bytes()
        );
    }

    #[rstest]
    #[case(Encoding::Utf16Le, b"\x00\xac\x41\x00\x00\xd8", "가A\u{FDD0}")]
    #[case(Encoding::Utf16Be, b"\xac\x00\x00\x41", "가A")]
    #[case(Encoding::Cp949, b"\xb0\xa1\xff,\xb0", "가\u{FDD0},\u{FDD0}")]
    #[case(Encoding::Utf8, b"ab\xffcd", "ab\u{FDD0}cd")]
    fn streams_become_utf8_with_marks(
        #[case] encoding: Encoding,
        #[case] raw: &[u8],
        #[case] expected: &str,
    ) {
        for step in [1, 3, 64] {
            let mut reader = TranscodingReader::new(raw, encoding);
            let mut text = Vec::new();
            let mut buffer = vec![0; step];
            loop {
                let read = reader.read(&mut buffer).unwrap();
                if read == 0 {
                    break;
                }
                text.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }

    #[test]
    fn declared_names_are_recognised() {
        assert_eq!(declared_encoding("EUC-KR"), Some(Encoding::Cp949));
        assert_eq!(declared_encoding("utf-8"), Some(Encoding::Utf8));
        assert_eq!(declared_encoding("klingon"), None);
        assert_eq!(encode("예", Encoding::Cp949).unwrap(), b"\xbf\xb9");
        assert_eq!(encode("€🙂", Encoding::Cp949), None);
    }
}
