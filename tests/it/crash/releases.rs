//! Releases compared, published by hand, refused and rolled back.

use super::{AS_OF, PUBLISH, build, publish, published_project, text};
use crate::support::{goyong, goyong_ok, query_one};

const CUSTOMERS: &str = "select count(*) from marts.customers";

#[test]
fn wrong_rows_are_seen_in_the_difference_and_taken_back_by_a_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let project = published_project(folder.path());
    let dir = text(&project);
    let csv = project.join("sql/seeds/raw_customers.csv");
    let right = std::fs::read_to_string(&csv).unwrap();
    let rows = query_one(&project, CUSTOMERS);

    // One row leaves, one changes.
    let mut lines: Vec<&str> = right.lines().collect();
    lines.pop();
    let changed = lines[1].replace("customer 1", "somebody else");
    lines[1] = &changed;
    std::fs::write(&csv, lines.join("\n") + "\n").unwrap();

    // Not built: a release of it would be a mixture.
    let refused = goyong(&[&["--dir", dir], &PUBLISH[..]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("seed.raw_customers is not built"), "{said}");

    build(&project);
    publish(&project);
    let diff = goyong_ok(&["--dir", dir, "-q", "releases", "diff", "--format", "csv"]);
    let row = |table: &str| {
        let line = diff.lines().find(|line| line.starts_with(table));
        let line = line.unwrap_or_else(|| panic!("{table}: {diff}"));
        line.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let seed = row("seed.raw_customers,");
    assert_eq!(
        seed[1..7],
        ["changed", "100", "99", "0", "1", "1"],
        "{diff}"
    );
    let mart = row("marts.customers,");
    assert_eq!(
        mart[1..7],
        ["changed", "100", "99", "0", "1", "1"],
        "{diff}"
    );
    assert!(
        diff.lines().all(|line| !line.starts_with("marts.orders,")),
        "{diff}"
    );

    let wrong = goyong(&[
        "--dir",
        dir,
        "releases",
        "rollback",
        "2018-04-19.1",
        "--reason",
        "x",
        "--account",
        "t",
    ]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        said.contains(&format!("did you mean `{AS_OF}.1`")),
        "{said}"
    );

    goyong_ok(&[
        "--dir",
        dir,
        "-q",
        "releases",
        "rollback",
        &format!("{AS_OF}.1"),
        "--reason",
        "wrong customers",
        "--account",
        "operator",
    ]);
    assert_eq!(query_one(&project, CUSTOMERS), rows);
    let listed = goyong_ok(&["--dir", dir, "releases", "ls", "--format", "csv"]);
    let current = listed.lines().nth(1).unwrap();
    for part in [
        &format!("{AS_OF}.3"),
        ",yes,",
        "operator",
        &format!("{AS_OF}.1"),
        "wrong customers",
    ] {
        assert!(current.contains(part), "{current}");
    }
    // The newest tables are still the wrong ones: nothing but a publication by hand brings them back.
    let diff = goyong_ok(&["--dir", dir, "-q", "releases", "diff", "--format", "json"]);
    assert!(diff.contains("marts.customers"), "{diff}");
    assert_eq!(
        goyong_ok(&[
            "--dir",
            dir,
            "sql",
            "--release",
            &format!("{AS_OF}.2"),
            "--format",
            "csv",
            CUSTOMERS
        ])
        .lines()
        .nth(1),
        Some((rows.parse::<u64>().unwrap() - 1).to_string().as_str())
    );
}

#[test]
fn failing_test_refuses_the_publication() {
    let folder = tempfile::tempdir().unwrap();
    let project = published_project(folder.path());
    let dir = text(&project);
    let model = project.join("sql/marts/customers.sql");
    let sql = std::fs::read_to_string(&model).unwrap();
    std::fs::write(project.join("sql/checks/never.sql"), "/*---\ndescription: always fails\nowner: me\n---*/\nselect customer_id from {{ ref('customers') }}\n").unwrap();
    let refused = goyong(&[&["--dir", dir], &PUBLISH[..]].concat());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("never") && said.contains("nothing published"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&model).unwrap(), sql);
    let listed = goyong_ok(&["--dir", dir, "releases", "ls", "--format", "csv"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[test]
fn expiry_rehearses_and_then_proves_what_stays() {
    let folder = tempfile::tempdir().unwrap();
    let project = published_project(folder.path());
    let dir = text(&project);
    let configuration = project.join("goyong.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    let kept = format!(
        "history_days = 0\n[retention]\nreleases = [\"{AS_OF}.1\"]\nlongest_run_hours = 1\n"
    );
    let text = text.replace("history_days = 30", "# history_days = 30");
    std::fs::write(
        &configuration,
        text.clone() + &kept.replace("history_days = 0\n", ""),
    )
    .unwrap();
    let csv = project.join("sql/seeds/raw_customers.csv");
    for label in ["renamed once", "renamed twice"] {
        let before = std::fs::read_to_string(&csv).unwrap();
        let lines = before.lines().map(|line| match line.starts_with("1,") {
            true => format!("1,{label}\n"),
            false => format!("{line}\n"),
        });
        std::fs::write(&csv, lines.collect::<String>()).unwrap();
        build(&project);
        publish(&project);
    }
    let expire = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", dir, "releases", "expire", "--format", "csv"])
            .args(arguments)
            .env("GOYONG_HISTORY_DAYS", "0")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (rehearsed, _) = expire(&["--dry-run"]);
    assert!(
        rehearsed.contains(&format!("release,{AS_OF}.2")),
        "{rehearsed}"
    );
    assert!(
        !rehearsed.contains(&format!("release,{AS_OF}.1")),
        "{rehearsed}"
    );
    assert!(
        rehearsed
            .lines()
            .filter(|line| line.starts_with("file,"))
            .count()
            >= 2
    );
    let (done, said) = expire(&[]);
    assert_eq!(done, rehearsed);
    assert!(said.contains("2 releases verified afterwards"), "{said}");
    let count = goyong_ok(&[
        "--dir",
        dir,
        "sql",
        "--release",
        &format!("{AS_OF}.1"),
        "--format",
        "csv",
        CUSTOMERS,
    ]);
    assert_eq!(count.lines().nth(1), Some("100"));
    std::fs::write(
        &configuration,
        text + &kept
            .replace("history_days = 0\n", "")
            .replace(".1\"", ".4\""),
    )
    .unwrap();
    let wrong = goyong(&["--dir", dir, "releases", "expire"]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        wrong.status.code() == Some(2) && said.contains("did you mean"),
        "{said}"
    );
}
