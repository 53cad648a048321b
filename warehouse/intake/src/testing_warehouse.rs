//! A warehouse on the disk for tests that deliver, die and look again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use goyong_store::{StoreConfig, Warehouse};
use goyong_types::ResidentNumber;
use sha2::{Digest, Sha256};

use crate::chunks::ReadLimits;
use crate::crash;
use crate::deliver::IntakeContext;
use crate::delivery::DeliveryOutcome;
use crate::error::IntakeError;
use crate::identity::{Keys, Vault, hex};
use crate::landing::{IntakeSummary, ingest_landing};
use crate::store_access::read_rows;
use crate::testing::contract;

/// Revisions of a period replace each other.
pub(crate) const WAGES: &str = r#"
source: wages
manifest: required
period: {from: manifest}
revision: replace_period
control_totals: [won]
reject_threshold: 0.9
format: {kind: csv, encoding: cp949}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn}
  - {name: place, from: 지역, type: string}
  - {name: won, from: 금액, type: won, range: [0, 1000000]}
"#;

/// The same rows, the latest by key counts.
pub(crate) const SPELLS: &str = "upsert of WAGES";
/// The same rows, every one an event.
pub(crate) const EVENTS: &str = "append of WAGES";

fn yaml(name: &str) -> String {
    let (source, revision) = match name {
        SPELLS => ("spells", "upsert\nkey: [person_key]"),
        EVENTS => ("events", "append"),
        other => return other.to_owned(),
    };
    WAGES
        .replace("source: wages", &format!("source: {source}"))
        .replace("revision: replace_period", &format!("revision: {revision}"))
}

/// A resident number nobody has.
pub(crate) fn number(index: u32) -> String {
    let mut twelve = [b'0'; 12];
    twelve[..7].copy_from_slice(b"8001011");
    twelve[7..].copy_from_slice(format!("{index:05}").as_bytes());
    let check = ResidentNumber::check_digit(&twelve);
    format!("{}{}", std::str::from_utf8(&twelve).unwrap(), check as char)
}

/// A file of persons with their won.
pub(crate) fn wages(rows: &[(u32, &str)]) -> Vec<u8> {
    let mut text = "주민등록번호,지역,금액\n".to_owned();
    for (index, won) in rows {
        text.push_str(&format!("{},서울,{won}\n", number(*index)));
    }
    encoding_rs::EUC_KR.encode(&text).0.into_owned()
}

/// A delivery of [`wages`].
#[derive(Clone, Debug)]
pub(crate) struct TestDelivery {
    pub source: &'static str,
    pub period: &'static str,
    pub revision: u32,
    pub known_on: &'static str,
    pub rows: Vec<(u32, &'static str)>,
}

/// Shared keys, so that two warehouses hold the same pseudonyms.
pub(crate) struct TestKeys(tempfile::TempDir);

impl TestKeys {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Keys::create(&folder.path().join("keys")).unwrap();
        Self(folder)
    }

    fn load(&self) -> Keys {
        Keys::load(&self.0.path().join("keys")).unwrap()
    }
}

pub(crate) struct TestWarehouse<'k> {
    keys: &'k TestKeys,
    folder: tempfile::TempDir,
    contracts: Vec<String>,
    pub context: IntakeContext,
}

impl<'k> TestWarehouse<'k> {
    pub async fn new(keys: &'k TestKeys, contracts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let contracts: Vec<String> = contracts.iter().map(|name| yaml(name)).collect();
        let context = Self::open(keys, folder.path().join("warehouse"), &contracts).await;
        Self {
            keys,
            folder,
            contracts,
            context,
        }
    }

    async fn open(keys: &TestKeys, root: PathBuf, contracts: &[String]) -> IntakeContext {
        let warehouse = Warehouse::create(&StoreConfig::in_folder(&root))
            .await
            .unwrap();
        let keys = Arc::new(keys.load());
        IntakeContext {
            warehouse,
            vault: Vault::create(&root.join("vault"), &keys).unwrap(),
            keys,
            contracts: contracts
                .iter()
                .map(|yaml| contract(yaml))
                .map(|contract| (contract.source.clone(), contract))
                .collect(),
            known_on: "2026-01-01".parse().unwrap(),
            archive: Some(root.join("archive")),
            limits: ReadLimits {
                threads: 2,
                part_bytes: 1000,
                ..ReadLimits::default()
            },
        }
    }

