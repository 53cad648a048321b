//! An input read batch by batch: dates checked, keys told apart.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{SchemaRef, SortOptions};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;

use super::settings::{EndIs, Invalid, Positions, Settings};

/// The day after the last day of an open interval: later than any other.
pub(super) const OPEN: i32 = i32::MAX;

/// How to read the columns of an input.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub positions: Positions,
    function: &'static str,
    end_is: EndIs,
    invalid: Invalid,
    start_name: String,
    end_name: String,
}

/// A batch without invalid rows.
#[derive(Debug, Clone)]
pub(super) struct Spells {
    pub batch: RecordBatch,
    pub key: Vec<ArrayRef>,
    /// First days.
    pub starts: arrow_buffer::ScalarBuffer<i32>,
    /// Days after the last days; [`OPEN`] without an end.
    pub ends: Arc<[i32]>,
}

/// An input.
pub(super) struct Input {
    stream: SendableRecordBatchStream,
    pub shape: Shape,
    pub reservation: MemoryReservation,
}

impl Input {
    pub fn new(
        stream: SendableRecordBatchStream,
        shape: Shape,
        reservation: MemoryReservation,
    ) -> Self {
        Self {
            stream,
            shape,
            reservation,
        }
    }

    /// The next batch that has rows.
    pub async fn next(&mut self) -> Result<Option<Spells>> {
        while let Some(batch) = self.stream.next().await {
            let spells = self.shape.read(batch?)?;
            if spells.rows() > 0 {
                return Ok(Some(spells));
            }
        }
        Ok(None)
    }
}

impl Shape {
    pub fn new(settings: &Settings, schema: &SchemaRef, positions: &Positions) -> Self {
        Self {
            function: settings.name(),
            // A point covers its own day.
            end_is: if positions.start == positions.end {
                EndIs::Inclusive
            } else {
                settings.end_is
            },
            invalid: settings.invalid,
            start_name: schema.field(positions.start).name().clone(),
            end_name: schema.field(positions.end).name().clone(),
            positions: positions.clone(),
        }
    }

    /// Checks the dates of a batch. No value of a row appears in an error.
    pub fn read(&self, batch: RecordBatch) -> Result<Spells> {
        let starts = batch
            .column(self.positions.start)
            .as_primitive::<Date32Type>();
        let ends = self.exclusive_ends(&batch);
        let nothing_wrong = starts.null_count() == 0
            && starts
                .values()
                .iter()
                .zip(ends.iter())
                .all(|(start, end)| start < end);
        if nothing_wrong {
            return Ok(self.spells(batch, ends));
        }
        let valid: BooleanArray = (0..starts.len())
            .map(|row| Some(starts.is_valid(row) && starts.value(row) < ends[row]))
            .collect();
        let wrong = starts.len() - valid.true_count();
        match self.invalid {
            Invalid::Skip => {
                let batch = filter_record_batch(&batch, &valid)?;
                let ends = self.exclusive_ends(&batch);
                Ok(self.spells(batch, ends))
            }
            Invalid::Error if starts.null_count() > 0 => exec_err!(
                "{}: {} rows of a batch have no {}; leave them out with a where, or say invalid => 'skip'",
                self.function,
                starts.null_count(),
                self.start_name
            ),
            Invalid::Error => exec_err!(
                "{}: {wrong} rows of a batch cover no day, {} comes before {}; correct them, or say invalid => 'skip'",
                self.function,
                self.end_name,
                self.start_name
            ),
        }
    }

    fn exclusive_ends(&self, batch: &RecordBatch) -> Arc<[i32]> {
        let ends = batch
            .column(self.positions.end)
            .as_primitive::<Date32Type>();
        let past = i32::from(self.end_is == EndIs::Inclusive);
        let close = |end: i32| end.saturating_add(past).min(OPEN - 1);
        match ends.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => ends.values().iter().map(|&end| close(end)).collect(),
            Some(nulls) => ends
                .values()
                .iter()
                .zip(nulls.iter())
                .map(|(&end, known)| if known { close(end) } else { OPEN })
                .collect(),
        }
    }

    fn spells(&self, batch: RecordBatch, ends: Arc<[i32]>) -> Spells {
        let starts = batch
            .column(self.positions.start)
            .as_primitive::<Date32Type>()
            .values()
            .clone();
        let key = self
            .positions
            .key
            .iter()
            .map(|&position| Arc::clone(batch.column(position)))
            .collect();
        Spells {
            batch,
            key,
            starts,
            ends,
        }
    }

    /// The end date as the caller writes it; `None` for an open one.
    pub fn shown_end(&self, end: i32) -> Option<i32> {
        let past = i32::from(self.end_is == EndIs::Inclusive);
        (end != OPEN).then(|| end - past)
    }

    /// Rows of one key that do not begin in order were declared sorted and are not.
    pub fn out_of_order<T>(&self) -> Result<T> {
        exec_err!(
            "{}: rows are not sorted by key and {}, though the table says so; `goyong verify` looks for damage",
            self.function,
            self.start_name
        )
    }
}

impl Spells {
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub fn slice(&self, from: usize, rows: usize) -> Self {
        Self {
            batch: self.batch.slice(from, rows),
            key: self.key.iter().map(|key| key.slice(from, rows)).collect(),
            starts: self.starts.slice(from, rows),
            ends: self.ends[from..from + rows].into(),
        }
    }
}

/// Ascending, nulls last, as inputs are sorted.
pub(super) const KEY_ORDER: SortOptions = crate::storage::SORT_OPTIONS;
