//! Where one key ends and the next begins.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use arrow_array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::array::{DynComparator, make_comparator};
use datafusion::arrow::compute::{concat_batches, partition, take};
use datafusion::common::Result;

use super::rows::{Input, KEY_ORDER, Shape, Spells};

/// Rows of each key of a batch, in order. Nulls are equal to each other.
pub(super) fn key_ranges(key: &[ArrayRef]) -> Result<Vec<Range<usize>>> {
    Ok(partition(key)?.ranges())
}

/// Compares a row of one key with a row of another.
pub(super) struct KeyComparator(Vec<DynComparator>);

impl KeyComparator {
    pub fn new(left: &[ArrayRef], right: &[ArrayRef]) -> Result<Self> {
        let columns = left
            .iter()
            .zip(right)
            .map(|(left, right)| make_comparator(left.as_ref(), right.as_ref(), KEY_ORDER))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self(columns))
    }

    pub fn compare(&self, left: usize, right: usize) -> Ordering {
        self.0
            .iter()
            .map(|compare| compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// Whether the last row of one batch and the first of the next have the same key.
pub(super) fn continues(earlier: &[ArrayRef], later: &[ArrayRef]) -> Result<bool> {
    let last = earlier.first().map_or(0, |column| column.len());
    if last == 0 || later.first().is_none_or(|column| column.is_empty()) {
        return Ok(false);
    }
    Ok(KeyComparator::new(earlier, later)?
        .compare(last - 1, 0)
        .is_eq())
}

/// Hands on batches in which every key is complete.
pub(super) struct CompleteKeys {
    input: Input,
    /// Rows of the key that may go on, in order.
    open: Vec<Spells>,
    ready: VecDeque<Spells>,
    ended: bool,
}

impl CompleteKeys {
    pub fn new(input: Input) -> Self {
        Self {
            input,
            open: Vec::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    pub fn shape(&self) -> &Shape {
        &self.input.shape
    }

    /// Rows of complete keys, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Spells>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            if self.ended {
                return Ok(None);
            }
            match self.input.next().await? {
                Some(spells) => self.take(spells)?,
                None => {
                    self.ended = true;
                    self.close()?;
                }
            }
        }
    }

    fn take(&mut self, spells: Spells) -> Result<()> {
        let ranges = key_ranges(&spells.key)?;
        let mut from = 0;
        if let Some(open) = self.open.last() {
            if continues(&open.key, &spells.key)? {
                if ranges.len() == 1 {
                    return self.hold(spells);
                }
                from = ranges[0].end;
                self.open.push(spells.slice(0, from));
            }
            self.close()?;
        }
        let Some(last) = ranges.last() else {
            return Ok(());
        };
        if last.start > from {
            self.ready.push_back(spells.slice(from, last.start - from));
        }
        self.hold(spells.slice(last.start, last.len()))
    }

    fn hold(&mut self, spells: Spells) -> Result<()> {
        let bytes = spells.batch.get_array_memory_size();
        self.input.reservation.try_grow(bytes)?;
        self.open.push(spells);
        Ok(())
    }

    /// The open key is complete.
    fn close(&mut self) -> Result<()> {
        let open = std::mem::take(&mut self.open);
        let complete = match open.as_slice() {
            [] => return Ok(()),
            [only] => only.clone(),
            [first, ..] => {
                let batches = open.iter().map(|part| &part.batch);
                let batch = concat_batches(&first.batch.schema(), batches)?;
                self.input.shape.read(batch)?
            }
        };
        // What is handed on stays accounted for until the next key is complete.
        let bytes = complete.batch.get_array_memory_size();
        self.input.reservation.try_resize(bytes)?;
        self.ready.push_back(complete);
        Ok(())
    }
}

/// The key of one row, without the rows around it.
pub(super) fn one_row(key: &[ArrayRef], row: usize) -> Result<Vec<ArrayRef>> {
    let rows = UInt32Array::from(vec![row as u32]);
    key.iter()
        .map(|column| Ok(take(column.as_ref(), &rows, None)?))
        .collect()
}
