#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use goyong_store::{StoreConfig, Warehouse};
use goyong_types::{ResidentNumber, TableName};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rstest::rstest;

use super::*;
use crate::chunks::ReadLimits;
use crate::delivery::DeliveryStatus;
use crate::identity::{Keys, Vault};
use crate::testing::{contract, number_is_readable};

mod checks;

const WAGES: &str = r#"
source: wages
manifest: required
period: {from: manifest}
revision: replace_period
control_totals: [won]
reject_threshold: 0.5
files: ["*wages*.csv"]
format: {kind: csv, encoding: cp949}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn, derive: [birth_date, sex]}
  - {name: place, from: 지역, type: string}
  - {name: won, from: 금액, type: won, range: [0, 1000000]}
"#;

const NOTES: &str = r#"
source: notes
files: ["notes_*.csv"]
revision: append
format: {kind: csv}
columns:
  - {name: a, type: int}
"#;

pub(super) struct Bench {
    folder: tempfile::TempDir,
    pub context: IntakeContext,
}

impl Bench {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("warehouse");
        let warehouse = Warehouse::create(&StoreConfig::in_folder(&root))
            .await
            .unwrap();
        let keys = Arc::new(Keys::create(&folder.path().join("keys")).unwrap());
        let vault = Vault::create(&root.join("vault"), &keys).unwrap();
        let contracts = [WAGES, NOTES]
            .into_iter()
            .map(contract)
            .map(|contract| (contract.source.clone(), contract))
            .collect();
        let context = IntakeContext {
            warehouse,
            vault,
            keys,
            contracts,
            known_on: "2026-01-01".parse().unwrap(),
            archive: Some(root.join("archive")),
            limits: ReadLimits {
                threads: 2,
                part_bytes: 1000,
                ..ReadLimits::default()
            },
        };
        Self { folder, context }
    }

    pub fn landing(&self) -> PathBuf {
        self.folder.path().join("landing")
    }

    pub async fn run(&self) -> Vec<DeliveryOutcome> {
        let summary = ingest_landing(&self.context, &self.landing(), &mut |_| {})
            .await
            .unwrap();
        summary.outcomes
    }

    async fn rows(&self, table: &str) -> Vec<RecordBatch> {
        let table: TableName = table.parse().unwrap();
        let Some(snapshot) = self.context.warehouse.snapshot(&table).await.unwrap() else {
            return Vec::new();
        };
        snapshot
            .files
            .iter()
            .flat_map(|file| {
                ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&file.path).unwrap())
                    .unwrap()
                    .build()
                    .unwrap()
                    .map(|batch| batch.unwrap())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    pub async fn texts(&self, table: &str, column: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for batch in self.rows(table).await {
            let array = batch.column_by_name(column).unwrap();
            for value in array.as_string::<i32>() {
                texts.push(value.unwrap_or("-").to_owned());
            }
        }
        texts
    }

    /// `_row_number` of every row.
    pub async fn numbers(&self, table: &str) -> Vec<i64> {
        let mut numbers = Vec::new();
        for batch in self.rows(table).await {
            let array = batch.column_by_name("_row_number").unwrap();
            numbers.extend(array.as_primitive::<Int64Type>().values().iter());
        }
        numbers
    }

    pub async fn count(&self, table: &str) -> usize {
        self.rows(table)
            .await
            .iter()
            .map(RecordBatch::num_rows)
            .sum()
    }
}

fn person(index: u32) -> String {
    let mut twelve = [b'0'; 12];
    twelve[..7].copy_from_slice(b"8001011");
    twelve[7..].copy_from_slice(format!("{index:05}").as_bytes());
    let check = ResidentNumber::check_digit(&twelve);
    format!("{}{}", std::str::from_utf8(&twelve).unwrap(), check as char)
}

/// A file of the source `wages`: persons with their won.
fn wages(rows: &[(u32, &str)]) -> Vec<u8> {
    let mut text = "주민등록번호,지역,금액\n".to_owned();
    for (index, won) in rows {
        text.push_str(&format!("{},서울,{won}\n", person(*index)));
    }
    encoding_rs::EUC_KR.encode(&text).0.into_owned()
}

