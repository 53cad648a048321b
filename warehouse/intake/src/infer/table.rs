//! Samples with rows and fields: delimited text, fixed width, workbooks, Parquet.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use calamine::{Data, Reader, Xlsx};
use goyong_catalog::contract::Encoding;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::profile::Profile;
use super::sample::Sample;
use super::{Layout, ROWS, Seen, unreadable};
use crate::encoding::encode;
use crate::error::IntakeError;
use crate::format::parquet::texts;
use crate::format::xlsx::refuse_bomb;
use crate::header::join_header_lines;

/// Bytes a workbook may expand to.
const WORKBOOK_EXPANDED: u64 = 1 << 30;
/// Lines looked at to find the delimiter and the header.
const TRIAL_LINES: usize = 200;

const DELIMITERS: [u8; 6] = [b',', b'\t', b';', b'|', b'^', b'~'];

fn reader(text: &str, delimiter: u8, comment: Option<u8>) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(comment)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
}

fn first_rows(text: &str, delimiter: u8, comment: Option<u8>) -> Vec<Vec<String>> {
    reader(text, delimiter, comment)
        .records()
        .map_while(Result::ok)
        .take(TRIAL_LINES)
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect()
}

/// Number of fields most rows have, and how many have it.
fn usual_width(rows: &[Vec<String>]) -> (usize, usize) {
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        *counts.entry(row.len()).or_insert(0usize) += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(width, count)| (*count, *width))
        .unwrap_or((0, 0))
}

/// The delimiter that cuts most lines into the same number of fields, more than one.
pub(super) fn delimiter_of(text: &str) -> Option<(u8, usize)> {
    let start: String = text
        .lines()
        .take(TRIAL_LINES)
        .fold(String::new(), |mut start, line| {
            start.push_str(line);
            start.push('\n');
            start
        });
    DELIMITERS
        .into_iter()
        .filter_map(|delimiter| {
            let rows = first_rows(&start, delimiter, None);
            let (width, count) = usual_width(&rows);
            (width > 1 && count * 10 >= rows.len() * 8).then_some((
                count * 1000 / rows.len().max(1),
                width,
                delimiter,
            ))
        })
        .max_by_key(|(share, width, _)| (*share, *width))
        .map(|(_, width, delimiter)| (delimiter, width))
}

/// Where data begins: lines before the header, lines of the header.
fn header_of(rows: &[Vec<String>], width: usize) -> (usize, usize) {
    let is_text = |cell: &String| {
        let cell = cell.trim();
        !cell.is_empty()
            && cell.parse::<f64>().is_err()
            && !cell.starts_with(|c: char| c.is_ascii_digit())
    };
    let is_header = |row: &Vec<String>| {
        let filled = row.iter().filter(|cell| !cell.trim().is_empty()).count();
        row.len() == width
            && filled > 0
            && row.iter().filter(|cell| is_text(cell)).count() * 10 >= filled * 8
    };
    let skipped = rows.iter().position(|row| row.len() == width).unwrap_or(0);
    let Some(first) = rows.get(skipped).filter(|row| is_header(row)) else {
        return (skipped, 0);
    };
    // If the rows below look just like the first, the first is data.
    let below: Vec<&Vec<String>> = rows.iter().skip(skipped + 1).take(50).collect();
    let is_same_everywhere = !below.is_empty()
        && (0..width).all(|column| {
            let kinds = below
                .iter()
                .filter(|row| row.get(column).is_some_and(|cell| is_text(cell)))
                .count();
            kinds * 10 >= below.len() * 9
        });
    let repeats_below = below.iter().any(|row| {
        row.iter()
            .zip(first)
            .any(|(cell, header)| !cell.trim().is_empty() && cell == header)
    });
    if is_same_everywhere && repeats_below {
        return (skipped, 0);
    }
    let has_gaps = first.iter().any(|cell| cell.trim().is_empty())
        || first
            .iter()
            .enumerate()
            .any(|(at, cell)| first[..at].contains(cell));
    let second_is_header = rows.get(skipped + 1).is_some_and(is_header);
    let third_has_numbers = rows.get(skipped + 2).is_some_and(|row| !is_header(row));
    let lines = if has_gaps && second_is_header && third_has_numbers {
        2
    } else {
        1
    };
    (skipped, lines)
}

