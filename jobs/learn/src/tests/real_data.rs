//! Real labelled data that nobody on this project wrote. The yardsticks stand in
//! the README of the shared data folder.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray};

use super::START;
use crate::metrics::auc;
use crate::sampling;
use crate::{
    BoostOptions, BoostedModel, Dataset, DatasetSpec, FeatureSpec, FitOptions, LogisticModel,
    Solver,
};

/// The file, or a notice past the test harness that it is not there.
fn shared_file(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GOYONG_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let file = folder.join(path);
    if file.is_file() {
        return Some(file);
    }
    let notice = format!(
        "SKIPPED: {} is absent (set GOYONG_SHARED_DATA)\n",
        file.display()
    );
    std::io::stderr().write_all(notice.as_bytes()).unwrap();
    None
}

/// Header (a repeated name gets a `_2`) and records.
fn read(file: &PathBuf) -> (Vec<String>, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let mut header: Vec<String> = Vec::new();
    for name in reader.headers().unwrap() {
        let name = name.trim_start_matches('\u{feff}');
        let seen = header.iter().any(|earlier| earlier == name);
        header.push(if seen {
            format!("{name}_2")
        } else {
            name.to_owned()
        });
    }
    (header, reader.records().map(Result::unwrap).collect())
}

fn dataset(
    header: &[String],
    records: &[csv::StringRecord],
    labels: Vec<bool>,
    features: Vec<FeatureSpec>,
) -> Dataset {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        (
            "row".to_owned(),
            Arc::new(Int64Array::from_iter_values(0..records.len() as i64)),
        ),
        (
            "entered".to_owned(),
            Arc::new(Date32Array::from(vec![START; records.len()])),
        ),
        ("outcome".to_owned(), Arc::new(BooleanArray::from(labels))),
    ];
    for (position, name) in header.iter().enumerate() {
        let texts = records.iter().map(|record| record.get(position));
        columns.push((name.clone(), Arc::new(texts.collect::<StringArray>())));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let spec = DatasetSpec {
        entity: "row".to_owned(),
        entered_on: "entered".to_owned(),
        label: "outcome".to_owned(),
        label_known_on: "entered".to_owned(),
        features,
        groups: vec![],
        max_rows: None,
        seed: 1,
    };
    Dataset::from_batches(&[batch], &spec).unwrap()
}

/// Mean AUC over five folds drawn by key.
fn five_fold_auc(dataset: &Dataset, solver: Solver) -> f64 {
    let options = FitOptions {
        solver,
        ..FitOptions::default()
    };
    five_folds(dataset, |training, test| {
        let model = LogisticModel::fit_rows(dataset, training, &options).unwrap();
        model.predict_rows(dataset, test).unwrap()
    })
}

/// The same for boosted trees.
fn five_fold_auc_of_trees(dataset: &Dataset, options: &BoostOptions) -> f64 {
    five_folds(dataset, |training, test| {
        let model = BoostedModel::fit_rows(dataset, training, options).unwrap();
        model.predict_rows(dataset, test).unwrap()
    })
}

fn five_folds(dataset: &Dataset, predict: impl Fn(&[u32], &[u32]) -> Vec<f64>) -> f64 {
    let mut rows: Vec<u32> = (0..dataset.len() as u32).collect();
    rows.sort_by_key(|row| sampling::draw(dataset.identities[*row as usize], 5));
    let mut sum = 0.0;
    for fold in 0..5 {
        let (test, mut training): (Vec<u32>, Vec<u32>) = (0..)
            .zip(&rows)
            .map(|(position, row)| (position % 5 == fold, *row))
            .fold(
                Default::default(),
                |(mut test, mut training), (is_test, row)| {
                    if is_test {
                        test.push(row)
                    } else {
                        training.push(row)
                    }
                    (test, training)
                },
            );
        training.sort_unstable();
        let predicted = predict(&training, &test);
        sum += auc(&predicted, &dataset.labels_of(&test)).unwrap();
    }
    sum / 5.0
}

/// Trees as LightGBM does best with on the same rows.
fn small_trees(trees: usize, leaves: usize) -> BoostOptions {
    BoostOptions {
        trees,
        leaves,
        ..BoostOptions::default()
    }
}

#[test]
fn exit_from_joblessness_within_26_weeks_reaches_the_yardstick() {
    let Some(file) = shared_file("outcomes/jobless.csv") else {
        return;
    };
    let (header, records) = read(&file);
    let at = |name: &str| header.iter().position(|found| found == name).unwrap();
    let (spell, exits) = (at("spell"), [at("censor1"), at("censor2"), at("censor3")]);
    let mut usable = Vec::new();
    let mut labels = Vec::new();
    for record in records {
        // Spells are in two-week units: 13 of them are 26 weeks. A spell censored
        // earlier is not "not re-employed": it is unknown and left out.
        let within = record[spell].parse::<u32>().unwrap() <= 13;
        let exited = exits.iter().any(|exit| &record[*exit] == "1");
        if exited || !within {
            labels.push(within);
            usable.push(record);
        }
    }
    assert_eq!(usable.len(), 2_241);
    let rate = labels.iter().filter(|label| **label).count() as f64 / 2_241.0;
    assert!((rate - 0.815).abs() < 5e-4);
    let features = header
        .iter()
        .filter(|name| {
            !["rownames", "spell"].contains(&name.as_str()) && !name.starts_with("censor")
        })
        .map(|name| FeatureSpec::numeric(name, name, name))
        .collect();
    let dataset = dataset(&header, &usable, labels, features);
    let auc = five_fold_auc(&dataset, Solver::Linfa);
    std::println!("jobless: 5-fold AUC {auc:.4} (yardstick .749)");
    assert!((auc - 0.749).abs() < 0.008, "{auc}");
    assert!((auc - five_fold_auc(&dataset, Solver::Newton)).abs() < 1e-4);
    let boosted = five_fold_auc_of_trees(&dataset, &small_trees(300, 2));
    std::println!("jobless: 5-fold AUC of trees {boosted:.4} (yardstick .715)");
    assert!(boosted > 0.73, "{boosted}");
}

#[test]
fn vehicle_claim_fraud_reaches_the_yardstick() {
    let Some(file) = shared_file("fraud/vehicle_claims.csv") else {
        return;
    };
    let (header, records) = read(&file);
    assert_eq!(records.len(), 15_420);
    let outcome = header
        .iter()
        .position(|name| name == "FraudFound_P")
        .unwrap();
    let labels: Vec<bool> = records
        .iter()
        .map(|record| &record[outcome] == "1")
        .collect();
    let features = header
        .iter()
        .filter(|name| !["FraudFound_P", "PolicyNumber"].contains(&name.as_str()))
        .map(|name| match name.as_str() {
            "Age" => FeatureSpec::numeric(name, name, name),
            _ => FeatureSpec::categorical(name, name, name),
        })
        .collect();
    let dataset = dataset(&header, &records, labels, features);
    let auc = five_fold_auc(&dataset, Solver::Linfa);
    std::println!("vehicle claims: 5-fold AUC {auc:.4} (yardstick .798)");
    assert!((auc - 0.798).abs() < 0.008, "{auc}");
    let boosted = five_fold_auc_of_trees(&dataset, &small_trees(100, 31));
    std::println!("vehicle claims: 5-fold AUC of trees {boosted:.4} (yardstick .841)");
    assert!(boosted > 0.828, "{boosted}");
}
