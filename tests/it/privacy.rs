//! No resident number, name or telephone number of a simulated person is in any file of a
//! warehouse, its reports or its logs: every file is searched, Parquet decoded.

use std::collections::BTreeSet;
use std::path::Path;

use aho_corasick::AhoCorasick;
use arrow_array::Array;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::{MONTHS, PERSONS, SEED, demo, files, goyong_ok};

/// What the same seed delivers in the clear: resident numbers, names, telephone numbers.
fn identities() -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let landing = folder.path().join("landing");
    let truth = folder.path().join("truth");
    goyong_ok(&[
        "simulate",
        "--seed",
        SEED,
        "--persons",
        PERSONS,
        "--months",
        MONTHS,
        "--landing",
        landing.to_str().unwrap(),
        "--truth",
        truth.to_str().unwrap(),
    ]);
    let mut found = BTreeSet::new();
    for (source, headers) in [
        ("wn_seeker", &["주민등록번호", "성명", "연락처"][..]),
        ("ei_insured_spell", &["주민등록번호"]),
        ("nts_wage_statement", &["주민등록번호"]),
    ] {
        for path in files(&landing.join(source)) {
            if path.extension().is_none_or(|ending| ending != "csv") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let (text, _, _) = encoding_rs::EUC_KR.decode(&bytes);
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .from_reader(text.as_bytes());
            let columns: Vec<usize> = reader
                .headers()
                .unwrap()
                .iter()
                .enumerate()
                .filter(|(_, header)| headers.contains(header))
                .map(|(column, _)| column)
                .collect();
            assert_eq!(columns.len(), headers.len(), "{source}");
            for record in reader.records() {
                let record = record.unwrap();
                for column in &columns {
                    let value = record.get(*column).unwrap_or_default().trim();
                    // Names of two syllables are ordinary words too.
                    if value.chars().count() >= 3 {
                        found.insert(value.to_owned());
                        found.insert(value.replace('-', ""));
                    }
                }
            }
        }
    }
    assert!(found.len() > 5_000, "{} identities", found.len());
    found
}

#[test]
fn no_identity_of_a_person_is_in_any_file() {
    let folder = demo();
    let identities: Vec<String> = identities().into_iter().collect();
    let finder = AhoCorasick::new(&identities).unwrap();
    let mut searched = 0;
    for path in files(&folder.join("warehouse")) {
        searched += 1;
        if path.extension().is_some_and(|ending| ending == "parquet") {
            search_parquet(&path, &finder);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !finder.is_match(&bytes),
                "{} holds an identity",
                path.display()
            );
        }
    }
    assert!(searched > 100, "{searched} files");
    let inbox: Vec<_> = files(&folder.join("warehouse/landing"));
    assert!(
        inbox.is_empty(),
        "ingested files stay in the clear: {inbox:?}"
    );
}

fn search_parquet(path: &Path, finder: &AhoCorasick) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    for batch in reader {
        let batch = batch.unwrap();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let text = arrow_cast::cast(column, &DataType::Utf8).unwrap();
            let text = text
                .as_any()
                .downcast_ref::<arrow_array::StringArray>()
                .unwrap();
            for value in text.iter().flatten() {
                // A person key is a number that may contain thirteen digits of anything.
                if field.name() == "person_key" {
                    continue;
                }
                assert!(
                    !finder.is_match(value),
                    "{} column {} holds an identity",
                    path.display(),
                    field.name()
                );
            }
            assert!(!text.is_empty() || batch.num_rows() == 0);
        }
    }
}