pub(super) fn delimited(sample: &Sample) -> Result<Layout, IntakeError> {
    let comment = sample
        .text
        .lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.starts_with('#'))
        .then_some(b'#');
    let (delimiter, _) = delimiter_of(&sample.text).unwrap_or((b',', 1));
    let rows = first_rows(&sample.text, delimiter, comment);
    let (width, _) = usual_width(&rows);
    if width == 0 {
        return Err(unreadable("the file holds no line".to_owned()));
    }
    let (skipped, header_lines) = header_of(&rows, width);
    let headers = join_header_lines(&rows[skipped..(skipped + header_lines).min(rows.len())]);
    let mut layout = Layout::default();
    let mut option = |name: &str, value: String, evidence: String| {
        layout.options.push((name.to_owned(), value, evidence))
    };
    option("kind", "csv".to_owned(), String::new());
    option(
        "delimiter",
        match delimiter {
            b'\t' => "\"\\t\"".to_owned(),
            other => format!("\"{}\"", char::from(other)),
        },
        format!("{width} fields in most of the first {} rows", rows.len()),
    );
    if comment.is_some() {
        option(
            "comment",
            "\"#\"".to_owned(),
            "the file begins with it".to_owned(),
        );
    }
    if skipped > 0 {
        option(
            "skip_lines",
            skipped.to_string(),
            "lines before the header".to_owned(),
        );
    }
    match header_lines {
        0 => option(
            "header",
            "false".to_owned(),
            "the first row looks like the others".to_owned(),
        ),
        1 => {}
        lines => option(
            "header_lines",
            lines.to_string(),
            "the first header row has gaps or repeats".to_owned(),
        ),
    }
    let has_phantom = header_lines > 0
        && headers.last().is_some_and(String::is_empty)
        && rows
            .iter()
            .skip(skipped + header_lines)
            .all(|row| row.len() < width || row[width - 1].trim().is_empty());
    if has_phantom {
        option(
            "phantom_last_column",
            "drop".to_owned(),
            "every line ends in a delimiter".to_owned(),
        );
    }
    let columns = if has_phantom { width - 1 } else { width };
    let mut profiles: Vec<Profile> = (0..columns).map(|_| Profile::new()).collect();
    let texts = std::iter::once(&sample.text).chain(&sample.pieces);
    for (number, text) in texts.enumerate() {
        let skip = if number == 0 {
            skipped + header_lines
        } else {
            0
        };
        for record in reader(text, delimiter, comment)
            .records()
            .map_while(Result::ok)
            .skip(skip)
        {
            if layout.rows as usize >= ROWS {
                break;
            }
            if record.len() != width {
                layout.odd_rows += 1;
                continue;
            }
            layout.rows += 1;
            for (profile, value) in profiles.iter_mut().zip(record.iter()) {
                profile.add(value);
            }
        }
    }
    if layout.odd_rows > 0 {
        layout.notes.push(format!(
            "{} rows have another number of fields and would be quarantined",
            layout.odd_rows
        ));
    }
    let spaces: u64 = profiles.iter().map(|profile| profile.spaces_around).sum();
    if spaces > 0 {
        layout.options.push((
            "trim".to_owned(),
            "true".to_owned(),
            format!("{spaces} values have spaces around them"),
        ));
    }
    let unnamed = headers
        .iter()
        .take(columns)
        .filter(|header| header.is_empty())
        .count();
    if header_lines > 0 && unnamed > 0 {
        layout
            .notes
            .push(format!("{unnamed} columns have no header and are left out"));
    }
    for (position, profile) in profiles.into_iter().enumerate() {
        let from = headers.get(position).cloned().unwrap_or_default();
        if header_lines > 0 && from.is_empty() {
            continue;
        }
        layout.columns.push(Seen {
            from,
            at: (header_lines == 0).then_some((position, 1)),
            profile,
        });
    }
    Ok(layout)
}

