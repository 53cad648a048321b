//! How many spells run at a time, and which: the time of a key cut at every start and end.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::Date32Builder;
use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::take;
use datafusion::arrow::row::{Row, RowConverter, SortField};
use datafusion::common::Result;

use super::exec::Operator;
use super::keys::{CompleteKeys, key_ranges};
use super::rows::{Input, Shape, Spells};

/// Stretches with the same number of concurrent spells.
pub(super) struct Depth {
    input: CompleteKeys,
    schema: SchemaRef,
    rows: usize,
    batch: Option<Cut>,
}

/// Every spell once for each stretch in which the same spells run together.
pub(super) struct Episodes {
    input: CompleteKeys,
    schema: SchemaRef,
    rows: usize,
    batch: Option<Cut>,
}

/// A batch of complete keys and how far it has been cut.
struct Cut {
    spells: Spells,
    ranges: Vec<Range<usize>>,
    /// Rows of the same number that follow each other without a gap go on as one.
    numbers: Option<Vec<u32>>,
    /// The key at work, the first of those not done.
    key: usize,
    /// Its days on which something begins or has just ended, in order; empty before it is begun.
    days: Vec<i32>,
    day: usize,
    /// Its spells running on that day, in the order of the rows.
    running: Vec<u32>,
    /// Its first row that has not begun yet.
    next_row: usize,
    episode: i64,
}

/// A stretch between two days on which something changes.
struct Stretch {
    start: i32,
    end: i32,
}

impl Cut {
    fn new(spells: Spells, shape: &Shape) -> Result<Self> {
        let ranges = key_ranges(&spells.key)?;
        let continues = shape.positions.continues;
        let numbers = continues.map(|column| numbers_of(spells.batch.column(column)));
        Ok(Self {
            spells,
            ranges,
            numbers: numbers.transpose()?,
            key: 0,
            days: Vec::new(),
            day: 0,
            running: Vec::new(),
            next_row: 0,
            episode: 0,
        })
    }

    /// The next stretch in which spells run, which `running` then names; `None` at the end of a key.
    fn next_in_key(&mut self) -> Option<Stretch> {
        let range = self.ranges[self.key].clone();
        if self.days.is_empty() {
            self.cut_key(range.clone());
            self.next_row = range.start;
            (self.day, self.episode) = (0, 0);
            self.running.clear();
        }
        let (starts, ends) = (&self.spells.starts, &self.spells.ends);
        while self.day + 1 < self.days.len() {
            let (start, end) = (self.days[self.day], self.days[self.day + 1]);
            self.day += 1;
            self.running.retain(|&row| ends[row as usize] > start);
            // What goes on under its number begins within the stretch.
            while self.next_row < range.end && starts[self.next_row] < end {
                self.running.push(self.next_row as u32);
                self.next_row += 1;
            }
            if !self.running.is_empty() {
                self.episode += 1;
                return Some(Stretch { start, end });
            }
        }
        None
    }

    /// The days on which something begins or has just ended, without those on which all that ends
    /// goes on under its number.
    fn cut_key(&mut self, range: Range<usize>) {
        let (starts, ends) = (&self.spells.starts, &self.spells.ends);
        let Some(numbers) = &self.numbers else {
            self.days.extend_from_slice(&starts[range.clone()]);
            self.days.extend_from_slice(&ends[range]);
            self.days.sort_unstable();
            self.days.dedup();
            return;
        };
        let mut changes: Vec<(i32, u32, i32)> = Vec::with_capacity(2 * range.len());
        for row in range {
            changes.push((starts[row], numbers[row], 1));
            changes.push((ends[row], numbers[row], -1));
        }
        changes.sort_unstable();
        for same in changes.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let day = same[0].0;
            let balance: i32 = same.iter().map(|change| change.2).sum();
            if balance != 0 && self.days.last() != Some(&day) {
                self.days.push(day);
            }
        }
    }

    /// Goes on to the next key; false after the last.
    fn next_key(&mut self) -> bool {
        self.days.clear();
        self.key += 1;
        self.key < self.ranges.len()
    }

    /// Rows of a key that are not in order were declared sorted and are not.
    fn check_order(&self, shape: &Shape) -> Result<()> {
        for range in &self.ranges {
            if !self.spells.starts[range.clone()].is_sorted() {
                return shape.out_of_order();
            }
        }
        Ok(())
    }
}

/// Numbers for the values of a column, the same for the same value; a null is like no other row.
fn numbers_of(column: &ArrayRef) -> Result<Vec<u32>> {
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let values = converter.convert_columns(&[Arc::clone(column)])?;
    let mut numbers: HashMap<Row<'_>, u32> = HashMap::with_capacity(column.len());
    Ok((0..column.len())
        .map(|row| match column.is_null(row) {
            true => row as u32,
            false => *numbers.entry(values.row(row)).or_insert(row as u32),
        })
        .collect())
}

