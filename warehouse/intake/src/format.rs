//! Readers: one per layout, all ending in [`RowBuilder`].

pub(crate) mod csv;
pub(crate) mod fixed;
pub(crate) mod json;
pub(crate) mod json_places;
pub(crate) mod json_stream;
pub(crate) mod parquet;
pub(crate) mod xlsx;
pub(crate) mod xml;

use std::collections::BTreeSet;
use std::io;

use goyong_catalog::contract::DriftKind;
use goyong_types::nearest_name;

use crate::chunks::RowSink;
use crate::drift::{Columns, drift, refuse_by_policy};
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::plan::Plan;
use crate::rows::{RowBuilder, RowContext};

/// Rows after which a batch is handed over.
const BATCH_ROWS: usize = 65_536;
/// Bytes of text after which a batch is handed over.
const BATCH_TEXT_BYTES: usize = 16 << 20;

/// Rows of a reader that goes through the file record by record.
pub(crate) struct Batches<'p, 's> {
    builder: RowBuilder<'p>,
    sink: &'s mut RowSink<'s>,
    in_batch: u32,
    records: u64,
}

impl<'p, 's> Batches<'p, 's> {
    pub fn new(plan: &'p Plan, context: &'p RowContext, sink: &'s mut RowSink<'s>) -> Self {
        Self {
            builder: RowBuilder::new(plan, context),
            sink,
            in_batch: 0,
            records: 0,
        }
    }

    /// Adds a record; `push` gets its number in the batch.
    pub fn push(&mut self, push: impl FnOnce(&mut RowBuilder<'p>, u32)) -> Result<(), IntakeError> {
        push(&mut self.builder, self.in_batch);
        self.in_batch += 1;
        self.records += 1;
        let rows = self.builder.accepted() + self.builder.pending_quarantine();
        if rows >= BATCH_ROWS || self.builder.text_bytes() >= BATCH_TEXT_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Hands over what is left.
    pub fn flush(&mut self) -> Result<(), IntakeError> {
        if self.in_batch == 0 {
            return Ok(());
        }
        let mut rows = self.builder.finish()?;
        rows.record_count = u64::from(self.in_batch);
        self.in_batch = 0;
        (self.sink)(rows)
    }
}

/// What a file says beside its records.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// Records the provider says there are.
    pub expected: Option<u64>,
    /// Number of the page that the answer states.
    pub page: Option<u64>,
    /// Records of a full page that the answer states.
    pub page_size: Option<u64>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// The file's columns and where they differ from the contract's.
    pub columns: Columns,
}

impl Envelope {
    /// Reports fields the contract does not name and refuses a file that never has a needed one.
    pub fn describe_fields(
        &mut self,
        plan: &Plan,
        records: u64,
        known: &BTreeSet<usize>,
        unknown: &BTreeSet<String>,
    ) -> Result<(), IntakeError> {
        for (index, column) in plan.columns.iter().enumerate() {
            let is_given = known.contains(&index) || column.is_beside_the_record();
            if let Some(name) = column.from.first().filter(|_| known.contains(&index)) {
                self.columns.headers.push(name.clone());
            }
            if records == 0 || is_given {
                continue;
            }
            if column.nullable {
                let name = column.from.first().map(String::as_str);
                let lacking = drift(DriftKind::Missing, Some(&column.name), name);
                self.columns.drift.push(lacking);
                continue;
            }
            let wanted = column.from.first().map_or("", String::as_str);
            let nearest = nearest_name(wanted, unknown.iter().map(String::as_str));
            let hint = match nearest {
                Some(nearest) => {
                    format!(", the file has `{nearest}`: add that to `from` if it is the same")
                }
                None => ": ask the provider, or mark it nullable".to_owned(),
            };
            return Err(Refusal::new(
                RefusalRule::Header,
                format!("`{wanted}` ({}) stands in no record{hint}", column.name),
            )
            .into());
        }
        for field in unknown.iter().filter(|field| !plan.is_claimed(field)) {
            self.notices
                .push(format!("`{field}` is not in the contract; not loaded"));
            let added = drift(DriftKind::Added, None, Some(field));
            self.columns.drift.push(added);
            self.columns.headers.push(field.clone());
        }
        refuse_by_policy(&plan.contract.drift, &self.columns.drift)?;
        Ok(())
    }
}

/// A stream that breaks: damage of the file when the decompressor says so.
pub(crate) fn stream_error(error: io::Error) -> IntakeError {
    if let Some(refusal) = refusal_of(&error) {
        return refusal.into();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Refusal::new(
                RefusalRule::Truncated,
                "the compressed file is cut off or damaged: ask the provider to send it again",
            )
            .into()
        }
        _ => IntakeError::Stream { source: error },
    }
}

/// The refusal that a reader below put into an error of the stream.
pub(crate) fn refusal_of(error: &io::Error) -> Option<Refusal> {
    error.get_ref()?.downcast_ref::<Refusal>().cloned()
}
