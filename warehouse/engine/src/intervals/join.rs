//! Rows of one key whose intervals share a day: a merge of two inputs sorted by (key, start).

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::{BatchCoalescer, take};
use datafusion::common::Result;

use super::exec::Operator;
use super::keys::{CompleteKeys, KeyComparator, key_ranges};
use super::rows::{Input, Shape, Spells};
use super::settings::JoinKind;

/// Inner or left interval join; with points on the left, a look-up.
pub(super) struct Join {
    left: Side,
    right: Side,
    schema: SchemaRef,
    kind: JoinKind,
    point: bool,
    rows: usize,
    /// Compares keys of the batches at hand.
    comparator: Option<KeyComparator>,
    pairs: Pairs,
    /// The key both sides are at.
    matching: Option<Matching>,
    output: BatchCoalescer,
    ended: bool,
}

struct Side {
    input: CompleteKeys,
    /// Rows of complete keys, the ranges of the keys and the first that is not done.
    batch: Option<(Spells, Vec<Range<usize>>, usize)>,
    ended: bool,
}

/// Rows to put side by side; without a right row its columns are null.
#[derive(Default)]
struct Pairs {
    left: Vec<u32>,
    right: Vec<Option<u32>>,
}

/// Where the pairing of one key has got to.
struct Matching {
    left: Range<usize>,
    right: Range<usize>,
    /// Latest end among the right rows up to each.
    latest_end: Vec<i32>,
    /// First right row that may still run when the left row starts.
    from: usize,
    at: usize,
    paired: bool,
}

impl Side {
    fn new(input: Input) -> Self {
        Self {
            input: CompleteKeys::new(input),
            batch: None,
            ended: false,
        }
    }

    fn key_rows(&self) -> Option<Range<usize>> {
        let (_, ranges, position) = self.batch.as_ref()?;
        ranges.get(*position).cloned()
    }

    fn advance(&mut self) {
        if let Some((_, _, position)) = &mut self.batch {
            *position += 1;
        }
    }

    fn spells(&self) -> Option<&Spells> {
        self.batch.as_ref().map(|(spells, ..)| spells)
    }

    fn shape(&self) -> &Shape {
        self.input.shape()
    }
}

impl Join {
    pub fn new(
        left: Input,
        right: Input,
        schema: SchemaRef,
        kind: JoinKind,
        point: bool,
        rows: usize,
    ) -> Self {
        Self {
            output: BatchCoalescer::new(Arc::clone(&schema), rows),
            left: Side::new(left),
            right: Side::new(right),
            schema,
            kind,
            point,
            rows,
            comparator: None,
            pairs: Pairs::default(),
            matching: None,
            ended: false,
        }
    }

    /// Replaces the batch of a side that is used up. Pairs of the old one are written first.
    async fn refill(&mut self, is_left: bool) -> Result<()> {
        self.write_pairs()?;
        self.comparator = None;
        let side = if is_left {
            &mut self.left
        } else {
            &mut self.right
        };
        side.batch = match side.input.next().await? {
            Some(spells) => {
                let ranges = key_ranges(&spells.key)?;
                for range in &ranges {
                    if !spells.starts[range.clone()].is_sorted() {
                        return side.shape().out_of_order();
                    }
                }
                Some((spells, ranges, 0))
            }
            None => {
                side.ended = true;
                None
            }
        };
        Ok(())
    }

    /// Works until enough pairs are found or a batch is used up.
    fn step(&mut self) -> Result<()> {
        while self.pairs.left.len() < self.rows {
            if self.matching.is_some() {
                self.pair_rows();
                continue;
            }
            let Some(left) = self.left.key_rows() else {
                return Ok(());
            };
            let order = if self.right.ended {
                Ordering::Less
            } else {
                match self.right.key_rows() {
                    Some(right) => self.compare(left.start, right.start)?,
                    None => return Ok(()),
                }
            };
            match order {
                Ordering::Less => {
                    self.leave_alone(left);
                    self.left.advance();
                }
                Ordering::Greater => self.right.advance(),
                Ordering::Equal => self.begin_matching(left),
            }
        }
        Ok(())
    }

    /// Equal keys with a null in them are no match: the left goes first.
    fn compare(&mut self, left: usize, right: usize) -> Result<Ordering> {
        let (Some(left_rows), Some(right_rows)) = (self.left.spells(), self.right.spells()) else {
            return Ok(Ordering::Less);
        };
        let comparator = match &self.comparator {
            Some(comparator) => comparator,
            None => self
                .comparator
                .insert(KeyComparator::new(&left_rows.key, &right_rows.key)?),
        };
        let order = comparator.compare(left, right);
        let has_null = left_rows.key.iter().any(|column| column.is_null(left));
        Ok(if order.is_eq() && has_null {
            Ordering::Less
        } else {
            order
        })
    }

    fn leave_alone(&mut self, rows: Range<usize>) {
        if self.kind == JoinKind::Left {
            for row in rows {
                self.pairs.left.push(row as u32);
                self.pairs.right.push(None);
            }
        }
    }

