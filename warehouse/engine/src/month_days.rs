//! Rows whose days touch a month, cut to it.
//!
//! A model kept by month that reads histories says in `during` which two columns are their first and last day. It then
//! sees of each row only the days in its month. So a change of other days cannot change the month, and a spell that
//! was open and now ends later is still the same row there.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{ArrayRef, BooleanArray, Date32Array, RecordBatch};
use arrow_schema::DataType;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::catalog::TableProvider;
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::datasource::view::ViewTable;
use datafusion::logical_expr::{LogicalPlanBuilder, ident, lit, when};
use goyong_types::{Month, TableName};

use crate::error::{EngineError, Result};

/// The columns with the first and the last day of a row; a last day that is null is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Days {
    pub first: String,
    pub last: String,
}

/// First and last day of a month, as days since 1970-01-01.
fn bounds(month: Month) -> (i32, i32) {
    let day = |date: chrono::NaiveDate| Date32Type::from_naive_date(date);
    (day(month.first_day()), day(month.next().first_day()) - 1)
}

impl Days {
    /// The table as a month sees it. Rows without a first day are not seen.
    pub fn view(
        &self,
        table: &TableName,
        provider: Arc<dyn TableProvider>,
        month: Month,
    ) -> Result<Arc<dyn TableProvider>> {
        let failed = |error| EngineError::of(error, &table.to_string());
        let schema = provider.schema();
        for column in [&self.first, &self.last] {
            let found = schema
                .field_with_name(column)
                .map(|field| field.data_type());
            if !matches!(found, Ok(DataType::Date32)) {
                return Err(self.wrong(table, column));
            }
        }
        let (from, to) = bounds(month);
        let day = |day: i32| lit(ScalarValue::Date32(Some(day)));
        let (first, last) = (ident(&self.first), ident(&self.last));
        let touches = first
            .clone()
            .lt_eq(day(to))
            .and(last.clone().is_null().or(last.clone().gt_eq(day(from))));
        let cut_first = when(first.clone().lt(day(from)), day(from)).otherwise(first);
        let cut_last =
            when(last.clone().is_null().or(last.clone().gt(day(to))), day(to)).otherwise(last);
        let (cut_first, cut_last) = (cut_first.map_err(failed)?, cut_last.map_err(failed)?);
        let columns = schema.fields().iter().map(|field| {
            let name = field.name();
            if *name == self.first {
                cut_first.clone().alias(name)
            } else if *name == self.last {
                cut_last.clone().alias(name)
            } else {
                ident(name)
            }
        });
        let name = TableReference::partial(table.schema(), table.table());
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(provider), None)
            .and_then(|scan| scan.filter(touches))
            .and_then(|rows| rows.project(columns))
            .and_then(LogicalPlanBuilder::build)
            .map_err(failed)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// The same of rows in memory.
    pub fn cut(&self, table: &TableName, rows: &RecordBatch, month: Month) -> Result<RecordBatch> {
        let column = |name: &str| -> Result<&Date32Array> {
            rows.column_by_name(name)
                .and_then(|column| column.as_primitive_opt::<Date32Type>())
                .ok_or_else(|| self.wrong(table, name))
        };
        let (from, to) = bounds(month);
        let (first, last) = (column(&self.first)?, column(&self.last)?);
        let touches: BooleanArray = first
            .iter()
            .zip(last)
            .map(|(first, last)| {
                Some(first.is_some_and(|first| first <= to) && last.is_none_or(|last| last >= from))
            })
            .collect();
        let first: Date32Array = first.unary(|day| day.max(from));
        let last: Date32Array = last
            .iter()
            .map(|day| Some(day.map_or(to, |day| day.min(to))))
            .collect();
        let schema = rows.schema();
        let columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, column)| match field.name() {
                name if *name == self.first => Arc::new(first.clone()) as ArrayRef,
                name if *name == self.last => Arc::new(last.clone()) as ArrayRef,
                _ => Arc::clone(column),
            })
            .collect();
        let cut = RecordBatch::try_new(schema, columns)?;
        Ok(filter_record_batch(&cut, &touches)?)
    }

    fn wrong(&self, table: &TableName, column: &str) -> EngineError {
        EngineError::Column {
            table: table.clone(),
            column: column.to_owned(),
            problem: "is named in `during` and must be a date".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use arrow_array::Int64Array;
    use arrow_schema::{Field, Schema};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::catalog::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    fn day(text: &str) -> i32 {
        Date32Type::from_naive_date(text.parse().unwrap())
    }

    fn rows() -> RecordBatch {
        let days = [
            (Some("2024-01-05"), Some("2024-01-31")),
            (Some("2024-01-05"), Some("2024-02-01")),
            (Some("2024-01-05"), None),
            (Some("2024-02-10"), Some("2024-02-12")),
            (Some("2024-02-29"), Some("2024-04-01")),
            (Some("2024-03-01"), None),
            (None, Some("2024-02-12")),
        ];
        let schema = Schema::new(vec![
            Field::new("person_key", DataType::Int64, false),
            Field::new("from_on", DataType::Date32, true),
            Field::new("to_on", DataType::Date32, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..days.len() as i64)),
            Arc::new(
                days.iter()
                    .map(|days| days.0.map(day))
                    .collect::<Date32Array>(),
            ),
            Arc::new(
                days.iter()
                    .map(|days| days.1.map(day))
                    .collect::<Date32Array>(),
            ),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn days() -> Days {
        Days {
            first: "from_on".into(),
            last: "to_on".into(),
        }
    }

    #[test]
    fn a_month_sees_its_days_of_a_row_and_no_more() {
        let table: TableName = "core.spell".parse().unwrap();
        let month: Month = "2024-02".parse().unwrap();
        let cut = days().cut(&table, &rows(), month).unwrap();
        let expected = [
            (1, "2024-02-01", "2024-02-01"),
            (2, "2024-02-01", "2024-02-29"),
            (3, "2024-02-10", "2024-02-12"),
            (4, "2024-02-29", "2024-02-29"),
        ];
        let column = |position: usize| cut.column(position).as_primitive::<Date32Type>().clone();
        let (first, last) = (column(1), column(2));
        let keys = cut
            .column(0)
            .as_primitive::<arrow_array::types::Int64Type>();
        let found: Vec<(i64, i32, i32)> = (0..cut.num_rows())
            .map(|row| (keys.value(row), first.value(row), last.value(row)))
            .collect();
        assert_eq!(
            found,
            expected.map(|(key, from, to)| (key, day(from), day(to)))
        );
    }

    #[test]
    fn rows_in_memory_and_rows_of_a_plan_are_cut_alike() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let table: TableName = "core.spell".parse().unwrap();
        let stored = MemTable::try_new(rows().schema(), vec![vec![rows()]]).unwrap();
        let stored: Arc<dyn TableProvider> = Arc::new(stored);
        for month in ["2023-12", "2024-01", "2024-02", "2024-03", "2024-04"] {
            let month: Month = month.parse().unwrap();
            let cut = days().cut(&table, &rows(), month).unwrap();
            let view = days().view(&table, Arc::clone(&stored), month).unwrap();
            let planned = runtime.block_on(async {
                let rows = SessionContext::new().read_table(view).unwrap();
                rows.collect().await.unwrap()
            });
            let planned = concat_batches(&cut.schema(), &planned).unwrap();
            assert_eq!(planned.columns(), cut.columns(), "{month}");
        }
    }

    #[test]
    fn a_column_that_is_no_date_is_named() {
        let table: TableName = "core.spell".parse().unwrap();
        let days = Days {
            first: "person_key".into(),
            last: "to_on".into(),
        };
        let error = days.cut(&table, &rows(), "2024-02".parse().unwrap());
        assert!(error.unwrap_err().to_string().contains("person_key"));
    }
}
