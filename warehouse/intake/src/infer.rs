//! Drafts a contract from a file: what it is, how it is written, what its columns seem to hold.
//!
//! Only a sample is looked at, the same one every time: the start of the file, and of plain text
//! also a piece of the middle and of the end. The evidence stands in comments; values of columns
//! that may identify a person are never shown, and never more than counted.

mod draft;
mod names;
mod profile;
mod sample;
mod table;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use goyong_catalog::contract::Contract;

use self::profile::Profile;
use self::sample::{Kind, Sample};
use crate::error::IntakeError;

/// Rows of the sample that are looked at.
const ROWS: usize = 200_000;

/// What was seen of a file's layout.
#[derive(Debug, Default)]
struct Layout {
    /// Lines of the `format` block: option, value, evidence.
    options: Vec<(String, String, String)>,
    columns: Vec<Seen>,
    rows: u64,
    /// Rows of the sample that had another number of fields.
    odd_rows: u64,
    notes: Vec<String>,
}

/// One column as seen.
#[derive(Debug)]
struct Seen {
    /// Header text, path or nothing.
    from: String,
    /// Byte position in a fixed record, or field position without header.
    at: Option<(usize, usize)>,
    profile: Profile,
}

/// A draft contract as YAML that a person completes. Known contracts only lend names.
pub fn infer_contract(
    contracts: &BTreeMap<String, Contract>,
    path: &Path,
) -> Result<String, IntakeError> {
    let sample = Sample::read(path)?;
    let layout = match sample.kind {
        Kind::Delimited => table::delimited(&sample)?,
        Kind::Fixed => table::fixed(&sample),
        Kind::Xlsx => table::workbook(&sample)?,
        Kind::Parquet => table::parquet(path)?,
        Kind::Xml => tree::xml(&sample)?,
        Kind::Json | Kind::JsonLines => tree::json(&sample)?,
    };
    if layout.columns.is_empty() {
        return Err(unreadable("no column was found in it".to_owned()));
    }
    let file_name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let text = draft::write(&sample, &layout, &file_name, contracts);
    // A draft that cannot be read back would be worse than none.
    Contract::parse(&text, "draft")
        .map_err(|error| unreadable(format!("the draft is no contract yet: {error}")))?;
    Ok(text)
}

fn unreadable(what: String) -> IntakeError {
    IntakeError::Name { message: what }
}

#[cfg(test)]
mod tests;
