//! The SQL of the project on a few rows written by hand: `tests/slt/*.slt`.
//!
//! The files are sqllogictest's: `statement ok`, `statement error TEXT`, and `query TYPES [rowsort]` with the
//! expected rows behind `----`. `model('core.claim', '2024-03', '2024-12-31')` in a query stands for the model
//! compiled for a month and a day; what it reads are tables made by statements before, and the seeds of the project.
//! The format is read here because the crate that reads it switches features on that would compile the engine twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::prelude::SessionContext;
use goyong_catalog::{Project, Vars};
use goyong_types::TableName;

use crate::inputs::register;
use crate::planning::logical_plan;
use crate::seeds::{seed_rows, seed_table};
use crate::session::{Limits, Purpose, SessionFactory};
use crate::sharing::computed_once;

const SCHEMAS: [&str; 8] = [
    "staging", "core", "features", "marts", "detect", "alerts", "ops", "linkage",
];
/// `as_of` of a model call that names none.
const AS_OF: &str = "2024-12-31";

/// One record of a file.
#[derive(Debug, PartialEq)]
enum Record {
    Statement {
        sql: String,
        error: Option<String>,
    },
    Query {
        types: String,
        sorted: bool,
        sql: String,
        rows: Vec<String>,
    },
}

/// Records with the number of their first line.
fn records(text: &str) -> Vec<(usize, Record)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut body = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            body.push(line);
        }
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let record = match words.as_slice() {
            ["statement", "ok"] => Record::Statement {
                sql: body.join("\n"),
                error: None,
            },
            ["statement", "error", error] => Record::Statement {
                sql: body.join("\n"),
                error: Some((*error).to_owned()),
            },
            ["query", types, options @ ..] => {
                let mut parts = body.splitn(2, |line| *line == "----");
                Record::Query {
                    types: (*types).to_owned(),
                    sorted: options == ["rowsort"],
                    sql: parts.next().unwrap().join("\n"),
                    rows: parts
                        .next()
                        .unwrap_or_else(|| panic!("line {}: no ---- after the query", number + 1))
                        .iter()
                        .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
                        .collect(),
                }
            }
            _ => panic!("line {}: `{line}` is no record", number + 1),
        };
        found.push((number + 1, record));
    }
    found
}

/// Replaces every `model(…)` by the model's compiled query.
fn expand(project: &Project, sql: &str) -> String {
    let mut expanded = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find("model(") {
        let close = at + rest[at..].find(')').expect("model( is closed");
        let arguments: Vec<&str> = rest[at + 6..close]
            .split(',')
            .map(|argument| argument.trim().trim_matches('\''))
            .collect();
        let table: TableName = arguments[0].parse().expect("a model's name");
        let mut vars = Vars::new();
        let as_of = arguments.get(2).copied().unwrap_or(AS_OF);
        vars.insert("as_of".to_owned(), as_of.to_owned());
        if let Some(month) = arguments.get(1) {
            let month: goyong_types::Month = month.parse().expect("a month");
            vars.insert("partition_start".to_owned(), format!("{month}-01"));
            vars.insert("partition_end".to_owned(), format!("{}-01", month.next()));
        }
        let model = &project.models()[&table];
        let compiled = project.compile(model, &vars).expect("the model compiles");
        expanded.push_str(&rest[..at]);
        expanded.push_str(&format!("({})", compiled.sql));
        rest = &rest[close + 1..];
    }
    expanded + rest
}

fn session(project: &Project, folder: &Path) -> SessionContext {
    let limits = Limits {
        threads: 1,
        memory_bytes: 256 << 20,
        spill_bytes: 0,
    };
    let factory =
        SessionFactory::without_lake(&folder.join("spill"), &limits, Purpose::Build).unwrap();
    let schemas = Arc::new(MemoryCatalogProvider::new());
    for schema in SCHEMAS {
        schemas
            .register_schema(schema, Arc::new(MemorySchemaProvider::new()))
            .unwrap();
    }
    for seed in project.seeds().values() {
        let rows = seed_rows(seed).unwrap();
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
        register(&schemas, &seed_table(seed).unwrap(), Arc::new(table)).unwrap();
    }
    factory.session(schemas, false)
}

async fn answer(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let plan = logical_plan(&session.state(), sql)
        .await
        .map_err(|error| error.to_string())?;
    let frame = session
        .execute_logical_plan(plan)
        .await
        .map_err(|error| error.to_string())?;
    let frame = computed_once(frame).map_err(|error| error.to_string())?;
    frame.collect().await.map_err(|error| error.to_string())
}

/// Rows as sqllogictest writes them: columns between blanks, `NULL` and `(empty)` for what has no text.
fn written(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .map(|text| {
                    if text.is_empty() {
                        "(empty)".to_owned()
                    } else {
                        text
                    }
                })
                .collect();
            rows.push(cells.join(" "));
        }
    }
    rows
}

async fn run_file(project: &Project, file: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let session = session(project, folder.path());
    let mut failures = Vec::new();
    for (line, record) in records(&std::fs::read_to_string(file).unwrap()) {
        let place = format!("{}:{line}", file.display());
        match record {
            Record::Statement { sql, error } => {
                let result = answer(&session, &expand(project, &sql)).await;
                match (result, error) {
                    (Ok(_), None) => {}
                    (Err(found), Some(expected)) if found.contains(&expected) => {}
                    (result, _) => failures.push(format!("{place}: {:?}", result.err())),
                }
            }
            Record::Query {
                types,
                sorted,
                sql,
                mut rows,
            } => match answer(&session, &expand(project, &sql)).await {
                Err(error) => failures.push(format!("{place}: {error}")),
                Ok(batches) => {
                    let mut found = written(&batches);
                    if sorted {
                        found.sort();
                        rows.sort();
                    }
                    let columns = batches
                        .first()
                        .map_or(types.len(), RecordBatch::num_columns);
                    if found != rows || columns != types.len() {
                        failures.push(format!(
                            "{place}: expected\n{}\nfound\n{}",
                            rows.join("\n"),
                            found.join("\n")
                        ));
                    }
                }
            },
        }
    }
    failures
}

#[test]
fn models_and_functions_answer_as_written_by_hand() {
    super::run(async {
        // Read from the folder, so that an edited model is tried without compiling anything.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let project = Project::load(&root.join("sql")).unwrap();
        let folder = root.join("tests/slt");
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
            .collect();
        files.sort();
        assert!(!files.is_empty());
        let mut failures = Vec::new();
        for file in files {
            failures.extend(run_file(&project, &file).await);
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    });
}

#[test]
fn records_are_told_apart() {
    let text = "# note\nstatement ok\ncreate table t\n\nquery IT rowsort\nselect 1\n----\n1  a\n";
    assert_eq!(
        records(text),
        [
            (
                2,
                Record::Statement {
                    sql: "create table t".into(),
                    error: None
                }
            ),
            (
                5,
                Record::Query {
                    types: "IT".into(),
                    sorted: true,
                    sql: "select 1".into(),
                    rows: vec!["1 a".into()]
                }
            ),
        ]
    );
}
