//! A project folder: written by init, selected from, tested, built.

use std::path::{Path, PathBuf};

use crate::support::{goyong, goyong_ok};

const AS_OF: &str = "2018-04-09";

/// A project with dbt's example, in a folder of its own.
fn jaffle_shop(folder: &Path) -> PathBuf {
    let project = folder.join("jaffle_shop");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/jaffle_shop");
    for file in crate::support::files(&from) {
        let to = project.join("sql").join(file.strip_prefix(&from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
    project
}

fn error_of(arguments: &[&str], code: i32) -> String {
    let output = goyong(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn column(text: &str, position: usize) -> Vec<String> {
    csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|record| record.unwrap()[position].to_owned())
        .collect()
}

#[test]
fn init_writes_the_sql_and_the_project_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    let own = own.to_str().unwrap();
    goyong_ok(&["--dir", own, "-q", "init"]);
    let model = Path::new(own).join("sql/marts/mine.sql");
    std::fs::write(
        &model,
        "/*---\ndescription: mine\ngrain: [n]\nowner: me\n---*/\nselect 1 as n\n",
    )
    .unwrap();
    let listed = goyong_ok(&["--dir", own, "ls", "-s", "owner:me", "--format", "csv"]);
    assert_eq!(column(&listed, 0), ["marts.mine"]);
    let built_in = folder.path().join("built_in");
    let built_in = built_in.to_str().unwrap();
    goyong_ok(&["--dir", built_in, "-q", "init", "--built-in-sql"]);
    assert!(!Path::new(built_in).join("sql").exists());
    let listed = goyong_ok(&[
        "--dir",
        built_in,
        "ls",
        "-s",
        "+core.person",
        "--format",
        "csv",
    ]);
    assert!(
        column(&listed, 0).contains(&"staging.wn_seeker".to_owned()),
        "{listed}"
    );
}

#[test]
fn jaffle_shop_builds_tests_and_rests() {
    let folder = tempfile::tempdir().unwrap();
    let project = jaffle_shop(folder.path());
    let dir = project.to_str().unwrap();
    // Unit tests need nothing but the folder.
    let tested = goyong_ok(&["--dir", dir, "-q", "test", "--format", "csv"]);
    assert_eq!(column(&tested, 2), ["pass"]);

    goyong_ok(&["--dir", dir, "-q", "init"]);
    let built = goyong_ok(&[
        "--dir", dir, "-q", "build", "--as-of", AS_OF, "--format", "csv",
    ]);
    let outcomes = column(&built, 1);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| *outcome == "built")
            .count(),
        5,
        "{built}"
    );
    assert_eq!(
        outcomes.iter().filter(|outcome| *outcome == "view").count(),
        3,
        "{built}"
    );
    let rows = column(&built, 3);
    let tables = column(&built, 0);
    for (table, count) in [
        ("marts.customers", "100"),
        ("marts.orders", "99"),
        ("seed.raw_payments", "113"),
    ] {
        let at = tables.iter().position(|name| name == table).unwrap();
        assert_eq!(rows[at], count, "{table}");
    }
    let again = goyong_ok(&[
        "--dir", dir, "-q", "build", "--as-of", AS_OF, "--format", "csv",
    ]);
    assert!(
        column(&again, 1)
            .iter()
            .all(|outcome| outcome == "unchanged" || outcome == "view"),
        "{again}"
    );

    let tested = goyong_ok(&[
        "--dir", dir, "-q", "test", "--as-of", AS_OF, "--format", "csv",
    ]);
    let results = column(&tested, 2);
    assert!(
        results.len() > 20 && results.iter().all(|result| result == "pass"),
        "{tested}"
    );

    // A wrong payment fails a test; what reads the table is held back, the rest is not.
    let payments = project.join("sql/seeds/raw_payments.csv");
    let text = std::fs::read_to_string(&payments).unwrap();
    std::fs::write(
        &payments,
        text.replace("1,1,credit_card,1000", "1,1,cheque,1000"),
    )
    .unwrap();
    let output = goyong(&[
        "--dir", dir, "-q", "build", "--as-of", AS_OF, "--format", "csv",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let built = String::from_utf8(output.stdout).unwrap();
    assert!(
        built.contains("core.stg_payments,FAILED") && built.contains("marts.orders,held back"),
        "{built}"
    );
    std::fs::write(&payments, text).unwrap();
    goyong_ok(&["--dir", dir, "-q", "build", "--as-of", AS_OF]);

    // state: what was edited since the last build, and what reads it.
    let modified = [
        "--dir",
        dir,
        "ls",
        "-s",
        "state:modified+",
        "--format",
        "csv",
    ];
    assert!(error_of(&modified, 2).contains("nothing is selected"));
    let orders = project.join("sql/core/stg_orders.sql");
    let text = std::fs::read_to_string(&orders).unwrap();
    std::fs::write(
        &orders,
        text.replace("    status\n", "    upper(status) as status\n"),
    )
    .unwrap();
    let listed = goyong_ok(&modified);
    assert_eq!(
        column(&listed, 0),
        ["core.stg_orders", "marts.customers", "marts.orders"]
    );
}

#[test]
fn mistakes_in_a_project_are_told_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let project = jaffle_shop(folder.path());
    let dir = project.to_str().unwrap();
    goyong_ok(&["--dir", dir, "-q", "init"]);
    let said = error_of(&["--dir", dir, "ls", "-s", "order"], 2);
    assert!(said.contains("did you mean `orders`?"), "{said}");
    let said = error_of(
        &[
            "--dir",
            dir,
            "build",
            "--as-of",
            AS_OF,
            "--exclude",
            "schema:*",
        ],
        2,
    );
    assert!(said.contains("nothing is selected"), "{said}");
    let said = error_of(
        &["--dir", dir, "build", "--as-of", AS_OF, "--vars", "x=1"],
        2,
    );
    assert!(said.contains("no model asks for a variable `x`"), "{said}");
    let said = error_of(
        &["--dir", dir, "build", "--as-of", AS_OF, "-s", "state:new"],
        2,
    );
    assert!(said.contains("--state"), "{said}");

    let orders = project.join("sql/marts/orders.sql");
    let text = std::fs::read_to_string(&orders).unwrap();
    std::fs::write(
        &orders,
        text.replace("orders.order_date,", "orders.order_dat,"),
    )
    .unwrap();
    let output = goyong(&[
        "--dir", dir, "-q", "build", "--as-of", AS_OF, "--format", "csv",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let built = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("orders.order_date,"))
        .unwrap()
        + 1;
    let place = format!(
        "marts/orders.sql:{line}:5: orders has no column `order_dat`; did you mean `order_date`?"
    );
    assert!(built.contains(&place), "{place}\n{built}");
}