fn manifest(bytes: &[u8], period: &str, revision: u32, rows: u64, won: &str) -> String {
    let sha256 = hex(&Sha256::digest(bytes));
    format!(
        r#"{{"source": "wages", "period": "{period}", "revision": {revision}, "rows": {rows}, "control": {{"won": "{won}"}}, "sha256": "{sha256}", "known_on": "2024-09-10"}}"#
    )
}

fn put(folder: &Path, name: &str, bytes: &[u8], manifest: Option<&str>) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
    if let Some(manifest) = manifest {
        fs::write(folder.join(format!("{name}.manifest.json")), manifest).unwrap();
    }
}

impl Bench {
    fn put(&self, period: &str, revision: u32, rows: &[(u32, &str)], sum: i64) {
        let bytes = wages(rows);
        let name = format!("wages_{}_r{revision}.csv", period.replace('-', ""));
        let manifest = manifest(
            &bytes,
            period,
            revision,
            rows.len() as u64,
            &sum.to_string(),
        );
        put(
            &self.landing().join("wages"),
            &name,
            &bytes,
            Some(&manifest),
        );
    }
}

#[tokio::test]
async fn delivery_is_reconciled_and_the_second_night_does_nothing() {
    let bench = Bench::new().await;
    bench.put(
        "2024-08",
        1,
        &[(1, "100"), (2, "x"), (3, "2000000"), (4, "y")],
        2_000_100,
    );
    let outcomes = bench.run().await;
    let outcome = &outcomes[0];
    assert_eq!(outcome.status, DeliveryStatus::Refused, "{outcome:?}");
    assert_eq!(outcome.rows_rejected, 4);
    assert_eq!(bench.count("staging.wages").await, 0);

    bench.put(
        "2024-08",
        1,
        &[(1, "100"), (2, "70"), (3, "2000000"), (4, "50")],
        2_000_220,
    );
    let outcomes = bench.run().await;
    let outcome = &outcomes[0];
    assert_eq!(
        outcome.status,
        DeliveryStatus::AcceptedWithQuarantine,
        "{outcome:?}"
    );
    assert_eq!(
        (
            outcome.rows_delivered,
            outcome.rows_accepted,
            outcome.rows_quarantined
        ),
        (4, 3, 1)
    );
    assert_eq!(
        (
            outcome.won_delivered,
            outcome.won_accepted,
            outcome.won_quarantined
        ),
        (2_000_220, 220, 2_000_000)
    );
    assert_eq!(outcome.delivery_id.split('/').nth(1), Some("2024-08"));
    assert_eq!(bench.count("staging.wages").await, 3);
    assert_eq!(bench.texts("quarantine.wages", "rule").await, ["range"]);
    assert_eq!(
        bench.texts("ops.deliveries", "status").await,
        ["refused", "accepted_with_quarantine"]
    );
    assert_eq!(bench.context.vault.persons(), 3);

    let summary = ingest_landing(&bench.context, &bench.landing(), &mut |_| {})
        .await
        .unwrap();
    // The inbox is empty: what is stored left it.
    assert_eq!((summary.outcomes.len(), summary.unchanged), (0, 0));
    assert_eq!(bench.count("ops.deliveries").await, 2);
}

#[tokio::test]
async fn row_numbers_count_records_across_parts() {
    let bench = Bench::new().await;
    let rows: Vec<(u32, &str)> = (0..500).map(|index| (index, "1")).collect();
    bench.put("2024-08", 1, &rows, 500);
    bench.run().await;
    let numbers: Vec<i64> = bench
        .rows("staging.wages")
        .await
        .iter()
        .flat_map(|batch| {
            let array = batch.column_by_name("_row_number").unwrap();
            array.as_primitive::<Int64Type>().values().to_vec()
        })
        .collect();
    assert_eq!(numbers, (1..=500).collect::<Vec<i64>>());
}

#[rstest]
#[case::in_order(&[1, 2])]
#[case::late_first_revision(&[2, 1])]
#[tokio::test]
async fn highest_revision_stays_in_place(#[case] order: &[u32]) {
    let bench = Bench::new().await;
    for revision in order {
        let rows: Vec<(u32, &str)> = (0..*revision).map(|index| (index, "5")).collect();
        bench.put("2024-08", *revision, &rows, 5 * i64::from(*revision));
        bench.put("2024-09", 1, &[(7, "1")], 1);
        bench.run().await;
    }
    assert_eq!(bench.count("staging.wages").await, 3);
    let deliveries = bench.texts("staging.wages", "_delivery_id").await;
    assert!(deliveries.iter().filter(|id| id.contains("/r2/")).count() == 2);
}