/// Bytes of every line but the last, when they all agree.
pub(super) fn record_bytes(bytes: &[u8], encoding: Encoding) -> Option<usize> {
    if matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
        return None;
    }
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty() && *line != b"\x1a")
        .take(TRIAL_LINES);
    let first = lines.next()?.len();
    let mut others = 0;
    let agree = lines.all(|line| {
        others += 1;
        line.len() == first
    });
    (agree && others > 0 && first > 1).then_some(first)
}

/// Fixed width: the length is sure, where the fields begin is a guess.
pub(super) fn fixed(sample: &Sample) -> Layout {
    let records: Vec<Vec<u8>> = sample
        .text
        .lines()
        .filter_map(|line| encode(line, sample.encoding))
        .filter(|line| line.len() > 1)
        .take(ROWS)
        .collect();
    let length = records.first().map_or(0, Vec::len);
    let newline = if sample.text.contains("\r\n") {
        "crlf"
    } else {
        "lf"
    };
    let mut layout = Layout {
        rows: records.len() as u64,
        ..Layout::default()
    };
    layout.options = vec![
        ("kind".to_owned(), "fixed".to_owned(), String::new()),
        (
            "record_bytes".to_owned(),
            length.to_string(),
            format!("all of the first {} lines", records.len().min(TRIAL_LINES)),
        ),
        ("newline".to_owned(), newline.to_owned(), String::new()),
    ];
    layout.notes.push("where fields begin is guessed: write each `at: [first byte, bytes]` from the provider's record layout".to_owned());
    let records: Vec<&Vec<u8>> = records
        .iter()
        .filter(|record| record.len() == length)
        .collect();
    for (start, end) in fields_of(&records, length) {
        let mut profile = Profile::new();
        for record in &records {
            let text = crate::encoding::TextDecoder::Cp949;
            let decoder = if sample.encoding == Encoding::Cp949 {
                text
            } else {
                crate::encoding::TextDecoder::Utf8
            };
            profile.add(&decoder.decode(&record[start..end]).unwrap_or_default());
        }
        layout.columns.push(Seen {
            from: format!("bytes {start} to {end}"),
            at: Some((start, end - start)),
            profile,
        });
    }
    layout
}