    /// What the next process sees.
    pub async fn reopen(&mut self) {
        self.context = Self::open(
            self.keys,
            self.folder.path().join("warehouse"),
            &self.contracts,
        )
        .await;
    }

    /// Changes a contract and opens again.
    pub async fn change_contract(&mut self, from: &str, to: &str) {
        for contract in &mut self.contracts {
            *contract = contract.replace(from, to);
        }
        self.reopen().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn put(&self, delivery: &TestDelivery) {
        let bytes = wages(&delivery.rows);
        let sum: i64 = delivery
            .rows
            .iter()
            .filter_map(|(_, won)| won.parse::<i64>().ok())
            .sum();
        let manifest = format!(
            r#"{{"source": "{}", "period": "{}", "revision": {}, "rows": {}, "control": {{"won": "{sum}"}}, "sha256": "{}", "known_on": "{}"}}"#,
            delivery.source,
            delivery.period,
            delivery.revision,
            delivery.rows.len(),
            hex(&Sha256::digest(&bytes)),
            delivery.known_on,
        );
        let landing = self.path("landing").join(delivery.source);
        let name = format!(
            "{}_{}_r{}.csv",
            delivery.source,
            delivery.period.replace('-', ""),
            delivery.revision
        );
        fs::create_dir_all(&landing).unwrap();
        fs::write(landing.join(format!("{name}.manifest.json")), manifest).unwrap();
        fs::write(landing.join(name), bytes).unwrap();
    }

    pub async fn ingest(&self) -> Result<IntakeSummary, IntakeError> {
        ingest_landing(&self.context, &self.path("landing"), &mut |_| {}).await
    }

    pub async fn run(&self) -> Vec<DeliveryOutcome> {
        self.ingest().await.unwrap().outcomes
    }

    /// Runs until the process dies behind so many durable writes; `true` when it did.
    pub async fn dies_after(&mut self, points: usize) -> bool {
        let died = crash::testing::run_until(points, self.ingest()).await;
        self.reopen().await;
        match died {
            Ok(summary) => {
                summary.unwrap();
                false
            }
            Err(_) => true,
        }
    }

    /// The content of a table, whatever the order of its rows.
    pub async fn hash(&self, table: &str) -> Option<String> {
        let name = table.parse().unwrap();
        let snapshot = self.context.warehouse.snapshot(&name).await.unwrap();
        snapshot.map(|snapshot| snapshot.content_hash())
    }

    pub async fn batches(&self, table: &str) -> Vec<RecordBatch> {
        let mut batches = Vec::new();
        let name = table.parse().unwrap();
        read_rows(&self.context.warehouse, &name, None, &[], |batch| {
            batches.push(batch);
            Ok(())
        })
        .await
        .unwrap();
        batches
    }

    /// Rows as `a,b`, sorted.
    pub async fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let mut rows = Vec::new();
        for batch in self.batches(table).await {
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns
                    .iter()
                    .map(|name| {
                        let array = batch.column_by_name(name).unwrap();
                        match array.as_string_opt::<i32>() {
                            Some(texts) if !arrow_array::Array::is_null(texts, row) => {
                                texts.value(row).to_owned()
                            }
                            _ => ArrayFormatter::try_new(array, &FormatOptions::default())
                                .unwrap()
                                .value(row)
                                .to_string(),
                        }
                    })
                    .collect();
                rows.push(cells.join(","));
            }
        }
        rows.sort();
        rows
    }

    /// Names of the files below a folder of the warehouse.
    pub fn files(&self, below: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.path("warehouse").join(below)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    names.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names
    }
}

/// A day.
pub(crate) fn on(day: &str) -> NaiveDate {
    day.parse().unwrap()
}
