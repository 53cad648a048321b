//! The operators against an oracle that looks at every day, over batch borders, files and threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod oracle;
mod planning;
mod streams;

use std::sync::Arc;

use arrow_array::{Date32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::ident;
use datafusion::prelude::SessionContext;

use crate::planning::query;
use crate::session::{Limits, Purpose, SessionFactory};
use crate::storage::SORT_OPTIONS;

/// A spell: key, first day, last day, number.
pub(super) type Row = (Option<i64>, i32, Option<i32>, i64);

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("person", DataType::Int64, true),
        Field::new("from_on", DataType::Date32, true),
        Field::new("to_on", DataType::Date32, true),
        Field::new("no", DataType::Int64, false),
    ]))
}

pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<arrow_array::ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Date32Array>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Sorted as inputs are: nulls last, and without ties so that the order is one.
pub(super) fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| (row.0.is_none(), row.0, row.1, row.2.is_none(), row.2, row.3));
    rows
}

/// A table of batches with `size` rows; declared sorted where it is.
pub(super) fn table(rows: &[Row], size: usize, parts: usize, is_sorted: bool) -> MemTable {
    let batches: Vec<RecordBatch> = rows.chunks(size.max(1)).map(batch).collect();
    let mut partitions = vec![Vec::new(); parts];
    for (position, batch) in batches.into_iter().enumerate() {
        partitions[position % parts].push(batch);
    }
    let table = MemTable::try_new(schema(), partitions).unwrap();
    if !is_sorted {
        return table;
    }
    let order = ["person", "from_on", "to_on", "no"]
        .map(|column| ident(column).sort(!SORT_OPTIONS.descending, SORT_OPTIONS.nulls_first));
    table.with_sort_order(vec![order.to_vec()])
}

pub(super) fn session(threads: usize, batch_rows: usize, memory_bytes: usize) -> SessionContext {
    let folder = std::env::temp_dir().join(format!("goyong-intervals-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let limits = Limits {
        threads,
        memory_bytes,
        spill_bytes: 0,
    };
    let factory = SessionFactory::without_lake(&folder, &limits, Purpose::Read).unwrap();
    let schemas = Arc::new(datafusion::catalog::MemoryCatalogProvider::new());
    let core: Arc<dyn datafusion::catalog::SchemaProvider> =
        Arc::new(datafusion::catalog::MemorySchemaProvider::new());
    datafusion::catalog::CatalogProvider::register_schema(schemas.as_ref(), "core", core).unwrap();
    let state = factory.session(schemas, false).state();
    let config = state.config().clone().with_batch_size(batch_rows);
    let state = SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .build();
    SessionContext::new_with_state(state)
}

/// Rows as text, columns between blanks.
pub(super) async fn answer(session: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
    let frame = query(session, sql)
        .await
        .map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    let options = FormatOptions::default().with_null("-");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            rows.push(cells.join(" "));
        }
    }
    Ok(rows)
}

pub(super) async fn plan_of(session: &SessionContext, sql: &str) -> String {
    let plan = query(session, sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string()
}

/// Numbers that look random and are the same every time.
pub(super) struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub fn rows(&mut self, count: usize) -> Vec<Row> {
        (0..count)
            .map(|number| {
                let key = self.below(count as u64 / 3 + 1) as i64;
                let start = self.below(40) as i32;
                let key = (key > 0).then_some(key);
                let end = (self.below(8) > 0).then(|| start + self.below(12) as i32);
                (key, start, end, number as i64)
            })
            .collect()
    }
}
