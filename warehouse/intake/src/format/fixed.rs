//! Records of a fixed number of bytes; offsets count bytes of the source encoding.

use goyong_catalog::contract::{FixedFormat, Newline};

use crate::chunks::{ChunkFormat, Part};
use crate::error::IntakeError;
use crate::plan::Plan;
use crate::rows::{Cell, ParsedRows, RowBuilder, RowContext};

/// A fixed-width file.
pub(crate) struct FixedChunks<'p> {
    plan: &'p Plan,
    format: FixedFormat,
    at: Vec<(usize, usize)>,
}

impl<'p> FixedChunks<'p> {
    pub fn new(plan: &'p Plan, format: FixedFormat) -> Self {
        let at = plan
            .columns
            .iter()
            .map(|column| column.at.unwrap_or((0, 0)))
            .collect();
        Self { plan, format, at }
    }

    fn push(&self, builder: &mut RowBuilder<'_>, record: &[u8], number: u32) {
        if record.len() == self.format.record_bytes {
            builder.push(number, |column| {
                let (start, length) = self.at[column];
                Cell::Raw(&record[start..start + length])
            });
            return;
        }
        // Offsets mean nothing in a record of another length.
        let shown = format!(
            "{} bytes instead of {}",
            record.len(),
            self.format.record_bytes
        );
        builder.push_broken(number, "record_length", Some(shown), Some(record), |_| {
            Cell::Missing
        });
    }
}

impl ChunkFormat for FixedChunks<'_> {
    fn boundary(&self, bytes: &[u8]) -> Option<usize> {
        match self.format.newline {
            Newline::None => {
                let end = bytes.len() - bytes.len() % self.format.record_bytes.max(1);
                (end > 0).then_some(end)
            }
            _ => memchr::memrchr(b'\n', bytes).map(|position| position + 1),
        }
    }

    fn parse(&self, part: &Part, context: &RowContext) -> Result<ParsedRows, IntakeError> {
        let mut builder = RowBuilder::new(self.plan, context);
        let mut count = 0u32;
        let bytes = part.bytes.as_slice();
        if self.format.newline == Newline::None {
            for record in bytes.chunks(self.format.record_bytes.max(1)) {
                self.push(&mut builder, record, count);
                count += 1;
            }
        } else {
            let mut at = 0;
            while at < bytes.len() {
                let end =
                    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |offset| at + offset);
                let mut record = &bytes[at..end];
                at = end + 1;
                // Some writers end lines as the platform does, whatever was agreed.
                if let [head @ .., b'\r'] = record
                    && record.len() == self.format.record_bytes + 1
                {
                    record = head;
                }
                let is_end_of_file_mark = record == b"\x1a" || record.is_empty() || record == b"\r";
                if is_end_of_file_mark {
                    continue;
                }
                self.push(&mut builder, record, count);
                count += 1;
            }
        }
        let mut rows = builder.finish()?;
        rows.record_count = u64::from(count);
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{limits, plan, read_text, read_with};
    use rstest::rstest;

    const CONTRACT: &str = "format: {kind: fixed, encoding: cp949, record_bytes: 8}
columns:
  - {name: a, type: int, at: [0, 3]}
  - {name: b, type: string, nullable: true, at: [3, 5]}
";

    #[rstest]
    #[case::lf("lf", b"001\xb0\xa1   \n002abcde\n", "1,가;2,abcde", &[])]
    #[case::crlf("crlf", b"001\xb0\xa1   \r\n002abcde\r\n", "1,가;2,abcde", &[])]
    #[case::none("none", b"001\xb0\xa1   002abcde", "1,가;2,abcde", &[])]
    #[case::short("lf", b"001ab\n002abcde\n", "2,abcde", &["record_length"])]
    #[case::cut_off("none", b"001abcde002a", "1,abcde", &["record_length"])]
    #[case::half_character("lf", b"001abcd\xb0\n002     \n", "2,", &["encoding"])]
    #[case::cut_inside_a_letter("lf", b"001ab\xb0\xa1\xb0\n002abcde\n", "2,abcde", &["encoding"])]
    #[case::cut_inside_the_last_letter("none", b"001abcde002ab\xb0", "1,abcde", &["record_length"])]
    #[case::letter_over_the_edge("lf", b"001abcd\xb0\xa1\n002abcde\n", "2,abcde", &["record_length"])]
    #[case::two_letters("lf", b"001\xb0\xa1\xb0\xa1 \n002     \n", "1,가가;2,", &[])]
    #[case::end_mark("crlf", b"001abcde\r\n\x1a", "1,abcde", &[])]
    fn records_are_cut_by_bytes(
        #[case] newline: &str,
        #[case] bytes: &[u8],
        #[case] expected: &str,
        #[case] rules: &[&str],
    ) {
        let contract = CONTRACT.replace(
            "record_bytes: 8",
            &format!("record_bytes: 8, newline: {newline}"),
        );
        let outcome = read_text(&plan(&contract), bytes).unwrap();
        assert_eq!(outcome.csv(&["a", "b"]), expected);
        assert_eq!(outcome.rules(), rules);
        let tiny = read_with(&plan(&contract), bytes, limits(2, 5)).unwrap();
        assert_eq!(tiny.csv(&["a", "b"]), expected);
    }
}
