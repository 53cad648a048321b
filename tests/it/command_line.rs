//! Wrong commands and missing files answer in one line: what is wrong, what to do.

use crate::support::{demo, goyong, goyong_ok};

fn error_of(arguments: &[&str], code: i32) -> String {
    let output = goyong(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(output.stdout.is_empty(), "errors do not go to stdout");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    said
}

#[test]
fn a_folder_without_project_says_how_to_make_one() {
    let empty = tempfile::tempdir().unwrap();
    let said = error_of(&["--dir", empty.path().to_str().unwrap(), "night"], 2);
    assert!(said.contains("goyong init"), "{said}");
}

#[test]
fn a_misspelt_command_is_corrected() {
    let said = error_of(&["nigth"], 2);
    assert!(said.contains("night"), "{said}");
}

#[test]
fn wrong_options_and_values_answer_in_one_line() {
    for arguments in [
        &["completions"][..],
        &["night", "--forse"],
        &["simulate", "--persons", "many"],
        &["sql", "--format", "xml", "select 1"],
    ] {
        let said = error_of(arguments, 2);
        assert!(said.contains("--help"), "{said}");
    }
}

#[test]
fn a_misspelt_table_is_corrected() {
    let folder = demo().to_str().unwrap();
    let said = error_of(&["--dir", folder, "sql", "select * from core.persn"], 2);
    assert!(said.contains("core.person"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = demo().to_str().unwrap();
    let said = error_of(&["--dir", folder, "ingest", "/nowhere/file.csv"], 2);
    assert!(said.contains("/nowhere/file.csv"), "{said}");
}

#[test]
fn statements_that_write_are_refused() {
    let folder = demo().to_str().unwrap();
    for statement in [
        "create table t as select 1",
        "insert into core.person select * from core.person",
        "copy core.person to '/tmp/person.csv'",
        "drop table core.person",
        "create external table t stored as csv location '/etc/passwd'",
        "set datafusion.execution.batch_size = 1",
        "select 1 as a into t",
    ] {
        error_of(&["--dir", folder, "sql", statement], 2);
    }
}

#[test]
fn every_output_format_carries_the_same_rows() {
    let folder = demo().to_str().unwrap();
    let sql = "select 1 as a, '가' as b union all select 2, null order by a";
    let run = |format: &str| goyong_ok(&["--dir", folder, "sql", "--format", format, sql]);
    assert_eq!(run("csv"), "a,b\n1,가\n2,\n");
    assert_eq!(run("ndjson"), "{\"a\":1,\"b\":\"가\"}\n{\"a\":2}\n");
    assert_eq!(run("json").trim(), "[{\"a\":1,\"b\":\"가\"},{\"a\":2}]");
    assert!(run("table").contains("(2 rows)"));
}

#[test]
fn a_demo_with_other_parameters_does_not_touch_the_folder() {
    let folder = demo().to_str().unwrap();
    let said = error_of(&["--dir", folder, "demo", "--persons", "5000"], 2);
    assert!(said.contains("other parameters"), "{said}");
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "init", "simulate", "ingest", "plan", "build", "show", "night", "schedule", "runs", "sql",
        "releases", "verify", "report", "evaluate", "demo",
    ] {
        let said = goyong_ok(&[command, "--help"]);
        assert!(said.contains("Usage: goyong"), "{command}");
    }
}