#[tokio::test]
async fn same_bytes_again_are_a_no_op_and_a_correction_may_return_to_them() {
    let bench = Bench::new().await;
    bench.put("2024-08", 1, &[(1, "1")], 1);
    bench.run().await;
    let bytes = wages(&[(1, "1")]);
    let manifest_text = manifest(&bytes, "2024-08", 1, 1, "1");
    put(
        &bench.landing().join("wages"),
        "copy.csv",
        &bytes,
        Some(&manifest_text),
    );
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Duplicate);
    bench.put("2024-08", 2, &[(1, "2")], 2);
    bench.run().await;
    bench.put("2024-08", 3, &[(1, "1")], 1);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].status, DeliveryStatus::Accepted, "{outcomes:?}");
    assert!(bench.texts("staging.wages", "_delivery_id").await[0].contains("/r3/"));
}

#[tokio::test]
async fn same_revision_with_other_content_is_refused() {
    let bench = Bench::new().await;
    bench.put("2024-08", 1, &[(1, "1")], 1);
    bench.run().await;
    bench.put("2024-08", 1, &[(1, "2")], 2);
    let outcomes = bench.run().await;
    assert_eq!(outcomes[0].rule.as_deref(), Some("superseded"));
    assert_eq!(bench.count("staging.wages").await, 1);
}

#[rstest]
#[case::rows(
    r#""rows": 2"#,
    r#""rows": 3"#,
    "row_count",
    "2 rows, the manifest says 3"
)]
#[case::sum(r#""won": "3""#, r#""won": "4""#, "control_total", "sum of won is 3")]
#[case::hash(r#""sha256": ""#, r#""sha256": "0"#, "manifest", "64 hexadecimal")]
#[case::source(
    r#""source": "wages""#,
    r#""source": "wage""#,
    "manifest",
    "about `wage`"
)]
#[case::period(
    r#""period": "2024-08""#,
    r#""period": "2024-07""#,
    "manifest",
    "the file's name says period 2024-08"
)]
#[case::revision(r#""revision": 1"#, r#""revision": 2"#, "manifest", "revision 1")]
#[case::no_period(
    r#""period": "2024-08""#,
    r#""period": "soon""#,
    "manifest",
    "not a period"
)]
#[case::not_json("{", "", "manifest", "cannot be read")]
#[tokio::test]
async fn wrong_manifests_refuse_and_change_nothing(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] rule: &str,
    #[case] reason: &str,
) {
    let bench = Bench::new().await;
    let bytes = wages(&[(1, "1"), (2, "2")]);
    let manifest = manifest(&bytes, "2024-08", 1, 2, "3").replacen(right, wrong, 1);
    put(
        &bench.landing().join("wages"),
        "wages_202408_r1.csv",
        &bytes,
        Some(&manifest),
    );
    let outcomes = bench.run().await;
    let outcome = &outcomes[0];
    assert_eq!(outcome.status, DeliveryStatus::Refused);
    assert_eq!(outcome.rule.as_deref(), Some(rule), "{outcome:?}");
    assert!(
        outcome.reason.as_deref().unwrap().contains(reason),
        "{outcome:?}"
    );
    assert_eq!(bench.count("staging.wages").await, 0);
    assert_eq!(bench.context.vault.persons(), 0);
    let archive = bench.context.archive.as_ref().unwrap().join("wages");
    let archived = fs::read_dir(archive).map_or(0, Iterator::count);
    assert_eq!(archived, 0);
}

