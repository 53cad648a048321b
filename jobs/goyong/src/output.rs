//! Results on standard output: tables for people, CSV, JSON and NDJSON for programs.

use std::io::Write;

use anyhow::Result;
use arrow_array::RecordBatch;
use arrow_cast::display::FormatOptions;

use crate::arguments::OutputFormat;

/// Writes record batches in the asked format. A reader that closes the pipe early is no error.
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
            ignore_closed_pipe(writeln!(
                out,
                "{table}\n({rows} {})",
                if rows == 1 { "row" } else { "rows" }
            ))?;
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
            ignore_closed_pipe(writeln!(out))?;
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

fn ignore_closed_pipe(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
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
}
