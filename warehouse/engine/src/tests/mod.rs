#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod building;
mod cluster;
mod generated;
mod governing;
mod history;
mod keyed;
mod planning;
mod public_slt;
mod querying;
mod read_path;
mod slt;
mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use goyong_catalog::contract::Contract;
use goyong_catalog::{Project, ProjectFiles, Selection};
use goyong_store::{CommitDetails, CommitMode, StoreConfig, Warehouse, WriteOptions};
use goyong_types::TableName;

use crate::tables::staging_schema;
use crate::{BuildReport, Engine, EngineConfig, Outcome, Silent};

const PAY: &str = "\
source: pay
title: pay
description: pay
provider: somebody
cadence: monthly
due_days: 15
manifest: required
period: {from: manifest}
revision: replace_period
key: [person_key]
reject_threshold: 0.05
format: {kind: csv}
columns:
  - {name: person_key, type: bigint}
  - {name: paid_won, type: won}
";

const INCOME: &str = "\
/*---
description: pay by month
grain: [person_key, month]
materialized: partitioned
partition_by: month
reads: {pay: [0, 0]}
columns:
  paid_won: {tests: [{range: {min: 0}}]}
---*/
select person_key, _period as month, paid_won
from {{ source('pay') }}
";

const QUARTER: &str = "\
/*---
description: pay of this and the month before
grain: [person_key, month]
materialized: partitioned
partition_by: month
partitions_from: income
reads: {income: [-1, 0]}
---*/
select person_key, date '{{ var('partition_start') }}' as month, sum(paid_won) as paid_won
from {{ ref('income') }}
group by person_key
";

const TOTAL: &str = "\
/*---
description: pay of all
grain: [persons]
---*/
select count(distinct person_key) as persons, sum(paid_won) as paid_won
from {{ ref('everyone') }}
";

const EVERYONE: &str = "\
/*---
description: income through a view
grain: [person_key, month]
materialized: view
---*/
select * from {{ ref('income') }}
";

/// A small project by file, to be changed by a test.
fn sql() -> BTreeMap<String, String> {
    [
        ("sources/pay.yml", PAY),
        ("core/income.sql", INCOME),
        ("core/everyone.sql", EVERYONE),
        ("marts/quarter.sql", QUARTER),
        ("marts/total.sql", TOTAL),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect()
}

struct Fixture {
    warehouse: Warehouse,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::in_folder(folder.path().join("warehouse"));
        Self {
            warehouse: Warehouse::create(&config).await.unwrap(),
            folder,
        }
    }

    fn engine(&self, files: &BTreeMap<String, String>, threads: usize) -> Engine {
        let project = Project::from_files(ProjectFiles::from_texts(files.clone()))
            .unwrap_or_else(|error| panic!("{error}"));
        Engine::new(
            self.warehouse.clone(),
            project,
            EngineConfig {
                threads,
                memory_limit_bytes: 256 << 20,
                spill_dir: Some(self.folder.path().join("spill")),
                ..EngineConfig::default()
            },
        )
        .unwrap()
    }

    async fn build(&self, files: &BTreeMap<String, String>) -> BuildReport {
        build(&self.engine(files, 2)).await
    }

    /// Delivers one month of pay: person and won.
    async fn deliver(&self, month: &str, rows: &[(i64, i128)]) {
        let schema = staging_schema(&Contract::parse(PAY, "pay.yml").unwrap());
        let count = rows.len();
        let day = day(month);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(
                rows.iter()
                    .map(|row| Some(row.1))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(18, 0)
                    .unwrap(),
            ),
            Arc::new(StringArray::from(vec!["d"; count])),
            Arc::new((1..=count as i64).collect::<Int64Array>()),
            Arc::new(Date32Array::from(vec![day; count])),
            Arc::new(StringArray::from(vec![None::<&str>; count])),
            Arc::new(Date32Array::from(vec![day; count])),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let table = table("staging.pay");
        let options = WriteOptions {
            partition_column: Some("_period".into()),
            ..WriteOptions::default()
        };
        let mut writer = self
            .warehouse
            .writer(&table, schema, options)
            .await
            .unwrap();
        writer.write(Some(month), &batch).unwrap();
        let mode = CommitMode::ReplacePartitions(vec![Some(month.to_owned())]);
        writer.commit(mode, CommitDetails::default()).await.unwrap();
    }

    async fn hashes(&self) -> BTreeMap<String, String> {
        let mut hashes = BTreeMap::new();
        for table in self.warehouse.table_names().await.unwrap() {
            let snapshot = self.warehouse.snapshot(&table).await.unwrap().unwrap();
            hashes.insert(table.to_string(), snapshot.content_hash());
        }
        hashes
    }
}

async fn build(engine: &Engine) -> BuildReport {
    let plan = engine.plan(&Selection::all(), as_of()).await.unwrap();
    engine.build(&plan, &Silent).await.unwrap()
}

fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 4, 30).unwrap()
}

fn day(text: &str) -> i32 {
    let day: NaiveDate = text.parse().unwrap();
    (day - NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days() as i32
}

fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

/// Outcome, months built and months left alone.
fn of(report: &BuildReport, name: &str) -> (Outcome, usize, usize) {
    let model = report
        .models
        .iter()
        .find(|model| model.table == table(name))
        .unwrap();
    (
        model.outcome.clone(),
        model.partitions_built,
        model.partitions_fresh,
    )
}

pub(crate) fn run<F>(future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    crate::block_on(2, future).unwrap();
}