#[tokio::test]
async fn changed_bytes_missing_manifest_and_unknown_source_are_refused() {
    let bench = Bench::new().await;
    let bytes = wages(&[(1, "1"), (2, "2")]);
    let manifest_text = manifest(&bytes, "2024-08", 1, 2, "3");
    let mut changed = bytes.clone();
    let last = changed.len() - 2;
    changed[last] = b'3';
    let landing = bench.landing();
    put(
        &landing.join("wages"),
        "wages_202408_r1.csv",
        &changed,
        Some(&manifest_text),
    );
    put(&landing.join("wages"), "wages_202409_r1.csv", &bytes, None);
    put(&landing.join("wagess"), "x.csv", &bytes, None);
    let outcomes = bench.run().await;
    let rules: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.rule.clone().unwrap())
        .collect();
    assert_eq!(rules, ["checksum", "manifest", "unknown_source"]);
    assert!(
        outcomes[2]
            .reason
            .as_deref()
            .unwrap()
            .contains("did you mean `wages`")
    );

    // Once the manifest is there, the file is looked into again.
    let manifest_text = manifest(&bytes, "2024-09", 1, 2, "3");
    put(
        &landing.join("wages"),
        "wages_202409_r1.csv",
        &bytes,
        Some(&manifest_text),
    );
    let outcomes = bench.run().await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].status, DeliveryStatus::Accepted);
}

#[tokio::test]
async fn crash_before_the_memo_repeats_nothing() {
    let bench = Bench::new().await;
    bench.put("2024-08", 1, &[(1, "1"), (2, "2000000")], 2_000_001);
    let first = bench.run().await;
    // What a crash behind the commits would have left: the file, and no memo of it.
    bench.put("2024-08", 1, &[(1, "1"), (2, "2000000")], 2_000_001);
    let warehouse = &bench.context.warehouse;
    let path = bench.landing().join("wages/wages_202408_r1.csv");
    let canonical = fs::canonicalize(&path).unwrap();
    let seen = format!("wages/{}", canonical.display());
    let key = format!("wages/2024-08/r1/{}", first[0].sha256);
    warehouse.memo_put("intake/seen", &seen, "").await.unwrap();
    let forgotten = warehouse.memo_get("intake/bytes", &key).await.unwrap();
    assert!(forgotten.is_some());
    // The memo of the bytes cannot be removed, so the same is tried through a fresh state.
    let outcomes = bench.run().await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].delivery_id, first[0].delivery_id);
    assert_eq!(bench.count("staging.wages").await, 1);
    assert_eq!(bench.count("quarantine.wages").await, 1);
}

#[tokio::test]
async fn folder_without_manifests_is_matched_by_contracts() {
    let bench = Bench::new().await;
    let folder = bench.folder.path().join("data");
    put(&folder.join("deep"), "notes_1.csv", b"a\n1\n2\n", None);
    put(&folder, "notes_2.csv", b"a\n3\n", None);
    put(&folder, "other.txt", b"?", None);
    let mut events = 0;
    let summary = ingest_folder(&bench.context, &folder, &mut |_| events += 1)
        .await
        .unwrap();
    assert_eq!(events, 5);
    assert_eq!(summary.outcomes.len(), 2);
    assert_eq!(summary.unknown, [folder.join("other.txt")]);
    assert_eq!(bench.count("staging.notes").await, 3);
    let again = ingest_folder(&bench.context, &folder, &mut |_| {})
        .await
        .unwrap();
    assert_eq!((again.outcomes.len(), again.unchanged), (0, 2));
    put(
        &bench.folder.path().join("more"),
        "notes_3.csv",
        b"a\n3\n",
        None,
    );
    let more = bench.folder.path().join("more");
    let copy = ingest_folder(&bench.context, &more, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(copy.outcomes[0].status, DeliveryStatus::Duplicate);
    assert_eq!(bench.count("staging.notes").await, 3);
}

#[tokio::test]
async fn no_resident_number_lies_anywhere_in_the_warehouse() {
    let bench = Bench::new().await;
    let rows: Vec<(u32, &str)> = (0..50)
        .map(|index| (index, if index % 7 == 0 { "x" } else { "5" }))
        .collect();
    bench.put("2024-08", 1, &rows, 1000);
    let outcomes = bench.run().await;
    assert!(outcomes[0].status.is_accepted(), "{outcomes:?}");
    assert!(!number_is_readable(format!("{outcomes:?}")));
    let mut files = Vec::new();
    walk(&bench.folder.path().join("warehouse"), &mut files, 0).unwrap();
    assert!(files.len() > 5);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(!number_is_readable(&bytes), "{}", file.display());
    }
    for table in ["staging.wages", "quarantine.wages", "ops.deliveries"] {
        let shown = format!("{:?}", bench.rows(table).await);
        assert!(!number_is_readable(&shown), "{table}");
    }
}
