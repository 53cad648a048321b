//! Corrections of quarantined records: single values, or whole records again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use goyong_catalog::contract::Encoding;
use goyong_types::nearest_name;
use zeroize::Zeroizing;

use super::refuse;
use crate::encoding::{TextDecoder, encode};
use crate::error::IntakeError;
use crate::plan::Plan;

/// Why the rows can be released now.
#[derive(Clone, Debug)]
pub enum Corrections {
    /// The contract changed: the originals are checked against it as they are.
    None,
    /// A CSV file in UTF-8 with the columns `row_number`, `column`, `value`.
    Values(PathBuf),
    /// A file in the source's own format that holds corrected records: the first for the first
    /// row named, and so on.
    Records(PathBuf),
}

/// New values by row number, then column of the contract, in the bytes the plan reads.
pub(super) type NewValues = BTreeMap<u64, BTreeMap<String, Zeroizing<Vec<u8>>>>;

const HEADER: [&str; 3] = ["row_number", "column", "value"];

/// Reads a file of single values. Every line is checked before any counts; messages name file,
/// line and column, never a value.
pub(super) fn read_values(
    plan: &Plan,
    path: &Path,
    quarantined: &BTreeSet<u64>,
) -> Result<NewValues, IntakeError> {
    let bytes = std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| IntakeError::file("read corrections", path, error))?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(bytes);
    let wrong =
        |line: u64, problem: &str| refuse(format!("{}: line {line}: {problem}", path.display()));
    let header = reader
        .headers()
        .map_err(|_| wrong(1, "the header is not UTF-8 text"))?;
    if header.iter().ne(HEADER) {
        return Err(wrong(1, "the header must be `row_number,column,value`"));
    }
    let mut values = NewValues::new();
    for (index, record) in reader.into_byte_records().enumerate() {
        let line = index as u64 + 2;
        let record = record.map_err(|_| wrong(line, "does not have three fields"))?;
        let field = |at: usize| std::str::from_utf8(&record[at]).ok();
        let row_number = field(0)
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| wrong(line, "the row number is no number"))?;
        if !quarantined.contains(&row_number) {
            let problem = format!("row {row_number} was not quarantined in this delivery");
            return Err(wrong(line, &problem));
        }
        let name = field(1).unwrap_or_default().trim();
        let column = plan
            .columns
            .iter()
            .find(|column| column.name == name || column.from.iter().any(|from| from == name))
            .ok_or_else(|| wrong(line, &unknown_column(plan, name)))?;
        let text = field(2).ok_or_else(|| wrong(line, "the value is not UTF-8 text"))?;
        let encoding = match plan.decoder {
            TextDecoder::Cp949 => Encoding::Cp949,
            _ => Encoding::Utf8,
        };
        let value = encode(text, encoding)
            .ok_or_else(|| wrong(line, "the value cannot be written in the source's encoding"))?;
        let row = values.entry(row_number).or_default();
        if row
            .insert(column.name.clone(), Zeroizing::new(value))
            .is_some()
        {
            let problem = format!("{} of row {row_number} is corrected twice", column.name);
            return Err(wrong(line, &problem));
        }
    }
    if values.is_empty() {
        return Err(wrong(2, "there is no correction"));
    }
    Ok(values)
}

fn unknown_column(plan: &Plan, name: &str) -> String {
    let names = plan.columns.iter().map(|column| column.name.as_str());
    match nearest_name(name, names) {
        Some(nearest) => format!("the contract has no such column; did you mean `{nearest}`?"),
        None => "the contract has no such column".to_owned(),
    }
}
