#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::contract;
use rstest::rstest;
use sha2::{Digest, Sha256};

fn contracts() -> BTreeMap<String, Contract> {
    let wages = r#"
source: wages
manifest: required
period: {from: manifest}
revision: append
control_totals: [won]
reject_threshold: 0.5
unique: [place, paid_month]
period_check: {column: paid_month, on_fail: flag, refuse_above: 0.6}
rules:
  - {name: earned, check: "won > 0"}
format: {kind: csv}
columns:
  - {name: place, from: [지역, 지역명], type: code}
  - {name: paid_month, from: 지급년월, type: month}
  - {name: won, from: 금액, type: won, range: [null, 1000]}
"#;
    let notes = "source: notes\nfiles: [\"notes_*.csv\"]\nformat: {kind: csv}\ncolumns:\n  - {name: a, type: int}\n";
    [wages, notes]
        .into_iter()
        .map(contract)
        .map(|contract| (contract.source.clone(), contract))
        .collect()
}

const HEADER: &str = "금액,지역명,지급년월,비고\n";

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// A file and, with sums to state, its manifest.
    fn new(name: &str, rows: &str, manifest: Option<(u64, &str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{HEADER}{rows}");
        std::fs::write(folder.path().join(name), &text).unwrap();
        if let Some((rows, won)) = manifest {
            let digest = Sha256::digest(text.as_bytes());
            let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let manifest = format!(
                r#"{{"source": "wages", "period": "2024-08", "rows": {rows}, "control": {{"won": "{won}"}}, "sha256": "{sha256}"}}"#
            );
            std::fs::write(
                folder.path().join(format!("{name}.manifest.json")),
                manifest,
            )
            .unwrap();
        }
        Self { folder }
    }

    fn examine(&self, name: &str, source: Option<&str>) -> Result<Examination, IntakeError> {
        examine_file(
            &contracts(),
            &self.folder.path().join(name),
            source,
            "2024-09-01".parse().unwrap(),
            crate::testing::limits(2, 64),
        )
    }
}

const ROWS: &str = "10,a,202408,x\n20,b,202408,\n0,c,202408,\n30,a,202408,\n5,d,202407,\n9000,e,202408,\n40,f,202408,\n";

#[test]
fn every_rule_is_counted_with_its_first_row_and_nothing_is_written() {
    let case = Case::new("w.csv", ROWS, Some((7, "9105")));
    let before = std::fs::read_dir(case.folder.path()).unwrap().count();
    let found = case.examine("w.csv", None).unwrap();
    assert_eq!(
        found.outcome, "accepted_with_quarantine",
        "{:?}",
        found.reason
    );
    assert_eq!(found.matched_by, "the manifest");
    assert_eq!(
        (
            found.rows_delivered,
            found.rows_accepted,
            found.rows_flagged,
            found.rows_quarantined
        ),
        (7, 4, 1, 3)
    );
    let mut rules: Vec<_> = found
        .rules
        .iter()
        .map(|rule| (rule.rule.as_str(), rule.becomes, rule.rows, rule.first_row))
        .collect();
    rules.sort_unstable();
    assert_eq!(
        rules,
        [
            ("duplicate_key", "quarantined", 1, 4),
            ("earned", "quarantined", 1, 3),
            ("range", "quarantined", 1, 6),
            ("wrong_period", "flagged", 1, 5),
        ]
    );
    let places: Vec<_> = found
        .columns
        .iter()
        .map(|column| column.place.as_deref().unwrap_or("-"))
        .collect();
    assert_eq!(places, ["지역명", "지급년월", "금액"]);
    let drift: Vec<_> = found.drift.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(drift, ["added", "reordered"]);
    assert_eq!(found.control[0].accepted, "75");
    assert_eq!(found.control[0].quarantined, "9030");
    assert_eq!(
        std::fs::read_dir(case.folder.path()).unwrap().count(),
        before
    );
}

#[rstest]
#[case::sum(ROWS, Some((7, "1")), "control_total")]
#[case::count(ROWS, Some((8, "9105")), "row_count")]
#[case::month("1,a,202406,\n2,b,202407,\n3,c,202408,\n", Some((3, "6")), "wrong_period")]
#[case::no_manifest(ROWS, None, "manifest")]
#[case::threshold("0,a,202408,\n0,b,202408,\n3,c,202408,\n", Some((3, "3")), "threshold")]
fn what_would_be_refused_says_why(
    #[case] rows: &str,
    #[case] manifest: Option<(u64, &str)>,
    #[case] rule: &str,
) {
    let case = Case::new("wages_202408_r1.csv", rows, manifest);
    let found = case.examine("wages_202408_r1.csv", Some("wages")).unwrap();
    assert!(found.is_refused());
    assert_eq!(found.rule.as_deref(), Some(rule), "{:?}", found.reason);
    assert!(found.rows_delivered > 0);
}

#[test]
fn contract_is_found_by_columns_when_nothing_else_tells() {
    let case = Case::new("unnamed.csv", ROWS, None);
    let found = case.examine("unnamed.csv", None).unwrap();
    assert_eq!(
        (found.source.as_str(), found.matched_by.as_str()),
        ("wages", "its columns")
    );
    std::fs::write(case.folder.path().join("notes_1.csv"), "a\n1\n").unwrap();
    let found = case.examine("notes_1.csv", None).unwrap();
    assert_eq!(
        (found.source.as_str(), found.outcome),
        ("notes", "accepted")
    );
    std::fs::write(case.folder.path().join("other.csv"), "x,y\n1,2\n").unwrap();
    let error = case.examine("other.csv", None).unwrap_err();
    assert!(error.to_string().contains("no contract fits"), "{error}");
    let error = case.examine("other.csv", Some("wage")).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `wages`?"),
        "{error}"
    );
}
