//! Memory, cancelling and damage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_schema::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ident;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, stream};

use super::{Row, answer, batch, schema, session, table};
use crate::planning::query;
use crate::storage::SORT_OPTIONS;
use crate::tests::run;

/// Sorted spells without end, which count how many batches were asked for.
#[derive(Debug)]
struct Endless {
    batches: Arc<AtomicUsize>,
    rows_per_key: i64,
}

impl PartitionStream for Endless {
    fn schema(&self) -> &SchemaRef {
        static SCHEMA: std::sync::OnceLock<SchemaRef> = std::sync::OnceLock::new();
        SCHEMA.get_or_init(schema)
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (batches, rows_per_key) = (Arc::clone(&self.batches), self.rows_per_key);
        let rows = stream::iter(0i64..).map(move |number| {
            batches.fetch_add(1, Ordering::Relaxed);
            let rows: Vec<Row> = (number * 1024..(number + 1) * 1024)
                .map(|row| {
                    let start = (row % rows_per_key) as i32;
                    (Some(row / rows_per_key), start, Some(start + 3), row)
                })
                .collect();
            Ok(batch(&rows))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema(), rows))
    }
}

fn endless(session: &datafusion::prelude::SessionContext, rows_per_key: i64) -> Arc<AtomicUsize> {
    let batches = Arc::new(AtomicUsize::new(0));
    let partition = Endless {
        batches: Arc::clone(&batches),
        rows_per_key,
    };
    let order = ["person", "from_on"]
        .map(|column| ident(column).sort(!SORT_OPTIONS.descending, SORT_OPTIONS.nulls_first));
    let table = StreamingTable::try_new(schema(), vec![Arc::new(partition)])
        .unwrap()
        .with_sort_order(order.to_vec());
    session
        .register_table("core.spell", Arc::new(table))
        .unwrap();
    batches
}

#[test]
fn dropping_the_rows_stops_the_reading() {
    run(async {
        for call in [
            "spell_gaps(core.spell, person, from_on, to_on)",
            "spell_merge(core.spell, person, from_on, to_on)",
            "spell_depth(core.spell, person, from_on, to_on)",
            "spell_episodes(core.spell, person, from_on, to_on)",
            "spell_join(core.spell, (select person, from_on as f, to_on as t from core.spell), person, from_on, to_on, f, t)",
        ] {
            let session = session(1, 1024, 64 << 20);
            let batches = endless(&session, 3);
            let frame = query(&session, &format!("select * from {call}"))
                .await
                .unwrap();
            let mut rows = frame.execute_stream().await.unwrap();
            for _ in 0..3 {
                assert!(rows.next().await.unwrap().unwrap().num_rows() > 0);
            }
            let read = batches.load(Ordering::Relaxed);
            assert!(read < 40, "{call}: {read} batches for three");
            drop(rows);
            tokio::task::yield_now().await;
            assert_eq!(batches.load(Ordering::Relaxed), read, "{call}");
        }
    });
}

#[test]
fn a_key_that_does_not_fit_into_memory_is_an_error_and_gaps_need_no_memory() {
    run(async {
        let session = session(1, 1024, 1 << 20);
        endless(&session, i64::from(i32::MAX));
        let call = "select count(*) from spell_episodes(core.spell, person, from_on, to_on)";
        let error = answer(&session, call).await.unwrap_err();
        assert!(error.contains("spell_episodes[0]"), "{error}");
        let gaps = "select * from spell_gaps(core.spell, person, from_on, to_on)";
        let mut rows = query(&session, gaps)
            .await
            .unwrap()
            .execute_stream()
            .await
            .unwrap();
        for _ in 0..200 {
            rows.next().await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_table_that_is_not_sorted_as_it_says_is_an_error() {
    run(async {
        let rows = [(Some(1), 9, Some(9), 1), (Some(1), 5, Some(7), 2)];
        for call in ["spell_gaps", "spell_merge", "spell_depth", "spell_episodes"] {
            let session = session(1, 1024, 64 << 20);
            session
                .register_table("core.spell", Arc::new(table(&rows, 9, 1, true)))
                .unwrap();
            let sql = format!("select * from {call}(core.spell, person, from_on, to_on)");
            let error = answer(&session, &sql).await.unwrap_err();
            assert!(error.contains("are not sorted"), "{call}: {error}");
        }
    });
}
