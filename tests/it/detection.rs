//! The rules of detection, held against the truth of a country that was not used to write them.

use std::collections::BTreeMap;

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

#[test]
fn rules_and_rings_are_precise_find_what_is_evident_and_spare_the_look_alikes() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("project");
    let dir = folder.to_str().unwrap();
    goyong_ok(&["--dir", dir, "init", "--built-in-sql"]);
    // More fraud than there is, so that a small country has some of every kind.
    goyong_ok(&[
        "--dir",
        dir,
        "simulate",
        "--persons",
        "20000",
        "--months",
        "24",
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
    goyong_ok(&["--dir", dir, "build", "-s", "+candidate"]);
    let text = goyong_ok(&["--dir", dir, "evaluate", "detection", "--format", "csv"]);
    let found: BTreeMap<(String, String), String> = csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|row| row.unwrap())
        .map(|row| ((row[0].to_owned(), row[1].to_owned()), row[2].to_owned()))
        .collect();
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
