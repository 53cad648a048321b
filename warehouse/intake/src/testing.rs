//! Helpers of the unit tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use goyong_catalog::contract::Contract;
use goyong_catalog::manifest::Period;

use crate::chunks::ReadLimits;
use crate::error::{IntakeError, Refusal};
use crate::identity::Keys;
use crate::plan::Plan;
use crate::read::{DeliveredFile, read_files, read_text as read_format_text};
use crate::rows::{ControlSum, ParsedRows, QuarantinedRow, RowContext, period_days};
use crate::unique::{KEYS_IN_MEMORY, UniqueKeys};
use crate::value;

/// Whether a made-up person's number can be read in some bytes, in whole or masked. Ten digits of
/// it are looked for: hashes and times of day hold any six sooner or later.
pub(crate) fn number_is_readable(bytes: impl AsRef<[u8]>) -> bool {
    ["8001011000", "800101-1"]
        .iter()
        .any(|digits| memchr::memmem::find(bytes.as_ref(), digits.as_bytes()).is_some())
}

/// A plan of a contract of which only format, columns and the interesting rest are written.
pub(crate) fn plan(yaml: &str) -> Plan {
    Plan::new(&contract(yaml)).unwrap()
}

/// The contract of [`plan`].
pub(crate) fn contract(yaml: &str) -> Contract {
    let mut text = String::new();
    for (key, line) in [
        ("source:", "source: test_source"),
        ("title:", "title: 시험"),
        ("provider:", "provider: 시험 기관"),
        ("cadence:", "cadence: monthly"),
        ("manifest:", "manifest: none"),
        ("revision:", "revision: append"),
    ] {
        if !yaml.lines().any(|written| written.starts_with(key)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str(yaml);
    Contract::parse(&text, "contract").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What came out of [`read_text`].
#[derive(Debug)]
pub(crate) struct Outcome {
    pub batches: Vec<RecordBatch>,
    /// Place in the file of each accepted row, from 0.
    pub numbers: Vec<u64>,
    pub quarantined: Vec<QuarantinedRow>,
    pub flags: Vec<String>,
    pub notices: Vec<String>,
    pub control: Vec<ControlSum>,
    pub delivered: u64,
    pub forgotten: u64,
    pub records: u64,
    pub outside_period: u64,
    /// Persons that would go to the vault.
    pub persons: usize,
}

impl Outcome {
    /// The accepted rows as `a,b;c,d`.
    pub fn csv(&self, columns: &[&str]) -> String {
        let rows: Vec<String> = self
            .cells(columns)
            .iter()
            .map(|row| row.join(","))
            .collect();
        rows.join(";")
    }

    /// The accepted rows.
    pub fn cells(&self, columns: &[&str]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for batch in &self.batches {
            let arrays: Vec<_> = columns
                .iter()
                .map(|name| batch.column_by_name(name).unwrap().clone())
                .collect();
            for row in 0..batch.num_rows() {
                rows.push(arrays.iter().map(|array| shown(array, row)).collect());
            }
        }
        rows
    }

    pub fn accepted(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub fn rules(&self) -> Vec<&'static str> {
        self.quarantined.iter().map(|row| row.rule).collect()
    }
}

pub(crate) fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .value_as_date(row)
            .unwrap()
            .to_string(),
        DataType::Timestamp(..) => array
            .as_primitive::<TimestampMicrosecondType>()
            .value_as_datetime(row)
            .unwrap()
            .to_string(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        other => panic!("{other}"),
    }
}

/// Limits that make small tests cross part boundaries.
pub(crate) fn limits(threads: usize, part_bytes: usize) -> ReadLimits {
    ReadLimits {
        threads,
        part_bytes,
        record_bytes: 1 << 20,
        workbook_bytes: 4 << 20,
        expanded_bytes: 64 << 20,
        expanded_ratio: 400,
    }
}

/// A context without known persons, on 2026-01-01, and its keys' folder.
pub(crate) fn context() -> (tempfile::TempDir, Keys, RowContext) {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys")).unwrap();
    let context = RowContext {
        hasher: Some(keys.hasher()),
        forgotten: None,
        known_on: value::days_from_civil(2026, 1, 1).unwrap(),
        period: None,
    };
    (folder, keys, context)
}

/// Reads a file held in memory.
pub(crate) fn read_text(plan: &Plan, bytes: &[u8]) -> Result<Outcome, Refusal> {
    read_with(plan, bytes, limits(2, 64 << 10))
}

/// Reads a file held in memory with chosen limits.
pub(crate) fn read_with(plan: &Plan, bytes: &[u8], limits: ReadLimits) -> Result<Outcome, Refusal> {
    let (folder, _, context) = context();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read_path(plan, &path, &context, limits)
}

/// Reads a file held in memory as the delivery of a period.
pub(crate) fn read_in_period(plan: &Plan, bytes: &[u8], period: &str) -> Outcome {
    let (folder, _, mut context) = context();
    context.period = Some(period_days(&Period::parse(period).unwrap()));
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read_path(plan, &path, &context, limits(2, 64)).unwrap()
}

/// Reads a file.
pub(crate) fn read_path(
    plan: &Plan,
    path: &Path,
    context: &RowContext,
    limits: ReadLimits,
) -> Result<Outcome, Refusal> {
    read_paths(plan, &[path], context, limits)
}

/// Reads the pages of a delivery.
pub(crate) fn read_paths(
    plan: &Plan,
    paths: &[&Path],
    context: &RowContext,
    limits: ReadLimits,
) -> Result<Outcome, Refusal> {
    let mut outcome = Outcome::empty(plan);
    let spill = paths[0].parent().unwrap();
    let mut unique = UniqueKeys::new(plan, spill, KEYS_IN_MEMORY);
    let files = paths
        .iter()
        .map(|path| DeliveredFile {
            path: path.to_path_buf(),
            archive: None,
            earlier: None,
        })
        .collect();
    let mut add = |mut rows: ParsedRows| {
        if let Some(unique) = &mut unique {
            unique.check(plan, context.hasher.as_ref(), &mut rows, outcome.records)?;
        }
        outcome.add(rows);
        Ok(())
    };
    let report = read_files(plan, files, context, limits, &mut add).unwrap();
    outcome.notices = report.notices;
    match report.refusal {
        Some(refusal) => Err(refusal),
        None => Ok(outcome),
    }
}

/// Reads text that is in memory, without a file.
pub(crate) fn read_stream(
    plan: &Plan,
    bytes: &[u8],
    context: &RowContext,
    limits: ReadLimits,
) -> Result<Outcome, Refusal> {
    let mut outcome = Outcome::empty(plan);
    let mut add = |rows| {
        outcome.add(rows);
        Ok(())
    };
    let mut reader = bytes;
    match read_format_text(plan, context, limits, &mut reader, &mut add) {
        Ok(envelope) => {
            outcome.notices = envelope.notices;
            Ok(outcome)
        }
        Err(IntakeError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

impl Outcome {
    fn empty(plan: &Plan) -> Self {
        Self {
            batches: Vec::new(),
            numbers: Vec::new(),
            quarantined: Vec::new(),
            flags: Vec::new(),
            notices: Vec::new(),
            control: vec![ControlSum::default(); plan.control.len()],
            delivered: 0,
            forgotten: 0,
            records: 0,
            outside_period: 0,
            persons: 0,
        }
    }

    fn add(&mut self, mut rows: ParsedRows) {
        for row in &mut rows.quarantined {
            row.record += self.records as u32;
        }
        let before = self.records;
        let numbers = rows
            .records
            .iter()
            .map(|record| before + u64::from(*record));
        self.numbers.extend(numbers);
        self.flags
            .extend(rows.flags.iter().map(|(_, flag)| flag.clone()));
        self.quarantined.append(&mut rows.quarantined);
        for (sum, part) in self.control.iter_mut().zip(&rows.control) {
            sum.accepted += part.accepted;
            sum.quarantined += part.quarantined;
            sum.forgotten += part.forgotten;
            sum.unreadable += part.unreadable;
        }
        self.outside_period += rows.outside_period;
        self.persons += rows.identities.persons.len();
        self.delivered += rows.delivered;
        self.forgotten += rows.forgotten;
        self.records += rows.record_count;
        self.batches.push(rows.batch);
    }
}
