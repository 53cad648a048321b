//! Office Open XML workbooks, cell by cell; sizes are checked before anything is expanded.

mod rows;
mod shared_texts;

use std::io::{Cursor, Read};

use calamine::{Reader, Xlsx};
use goyong_catalog::contract::{MergedCells, Sheet, XlsxFormat};
use goyong_types::nearest_name;

use self::rows::{SheetRows, Value};
use self::shared_texts::{MOST_SHARED_TEXTS, SharedTexts};
use super::{Batches, Envelope};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::expand::members::refuse_many_members;
use crate::glob::matches_glob;
use crate::plan::Plan;

/// Most columns of a sheet that are read; Excel's own limit.
const COLUMNS: u32 = 16_384;
/// Part of the limit that text shared by all sheets, which is held in memory, may take.
const SHARED_TEXT_SHARE: u64 = 4;
/// The same for the list of sheets, styles and what else describes the workbook.
const DESCRIPTION_SHARE: u64 = 32;

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
    let merged = match format.merged {
        MergedCells::First => Vec::new(),
        MergedCells::Fill => workbook
            .merge_cells_by_sheet_name(&sheet)
            .map_err(|error| malformed(&error.to_string()))?,
    };
    let is_1904 = workbook.has_1904_epoch();
    let mut cells = workbook
        .worksheet_cells_reader(&sheet)
        .map_err(|error| malformed(&error.to_string()))?;
    let mut rows = SheetRows::new(plan, format, is_1904, merged);
    while let Some(cell) = cells
        .next_cell()
        .map_err(|error| malformed(&error.to_string()))?
    {
        let (row, column) = cell.get_position();
        if column >= COLUMNS {
            return Err(malformed("a cell stands outside the sheet"));
        }
        if rows.is_behind(row) {
            break;
        }
        rows.add(row, column, Value::of(cell.get_value()), batches)?;
    }
    rows.finish(&sheet, batches)
}

fn sheet_name(names: &[String], sheet: &Sheet) -> Result<String, Refusal> {
    let (found, wanted) = match sheet {
        Sheet::Index(index) => (names.get(*index), format!("number {index}")),
        Sheet::Name(name) => (
            names.iter().find(|other| *other == name),
            format!("`{name}`"),
        ),
        Sheet::Glob(glob) => {
            let mut matching = names.iter().filter(|name| matches_glob(glob, name));
            let first = matching.next();
            if let (Some(first), Some(second)) = (first, matching.next()) {
                return Err(Refusal::new(
                    RefusalRule::Header,
                    format!("the sheets `{first}` and `{second}` both match `{glob}`: name one"),
                ));
            }
            (first, format!("matching `{glob}`"))
        }
    };
    found.cloned().ok_or_else(|| {
        let nearest = match sheet {
            Sheet::Name(name) => nearest_name(name, names.iter().map(String::as_str)),
            Sheet::Index(_) | Sheet::Glob(_) => None,
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
pub(crate) fn refuse_bomb(bytes: &[u8], expanded_limit: u64) -> Result<(), IntakeError> {
    let mut cursor = Cursor::new(bytes);
    refuse_many_members(&mut cursor)?;
    let mut archive =
        zip::ZipArchive::new(cursor).map_err(|error| malformed(&error.to_string()))?;
    let mut expanded = 0u64;
    let mut texts = SharedTexts::default();
    for index in 0..archive.len() {
        let part = archive
            .by_index(index)
            .map_err(|error| malformed(&error.to_string()))?;
        let share = match part.name_raw() {
            // Sheets are read cell by cell, pictures not at all.
            name if name.starts_with(b"xl/worksheets/") || name.starts_with(b"xl/media/") => 1,
            b"xl/sharedStrings.xml" => SHARED_TEXT_SHARE,
            _ => DESCRIPTION_SHARE,
        };
        let left = (expanded_limit - expanded).min(expanded_limit / share);
        let written = std::io::copy(&mut part.take(left + 1), &mut texts)
            .map_err(|error| malformed(&error.to_string()))?;
        if written > left {
            return Err(Refusal::new(RefusalRule::TooLarge, bomb_message(expanded_limit)).into());
        }
        if texts.count > MOST_SHARED_TEXTS {
            return Err(Refusal::new(
                RefusalRule::TooLarge,
                format!("the workbook shares more than {MOST_SHARED_TEXTS} texts: ask the provider for a text file"),
            )
            .into());
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
