//! `goyong contract`: what a file would do, and drafts, without a project.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::{goyong, goyong_ok};

fn simulated() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let landing = folder.path().join("landing");
    let truth = folder.path().join("truth");
    goyong_ok(&[
        "simulate",
        "--persons",
        "1000",
        "--months",
        "2",
        "--landing",
        landing.to_str().unwrap(),
        "--truth",
        truth.to_str().unwrap(),
    ]);
    folder
}

fn check(file: &Path, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let mut all = vec![
        "contract",
        "check",
        file.to_str().unwrap(),
        "--format",
        "json",
    ];
    all.extend(arguments);
    let output = goyong(&all);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} {said}"));
    (output.status.code(), value)
}

#[test]
fn a_file_is_explained_without_project_keys_or_trace() {
    let folder = simulated();
    let source = folder.path().join("landing/ei_workplace");
    let file = source.join("ei_workplace_202401_r1.csv");
    let before = crate::support::digests(folder.path());
    let (code, found) = check(&file, &[]);
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(found["source"], "ei_workplace");
    assert_eq!(found["matched_by"], "the manifest");
    let rows = |key: &str| found[key].as_u64().unwrap();
    assert!(rows("rows_delivered") > 0);
    assert_eq!(
        rows("rows_delivered"),
        rows("rows_accepted") + rows("rows_quarantined")
    );
    let mut text = std::fs::read(&file).unwrap();
    text.truncate(text.len() / 2);
    std::fs::write(&file, text).unwrap();
    let (code, found) = check(&file, &[]);
    assert_eq!((code, found["rule"].as_str()), (Some(1), Some("checksum")));
    let after = crate::support::digests(folder.path());
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_policy_list_with_a_condition_nobody_evaluates_is_refused() {
    let folder = simulated();
    let file = folder
        .path()
        .join("landing/policy_programme/policy_programme_2024_r1.json");
    let (code, found) = check(&file, &[]);
    assert_eq!(code, Some(0), "{found}");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replacen("\"conditions\":{", "\"conditions\":{\"assetsTo\":1,", 1);
    std::fs::write(&file, &text).unwrap();
    let manifest = file.with_file_name("policy_programme_2024_r1.json.manifest.json");
    let mut stated: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let digest = Sha256::digest(&text);
    stated["sha256"] = digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into();
    std::fs::write(&manifest, stated.to_string()).unwrap();
    let (code, found) = check(&file, &[]);
    assert_eq!((code, found["rule"].as_str()), (Some(1), Some("drift")));
    assert!(found.to_string().contains("conditions/assetsTo"), "{found}");
}

#[test]
fn a_draft_of_a_register_names_no_person_and_is_a_contract() {
    let folder = simulated();
    let file = folder
        .path()
        .join("landing/wn_seeker/wn_seeker_202401_r1.csv");
    let draft = goyong_ok(&["contract", "infer", file.to_str().unwrap()]);
    assert!(draft.contains("type: rrn"), "{draft}");
    assert!(draft.contains("type: name"), "{draft}");
    assert!(draft.contains("type: contact"), "{draft}");
    let bytes = std::fs::read(&file).unwrap();
    let (text, _, _) = encoding_rs::EUC_KR.decode(&bytes);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        for personal in &fields[1..4] {
            assert!(!draft.contains(personal), "a personal value in the draft");
        }
    }
    let project = folder.path().join("project");
    let project_text = project.to_str().unwrap();
    goyong_ok(&["--dir", project_text, "init"]);
    let configuration = project.join("goyong.toml");
    let written = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, written.replace("# sql =", "sql =")).unwrap();
    let renamed = draft.replace("source: wn_seeker", "source: seeker_draft");
    std::fs::write(project.join("sql/sources/seeker_draft.yml"), renamed).unwrap();
    let (code, found) = check(&file, &["--dir", project_text, "--source", "seeker_draft"]);
    assert_eq!(
        found["rule"], "manifest",
        "the manifest speaks of wn_seeker: {found}"
    );
    assert_eq!(code, Some(1));
    let copy = folder.path().join("copy_202401.csv");
    std::fs::copy(&file, &copy).unwrap();
    let (code, found) = check(&copy, &["--dir", project_text, "--source", "seeker_draft"]);
    assert_eq!(code, Some(0), "{found}");
}

#[test]
fn contracts_are_listed_and_printed() {
    let list = goyong_ok(&["contract", "ls", "--format", "csv"]);
    assert!(
        list.lines()
            .any(|line| line.starts_with("ei_insured_spell,csv,monthly,upsert,"))
    );
    let text = goyong_ok(&["contract", "show", "ei_insured_spell"]);
    assert!(text.starts_with("source: ei_insured_spell"));
    let output = goyong(&["contract", "show", "ei_insured_spel"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ei_insured_spell"), "{said}");
}
