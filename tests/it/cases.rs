//! Officers at work on the command line: from an alert of the night to a label of the next.

use std::path::Path;

use serde_json::Value;

use crate::support::{goyong, goyong_ok, query, query_one};

fn alerts(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut all = vec!["--dir", folder.to_str().unwrap(), "-q", "alerts"];
    all.extend(arguments);
    goyong(&all)
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = alerts(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = alerts(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What the night listed has its page, and no page of a case holds the key of a person.
fn every_listed_case_has_a_page_that_names_nobody(folder: &Path, pages: &Path, listed: &[Value]) {
    let persons = "select distinct person_key from alerts.evidence where person_key is not null";
    let persons = query(folder, persons);
    assert!(persons.len() > 3, "{persons:?}");
    for case in listed {
        let case_no = case["case_no"].as_str().unwrap();
        for language in ["ko", "en"] {
            let page = pages.join(language).join(case_no).join("index.html");
            let page = std::fs::read_to_string(page).unwrap();
            assert!(
                page.contains("<svg") || case["evidence"] == "0",
                "{case_no}"
            );
            for person in &persons {
                let key = person[0].trim_start_matches('-');
                assert!(!page.contains(key), "{case_no} holds {key}");
            }
        }
    }
}

#[test]
fn a_case_goes_from_the_night_to_a_label_and_one_edited_byte_is_found() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("project");
    let dir = folder.to_str().unwrap();
    goyong_ok(&["--dir", dir, "init", "--built-in-sql"]);
    assert_eq!(done(&folder, &["ls", "--format", "json"]).trim(), "[]");
    let sizes = ["--persons", "6000", "--months", "9", "--fraud-rate", "15"];
    goyong_ok(&[&["--dir", dir, "simulate"][..], &sizes[..]].concat());
    goyong_ok(&["--dir", dir, "-q", "night"]);

    let listed = done(&folder, &["ls", "--listed", "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let of_rules = listed.iter().find(|case| case["evidence"] != "0").unwrap();
    let case = of_rules["case_no"].as_str().unwrap();
    let pages = folder.join("warehouse/cases");
    every_listed_case_has_a_page_that_names_nobody(&folder, &pages, &listed);
    let page = |language: &str| pages.join(language).join(case).join("index.html");
    assert!(!folder.join("warehouse/site/cases").exists());
    let close = |account: &'static str, outcome: &'static str| {
        let reason = "the employer corrected the report in writing";
        vec![
            "close",
            case,
            "--outcome",
            outcome,
            "--reason",
            reason,
            "--account",
            account,
        ]
    };
    assert!(refused(&folder, &close("lee", "false_positive")).contains("awaits verification"));
    assert!(
        refused(&folder, &["state", case, "closed", "--account", "kim"]).contains("alerts close")
    );
    let evidence = done(
        &folder,
        &["show", case, "--account", "kim", "--format", "json"],
    );
    let evidence: Vec<Value> = serde_json::from_str(&evidence).unwrap();
    assert_eq!(
        evidence.len().to_string(),
        of_rules["evidence"].as_str().unwrap()
    );
    done(
        &folder,
        &["assign", case, "--to", "kim", "--account", "chief"],
    );
    done(
        &folder,
        &["state", case, "investigating", "--account", "kim"],
    );
    done(
        &folder,
        &["state", case, "awaiting_verification", "--account", "kim"],
    );
    assert!(refused(&folder, &close("kim", "false_positive")).contains("somebody else"));
    let mut fraud = close("lee", "confirmed_fraud");
    let number = evidence[0]["evidence_no"].as_str().unwrap();
    fraud.extend(["--evidence", number]);
    assert!(refused(&folder, &fraud).contains("no notice"));
    done(&folder, &close("lee", "false_positive"));
    let dossier: Value =
        serde_json::from_str(&done(&folder, &["export", case, "--account", "lee"])).unwrap();
    assert_eq!(dossier["state"]["outcome"], "false_positive");
    assert!(dossier["rules"][0]["ko"].as_str().is_some(), "{dossier}");
    // Each score stands with its reasons, or why there is none.
    for (score, why) in [("risk", "no_risk"), ("anomaly", "no_anomaly")] {
        let told = [score, why].map(|key| dossier[key].is_object());
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "{dossier}");
    }
    for row in dossier["evidence"].as_array().unwrap() {
        let delivered = row["delivered"].as_array().unwrap();
        assert!(!delivered.is_empty(), "what is questioned: {row}");
        if row["member"].is_number() {
            assert!(delivered.len() > 1, "what speaks for it: {row}");
        }
    }
    let of_nobody = |at: &str| at.parse::<i64>().unwrap() + 1_000_000;
    let look_up = |evidence: &str| {
        let access = ["--account", "kim", "--purpose", "test", "--case", case];
        let look_up = ["--dir", dir, "vault", "look-up", "--evidence", evidence];
        goyong(&[&look_up[..], &access[..]].concat())
    };
    assert!(look_up(number).status.success());
    let unknown = look_up(&of_nobody(number).to_string());
    assert_eq!(unknown.status.code(), Some(2), "another case's");
    let release = dossier["release"].as_str().unwrap();
    let taken_out = elsewhere.path().join("case");
    let out = taken_out.to_str().unwrap();
    done(&folder, &["export", case, "--account", "lee", "--out", out]);
    for language in ["ko", "en"] {
        let shown = taken_out.join(language).join(case).join("index.html");
        let shown = std::fs::read_to_string(shown).unwrap();
        assert!(shown.contains(release));
        for row in dossier["evidence"].as_array().unwrap() {
            assert_eq!(row["clearing"], "nothing_clears", "{row}");
            for place in row["delivered"].as_array().unwrap() {
                let delivery = place["delivery"].as_str().unwrap();
                assert!(shown.contains(delivery), "{delivery}");
            }
        }
    }
    let lanes = dossier["days"].as_array().unwrap().iter();
    let lanes: Vec<&str> = lanes.map(|days| days["lane"].as_str().unwrap()).collect();
    assert!(lanes.contains(&"questioned") && lanes.contains(&"record"));
    if dossier["about"] == "person" {
        assert!(lanes.contains(&"certified"), "{lanes:?}");
    }
    assert!(page("ko").is_file() && page("en").is_file());
    done(&folder, &["simulate-capacity", "--capacity", "1,100"]);
    done(&folder, &["estimates"]);

    goyong_ok(&["--dir", dir, "-q", "night"]);
    assert!(!page("ko").exists() && !page("en").exists(), "it is closed");
    let labels = query_one(
        &folder,
        "select count(*) from alerts.case_label where outcome = 'false_positive'",
    );
    assert_eq!(labels, evidence.len().to_string());
    let events = |of: &str| {
        let sql = format!(
            "select count(*) from alerts.case_event where case_no = {case} and officer not in ('kim', 'lee') and {of}"
        );
        query_one(&folder, &sql)
    };
    assert_eq!(events("action <> 'open_evidence'"), "5");
    assert_ne!(events("action = 'open_evidence'"), "0");
    let state = query_one(
        &folder,
        &format!("select state from alerts.case where case_no = {case}"),
    );
    assert_eq!(state, "closed");

    goyong_ok(&["--dir", dir, "audit", "verify"]);
    let log = goyong_ok(&[
        "--dir",
        dir,
        "audit",
        "export",
        "--account",
        "kim",
        "--format",
        "json",
    ]);
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    assert!(log.iter().any(|entry| entry["action"] == "show_case"));
    let rendered = goyong_ok(&["--dir", dir, "audit", "export", "--format", "json"]);
    let rendered: Vec<Value> = serde_json::from_str(&rendered).unwrap();
    let of_case = format!("case {case}");
    let of_night = rendered
        .iter()
        .filter(|entry| entry["action"] == "render_case" && entry["case"] == of_case.as_str());
    assert!(of_night.count() > 0, "a page is an access");
    assert!(
        log[0]["origin"]
            .as_str()
            .unwrap()
            .starts_with("command line on")
    );
    let chain = folder.join("warehouse/audit/chain.ndjson");
    let mut bytes = std::fs::read(&chain).unwrap();
    let at = bytes
        .windows(9)
        .position(|some| some == b"show_case")
        .unwrap();
    bytes[at] ^= 1;
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    std::fs::write(&chain, bytes).unwrap();
    let found = goyong(&["--dir", dir, "audit", "verify"]);
    assert_eq!(found.status.code(), Some(1));
    let said = String::from_utf8(found.stdout).unwrap();
    assert!(
        said.contains(&format!("line {} does not follow", line + 1)),
        "{said}"
    );
}
