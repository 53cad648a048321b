//! A warehouse with one good delivery, and what a hostile one may change of it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use goyong_store::{StoreConfig, Warehouse};
use goyong_types::ResidentNumber;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::state::{State, changes, digests, files, refused, unreconciled};
use crate::chunks::ReadLimits;
use crate::deliver::IntakeContext;
use crate::delivery::{DeliveryOutcome, DeliveryStatus};
use crate::identity::{Keys, Vault, hex};
use crate::landing::{IntakeSummary, ingest_landing};
use crate::testing::{contract, number_is_readable, shown};

/// Name of every made-up person; nobody is called that.
pub const NAME: &str = "김가상허구";

/// The columns of every source of the bench.
const COLUMNS: &str = "
columns:
  - {name: person_key, from: 주민등록번호, type: rrn}
  - {name: person_name, from: 성명, type: name, nullable: true}
  - {name: place, from: 지역, type: string, nullable: true}
  - {name: day, from: 날짜, type: date, nullable: true}
  - {name: won, from: 금액, type: won}
";

/// Source, its manifest rule and its format.
const SOURCES: &[(&str, &str, &str)] = &[
    ("wages", "required", "{kind: csv, encoding: cp949}"),
    ("lines", "none", "{kind: csv}"),
    ("months", "none", "{kind: csv}"),
    ("packed", "none", "{kind: csv, compression: gzip}"),
    ("pressed", "none", "{kind: csv, compression: zstd}"),
    ("zipped", "none", "{kind: csv, compression: zip}"),
    ("answers", "none", "{kind: json, record: /body/item}"),
    ("ndjson", "none", "{kind: json, lines: true}"),
    ("feed", "none", "{kind: xml, record: /response/item}"),
    ("sheets", "none", "{kind: xlsx}"),
    ("columnar", "none", "{kind: parquet}"),
];

/// Where a delivery has to end.
#[derive(Clone, Debug)]
pub enum Bin {
    /// All rows in staging: `place|day|won`, separated by `;`.
    Accepted(&'static str),
    /// The rows in staging, and row, column and rule of those in quarantine.
    Quarantined(&'static str, &'static [(i64, &'static str, &'static str)]),
    /// Rule, and words of the reason.
    Refused(&'static str, &'static str),
}

/// What lies beside the file.
#[derive(Clone, Debug)]
pub enum Beside {
    Nothing,
    /// A right manifest that states these rows and this sum.
    Manifest(u64, &'static str),
    /// A right manifest with one text replaced by another.
    Changed(u64, &'static str, &'static str, &'static str),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// One hostile delivery.
pub struct Case {
    pub name: &'static str,
    pub source: &'static str,
    pub file: String,
    pub bytes: Vec<u8>,
    pub beside: Beside,
    pub bin: Bin,
}

impl Case {
    /// A file of a source without manifests.
    pub fn bare(
        name: &'static str,
        source: &'static str,
        bytes: impl Into<Vec<u8>>,
        bin: Bin,
    ) -> Self {
        Self {
            name,
            source,
            file: format!("{source}.data"),
            bytes: bytes.into(),
            beside: Beside::Nothing,
            bin,
        }
    }

    /// The file of August 2024 of `wages`, in CP949.
    pub fn wages(name: &'static str, bytes: impl Into<Vec<u8>>, beside: Beside, bin: Bin) -> Self {
        Self {
            name,
            source: "wages",
            file: "wages_202408_r1.csv".to_owned(),
            bytes: bytes.into(),
            beside,
            bin,
        }
    }
}

/// A made-up person's number with a right check digit.
pub fn person(index: u32) -> String {
    let mut twelve = [b'0'; 12];
    twelve[..7].copy_from_slice(b"8001011");
    twelve[7..].copy_from_slice(format!("{index:05}").as_bytes());
    let check = ResidentNumber::check_digit(&twelve);
    format!("{}{}", std::str::from_utf8(&twelve).unwrap(), check as char)
}

/// Delimited text with header; `rows` are place, day and won as written.
pub fn delimited(rows: &[&str]) -> String {
    let mut text = "주민등록번호,성명,지역,날짜,금액\n".to_owned();
    for (index, row) in rows.iter().enumerate() {
        text.push_str(&format!("{},{NAME},{row}\n", person(index as u32)));
    }
    text
}

/// Text in CP949.
pub fn cp949(text: &str) -> Vec<u8> {
    let (bytes, _, lost) = encoding_rs::EUC_KR.encode(text);
    assert!(!lost);
    bytes.into_owned()
}

/// A right manifest of `wages`.
pub fn manifest(bytes: &[u8], file: &str, rows: u64, won: &str) -> String {
    let sha256 = hex(&Sha256::digest(bytes));
    let period = if file.contains("202407") {
        "2024-07"
    } else {
        "2024-08"
    };
    format!(
        r#"{{"source": "wages", "period": "{period}", "revision": 1, "rows": {rows}, "control": {{"won": "{won}"}}, "sha256": "{sha256}", "known_on": "2024-09-10"}}"#
    )
}

/// A warehouse that holds July's wages, and a landing folder with a file that nobody may touch.
pub struct Bench {
    pub folder: tempfile::TempDir,
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
        let contracts = SOURCES
            .iter()
            .map(|(source, manifest, format)| {
                let rest = match *source {
                    "months" => "period: {from: filename, pattern: '_([0-9]{6})'}\nrevision: replace_period\nperiod_check: {column: day}\n",
                    _ if *manifest == "required" => {
                        "period: {from: manifest}\nrevision: replace_period\n"
                    }
                    _ => "",
                };
                let yaml = format!(
                    "source: {source}\nmanifest: {manifest}\n{rest}control_totals: [won]\nreject_threshold: 0.5\nformat: {format}{COLUMNS}"
                );
                ((*source).to_owned(), contract(&yaml))
            })
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
                record_bytes: 1 << 20,
                workbook_bytes: 32 << 20,
                expanded_bytes: 64 << 20,
                expanded_ratio: 400,
            },
        };
        let bench = Self { folder, context };
        let bytes = cp949(&delimited(&["서울,20240701,5"]));
        let file = "wages_202407_r1.csv";
        bench.put(
            &format!("wages/{file}"),
            &bytes,
            Some(manifest(&bytes, file, 1, "5").as_bytes()),
        );
        // Refused for want of a manifest; it has to stay where it is.
        bench.put("wages/wages_202406_r1.csv", &bytes, None);
        bench.put("wages/.partial", b"on its way", None);
        fs::create_dir_all(bench.outside()).unwrap();
        fs::write(bench.outside().join("secret"), &bytes).unwrap();
        let outcomes = bench.run().await.outcomes;
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(
            statuses,
            [DeliveryStatus::Refused, DeliveryStatus::Accepted],
            "{outcomes:?}"
        );
        bench
    }

