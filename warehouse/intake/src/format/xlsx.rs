//! Office Open XML workbooks, cell by cell; sizes are checked before anything is expanded.

mod shared_texts;

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};
use goyong_catalog::contract::{Sheet, XlsxFormat};
use goyong_types::nearest_name;

use self::shared_texts::{MOST_SHARED_TEXTS, SharedTexts};
use super::{Batches, Envelope};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::header::{Mapping, join_header_lines};
use crate::plan::Plan;
use crate::rows::Cell;

/// Most columns of a sheet that are read; Excel's own limit.
const COLUMNS: u32 = 16_384;
/// Most parts of a workbook.
const PARTS: usize = 10_000;

/// Reads a workbook held in memory.
pub(crate) fn read(
    plan: &Plan,
    format: &XlsxFormat,
    bytes: &[u8],
    expanded_limit: u64,
    batches: &mut Batches<'_, '_>,
) -> Result<Envelope, IntakeError> {
    refuse_bomb(bytes, expanded_limit)?;
    let mut workbook: Xlsx<_> =
        Xlsx::new(Cursor::new(bytes)).map_err(|error| malformed(&error.to_string()))?;
    let names = workbook.sheet_names();
    let sheet = sheet_name(&names, &format.sheet)?;
    let mut cells = workbook
        .worksheet_cells_reader(&sheet)
        .map_err(|error| malformed(&error.to_string()))?;
    let mut rows = SheetRows {
        plan,
        format,
        header: Vec::new(),
        mapping: None,
        row: Vec::new(),
        row_number: None,
    };
    while let Some(cell) = cells
        .next_cell()
        .map_err(|error| malformed(&error.to_string()))?
    {
        let (row, column) = cell.get_position();
        if column >= COLUMNS {
            return Err(malformed("a cell stands outside the sheet"));
        }
        rows.turn_to(row, batches)?;
        let Some(text) = cell_text(cell.get_value()) else {
            continue;
        };
        let column = column as usize;
        if rows.row.len() <= column {
            rows.row.resize(column + 1, Value::Empty);
        }
        rows.row[column] = text;
    }
    rows.finish(batches)?;
    let Some(mapping) = rows.mapping else {
        return Err(Refusal::new(
            RefusalRule::Header,
            format!("the sheet `{sheet}` ends before its header"),
        )
        .into());
    };
    Ok(Envelope {
        expected: None,
        notices: mapping.notices,
    })
}

/// Rows put together from cells.
struct SheetRows<'p> {
    plan: &'p Plan,
    format: &'p XlsxFormat,
    header: Vec<Vec<String>>,
    mapping: Option<Mapping>,
    row: Vec<Value>,
    row_number: Option<u32>,
}

/// A cell as text.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Empty,
    Text(String),
    /// `#REF!` and its kind.
    Error(String),
}

impl SheetRows<'_> {
    /// Finishes the row under work when another begins.
    fn turn_to(&mut self, row: u32, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        if self.row_number != Some(row) {
            self.finish(batches)?;
            self.row_number = Some(row);
        }
        Ok(())
    }

    fn finish(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), IntakeError> {
        let Some(number) = self.row_number.take() else {
            return Ok(());
        };
        let row = std::mem::take(&mut self.row);
        if (number as usize) < self.format.header_row {
            return Ok(());
        }
        let is_empty = row.iter().all(|value| match value {
            Value::Empty => true,
            Value::Text(text) => text.trim().is_empty(),
            Value::Error(_) => false,
        });
        let Some(mapping) = &self.mapping else {
            let texts = row
                .into_iter()
                .map(|value| match value {
                    Value::Text(text) | Value::Error(text) => text,
                    Value::Empty => String::new(),
                })
                .collect();
            self.header.push(texts);
            if self.header.len() >= self.format.header_lines.max(1) {
                let headers = join_header_lines(&self.header);
                self.mapping = Some(Mapping::by_header(self.plan, &headers)?);
            }
            return Ok(());
        };
        if is_empty {
            return Ok(());
        }
        let beyond = row
            .iter()
            .skip(mapping.fields)
            .any(|value| *value != Value::Empty);
        let field = |index: usize| match row.get(index) {
            None | Some(Value::Empty) => Cell::Missing,
            Some(Value::Text(text)) => Cell::Raw(text.as_bytes()),
            Some(Value::Error(text)) => Cell::Broken("cell_error", text.as_bytes()),
        };
        batches.push(|builder, number| {
            let variants: Vec<_> = if mapping.variants.is_empty() {
                vec![None]
            } else {
                mapping.variants.iter().map(Some).collect()
            };
            for variant in variants {
                if builder.is_overfull() {
                    return;
                }
                let cell = |column: usize| mapping.cell(column, variant, field);
                if beyond {
                    let shown = "cells behind the last header".to_owned();
                    builder.push_broken(number, "field_count", Some(shown), cell);
                } else {
                    builder.push(number, cell);
                }
            }
        })
    }
}