impl Depth {
    pub fn new(input: Input, schema: SchemaRef, rows: usize) -> Self {
        Self {
            input: CompleteKeys::new(input),
            schema,
            rows,
            batch: None,
        }
    }

    /// Up to about so many rows of the batch; whether the batch is done.
    fn take_rows(&self, cut: &mut Cut) -> Result<(RecordBatch, bool)> {
        let shape = self.input.shape();
        let mut key_rows: Vec<u32> = Vec::new();
        let mut stretches: Vec<(i32, i32, i64)> = Vec::new();
        let mut done = false;
        while !done && key_rows.len() < self.rows {
            let first = stretches.len();
            let key_row = cut.ranges[cut.key].start as u32;
            while let Some(stretch) = cut.next_in_key() {
                let depth = cut.running.len() as i64;
                match stretches[first..].last_mut() {
                    // One spell ended and another began: the number stayed the same.
                    Some(last) if last.1 == stretch.start && last.2 == depth => {
                        last.1 = stretch.end;
                    }
                    _ => {
                        key_rows.push(key_row);
                        stretches.push((stretch.start, stretch.end, depth));
                    }
                }
            }
            done = !cut.next_key();
        }
        let rows = UInt32Array::from(key_rows);
        let mut arrays = cut
            .spells
            .key
            .iter()
            .map(|key| take(key.as_ref(), &rows, None))
            .collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        let starts = stretches.iter().map(|stretch| stretch.0);
        let ends = stretches.iter().map(|stretch| shape.shown_end(stretch.1));
        let depths = stretches.iter().map(|stretch| stretch.2);
        arrays.push(Arc::new(Date32Array::from_iter_values(starts)));
        arrays.push(Arc::new(ends.collect::<Date32Array>()));
        arrays.push(Arc::new(Int64Array::from_iter_values(depths)));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        Ok((batch, done))
    }
}

impl Operator for Depth {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut cut = match self.batch.take() {
            Some(cut) => cut,
            None => match self.input.next().await? {
                Some(spells) => Cut::new(spells, self.input.shape())?,
                None => return Ok(None),
            },
        };
        if cut.key == 0 {
            cut.check_order(self.input.shape())?;
        }
        let (batch, done) = self.take_rows(&mut cut)?;
        if !done {
            self.batch = Some(cut);
        }
        Ok(Some(batch))
    }
}

impl Episodes {
    pub fn new(input: Input, schema: SchemaRef, rows: usize) -> Self {
        Self {
            input: CompleteKeys::new(input),
            schema,
            rows,
            batch: None,
        }
    }

    fn take_rows(&self, cut: &mut Cut) -> Result<(RecordBatch, bool)> {
        let shape = self.input.shape();
        let mut rows: Vec<u32> = Vec::with_capacity(self.rows);
        let (mut numbers, mut concurrent) = (Vec::new(), Vec::new());
        let (mut starts, mut ends) = (Vec::new(), Date32Builder::new());
        let mut done = false;
        while !done && rows.len() < self.rows {
            match cut.next_in_key() {
                Some(stretch) => {
                    let count = cut.running.len();
                    rows.extend_from_slice(&cut.running);
                    numbers.extend(std::iter::repeat_n(cut.episode, count));
                    concurrent.extend(std::iter::repeat_n(count as i64, count));
                    starts.extend(std::iter::repeat_n(stretch.start, count));
                    match shape.shown_end(stretch.end) {
                        Some(end) => ends.append_value_n(end, count),
                        None => ends.append_nulls(count),
                    }
                }
                None => done = !cut.next_key(),
            }
        }
        let rows = UInt32Array::from(rows);
        let mut arrays = cut
            .spells
            .batch
            .columns()
            .iter()
            .map(|column| take(column.as_ref(), &rows, None))
            .collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        arrays.push(Arc::new(Int64Array::from(numbers)));
        arrays.push(Arc::new(Date32Array::from(starts)));
        arrays.push(Arc::new(ends.finish()));
        arrays.push(Arc::new(Int64Array::from(concurrent)));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        Ok((batch, done))
    }
}

impl Operator for Episodes {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut cut = match self.batch.take() {
            Some(cut) => cut,
            None => match self.input.next().await? {
                Some(spells) => {
                    let cut = Cut::new(spells, self.input.shape())?;
                    cut.check_order(self.input.shape())?;
                    cut
                }
                None => return Ok(None),
            },
        };
        let (batch, done) = self.take_rows(&mut cut)?;
        if !done {
            self.batch = Some(cut);
        }
        Ok(Some(batch))
    }
}