    pub fn landing(&self) -> PathBuf {
        self.folder.path().join("landing")
    }

    /// A folder that belongs to somebody else.
    pub fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// Puts a file into the landing folder.
    pub fn put(&self, path: &str, bytes: &[u8], manifest: Option<&[u8]>) {
        let path = self.landing().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        if let Some(manifest) = manifest {
            fs::write(format!("{}.manifest.json", path.display()), manifest).unwrap();
        }
    }

    pub async fn run(&self) -> IntakeSummary {
        ingest_landing(&self.context, &self.landing(), &mut |_| {})
            .await
            .unwrap()
    }

    pub async fn state(&self) -> State {
        let mut tables = BTreeMap::new();
        for name in self.context.warehouse.table_names().await.unwrap() {
            let snapshot = self.context.warehouse.snapshot(&name).await.unwrap();
            tables.insert(name.to_string(), snapshot.unwrap().content_hash());
        }
        let root = self.folder.path().join("warehouse");
        let mut files = digests(&root);
        // The state database and the account of deliveries take down that something came.
        files.retain(|path, _| {
            !path.starts_with("state") && !path.starts_with("lake/ops/deliveries")
        });
        tables.remove("ops.deliveries");
        State {
            tables,
            files,
            landing: digests(&self.landing()),
            outside: digests(&self.outside()),
        }
    }