    fn begin_matching(&mut self, left: Range<usize>) {
        let (Some(right), Some(rows)) = (self.right.key_rows(), self.right.spells()) else {
            return;
        };
        let mut latest = i32::MIN;
        let latest_end = rows.ends[right.clone()]
            .iter()
            .map(|&end| {
                latest = latest.max(end);
                latest
            })
            .collect();
        self.matching = Some(Matching {
            left,
            from: right.start,
            at: right.start,
            right,
            latest_end,
            paired: false,
        });
    }

    /// Pairs rows of one key until enough are found or the key is done.
    fn pair_rows(&mut self) {
        let (Some(left), Some(right)) = (self.left.spells(), self.right.spells()) else {
            self.matching = None;
            return;
        };
        let Some(matching) = &mut self.matching else {
            return;
        };
        while let Some(row) = matching.left.clone().next() {
            let (start, end) = (left.starts[row], left.ends[row]);
            // Starts ascend, so what has ended before this row has ended before the next ones.
            while matching.from < matching.right.end
                && matching.latest_end[matching.from - matching.right.start] <= start
            {
                matching.from += 1;
            }
            matching.at = matching.at.max(matching.from);
            while matching.at < matching.right.end && right.starts[matching.at] < end {
                if right.ends[matching.at] > start {
                    matching.paired = true;
                    self.pairs.left.push(row as u32);
                    self.pairs.right.push(Some(matching.at as u32));
                }
                matching.at += 1;
                if self.pairs.left.len() >= self.rows {
                    return;
                }
            }
            if !matching.paired && self.kind == JoinKind::Left {
                self.pairs.left.push(row as u32);
                self.pairs.right.push(None);
            }
            matching.left.start += 1;
            matching.at = matching.from;
            matching.paired = false;
            if self.pairs.left.len() >= self.rows {
                return;
            }
        }
        self.matching = None;
        self.left.advance();
        self.right.advance();
    }

    fn write_pairs(&mut self) -> Result<()> {
        let pairs = std::mem::take(&mut self.pairs);
        let Some(left) = self.left.spells().filter(|_| !pairs.left.is_empty()) else {
            return Ok(());
        };
        let left_rows = UInt32Array::from(pairs.left);
        let right_rows = UInt32Array::from(pairs.right);
        let mut arrays = left
            .batch
            .columns()
            .iter()
            .map(|column| take(column.as_ref(), &left_rows, None))
            .collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        let at = &self.right.shape().positions;
        let taken = self.schema.fields().len() - arrays.len() - if self.point { 0 } else { 3 };
        match self.right.spells() {
            Some(right) => {
                for (position, column) in right.batch.columns().iter().enumerate() {
                    if !at.key.contains(&position) {
                        arrays.push(take(column.as_ref(), &right_rows, None)?);
                    }
                }
            }
            None => {
                for field in &self.schema.fields()[arrays.len()..arrays.len() + taken] {
                    let rows = left_rows.len();
                    arrays.push(arrow_array::new_null_array(field.data_type(), rows));
                }
            }
        }
        if !self.point {
            self.push_overlap(&mut arrays, left, &left_rows, &right_rows);
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        self.output.push_batch(batch)?;
        Ok(())
    }

    fn push_overlap(
        &self,
        arrays: &mut Vec<ArrayRef>,
        left: &Spells,
        left_rows: &UInt32Array,
        right_rows: &UInt32Array,
    ) {
        let shape = self.left.shape();
        let rows = left_rows.len();
        let mut starts = Vec::with_capacity(rows);
        let mut ends = Vec::with_capacity(rows);
        let mut days = Vec::with_capacity(rows);
        for (&row, other) in left_rows.values().iter().zip(right_rows) {
            let other = other.map(|other| other as usize);
            let Some((right, other)) = self.right.spells().zip(other) else {
                starts.push(None);
                ends.push(None);
                days.push(None);
                continue;
            };
            let start = left.starts[row as usize].max(right.starts[other]);
            let end = left.ends[row as usize].min(right.ends[other]);
            let shown = shape.shown_end(end);
            starts.push(Some(start));
            ends.push(shown);
            days.push(shown.map(|_| end.saturating_sub(start)));
        }
        arrays.push(Arc::new(Date32Array::from(starts)));
        arrays.push(Arc::new(Date32Array::from(ends)));
        arrays.push(Arc::new(Int32Array::from(days)));
    }
}

impl Operator for Join {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.output.next_completed_batch() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            self.step()?;
            if self.pairs.left.len() >= self.rows {
                self.write_pairs()?;
            } else if self.left.key_rows().is_none() {
                if !self.left.ended {
                    self.refill(true).await?;
                }
                if self.left.ended {
                    self.ended = true;
                    self.output.finish_buffered_batch()?;
                }
            } else if !self.right.ended && self.right.key_rows().is_none() {
                self.refill(false).await?;
            }
        }
    }
}
