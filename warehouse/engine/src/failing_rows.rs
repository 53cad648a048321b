//! Rows that break a test or a check: counted as they come, the first few of them in their own order kept.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use crate::engine::Inner;
use crate::masking::Masks;
use crate::sharing::computed_once;
use crate::storage::display_value;
use crate::tables::TableCache;
use crate::test_log::{KEPT_ROWS, json_rows};

/// Failing rows shown of one test.
const EXAMPLES: usize = 3;

/// Failing rows of one test: how many, a few in words, and those that are kept.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    pub rows: u64,
    pub examples: Vec<String>,
    pub kept: Vec<String>,
}

/// Failing rows as they are, before anything is masked.
pub(crate) struct Found {
    rows: u64,
    first: RecordBatch,
}

impl Failing {
    /// The rows of a query, what shows a person out of sight.
    pub async fn of(
        inner: &Inner,
        cache: &TableCache,
        query: DataFrame,
    ) -> Result<Self, DataFusionError> {
        let plan = query.logical_plan().clone();
        let found = Found::read(computed_once(query)?.execute_stream().await?).await?;
        if found.rows == 0 {
            return Ok(Self::default());
        }
        Ok(found.masked(&Masks::of(inner, cache, &plan).await))
    }
}

impl Found {
    /// Reads rows to their end. However many there are, few are held, and the same whatever the threads.
    async fn read(mut rows: SendableRecordBatchStream) -> Result<Self, DataFusionError> {
        let schema = rows.schema();
        let mut first = RecordBatch::new_empty(schema.clone());
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            count += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                first = smallest(&schema, &concat_batches(&schema, [&first, &batch])?)?;
            }
        }
        Ok(Self { rows: count, first })
    }

    fn masked(&self, masks: &Masks) -> Failing {
        Failing {
            rows: self.rows,
            examples: describe_rows(&self.first, masks),
            kept: json_rows(&self.first, masks),
        }
    }
}

/// The rows that come first by their columns from left to right; as they are where a column has no order.
fn smallest(schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let fields = schema.fields().iter();
    let fields: Vec<SortField> = fields
        .map(|field| SortField::new(field.data_type().clone()))
        .collect();
    if !RowConverter::supports_fields(&fields) {
        return Ok(rows.slice(0, rows.num_rows().min(KEPT_ROWS)));
    }
    let keys = RowConverter::new(fields)?.convert_columns(rows.columns())?;
    let mut order: Vec<usize> = (0..rows.num_rows()).collect();
    order.sort_by(|one, other| keys.row(*one).cmp(&keys.row(*other)));
    order.truncate(KEPT_ROWS);
    let order = arrow_array::UInt64Array::from_iter_values(order.into_iter().map(|row| row as u64));
    Ok(take_record_batch(rows, &order)?)
}

/// A few rows as `column = value`, some columns out of sight.
fn describe_rows(rows: &RecordBatch, masks: &Masks) -> Vec<String> {
    let schema = rows.schema();
    let described = (0..rows.num_rows().min(EXAMPLES)).map(|row| {
        let columns = schema.fields().iter().zip(rows.columns());
        let values: Vec<String> = columns
            .map(|(field, column)| {
                let value = display_value(column, row, masks.is_masked(field.name()));
                format!("{} = {value}", field.name())
            })
            .collect();
        values.join(", ")
    });
    described.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::executor::block_on;
    use futures::stream;

    use super::*;

    fn failing(batches: Vec<RecordBatch>) -> Failing {
        let schema = batches[0].schema();
        let rows = stream::iter(batches.into_iter().map(Ok));
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        block_on(Found::read(rows))
            .unwrap()
            .masked(&Masks::default())
    }

    #[test]
    fn first_rows_are_kept_in_whatever_order_they_come() {
        let batch = |values: Vec<i64>| {
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            RecordBatch::try_from_iter([("won", column)]).unwrap()
        };
        let mut batches: Vec<RecordBatch> = (0..7)
            .map(|part| batch((0..1_000).map(|row| row * 7 + part).collect()))
            .collect();
        let one = failing(batches.clone());
        batches.reverse();
        let other = failing(batches);
        assert_eq!(one.rows, 7_000);
        assert_eq!(one.examples, ["won = 0", "won = 1", "won = 2"]);
        assert_eq!(one.kept.len(), KEPT_ROWS);
        assert_eq!(one.kept.last().unwrap(), r#"{"won":49}"#);
        assert_eq!((one.examples, one.kept), (other.examples, other.kept));
    }
}