    /// The rows of a table.
    pub async fn rows(&self, table: &str) -> Vec<RecordBatch> {
        let Some(snapshot) = self
            .context
            .warehouse
            .snapshot(&table.parse().unwrap())
            .await
            .unwrap()
        else {
            return Vec::new();
        };
        let mut batches = Vec::new();
        for file in &snapshot.files {
            let file = fs::File::open(&file.path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            batches.extend(reader.build().unwrap().map(|batch| batch.unwrap()));
        }
        batches
    }

    /// The cells of some columns, row by row; of one delivery where the table has several.
    pub async fn cells(&self, table: &str, delivery: &str, columns: &[&str]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for batch in self.rows(table).await {
            let ids = batch.column_by_name("_delivery_id").unwrap().clone();
            for row in 0..batch.num_rows() {
                if shown(&ids, row) == delivery {
                    rows.push(
                        columns
                            .iter()
                            .map(|name| shown(batch.column_by_name(name).unwrap(), row))
                            .collect(),
                    );
                }
            }
        }
        rows
    }

    /// What is wrong with where a case ended; empty when nothing is.
    pub async fn faults(&self, case: &Case) -> Vec<String> {
        let relative = format!("{}/{}", case.source, case.file);
        let manifest = match &case.beside {
            Beside::Nothing => None,
            Beside::Manifest(rows, won) => {
                Some(manifest(&case.bytes, &case.file, *rows, won).into_bytes())
            }
            Beside::Changed(rows, won, right, wrong) => {
                let text = manifest(&case.bytes, &case.file, *rows, won);
                assert!(text.contains(right), "{}: {text}", case.name);
                Some(text.replacen(right, wrong, 1).into_bytes())
            }
            Beside::Bytes(bytes) => Some(bytes.clone()),
        };
        self.put(&relative, &case.bytes, manifest.as_deref());
        let before = self.state().await;
        let outcomes = self.run().await.outcomes;
        let after = self.state().await;
        let [outcome] = outcomes.as_slice() else {
            return vec![format!("{}: {outcomes:?}", case.name)];
        };
        let mut faults = match &case.bin {
            Bin::Refused(rule, words) => refused(outcome, rule, words),
            Bin::Accepted(rows) => self.taken(outcome, case, rows, &[]).await,
            Bin::Quarantined(rows, quarantined) => {
                self.taken(outcome, case, rows, quarantined).await
            }
        };
        faults.extend(unreconciled(outcome));
        faults.extend(changes(case, outcome, before, after));
        faults.extend(self.leaks(outcome).await);
        faults
            .into_iter()
            .map(|fault| format!("{}: {fault}", case.name))
            .collect()
    }

    async fn taken(
        &self,
        outcome: &DeliveryOutcome,
        case: &Case,
        rows: &str,
        quarantined: &[(i64, &str, &str)],
    ) -> Vec<String> {
        let wanted = if quarantined.is_empty() {
            DeliveryStatus::Accepted
        } else {
            DeliveryStatus::AcceptedWithQuarantine
        };
        let mut faults = Vec::new();
        if outcome.status != wanted {
            faults.push(format!("{:?}: {:?}", outcome.status, outcome.reason));
        }
        let staging = format!("staging.{}", case.source);
        let id = &outcome.delivery_id;
        let found = self.cells(&staging, id, &["place", "day", "won"]).await;
        let found: Vec<String> = found.iter().map(|row| row.join("|")).collect();
        if found.join(";") != rows {
            faults.push(format!("staged {found:?}"));
        }
        let table = format!("quarantine.{}", case.source);
        let found = self
            .cells(&table, id, &["_row_number", "column", "rule"])
            .await;
        let wanted: Vec<Vec<String>> = quarantined
            .iter()
            .map(|(row, column, rule)| {
                vec![row.to_string(), (*column).to_owned(), (*rule).to_owned()]
            })
            .collect();
        if found != wanted {
            faults.push(format!("quarantined {found:?}"));
        }
        faults
    }

    /// Personal values anywhere outside vault and archive, or in the clear inside of them.
    pub async fn leaks(&self, outcome: &DeliveryOutcome) -> Vec<String> {
        let mut places = vec![(
            "the outcome".to_owned(),
            format!("{outcome:?}").into_bytes(),
        )];
        for name in self.context.warehouse.table_names().await.unwrap() {
            let rows = format!("{:?}", self.rows(&name.to_string()).await);
            places.push((name.to_string(), rows.into_bytes()));
        }
        let root = self.folder.path().join("warehouse");
        for path in files(&root) {
            places.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
        let name_in_cp949 = cp949(NAME);
        let mut faults = Vec::new();
        for (place, bytes) in places {
            let named = [NAME.as_bytes(), &name_in_cp949]
                .iter()
                .any(|name| memchr::memmem::find(&bytes, name).is_some());
            if named || number_is_readable(&bytes) {
                faults.push(format!("a personal value is in {place}"));
            }
        }
        faults
    }
}

/// Runs cases and tells all that went wrong together. A refusal changes nothing, so the next case
/// meets the same warehouse; after rows were taken it meets a new one.
pub async fn run(cases: Vec<Case>) {
    let mut faults = Vec::new();
    let mut bench = None;
    for case in cases {
        let used = match bench.take() {
            Some(bench) => bench,
            None => Bench::new().await,
        };
        faults.extend(used.faults(&case).await);
        if matches!(case.bin, Bin::Refused(..)) {
            let path = used.landing().join(case.source).join(&case.file);
            fs::remove_file(&path).unwrap();
            let manifest = format!("{}.manifest.json", path.display());
            if Path::new(&manifest).exists() {
                fs::remove_file(manifest).unwrap();
            }
            bench = Some(used);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
