//! What a query opens and reads of a table, against DataFusion over the same files.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::metrics::MetricValue;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use goyong_store::ReleaseRequest;

use super::*;
use crate::ReadSession;
use crate::lake::{LakeCatalog, Versions};
use crate::memo::ModelMemo;

const SPELL: &str = "core.spell";
const PAY: &str = "core.monthly_pay";
const MONTHS: [&str; 4] = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"];

/// Rows of keys from a first one on, each key twice, of a month that counts for tables by month.
fn rows(schema: &Arc<Schema>, month: &str, from: i64, count: i64) -> RecordBatch {
    let month: NaiveDate = month.parse().unwrap();
    let day = (month - NaiveDate::default()).num_days() as i32;
    let numbers: Vec<i64> = (2 * from..2 * (from + count)).collect();
    let columns = schema.fields().iter().map(|field| match field.name() {
        name if name == "person_key" => {
            Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| n / 2))) as ArrayRef
        }
        name if name == "month" => Arc::new(Date32Array::from(vec![day; numbers.len()])),
        _ => Arc::new(Int64Array::from_iter_values(
            numbers.iter().map(|n| n * 7_919 % 1_009),
        )),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

fn schema(columns: &[&str]) -> Arc<Schema> {
    let fields = columns.iter().map(|name| {
        let kind = match *name {
            "month" => DataType::Date32,
            _ => DataType::Int64,
        };
        Field::new(*name, kind, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Spells in files of four row groups, sorted by key, and pay in a file for each month.
async fn fill(fixture: &Fixture) {
    let spell = schema(&["person_key", "won"]);
    let options = WriteOptions {
        row_group_rows: 2_000,
        rows_per_file: 8_000,
        ..WriteOptions::default()
    };
    let table = table(SPELL);
    let mut writer = fixture
        .warehouse
        .writer(&table, Arc::clone(&spell), options.clone())
        .await
        .unwrap();
    for part in 0..20 {
        writer
            .write(None, &rows(&spell, MONTHS[0], part * 1_000, 1_000))
            .unwrap();
    }
    let receipt = writer
        .commit(CommitMode::Append, CommitDetails::default())
        .await
        .unwrap();
    let memo = ModelMemo {
        sorted: Some((receipt.version, vec!["person_key".into()])),
        ..ModelMemo::default()
    };
    memo.write(&fixture.warehouse, &table).await.unwrap();

    let pay = schema(&["month", "person_key", "won"]);
    let options = WriteOptions {
        partition_column: Some("month".into()),
        ..options
    };
    let mut writer = fixture
        .warehouse
        .writer(&super::table(PAY), Arc::clone(&pay), options)
        .await
        .unwrap();
    for month in MONTHS {
        writer
            .write(Some(month), &rows(&pay, month, 0, 3_000))
            .unwrap();
    }
    let months = MONTHS.iter().map(|month| Some((*month).to_owned()));
    let mode = CommitMode::ReplacePartitions(months.collect());
    writer.commit(mode, CommitDetails::default()).await.unwrap();
}

/// What the scans of a query did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Scanned {
    files: usize,
    row_groups: usize,
    bytes: usize,
}

impl Scanned {
    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        if plan.downcast_ref::<DataSourceExec>().is_some()
            && let Some(metrics) = plan.metrics()
        {
            for metric in metrics.iter() {
                match metric.value() {
                    MetricValue::PruningMetrics {
                        name,
                        pruning_metrics,
                    } => match name.as_ref() {
                        "files_ranges_pruned_statistics" => {
                            self.files += pruning_metrics.matched();
                        }
                        "row_groups_pruned_statistics" => {
                            self.row_groups += pruning_metrics.matched();
                        }
                        _ => {}
                    },
                    MetricValue::Count { name, count } if name == "bytes_scanned" => {
                        self.bytes += count.value();
                    }
                    _ => {}
                }
            }
        }
        for child in plan.children() {
            self.add(child);
        }
    }
}

/// The answer of a query and what was read for it. It is asked twice: footers are known the second time.
async fn ask(session: &SessionContext, sql: &str) -> (String, Scanned) {
    let mut answered = (String::new(), Scanned::default());
    for _ in 0..2 {
        let plan = session.sql(sql).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let batches = collect(Arc::clone(&plan), session.task_ctx())
            .await
            .unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap();
        // Nobody asked for an order.
        let text = text.to_string();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let mut scanned = Scanned::default();
        scanned.add(&plan);
        answered = (lines.join("\n"), scanned);
    }
    answered
}

async fn bare_session(fixture: &Fixture) -> SessionContext {
    let bare = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    bare.sql("create schema core").await.unwrap();
    let spell = fixture.warehouse.snapshot(&table(SPELL)).await.unwrap();
    let files: Vec<String> = spell
        .unwrap()
        .files
        .iter()
        .map(|file| file.path.to_string_lossy().into_owned())
        .collect();
    let spell = bare.read_parquet(files, ParquetReadOptions::default());
    bare.register_table(SPELL, spell.await.unwrap().into_view())
        .unwrap();
    let folder = fixture.warehouse.root().join("lake/core/monthly_pay");
    let folder = ListingTableUrl::parse(format!("{}/", folder.display())).unwrap();
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(vec![("month".into(), DataType::Date32)]);
    let config = ListingTableConfig::new(folder)
        .with_listing_options(options)
        .infer_schema(&bare.state())
        .await
        .unwrap();
    bare.register_table(PAY, Arc::new(ListingTable::try_new(config).unwrap()))
        .unwrap();
    bare
}

#[test]
fn a_query_reads_no_more_of_a_table_than_of_its_bare_files() {
    run(async {
        let fixture = Fixture::new().await;
        fill(&fixture).await;
        let engine = fixture.engine(&sql(), 2);
        let inner = &engine.inner;
        let versions = Versions::Newest(Arc::clone(&inner.open_tables));
        let catalog = Arc::new(LakeCatalog::new(&inner.warehouse, versions));
        let ours = inner.factory.session(catalog, false);
        let bare = bare_session(&fixture).await;
        for (sql, row_groups) in [
            ("select * from core.spell where person_key = 7421", 1),
            (
                "select won from core.spell where person_key in (3, 19003)",
                2,
            ),
            (
                "select count(won) from core.spell where person_key between 4000 and 4999",
                1,
            ),
            (
                "select person_key, won from core.spell where person_key > 20000",
                0,
            ),
            ("select sum(won) from core.spell where won > 100", 20),
            (
                "select sum(won) from core.monthly_pay where month = date '2024-02-01'",
                3,
            ),
            (
                "select sum(won) from core.monthly_pay where month >= date '2024-03-01'",
                6,
            ),
            (
                "select won from core.monthly_pay where month = date '2024-02-01' and person_key = 2500",
                1,
            ),
            (
                "select won from core.monthly_pay where person_key = 2500",
                4,
            ),
        ] {
            let (answer, read) = ask(&ours, sql).await;
            let (expected, of_files) = ask(&bare, sql).await;
            assert_eq!(answer, expected, "{sql}");
            assert_eq!(read.row_groups, row_groups, "{sql}: {read:?}");
            assert_eq!(read.row_groups, of_files.row_groups, "{sql}: {of_files:?}");
            assert!(read.files <= of_files.files, "{sql}: {read:?} {of_files:?}");
            assert!(read.bytes <= of_files.bytes, "{sql}: {read:?} {of_files:?}");
        }
        // What the footers and the log say is not read from any row.
        for sql in [
            "select count(*) from core.spell",
            "select min(person_key), max(person_key), max(won), count(won) from core.spell",
            "select count(*), min(month), max(month) from core.monthly_pay",
        ] {
            let (answer, read) = ask(&ours, sql).await;
            assert_eq!(answer, ask(&bare, sql).await.0, "{sql}");
            assert_eq!(read, Scanned::default(), "{sql}");
        }
    });
}

#[test]
fn a_session_looks_at_the_log_of_a_table_once() {
    run(async {
        let fixture = Fixture::new().await;
        fill(&fixture).await;
        let snapshot = fixture.warehouse.snapshot(&table(SPELL)).await.unwrap();
        let request = ReleaseRequest {
            business_date: as_of(),
            tables: vec![(table(SPELL), snapshot.unwrap().version)],
            note: String::new(),
            ..ReleaseRequest::default()
        };
        let release = fixture.warehouse.publish(request).await.unwrap();
        let session = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        let count = "select count(*) as n from core.spell";
        session.query(count).await.unwrap();
        let log = fixture.warehouse.root().join("lake/core/spell/_delta_log");
        let aside = fixture.folder.path().join("log");
        std::fs::rename(&log, &aside).unwrap();
        let answer = session.query(count).await.unwrap();
        assert_eq!(number(&answer), 40_000);
        let later = ReadSession::open(&fixture.warehouse, &release)
            .await
            .unwrap();
        assert!(later.query(count).await.is_err(), "the log is gone");
        std::fs::rename(&aside, &log).unwrap();
    });
}

#[test]
fn the_newest_version_is_seen_whoever_commits_it() {
    run(async {
        let fixture = Fixture::new().await;
        let engine = fixture.engine(&sql(), 2);
        let count = "select count(*) as n from staging.pay";
        let counted = async || number(&engine.query_latest(count, as_of()).await.unwrap());
        assert_eq!(counted().await, 0, "never delivered");
        fixture.deliver("2024-01-01", &[(1, 100), (2, 200)]).await;
        assert_eq!(counted().await, 2);
        assert_eq!(counted().await, 2);
        fixture.deliver("2024-02-01", &[(1, 110)]).await;
        assert_eq!(counted().await, 3);
        fixture.deliver("2024-02-01", &[]).await;
        assert_eq!(counted().await, 2, "the month was delivered again");
    });
}

fn number(batches: &[RecordBatch]) -> i64 {
    let column = batches[0].column(0);
    column
        .as_any()
        .downcast_ref::<Int64Array>()
        .unwrap()
        .value(0)
}