fn cell_text(value: &DataRef<'_>) -> Option<Value> {
    Some(match value {
        DataRef::Empty => return None,
        DataRef::Int(number) => Value::Text(number.to_string()),
        DataRef::Float(number) => Value::Text(number_text(*number)),
        DataRef::String(text) => Value::Text(text.clone()),
        DataRef::SharedString(text) => Value::Text((*text).to_owned()),
        DataRef::Bool(answer) => Value::Text(answer.to_string()),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let date = format!("{year:04}-{month:02}-{day:02}");
            if (hour, minute, second) == (0, 0, 0) {
                Value::Text(date)
            } else {
                Value::Text(format!("{date} {hour:02}:{minute:02}:{second:02}"))
            }
        }
        DataRef::DateTime(duration) => Value::Text(number_text(duration.as_f64())),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Value::Text(text.replace('T', " "))
        }
        DataRef::Error(error) => Value::Error(error.to_string()),
    })
}

/// Whole numbers without a fraction; a workbook knows only floating point.
fn number_text(number: f64) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

fn sheet_name(names: &[String], sheet: &Sheet) -> Result<String, Refusal> {
    let found = match sheet {
        Sheet::Index(index) => names.get(*index),
        Sheet::Name(name) => names.iter().find(|other| *other == name),
    };
    found.cloned().ok_or_else(|| {
        let wanted = match sheet {
            Sheet::Index(index) => format!("number {index}"),
            Sheet::Name(name) => format!("`{name}`"),
        };
        let nearest = match sheet {
            Sheet::Name(name) => nearest_name(name, names.iter().map(String::as_str)),
            Sheet::Index(_) => None,
        };
        let hint = match nearest {
            Some(nearest) => format!(", did you mean `{nearest}`?"),
            None => format!("; the workbook has {}", names.len()),
        };
        Refusal::new(
            RefusalRule::Header,
            format!("the workbook has no sheet {wanted}{hint}"),
        )
    })
}

/// Expands every part into nothing, counting: what a zip says about its sizes may be a lie.
fn refuse_bomb(bytes: &[u8], expanded_limit: u64) -> Result<(), IntakeError> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| malformed(&error.to_string()))?;
    let too_large =
        |what: String| -> IntakeError { Refusal::new(RefusalRule::TooLarge, what).into() };
    if archive.len() > PARTS {
        return Err(too_large(format!(
            "the workbook has {} parts, {PARTS} are allowed",
            archive.len()
        )));
    }
    let mut expanded = 0u64;
    let mut texts = SharedTexts::default();
    for index in 0..archive.len() {
        let part = archive
            .by_index(index)
            .map_err(|error| malformed(&error.to_string()))?;
        let left = expanded_limit - expanded;
        if part.size() > left {
            return Err(too_large(bomb_message(expanded_limit)));
        }
        let written = std::io::copy(&mut part.take(left + 1), &mut texts)
            .map_err(|error| malformed(&error.to_string()))?;
        if written > left {
            return Err(too_large(bomb_message(expanded_limit)));
        }
        if texts.count > MOST_SHARED_TEXTS {
            return Err(too_large(format!(
                "the workbook shares more than {MOST_SHARED_TEXTS} texts: ask the provider for a text file"
            )));
        }
        expanded += written;
    }
    Ok(())
}

fn bomb_message(limit: u64) -> String {
    format!(
        "the workbook expands to more than {} MiB: ask the provider for a text file",
        limit >> 20
    )
}

fn malformed(what: &str) -> IntakeError {
    Refusal::new(
        RefusalRule::Malformed,
        format!("not a readable workbook: {what}"),
    )
    .into()
}

#[cfg(test)]
mod tests;
