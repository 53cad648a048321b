//! Results on standard output: tables for people, CSV, JSON and NDJSON for programs.

use std::io::{ErrorKind, StdoutLock, Write};

use anyhow::Result;
use arrow_array::RecordBatch;
use arrow_cast::display::FormatOptions;

use crate::arguments::OutputFormat;

/// A writer whose reader may leave before the end, as `head` does. What is written afterwards goes nowhere and the
/// command does the rest of its work; any other failure is one.
pub struct UntilClosed<W> {
    out: W,
    is_closed: bool,
}

/// Standard output, until its reader leaves.
pub fn stdout() -> UntilClosed<StdoutLock<'static>> {
    UntilClosed::new(std::io::stdout().lock())
}

impl<W: Write> UntilClosed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            is_closed: false,
        }
    }

    fn unless_closed<T>(
        &mut self,
        when_closed: T,
        write: impl FnOnce(&mut W) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        if self.is_closed {
            return Ok(when_closed);
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(when_closed)
            }
            written => written,
        }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.unless_closed(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.unless_closed((), Write::flush)
    }
}

/// Writes record batches in the asked format.
pub fn write_batches(
    batches: &[RecordBatch],
    format: OutputFormat,
    out: &mut impl Write,
) -> Result<()> {
    match format {
        OutputFormat::Table => {
            let options = FormatOptions::new().with_display_error(true);
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let table = arrow_cast::pretty::pretty_format_batches_with_options(batches, &options)?;
            let table = visible(&table.to_string());
            let noun = if rows == 1 { "row" } else { "rows" };
            writeln!(out, "{table}\n({rows} {noun})")?;
        }
        OutputFormat::Csv => {
            let mut writer = arrow_csv::WriterBuilder::new()
                .with_header(true)
                .build(&mut *out);
            for batch in batches {
                writer.write(batch)?;
            }
        }
        OutputFormat::Json => {
            let mut writer = arrow_json::ArrayWriter::new(&mut *out);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
            writeln!(out)?;
        }
        OutputFormat::Ndjson => {
            let mut writer = arrow_json::LineDelimitedWriter::new(&mut *out);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
    }
    Ok(())
}

/// Writes rows of text under a header in the asked format.
pub fn write_rows(
    header: &[&str],
    rows: &[Vec<String>],
    format: OutputFormat,
    out: &mut impl Write,
) -> Result<()> {
    let columns = header.iter().enumerate().map(|(column, name)| {
        let values: arrow_array::StringArray = rows
            .iter()
            .map(|row| row.get(column).map(String::as_str))
            .collect();
        (*name, std::sync::Arc::new(values) as arrow_array::ArrayRef)
    });
    write_batches(&[RecordBatch::try_from_iter(columns)?], format, out)
}

/// A table whose values steer no terminal: what quarantine keeps is shown as it was delivered.
fn visible(table: &str) -> String {
    let mut text = String::with_capacity(table.len());
    for letter in table.chars() {
        if letter.is_control() && letter != '\n' {
            text.extend(letter.escape_unicode());
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_steer_no_terminal() {
        let mut out = Vec::new();
        let rows = [vec!["\u{1B}]0;title\u{7}가".to_owned()]];
        write_rows(&["raw_value"], &rows, OutputFormat::Table, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\\u{1b}]0;title\\u{7}가"), "{text}");
        assert!(
            text.chars()
                .all(|letter| letter == '\n' || !letter.is_control())
        );
    }

    /// Fails with one kind of error from the second write on.
    struct Failing(usize, ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Ok(bytes.len()),
                _ => Err(self.1.into()),
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn reader_that_leaves_is_no_error_and_a_full_disk_is() {
        let rows = vec![vec!["x".repeat(9000)]; 20];
        for format in [
            OutputFormat::Table,
            OutputFormat::Csv,
            OutputFormat::Json,
            OutputFormat::Ndjson,
        ] {
            let write = |kind| {
                let mut out = UntilClosed::new(Failing(0, kind));
                write_rows(&["value"], &rows, format, &mut out).and(Ok(out.is_closed))
            };
            assert!(write(ErrorKind::BrokenPipe).unwrap());
            assert!(write(ErrorKind::StorageFull).is_err());
        }
    }
}