/// Cuts where the kind of letters changes in all records, and around resident numbers.
fn fields_of(records: &[&Vec<u8>], length: usize) -> Vec<(usize, usize)> {
    let class = |at: usize| {
        let is = |test: fn(&u8) -> bool| records.iter().all(|record| test(&record[at]));
        if is(u8::is_ascii_digit) {
            0
        } else if is(|byte| *byte == b' ') {
            1
        } else {
            2
        }
    };
    let mut cuts: std::collections::BTreeSet<usize> = [0, length].into();
    for at in 1..length {
        // Padding belongs to the field before it.
        if class(at) != class(at - 1) && class(at) != 1 {
            cuts.insert(at);
        }
    }
    let mut at = 0;
    while at + 13 <= length {
        let valid = records
            .iter()
            .filter(|record| {
                goyong_types::ResidentNumber::parse(&record[at..at + 13])
                    .is_ok_and(|number| number.check_digit_is_right())
            })
            .count();
        if !records.is_empty() && valid * 2 > records.len() {
            cuts.retain(|cut| *cut <= at || *cut >= at + 13);
            cuts.extend([at, at + 13]);
            at += 13;
        } else {
            at += 1;
        }
    }
    let cuts: Vec<usize> = cuts.into_iter().collect();
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

pub(super) fn workbook(sample: &Sample) -> Result<Layout, IntakeError> {
    refuse_bomb(&sample.bytes, WORKBOOK_EXPANDED)?;
    let wrong = |error: String| unreadable(format!("not a readable workbook: {error}"));
    let mut workbook: Xlsx<_> =
        Xlsx::new(Cursor::new(&sample.bytes)).map_err(|error| wrong(error.to_string()))?;
    let names = workbook.sheet_names();
    let mut best: Option<(usize, Vec<Vec<String>>)> = None;
    for (index, name) in names.iter().enumerate().take(16) {
        let range = workbook
            .worksheet_range(name)
            .map_err(|error| wrong(error.to_string()))?;
        let before = range
            .start()
            .map_or((0, 0), |(row, column)| (row as usize, column as usize));
        let mut rows = vec![Vec::new(); before.0];
        for row in range.rows().take(ROWS) {
            let mut cells = vec![String::new(); before.1];
            cells.extend(row.iter().map(cell_text));
            rows.push(cells);
        }
        if best
            .as_ref()
            .is_none_or(|(_, most)| rows.len() > most.len())
        {
            best = Some((index, rows));
        }
    }
    let Some((sheet, rows)) = best else {
        return Err(wrong("it has no sheet".to_owned()));
    };
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let filled = |row: &Vec<String>| row.iter().filter(|cell| !cell.is_empty()).count();
    let most = rows.iter().take(TRIAL_LINES).map(filled).max().unwrap_or(0);
    let header_row = rows
        .iter()
        .position(|row| filled(row) * 10 >= most * 6)
        .unwrap_or(0);
    let (_, lines) = header_of(&rows[header_row..], width);
    let header_lines = lines.max(1);
    let headers = join_header_lines(&rows[header_row..(header_row + header_lines).min(rows.len())]);
    let mut layout = Layout::default();
    layout.options = vec![
        ("kind".to_owned(), "xlsx".to_owned(), String::new()),
        (
            "sheet".to_owned(),
            sheet.to_string(),
            format!("the longest of {} sheets", names.len()),
        ),
        (
            "header_row".to_owned(),
            header_row.to_string(),
            "counted from 0".to_owned(),
        ),
    ];
    if header_lines > 1 {
        layout.options.push((
            "header_lines".to_owned(),
            header_lines.to_string(),
            "the first header row has gaps or repeats".to_owned(),
        ));
    }
    let mut profiles: Vec<Profile> = (0..headers.len()).map(|_| Profile::new()).collect();
    for row in rows.iter().skip(header_row + header_lines) {
        if filled(row) == 0 {
            continue;
        }
        layout.rows += 1;
        for (column, profile) in profiles.iter_mut().enumerate() {
            match row.get(column) {
                Some(text) => profile.add(text),
                None => profile.add_missing(),
            }
        }
    }
    for (from, profile) in headers.into_iter().zip(profiles) {
        if !from.is_empty() {
            layout.columns.push(Seen {
                from,
                at: None,
                profile,
            });
        }
    }
    Ok(layout)
}

fn cell_text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            format!("{number:.0}")
        }
        Data::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            if (hour, minute, second) == (0, 0, 0) {
                format!("{year:04}-{month:02}-{day:02}")
            } else {
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
            }
        }
        other => other.to_string(),
    }
}

pub(super) fn parquet(path: &Path) -> Result<Layout, IntakeError> {
    let wrong = |error: String| unreadable(format!("not a readable Parquet file: {error}"));
    let file = File::open(path).map_err(|error| IntakeError::file("open", path, error))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(error.to_string()))?;
    let headers: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut profiles: Vec<Profile> = headers.iter().map(|_| Profile::new()).collect();
    let mut layout = Layout::default();
    layout.options = vec![("kind".to_owned(), "parquet".to_owned(), String::new())];
    let reader = builder
        .with_batch_size(8192)
        .with_limit(ROWS)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|error| wrong(error.to_string()))?;
        layout.rows += batch.num_rows() as u64;
        for (column, profile) in profiles.iter_mut().enumerate() {
            for text in texts(batch.column(column).as_ref())? {
                match text {
                    Some(text) => profile.add(&text),
                    None => profile.add_missing(),
                }
            }
        }
    }
    layout.columns = headers
        .into_iter()
        .zip(profiles)
        .map(|(from, profile)| Seen {
            from,
            at: None,
            profile,
        })
        .collect();
    Ok(layout)
}
