//! Rows in memory to sorted runs, range by range of the first sort column, on several threads.
//!
//! A merge of sorted streams hands rows over one by one and on one thread; so does whatever checks, hashes and encodes
//! them behind it. Here rows are first cut into ranges, none of which overlaps another, and each range is sorted and
//! consumed on its own. Ranges follow quantiles of a sample, so that skewed keys are shared out as well.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{ArrowError, DataType};
use datafusion::arrow::array::{DynComparator, make_comparator};
use datafusion::arrow::compute::{concat, concat_batches, take_record_batch};

use crate::storage::SORT_OPTIONS;

/// Rows of a range, about; as many as a row group holds.
const RANGE_ROWS: usize = 256 << 10;
/// Rows that are cut into ranges at a time: enough that a range gets more than a few of them.
const CHUNK_ROWS: usize = 64 << 10;
/// Values looked at to find the quantiles.
const SAMPLED_ROWS: usize = 64 << 10;

/// Takes the sorted rows of one lane, in order.
pub(crate) type Consumer<'a, E> = dyn FnMut(&RecordBatch) -> Result<(), E> + Send + 'a;

/// Sorts rows by the columns at `order`, ascending with nulls last, and hands them to the consumers: all rows of one
/// before those of the next in that order, each consumer on a thread of its own.
pub(crate) fn sort_into<E: From<ArrowError> + Send>(
    batches: Vec<RecordBatch>,
    order: &[usize],
    consumers: Vec<&mut Consumer<'_, E>>,
) -> Result<(), E> {
    let lanes = consumers.len().max(1);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let ranges = rows.div_ceil(RANGE_ROWS).next_multiple_of(lanes);
    let splitters = Splitters::of(&batches, order, ranges);
    let cut = cut_into_ranges(batches, order, &splitters, lanes)?;
    let per_lane = splitters.ranges().div_ceil(lanes);
    std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(lanes);
        let mut cut = cut.into_iter();
        for consumer in consumers {
            let own: Vec<Vec<RecordBatch>> = cut.by_ref().take(per_lane).collect();
            threads.push(scope.spawn(move || {
                for range in own {
                    if let Some(sorted) = sort(&range, order)? {
                        drop(range);
                        consumer(&sorted)?;
                    }
                }
                Ok(())
            }));
        }
        threads.into_iter().try_for_each(joined)
    })
}

/// The rows of some batches as one sorted batch, `None` when there are none.
pub(crate) fn sort(
    batches: &[RecordBatch],
    order: &[usize],
) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let rows = concat_batches(first.schema_ref(), batches)?;
    let Some((&leading, following)) = order.split_first() else {
        return Ok(Some(rows));
    };
    let (prefixes, is_exact) = prefixes(rows.column(leading));
    let compared: &[usize] = if is_exact { following } else { order };
    let comparators = compared
        .iter()
        .map(|&column| make_comparator(rows.column(column), rows.column(column), SORT_OPTIONS))
        .collect::<Result<Vec<DynComparator>, _>>()?;
    let mut keys: Vec<(u64, u32)> = prefixes.into_iter().zip(0u32..).collect();
    keys.sort_unstable_by(|left, right| {
        left.0.cmp(&right.0).then_with(|| {
            comparators
                .iter()
                .map(|compare| compare(left.1 as usize, right.1 as usize))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(left.1.cmp(&right.1))
        })
    });
    let indices = UInt32Array::from_iter_values(keys.into_iter().map(|(_, row)| row));
    take_record_batch(&rows, &indices).map(Some)
}

/// Numbers in the order of a column's values, and whether different values always have different ones.
fn prefixes(column: &ArrayRef) -> (Vec<u64>, bool) {
    const SIGN: u64 = 1 << 63;
    let has_nulls = column.null_count() > 0;
    let signed = |value: i64| (value as u64) ^ SIGN;
    let mut prefixes: Vec<u64> = match column.data_type() {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().values();
            values.iter().map(|value| signed(*value)).collect()
        }
        DataType::Int32 => {
            let values = column.as_primitive::<Int32Type>().values();
            values.iter().map(|value| signed((*value).into())).collect()
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>().values();
            values.iter().map(|value| signed((*value).into())).collect()
        }
        DataType::Utf8 => {
            let text = column.as_string::<i32>();
            let prefix = |row: usize| {
                let bytes = text.value(row).as_bytes();
                let mut prefix = [0; 8];
                let length = bytes.len().min(8);
                prefix[..length].copy_from_slice(&bytes[..length]);
                u64::from_be_bytes(prefix)
            };
            (0..text.len()).map(prefix).collect()
        }
        // All in one range: still right, on one thread.
        _ => vec![0; column.len()],
    };
    if has_nulls {
        for (row, prefix) in prefixes.iter_mut().enumerate() {
            if column.is_null(row) {
                *prefix = u64::MAX;
            }
        }
    }
    let is_whole = matches!(
        column.data_type(),
        DataType::Int64 | DataType::Int32 | DataType::Date32
    );
    (prefixes, is_whole && !has_nulls)
}

