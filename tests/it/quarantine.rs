//! Quarantine, freshness and two intakes at once, at the command line.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{goyong, goyong_ok};

/// A project with deliveries in its inbox.
fn project(folder: &Path) {
    let dir = folder.to_str().unwrap();
    goyong_ok(&["--dir", dir, "init"]);
    goyong_ok(&[
        "--dir",
        dir,
        "simulate",
        "--persons",
        "2000",
        "--months",
        "3",
        "--seed",
        "7",
    ]);
}

fn csv_of(output: &Output) -> Vec<Vec<String>> {
    csv::Reader::from_reader(output.stdout.as_slice())
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn list(dir: &str) -> Vec<Vec<String>> {
    csv_of(&goyong(&[
        "--dir",
        dir,
        "quarantine",
        "ls",
        "--format",
        "csv",
    ]))
}

#[test]
fn quarantined_rows_are_listed_shown_checked_again_and_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    project(folder.path());
    goyong_ok(&["--dir", dir, "ingest"]);
    let listed = list(dir);
    let open: u64 = listed
        .iter()
        .map(|row| row[4].parse::<u64>().unwrap())
        .sum();
    assert!(open > 0, "the simulator makes bad rows");
    let delivery = &listed[0][1];
    let rows = csv_of(&goyong(&[
        "--dir",
        dir,
        "quarantine",
        "show",
        delivery,
        "--format",
        "csv",
    ]));
    assert!(rows.iter().all(|row| row[5] == "open"), "{rows:?}");
    let row = rows[0][0].as_str();

    // The contract has not changed, so nothing passes now.
    let decision = ["--by", "keeper", "--reason", "the provider answered"];
    let mut release = vec![
        "--dir",
        dir,
        "quarantine",
        "release",
        delivery,
        "--row",
        row,
    ];
    release.extend(decision);
    let output = goyong(&release);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("0 rows released"), "{said}");

    let record = [
        "quarantine",
        "show",
        delivery,
        "--row",
        row,
        "--record",
        "--format",
        "csv",
    ];
    let unasked: Vec<&str> = ["--dir", dir].into_iter().chain(record).collect();
    assert_eq!(goyong(&unasked).status.code(), Some(2));
    let asked: Vec<&str> = unasked
        .into_iter()
        .chain([
            "--account",
            "keeper",
            "--purpose",
            "ask the provider",
            "--case",
            "C-1",
        ])
        .collect();
    let output = goyong(&asked);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(csv_of(&output).len() > 2);
    let chain =
        std::fs::read_to_string(folder.path().join("warehouse/audit/chain.ndjson")).unwrap();
    assert_eq!(chain.lines().count(), 1, "{chain}");

    let mut discard = vec!["--dir", dir, "quarantine", "discard", delivery];
    discard.extend(decision);
    let output = goyong(&discard);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("0 quarantined"), "{said}");
    let discarded: u64 = list(dir)
        .iter()
        .filter(|row| row[1] == *delivery)
        .map(|row| row[6].parse::<u64>().unwrap())
        .sum();
    assert_eq!(discarded, rows.len() as u64);
    let without_reason = [
        "--dir",
        dir,
        "quarantine",
        "discard",
        delivery,
        "--by",
        "keeper",
    ];
    assert_eq!(goyong(&without_reason).status.code(), Some(2));
}

#[test]
fn freshness_fails_once_a_due_day_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    project(folder.path());
    goyong_ok(&["--dir", dir, "ingest"]);
    let freshness =
        |day: &str| goyong(&["--dir", dir, "freshness", "--as-of", day, "--format", "csv"]);
    let early = freshness("2024-04-02");
    let states: Vec<_> = csv_of(&early)
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    assert_eq!(
        early.status.code(),
        Some(i32::from(states.contains(&"overdue".to_owned())))
    );
    let late = freshness("2024-12-02");
    assert_eq!(
        late.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&late.stderr)
    );
    let rows = csv_of(&late);
    assert!(
        rows.len() >= states.len() && rows[0][1] == "overdue",
        "{rows:?}"
    );
    assert!(rows[0][5].parse::<u32>().unwrap() > 100, "{rows:?}");
}

#[test]
fn two_intakes_at_once_store_every_delivery_once() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    project(folder.path());
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", dir, "ingest", "--format", "csv"])
            .env_remove("GOYONG_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let mut codes = both.each_ref().map(|output| output.status.code().unwrap());
    codes.sort_unstable();
    // The other waited for nothing: it was told to come back, or came when all was done.
    assert!(codes == [0, 75] || codes == [0, 0], "{codes:?}");
    let accepted: u64 = both
        .iter()
        .flat_map(csv_of)
        .map(|row| row[5].parse::<u64>().unwrap())
        .sum();
    let again = goyong(&["--dir", dir, "ingest", "--format", "csv"]);
    assert!(csv_of(&again).is_empty());
    let other = tempfile::tempdir().unwrap();
    project(other.path());
    let alone = goyong(&[
        "--dir",
        other.path().to_str().unwrap(),
        "ingest",
        "--format",
        "csv",
    ]);
    let expected: u64 = csv_of(&alone)
        .iter()
        .map(|row| row[5].parse::<u64>().unwrap())
        .sum();
    assert!(expected > 0);
    assert_eq!(accepted, expected);
}
