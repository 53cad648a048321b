//! A backup restored on an empty machine.

use super::{copy_folder, damaged, published_project, text};
use crate::support::{copy_keys, demo, files, goyong, goyong_ok, query};

fn shown(project: &std::path::Path) -> String {
    goyong_ok(&[
        "--dir",
        text(project),
        "-q",
        "releases",
        "show",
        "--format",
        "csv",
    ])
}

#[test]
fn backup_restored_on_an_empty_machine_has_identical_tables_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let origin = folder.path().join("origin");
    copy_folder(demo(), &origin);
    let place = folder.path().join("backup");
    let output = goyong(&["--dir", text(&origin), "backup", text(&place)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("keys") && said.contains("not in it"),
        "{said}"
    );

    // No key, whole or in part of another file.
    let keys: Vec<Vec<u8>> = files(&origin.join("keys"))
        .iter()
        .filter(|path| path.extension().is_none_or(|ending| ending != "recipient"))
        .map(|path| std::fs::read(path).unwrap().trim_ascii().to_vec())
        .collect();
    assert!(keys.len() >= 3);
    for file in files(&place) {
        let bytes = std::fs::read(&file).unwrap();
        for key in &keys {
            let holds = bytes.windows(key.len()).any(|window| window == key);
            assert!(!holds, "{}", file.display());
        }
    }

    let again = goyong(&["--dir", text(&origin), "backup", text(&place)]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        said.contains(" 1 of them new"),
        "only the state database: {said}"
    );

    let restored = folder.path().join("restored");
    goyong_ok(&["--dir", text(&restored), "restore", text(&place)]);
    assert_eq!(shown(&restored), shown(&origin));
    let (named, code) = damaged(&restored);
    assert!(named.is_empty() && code == 0, "{named:?}");
    let months = "select * from marts.blind_spot_monthly order by month, class";
    assert_eq!(query(&restored, months), query(&origin, months));

    let occupied = goyong(&["--dir", text(&restored), "restore", text(&place)]);
    assert_eq!(occupied.status.code(), Some(2));
    let said = String::from_utf8_lossy(&occupied.stderr);
    assert!(said.contains("holds a warehouse already"), "{said}");

    // With its keys it is the warehouse it was: the next night has nothing to do.
    copy_keys(&origin, &restored);
    let night = goyong(&["--dir", text(&restored), "night"]);
    let said = String::from_utf8_lossy(&night.stderr);
    assert!(
        night.status.success() && said.contains("nothing new"),
        "{said}"
    );
}

#[test]
fn backup_holds_the_ledger_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let origin = published_project(folder.path());
    let restored = folder.path().join("restored");
    let place = folder.path().join("backup");
    let runs = |project: &std::path::Path| {
        goyong_ok(&["--dir", text(project), "runs", "ls", "--format", "csv"])
    };
    goyong_ok(&["--dir", text(&origin), "schedule", "trigger"]);
    let listed = runs(&origin);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    goyong_ok(&["--dir", text(&origin), "backup", text(&place)]);
    goyong_ok(&["--dir", text(&restored), "restore", text(&place)]);
    assert_eq!(runs(&restored), listed);
    assert!(!origin.join("warehouse/state/backup-scheduler.db").exists());
}