/// Where ranges start, with a table that finds the range of a prefix in about one step.
struct Splitters {
    starts: Vec<u64>,
    smallest: u64,
    shift: u32,
    first_of_slot: Vec<u32>,
}

impl Splitters {
    fn of(batches: &[RecordBatch], order: &[usize], ranges: usize) -> Self {
        let mut sample = Vec::with_capacity(SAMPLED_ROWS);
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let step = rows.div_ceil(SAMPLED_ROWS).max(1);
        if let Some(&leading) = order.first() {
            for batch in batches {
                let column = batch.column(leading);
                let count = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
                let indices = UInt32Array::from_iter_values((0..count).step_by(step));
                if let Ok(values) = datafusion::arrow::compute::take(column, &indices, None) {
                    sample.extend(prefixes(&values).0);
                }
            }
        }
        sample.sort_unstable();
        let mut starts: Vec<u64> = (1..ranges)
            .filter_map(|range| sample.get(range * sample.len() / ranges.max(1)).copied())
            .collect();
        starts.dedup();
        let smallest = sample.first().copied().unwrap_or_default();
        let span = sample.last().copied().unwrap_or_default() - smallest;
        let shift = (64 - span.leading_zeros()).saturating_sub(12);
        let slots = (span >> shift) as usize + 2;
        let first_of_slot = (0..slots)
            .map(|slot| {
                let start = smallest.saturating_add((slot as u64).saturating_mul(1 << shift));
                u32::try_from(starts.partition_point(|splitter| *splitter <= start)).unwrap_or(0)
            })
            .collect();
        Self {
            starts,
            smallest,
            shift,
            first_of_slot,
        }
    }

    fn ranges(&self) -> usize {
        self.starts.len() + 1
    }

    #[inline]
    fn range_of(&self, prefix: u64) -> usize {
        let slot = (prefix.saturating_sub(self.smallest) >> self.shift) as usize;
        let slot = slot.min(self.first_of_slot.len() - 1);
        let mut range = if prefix < self.smallest {
            0
        } else {
            self.first_of_slot[slot] as usize
        };
        while self.starts.get(range).is_some_and(|start| *start <= prefix) {
            range += 1;
        }
        range
    }
}

/// Groups rows by range; the order inside a range is not defined yet.
fn cut_into_ranges<E: From<ArrowError> + Send>(
    batches: Vec<RecordBatch>,
    order: &[usize],
    splitters: &Splitters,
    threads: usize,
) -> Result<Vec<Vec<RecordBatch>>, E> {
    let chunks = chunks_of(batches);
    let next = AtomicUsize::new(0);
    let parts: Vec<Vec<Vec<RecordBatch>>> = std::thread::scope(|scope| {
        let work = || -> Result<Vec<Vec<RecordBatch>>, E> {
            let mut ranges = vec![Vec::new(); splitters.ranges()];
            loop {
                let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return Ok(ranges);
                };
                let chunk =
                    std::mem::take(&mut *chunk.lock().unwrap_or_else(PoisonError::into_inner));
                cut_chunk(&chunk, order, splitters, &mut ranges)?;
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(joined).collect::<Result<_, E>>()
    })?;
    let mut ranges = vec![Vec::new(); splitters.ranges()];
    for part in parts {
        for (range, mut batches) in ranges.iter_mut().zip(part) {
            range.append(&mut batches);
        }
    }
    Ok(ranges)
}

/// Batches in groups of about [`CHUNK_ROWS`], each to be taken once.
fn chunks_of(batches: Vec<RecordBatch>) -> Vec<Mutex<Vec<RecordBatch>>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut rows) = (Vec::new(), 0);
    for batch in batches {
        rows += batch.num_rows();
        chunk.push(batch);
        if rows >= CHUNK_ROWS {
            chunks.push(Mutex::new(std::mem::take(&mut chunk)));
            rows = 0;
        }
    }
    chunks.push(Mutex::new(chunk));
    chunks
}

