//! Overlapping and adjacent spells become one.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::{concat, take};
use datafusion::common::Result;

use super::exec::Operator;
use super::keys::{continues, key_ranges, one_row};
use super::rows::{Input, Spells};

/// Emits a stretch once nothing can be added to it any more.
pub(super) struct Merge {
    input: Input,
    schema: SchemaRef,
    join_gap_days: i32,
    /// The last stretch of the batch before; its key stands in a column of one row each.
    open: Option<(Vec<ArrayRef>, Stretch)>,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: i32,
    end: i32,
    spells: i64,
}

/// Finished stretches, with the row of their key.
#[derive(Default)]
struct Finished {
    rows: Vec<u32>,
    stretches: Vec<Stretch>,
}

impl Merge {
    pub fn new(input: Input, schema: SchemaRef, join_gap_days: i32) -> Self {
        Self {
            input,
            schema,
            join_gap_days,
            open: None,
            ended: false,
        }
    }

    /// Row 0 of the keys is that of the open stretch where there is one.
    fn merge(&mut self, spells: &Spells) -> Result<RecordBatch> {
        let open = self.open.take();
        let goes_on = match &open {
            Some((key, _)) => continues(key, &spells.key)?,
            None => false,
        };
        let before = u32::from(open.is_some());
        let keys = match &open {
            Some((key, _)) => key
                .iter()
                .zip(&spells.key)
                .map(|(open, new)| concat(&[open.as_ref(), new.as_ref()]))
                .collect::<std::result::Result<Vec<_>, _>>()?,
            None => spells.key.clone(),
        };
        let mut finished = Finished::default();
        let mut current = open.map(|(_, stretch)| (0, stretch));
        for (position, range) in key_ranges(&spells.key)?.into_iter().enumerate() {
            if (position > 0 || !goes_on)
                && let Some((row, stretch)) = current.take()
            {
                finished.push(row, stretch);
            }
            let row = before + range.start as u32;
            for at in range {
                let (start, end) = (spells.starts[at], spells.ends[at]);
                match &mut current {
                    Some((_, stretch)) if start < stretch.start => {
                        return self.input.shape.out_of_order();
                    }
                    Some((_, stretch))
                        if start <= stretch.end.saturating_add(self.join_gap_days) =>
                    {
                        stretch.end = stretch.end.max(end);
                        stretch.spells += 1;
                    }
                    _ => {
                        let new = Stretch {
                            start,
                            end,
                            spells: 1,
                        };
                        if let Some((row, stretch)) = current.replace((row, new)) {
                            finished.push(row, stretch);
                        }
                    }
                }
            }
        }
        if let Some((row, stretch)) = current {
            self.open = Some((one_row(&keys, row as usize)?, stretch));
        }
        self.rows(&keys, finished)
    }

    fn rows(&self, keys: &[ArrayRef], finished: Finished) -> Result<RecordBatch> {
        let rows = UInt32Array::from(finished.rows);
        let mut arrays = keys
            .iter()
            .map(|key| take(key.as_ref(), &rows, None))
            .collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        let stretches = &finished.stretches;
        let shape = &self.input.shape;
        arrays.push(Arc::new(Date32Array::from_iter_values(
            stretches.iter().map(|stretch| stretch.start),
        )));
        let ends: Date32Array = stretches
            .iter()
            .map(|stretch| shape.shown_end(stretch.end))
            .collect();
        arrays.push(Arc::new(ends));
        arrays.push(Arc::new(Int64Array::from_iter_values(
            stretches.iter().map(|stretch| stretch.spells),
        )));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

impl Finished {
    fn push(&mut self, row: u32, stretch: Stretch) {
        self.rows.push(row);
        self.stretches.push(stretch);
    }
}

impl Operator for Merge {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while !self.ended {
            let Some(spells) = self.input.next().await? else {
                self.ended = true;
                let Some((key, stretch)) = self.open.take() else {
                    return Ok(None);
                };
                let mut finished = Finished::default();
                finished.push(0, stretch);
                return self.rows(&key, finished).map(Some);
            };
            let rows = self.merge(&spells)?;
            if rows.num_rows() > 0 {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}
