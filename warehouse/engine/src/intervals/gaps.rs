//! Gaps, tenure and the start of the next spell, row by row of the input's order.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use datafusion::common::Result;

use super::exec::Operator;
use super::keys::{continues, key_ranges};
use super::rows::{Input, OPEN, Shape, Spells};
use super::settings::Within;
use crate::functions::add_months;

/// Fewer and more days than any month has.
const SHORTEST_MONTH: i32 = 28;
const LONGEST_MONTH: i32 = 31;

/// Appends to every row what came before it and when the next spell of the key starts.
pub(super) struct Gaps {
    input: Input,
    schema: SchemaRef,
    label: Option<Within>,
    history: History,
    /// The batch before, of which the last row waits for the next row.
    waiting: Option<(Spells, Columns)>,
}

/// What is known of the key so far.
#[derive(Debug, Clone, Copy)]
struct History {
    spells: i64,
    start: i32,
    /// The day after the last covered one.
    covered: i32,
    /// `None` once a spell without an end has begun.
    tenure: Option<i32>,
}

const NOTHING: History = History {
    spells: 0,
    start: i32::MIN,
    covered: i32::MIN,
    tenure: Some(0),
};

/// Computed columns of a batch.
struct Columns {
    spell_no: Vec<i64>,
    /// The day after the last covered one; [`OPEN`] where every later day is covered.
    covered: Vec<i32>,
    is_first: BooleanBufferBuilder,
    gap: Vec<i32>,
    tenure: Vec<i32>,
    has_tenure: BooleanBufferBuilder,
    next_start: Vec<i32>,
    has_next: Vec<bool>,
}

impl Gaps {
    pub fn new(input: Input, schema: SchemaRef, label: Option<Within>) -> Self {
        Self {
            input,
            schema,
            label,
            history: NOTHING,
            waiting: None,
        }
    }

    fn compute(&mut self, spells: &Spells, goes_on: bool) -> Result<Columns> {
        let rows = spells.rows();
        let mut columns = Columns {
            spell_no: Vec::with_capacity(rows),
            covered: Vec::with_capacity(rows),
            is_first: BooleanBufferBuilder::new(rows),
            gap: Vec::with_capacity(rows),
            tenure: Vec::with_capacity(rows),
            has_tenure: BooleanBufferBuilder::new(rows),
            next_start: Vec::with_capacity(rows),
            has_next: vec![true; rows],
        };
        let (starts, ends) = (&spells.starts[..], &spells.ends[..]);
        let mut history = self.history;
        for (position, range) in key_ranges(&spells.key)?.into_iter().enumerate() {
            if position > 0 || !goes_on {
                history = NOTHING;
            }
            let starts = &starts[range.clone()];
            let ends = &ends[range.clone()];
            for (&start, &end) in starts.iter().zip(ends) {
                if start < history.start {
                    return self.input.shape.out_of_order();
                }
                let is_first = history.spells == 0;
                columns.is_first.append(is_first);
                columns.covered.push(history.covered);
                // The first spell has nothing before it; what is pushed for it is masked.
                columns
                    .gap
                    .push(start.saturating_sub(history.covered).max(0));
                if end == OPEN {
                    history.tenure = None;
                } else if let Some(tenure) = &mut history.tenure {
                    let fresh = end.saturating_sub(start.max(history.covered)).max(0);
                    *tenure = tenure.saturating_add(fresh);
                }
                columns.tenure.push(history.tenure.unwrap_or_default());
                columns.has_tenure.append(history.tenure.is_some());
                history.spells += 1;
                columns.spell_no.push(history.spells);
                history.start = start;
                history.covered = history.covered.max(end);
            }
            columns.next_start.extend_from_slice(&starts[1..]);
            columns.next_start.push(0);
            columns.has_next[range.end - 1] = false;
        }
        self.history = history;
        Ok(columns)
    }

    fn finish(&self, spells: Spells, columns: Columns) -> Result<RecordBatch> {
        let shape = &self.input.shape;
        let Columns {
            spell_no,
            covered,
            mut is_first,
            gap,
            tenure,
            mut has_tenure,
            next_start,
            has_next,
        } = columns;
        let is_first = is_first.finish();
        let later = NullBuffer::new(!&is_first);
        let label = self
            .label
            .map(|label| next_within(label, shape, &spells.ends, &next_start, &has_next));
        let mut known_end = BooleanBufferBuilder::new(covered.len());
        for (row, &covered) in covered.iter().enumerate() {
            known_end.append(!is_first.value(row) && covered != OPEN);
        }
        let previous_end: Vec<i32> = covered
            .iter()
            .map(|&covered| shape.shown_end(covered).unwrap_or_default())
            .collect();
        let known_end = NullBuffer::new(known_end.finish());
        let mut arrays = spells.batch.columns().to_vec();
        arrays.push(Arc::new(Int64Array::from(spell_no)));
        arrays.push(Arc::new(Date32Array::new(
            previous_end.into(),
            Some(known_end),
        )));
        arrays.push(Arc::new(Int32Array::new(gap.into(), Some(later))));
        let has_tenure = NullBuffer::new(has_tenure.finish());
        arrays.push(Arc::new(Int32Array::new(tenure.into(), Some(has_tenure))));
        let has_next = NullBuffer::from(has_next);
        arrays.push(Arc::new(Date32Array::new(
            next_start.into(),
            Some(has_next),
        )));
        if let Some(label) = label {
            let label: ArrayRef = Arc::new(label);
            arrays.push(label);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

/// Whether the next spell starts within the time after the end; null for a spell without an end.
fn next_within(
    label: Within,
    shape: &Shape,
    ends: &[i32],
    next_start: &[i32],
    has_next: &[bool],
) -> BooleanArray {
    let mut within = BooleanBufferBuilder::new(ends.len());
    let mut known = BooleanBufferBuilder::new(ends.len());
    for ((&end, &next), &has_next) in ends.iter().zip(next_start).zip(has_next) {
        let shown = shape.shown_end(end);
        known.append(shown.is_some());
        within.append(has_next && shown.is_some_and(|end| starts_within(label, end, next)));
    }
    BooleanArray::new(within.finish(), Some(NullBuffer::new(known.finish())))
}

fn starts_within(label: Within, end: i32, next: i32) -> bool {
    let days = next.saturating_sub(end);
    match label {
        Within::Days(limit) => days <= limit,
        // The calendar is asked only where the length of the months decides.
        Within::Months(months) if days <= months.saturating_mul(SHORTEST_MONTH) => true,
        Within::Months(months) if days > months.saturating_mul(LONGEST_MONTH) => false,
        Within::Months(months) => next <= add_months(end, months),
    }
}

impl Operator for Gaps {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(spells) = self.input.next().await? else {
                return match self.waiting.take() {
                    Some((spells, columns)) => self.finish(spells, columns).map(Some),
                    None => Ok(None),
                };
            };
            let goes_on = match &self.waiting {
                Some((earlier, _)) => continues(&earlier.key, &spells.key)?,
                None => false,
            };
            let columns = self.compute(&spells, goes_on)?;
            let first_start = spells.starts[0];
            let earlier = self.waiting.replace((spells, columns));
            let Some((earlier, mut columns)) = earlier else {
                continue;
            };
            if goes_on
                && let (Some(start), Some(has_next)) =
                    (columns.next_start.last_mut(), columns.has_next.last_mut())
            {
                *start = first_start;
                *has_next = true;
            }
            return self.finish(earlier, columns).map(Some);
        }
    }
}