fn cut_chunk(
    chunk: &[RecordBatch],
    order: &[usize],
    splitters: &Splitters,
    ranges: &mut [Vec<RecordBatch>],
) -> Result<(), ArrowError> {
    let (Some(first), Some(&leading)) = (chunk.first(), order.first()) else {
        if let Some(range) = ranges.first_mut() {
            range.extend_from_slice(chunk);
        }
        return Ok(());
    };
    let keys: Vec<&dyn Array> = chunk
        .iter()
        .map(|batch| batch.column(leading).as_ref())
        .collect();
    let (prefixes, _) = prefixes(&concat(&keys)?);
    let of_row: Vec<u32> = prefixes
        .iter()
        .map(|prefix| splitters.range_of(*prefix) as u32)
        .collect();
    let mut ends = vec![0usize; ranges.len() + 1];
    for range in &of_row {
        ends[*range as usize + 1] += 1;
    }
    for range in 0..ranges.len() {
        ends[range + 1] += ends[range];
    }
    let mut places = ends.clone();
    let mut indices = vec![0u32; of_row.len()];
    for (row, range) in (0u32..).zip(&of_row) {
        let place = &mut places[*range as usize];
        indices[*place] = row;
        *place += 1;
    }
    let rows = concat_batches(first.schema_ref(), chunk)?;
    let rows = take_record_batch(&rows, &UInt32Array::from(indices))?;
    for (range, batches) in ranges.iter_mut().enumerate() {
        let (start, end) = (ends[range], ends[range + 1]);
        if start < end {
            batches.push(rows.slice(start, end - start));
        }
    }
    Ok(())
}

fn joined<T, E>(thread: std::thread::ScopedJoinHandle<'_, Result<T, E>>) -> Result<T, E> {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow_array::{Date32Array, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};
    use datafusion::arrow::compute::{SortColumn, lexsort_to_indices};

    use super::*;

    /// A step of a linear congruential generator, enough to mix rows.
    fn draw(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 20
    }

    fn batches(rows: usize, distinct: u64, text_first: bool) -> Vec<RecordBatch> {
        let mut state = 7;
        let schema = Arc::new(Schema::new(vec![
            Field::new(
                "a",
                if text_first {
                    DataType::Utf8
                } else {
                    DataType::Int64
                },
                true,
            ),
            Field::new("b", DataType::Date32, true),
            Field::new("row", DataType::Int64, false),
        ]));
        (0..rows.div_ceil(8192))
            .map(|batch| {
                let count = 8192.min(rows - batch * 8192);
                let keys: Vec<Option<i64>> = (0..count)
                    .map(|_| {
                        let value = draw(&mut state) % distinct;
                        let spread = (value as i64).wrapping_mul(-7_046_029_254_386_353_131);
                        (!draw(&mut state).is_multiple_of(97)).then_some(spread)
                    })
                    .collect();
                let first: ArrayRef = if text_first {
                    Arc::new(StringArray::from_iter(
                        keys.iter().map(|key| key.map(|key| format!("firm {key}"))),
                    ))
                } else {
                    Arc::new(Int64Array::from(keys))
                };
                let days = Date32Array::from_iter(
                    (0..count).map(|_| Some((draw(&mut state) % 900) as i32 - 300)),
                );
                let numbers =
                    Int64Array::from_iter_values((0..count).map(|row| (batch * 8192 + row) as i64));
                RecordBatch::try_new(
                    Arc::clone(&schema),
                    vec![first, Arc::new(days), Arc::new(numbers)],
                )
                .unwrap()
            })
            .collect()
    }

    fn by_lexsort(batches: &[RecordBatch]) -> RecordBatch {
        let rows = concat_batches(batches[0].schema_ref(), batches).unwrap();
        let columns: Vec<SortColumn> = (0..3)
            .map(|column| SortColumn {
                values: Arc::clone(rows.column(column)),
                options: Some(SORT_OPTIONS),
            })
            .collect();
        take_record_batch(&rows, &lexsort_to_indices(&columns, None).unwrap()).unwrap()
    }

    #[test]
    fn ranges_one_after_another_are_the_sorted_rows() {
        for (rows, distinct, text_first, lanes) in [
            (900_000, 200_000, false, 2),
            (900_000, 3, false, 2),
            (600_000, 50_000, true, 3),
            (10, 5, false, 1),
        ] {
            let batches = batches(rows, distinct, text_first);
            let expected = by_lexsort(&batches);
            let mut outputs: Vec<Vec<RecordBatch>> = vec![Vec::new(); lanes];
            let mut consumers: Vec<_> = outputs
                .iter_mut()
                .map(|output| {
                    move |batch: &RecordBatch| -> Result<(), ArrowError> {
                        output.push(batch.clone());
                        Ok(())
                    }
                })
                .collect();
            let consumers = consumers
                .iter_mut()
                .map(|consumer| consumer as &mut Consumer<'_, ArrowError>)
                .collect();
            sort_into(batches, &[0, 1, 2], consumers).unwrap();
            let sorted: Vec<RecordBatch> = outputs.into_iter().flatten().collect();
            assert_eq!(
                concat_batches(expected.schema_ref(), &sorted).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn what_a_consumer_refuses_ends_the_sort() {
        let mut refuse = |_: &RecordBatch| Err(ArrowError::CastError("no".into()));
        let outcome = sort_into(batches(1000, 10, false), &[0], vec![&mut refuse]);
        assert!(outcome.is_err());
    }
}
