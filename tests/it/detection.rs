//! The rules of detection, held against the truth of a country that was not used to write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::goyong_ok;

/// Sources that the rules rest on; the others are not ingested here.
const SOURCES: [&str; 19] = [
    "centre_closure",
    "centre_device",
    "ei_benefit_claim",
    "ei_certification",
    "ei_correction",
    "ei_daily_work",
    "ei_insured_spell",
    "ei_subsidy",
    "ei_subsidy_person",
    "ei_workplace",
    "kcomwel_workplace",
    "mma_service",
    "moj_border",
    "mois_household",
    "nts_business_income",
    "nts_business_registration",
    "nts_daily_statement",
    "nts_wage_statement",
    "ei_sanction",
];

/// The figure before its interval, of `0.97 [0.91, 0.99]`.
fn figure(text: &str) -> f64 {
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no figure in {text}"))
}

/// A country with more fraud than there is, so that a small one has some of every kind; built up to alerts and scores.
fn country() -> &'static str {
    static COUNTRY: OnceLock<PathBuf> = OnceLock::new();
    let folder = COUNTRY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep().join("project");
        let dir = folder.to_str().unwrap();
        goyong_ok(&["--dir", dir, "init", "--built-in-sql"]);
        goyong_ok(&[
            "--dir",
            dir,
            "simulate",
            "--persons",
            "20000",
            "--months",
            "30",
            "--seed",
            "918273",
            "--fraud-rate",
            "10",
        ]);
        for entry in std::fs::read_dir(folder.join("warehouse/landing")).unwrap() {
            let entry = entry.unwrap();
            if !SOURCES.contains(&entry.file_name().to_str().unwrap()) {
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        goyong_ok(&["--dir", dir, "ingest"]);
        // Runs the checks too: alerts_follow_from_evidence derives each alert from its rows alone.
        let models = ["+candidate", "+claim_anomaly", "+fraud_risk_label"];
        goyong_ok(&[&["--dir", dir, "build", "-s"], models.as_slice()].concat());
        folder
    });
    folder.to_str().unwrap()
}

/// An evaluation by subject and measure, and its text.
fn evaluated(dir: &str, subject: &str) -> (BTreeMap<(String, String), String>, String) {
    let text = goyong_ok(&["--dir", dir, "evaluate", subject, "--format", "csv"]);
    let found = csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|row| row.unwrap())
        .map(|row| ((row[0].to_owned(), row[1].to_owned()), row[2].to_owned()))
        .collect();
    (found, text)
}

#[test]
fn rules_and_rings_are_precise_find_what_is_evident_and_spare_the_look_alikes() {
    let (found, text) = evaluated(country(), "detection");
    for number in 1..=11 {
        let rule = format!("alerts F{number:02}");
        let of = |measure: &str| {
            let key = (rule.clone(), measure.to_owned());
            figure(
                found
                    .get(&key)
                    .unwrap_or_else(|| panic!("no {key:?} in\n{text}")),
            )
        };
        assert!(of("raised") >= 5.0, "{rule}\n{text}");
        assert!(of("precision") >= 0.95, "{rule}\n{text}");
        assert!(of("recall") >= 0.90, "{rule}\n{text}");
        assert!(of("look-alikes raised") == 0.0, "{rule}\n{text}");
    }
    for subject in ["rings, cases", "rings, members"] {
        let of = |measure: &str| figure(&found[&(subject.to_owned(), measure.to_owned())]);
        assert!(of("precision") >= 0.95, "{subject}\n{text}");
        assert!(of("recall") >= 0.90, "{subject}\n{text}");
    }
    let accused = ("rings, members".to_owned(), "look-alikes raised".to_owned());
    assert_eq!(figure(&found[&accused]), 0.0, "{text}");
}

#[test]
fn the_risk_score_ranks_what_it_had_not_seen_and_raises_nothing() {
    let dir = country();
    let (_, raised) = evaluated(dir, "detection");
    goyong_ok(&["--dir", dir, "-q", "models", "train", "fraud_risk"]);
    assert_eq!(evaluated(dir, "detection").1, raised);
    let (found, text) = evaluated(dir, "ranking");
    let of = |measure: &str| &found[&("fraud_risk".to_owned(), measure.to_owned())];
    // Half of the claims of this country are fraudulent, so no order lifts them to more than twice.
    assert!(figure(of("lift at 5 %")) >= 1.5, "{text}");
    assert!(figure(of("AUC against the truth")) >= 0.55, "{text}");
    // The draw says how frequent fraud is, and what was learned from decisions alone is corrected to it.
    let prevalence = figure(of("prevalence"));
    assert!(
        (figure(of("prevalence by the draw")) - prevalence).abs() < 0.1,
        "{text}"
    );
    assert!(
        figure(of("calibration in the large, corrected")).abs() < 0.5,
        "{text}"
    );
    let anomaly = ("claim_anomaly".to_owned(), "AUC, all claims".to_owned());
    assert!(figure(&found[&anomaly]) >= 0.55, "{text}");

    // What is compared is not used.
    let page = goyong_ok(&[
        "--dir",
        dir,
        "models",
        "show",
        "fraud_risk",
        "--format",
        "csv",
    ]);
    let features: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("feature,"))
        .collect();
    assert!(!features.is_empty(), "{page}");
    for group in ["sex", "age_band", "sido", "foreign_registration"] {
        let named = format!("feature,{group},");
        assert!(
            !features.iter().any(|line| line.starts_with(&named)),
            "{page}"
        );
    }
}

#[test]
fn real_insurance_claims_are_ranked_by_contract_features_and_labels_alone() {
    let data = std::env::var_os("GOYONG_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let claims = data.join("fraud/vehicle_claims.csv");
    if !claims.is_file() {
        println!("SKIPPED: no claims at {}", claims.display());
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let delivered = root.path().join("delivered");
    std::fs::create_dir_all(delivered.join("fraud")).unwrap();
    std::fs::copy(claims, delivered.join("fraud/vehicle_claims.csv")).unwrap();
    let folder = root.path().join("project");
    let dir = ["--dir", folder.to_str().unwrap(), "-q"];
    let run = |arguments: &[&str]| goyong_ok(&[&dir[..], arguments].concat());
    run(&["init"]);
    run(&[
        "ingest",
        "--known-on",
        "2026-11-01",
        delivered.to_str().unwrap(),
    ]);
    run(&["build", "-s", "vehicle_fraud", "vehicle_fraud_label"]);
    run(&["models", "train", "vehicle_fraud"]);
    let text = run(&["models", "ls", "vehicle_fraud", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "auc")
        .unwrap();
    let auc: f64 = reader.records().next().unwrap().unwrap()[place]
        .parse()
        .unwrap();
    println!(
        "vehicle_fraud: AUC {auc:.4} (yardstick of the shared folder: .798 logistic, .841 boosting)"
    );
    assert!(auc > 0.82, "{auc}");
}
