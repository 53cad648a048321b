//! The main job, end to end.

use std::path::Path;

use serde_json::Value;

use crate::support::{copy_keys, demo, digests, goyong, goyong_ok, query, query_one, run_demo};

fn releases(folder: &Path) -> String {
    goyong_ok(&[
        "--dir",
        folder.to_str().unwrap(),
        "releases",
        "show",
        "--format",
        "csv",
    ])
}

/// The tables of the release with their content; the commits also say when they were made.
fn contents(folder: &Path) -> Vec<Vec<String>> {
    let shown = releases(folder);
    let rows = shown.lines().map(|line| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells.remove(3);
        cells
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows[0], ["table", "version", "rows", "content_hash"]);
    rows
}

#[test]
fn a_second_night_with_nothing_new_does_nothing_and_says_so() {
    let folder = demo();
    let before = (releases(folder), digests(&folder.join("warehouse/lake")));
    let output = goyong(&["--dir", folder.to_str().unwrap(), "night"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing new"), "{said}");
    assert_eq!(
        before,
        (releases(folder), digests(&folder.join("warehouse/lake")))
    );
}

#[test]
fn one_thread_or_two_give_the_same_tables_and_the_same_report_bytes() {
    let two = demo();
    let elsewhere = tempfile::tempdir().unwrap();
    let one = elsewhere.path().join("demo");
    copy_keys(two, &one);
    run_demo(&one, "1");
    assert_eq!(contents(&one), contents(two));
    let (left, right) = (
        digests(&one.join("warehouse/site")),
        digests(&two.join("warehouse/site")),
    );
    let differing: Vec<_> = left
        .keys()
        .chain(right.keys())
        .filter(|path| left.get(*path) != right.get(*path))
        // How many bytes and files a table takes up is of its layout, not of its content.
        .filter(|path| !path.ends_with("catalog/storage/index.html"))
        // Run pages hold wall times.
        .filter(|path| !path.starts_with("ops"))
        .collect();
    assert!(differing.is_empty(), "{differing:?}");
    let pages = [&one, two].map(|folder| digests(&folder.join("warehouse/cases")));
    assert!(pages[0].len() > 6, "there are dossiers");
    assert_eq!(pages[0], pages[1]);
}

#[test]
fn every_delivery_balances_in_rows_and_in_won() {
    let folder = demo();
    let unbalanced = query_one(
        folder,
        "select count(*) from ops.deliveries where status <> 'duplicate' and (\
         rows_delivered <> rows_accepted + rows_quarantined + rows_rejected or \
         coalesce(won_delivered <> won_accepted + won_quarantined + won_rejected, false))",
    );
    assert_eq!(unbalanced, "0");
    let sources: usize = query_one(
        folder,
        "select count(distinct source) from ops.deliveries where status like 'accepted%'",
    )
    .parse()
    .unwrap();
    assert!(sources >= 20, "{sources} sources");
    let quarantined: u64 = query_one(
        folder,
        "select cast(sum(rows_quarantined) as bigint) from ops.deliveries",
    )
    .parse()
    .unwrap();
    assert!(quarantined > 0, "the simulator's errors must be caught");
}

#[test]
fn a_model_is_evaluated_out_of_time_and_used() {
    let folder = demo();
    let leaks = query_one(
        folder,
        "select count(*) from models.employment_success where registered_on <= trained_as_of and purpose = 'out_of_time'",
    );
    assert_eq!(leaks, "0", "evaluated on registrations before the cut-off");
    let rows = query(
        folder,
        "select auc, evaluated_rows from models.registry where model = 'employment_success' order by sequence desc limit 1",
    );
    let auc: f64 = rows[0][0].parse().unwrap();
    assert!(auc > 0.55 && auc < 0.95, "AUC {auc}");
}

#[test]
fn the_newest_version_of_each_model_has_a_page_with_every_gate_the_registry_lists() {
    let folder = demo();
    let site = folder.join("warehouse/site");
    let rows = query(
        folder,
        "select model, version, threshold, artefact_sha256, card_json from models.registry",
    );
    assert!(rows.len() >= 2);
    for row in rows {
        let [model, version, threshold, digest, card] = row.try_into().unwrap();
        let card: Value = serde_json::from_str(&card).unwrap();
        let of = |list: &Value| list.as_array().map_or(0, Vec::len);
        let gates = of(&card["gates"]) + of(&card["promotion"]["gates"]);
        let data = site.join("data/models").join(&model).join(&version);
        let listed = std::fs::read_to_string(data.join("gates.csv")).unwrap();
        assert_eq!(listed.lines().count() - 1, gates, "{listed}");
        let threshold = format!("{:.4}", threshold.parse::<f64>().unwrap());
        for (language, title) in [("ko", "ko"), ("en", "en")] {
            let page = site.join(language).join("models").join(&model);
            let page = page.join(&version).join("index.html");
            let page = std::fs::read_to_string(page).unwrap();
            let title = card["target_title"][title].as_str().unwrap();
            for expected in [
                title,
                &digest,
                &threshold,
                "id=\"gates\"",
                "id=\"calibration\"",
            ] {
                assert!(page.contains(expected), "{model} {language}: {expected}");
            }
        }
    }
}

#[test]
fn alerts_carry_evidence_that_lies_inside_certified_days() {
    let folder = demo();
    let candidates: u64 = query_one(folder, "select count(*) from alerts.candidate")
        .parse()
        .unwrap();
    assert!(candidates > 0);
    let without_evidence = query_one(
        folder,
        "select count(*) from alerts.candidate c where not exists (\
         select 1 from alerts.evidence e where e.pivot_key = c.pivot_key and not e.cleared)",
    );
    assert_eq!(without_evidence, "0");
}

#[test]
fn truth_is_read_by_the_evaluation_alone() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("project");
    let folder_text = folder.to_str().unwrap();
    goyong_ok(&["--dir", folder_text, "init"]);
    goyong_ok(&[
        "--dir",
        folder_text,
        "simulate",
        "--persons",
        "1000",
        "--months",
        "3",
    ]);
    std::fs::remove_dir_all(folder.join("truth")).unwrap();
    goyong_ok(&["--dir", folder_text, "night"]);
    let output = goyong(&["--dir", folder_text, "evaluate"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn verify_names_a_flipped_byte() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("project");
    let folder_text = folder.to_str().unwrap();
    goyong_ok(&["--dir", folder_text, "init"]);
    goyong_ok(&[
        "--dir",
        folder_text,
        "simulate",
        "--persons",
        "1000",
        "--months",
        "2",
    ]);
    goyong_ok(&["--dir", folder_text, "night"]);
    goyong_ok(&["--dir", folder_text, "verify"]);
    let victim = crate::support::files(&folder.join("warehouse/lake/core/person"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .unwrap();
    let mut bytes = std::fs::read(&victim).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&victim, bytes).unwrap();
    let output = goyong(&["--dir", folder_text, "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("core.person") || said.contains("core/person"),
        "{said}"
    );
}
