//! The SQL logic tests that DataFusion ships, through a stock session and through ours.
//!
//! Every record that passes in the stock session has to pass in ours, but for the closed list of [`REASONS`]. The files
//! are those of the crate `datafusion-sqllogictest` of the same version, fetched and not compiled. What sets tables up
//! runs past the guard that keeps readers from writing; what shows plans or touches files is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_schema::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider,
};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::planning::logical_plan;
use crate::session::{Limits, Purpose, SessionFactory};
use crate::sharing::computed_once;

/// Folders left out: functions of another dialect that our build leaves out, and tables that no session has.
const OTHER_FOLDERS: [&str; 3] = ["spark", "tpch", "pg_compat"];

/// What neither session is asked: how such a statement begins, or what it says.
const LEFT_OUT: [(&str, &[&str]); 2] = [
    ("a plan is shown", &["explain"]),
    (
        "a file is read or written, which no session of ours can",
        &["copy ", "copy\n", "external table"],
    ),
];

/// Why a record may pass in a stock session and not in ours, what such a statement says, and how many there are: one
/// more is a difference that nobody has looked at.
const REASONS: [(&str, &[&str], usize); 3] = [
    (
        "types are shown; text is plain strings and sums of integers are decimals",
        &[
            "arrow_typeof",
            "arrow_field",
            "desc",
            "information_schema",
            "show ",
        ],
        60,
    ),
    ("a sum of integers is exact and does not wrap", &["sum("], 4),
    (
        "the left side of a nested loop join fits, or it is an error",
        &["on (t1.v1 + t2.v2) > 0"],
        2,
    ),
];

#[derive(Debug)]
enum Kind {
    Statement {
        fails: bool,
    },
    Query {
        fails: bool,
        sort: Sort,
        rows: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sort {
    None,
    Rows,
    Values,
}

struct Record {
    line: usize,
    sql: String,
    kind: Kind,
}

#[derive(Default)]
struct Tally {
    records: usize,
    pass_stock: usize,
    pass_both: usize,
    left_out: BTreeMap<&'static str, usize>,
    reasons: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

fn records(text: &str) -> Vec<Record> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "halt" {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let fails = words.get(1) == Some(&"error");
        let mut body = Vec::new();
        if matches!(words.first(), Some(&"statement" | &"query")) {
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
                body.push(line);
            }
        }
        let (sql, rows) = match body.iter().position(|line| line.trim() == "----") {
            Some(at) => (&body[..at], &body[at + 1..]),
            None => (&body[..], &[][..]),
        };
        let kind = match words.first() {
            Some(&"statement") => Kind::Statement { fails },
            Some(&"query") => Kind::Query {
                fails,
                sort: match words.get(2) {
                    Some(&"rowsort") => Sort::Rows,
                    Some(&"valuesort") => Sort::Values,
                    _ => Sort::None,
                },
                rows: rows.iter().map(|row| settled(row)).collect(),
            },
            _ => continue,
        };
        found.push(Record {
            line: number + 1,
            sql: sql.join("\n"),
            kind,
        });
    }
    found
}

fn settled(row: &str) -> String {
    row.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The folder of the files, fetched where it is not there yet.
fn test_files() -> PathBuf {
    let name = format!("datafusion-sqllogictest-{}", datafusion::DATAFUSION_VERSION);
    if let Some(found) = in_registry(&name) {
        return found;
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"files\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\ndatafusion-sqllogictest = \"={}\"\n",
        datafusion::DATAFUSION_VERSION
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let fetched = Command::new(cargo)
        .arg("fetch")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&fetched.stderr);
    in_registry(&name).unwrap_or_else(|| panic!("{name} could not be fetched: {said}"))
}

/// The files of the folder and those below it, in order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !OTHER_FOLDERS.contains(&name.as_str()) {
            found.extend(files_below(&path));
        } else if name.ends_with(".slt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file's text, what it includes in its place.
fn with_included(file: &Path) -> String {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut whole = String::new();
    for line in text.lines() {
        match line.strip_prefix("include ") {
            Some(other) => whole += &with_included(&file.with_file_name(other.trim())),
            None => whole += line,
        }
        whole += "\n";
    }
    whole
}

fn in_registry(name: &str) -> Option<PathBuf> {
    let home = std::env::var("CARGO_HOME").map_or_else(
        |_| PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
    registries
        .filter_map(|registry| Some(registry.ok()?.path().join(name).join("test_files")))
        .find(|folder| folder.is_dir())
}

fn stock() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4))
}

fn ours(folder: &Path) -> SessionContext {
    let limits = Limits {
        threads: 4,
        memory_bytes: 1 << 30,
        spill_bytes: 1 << 30,
    };
    let factory =
        SessionFactory::without_lake(&folder.join("spill"), &limits, Purpose::Read).unwrap();
    let schemas = Arc::new(MemoryCatalogProvider::new());
    let core: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
    // The files also say `public` and `datafusion.public`.
    for name in ["core", "public"] {
        schemas.register_schema(name, Arc::clone(&core)).unwrap();
    }
    let session = factory.session(schemas.clone(), false);
    session.register_catalog("datafusion", schemas);
    session
}

async fn run_stock(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let frame = session.sql(sql).await.map_err(|error| error.to_string())?;
    frame.collect().await.map_err(|error| error.to_string())
}

async fn run_ours(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
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

fn cell(batch: &RecordBatch, column: usize, row: usize, options: &FormatOptions<'_>) -> String {
    let values = batch.column(column);
    let float = match values.data_type() {
        DataType::Float64 if !values.is_null(row) => {
            Some(values.as_primitive::<Float64Type>().value(row))
        }
        DataType::Float32 if !values.is_null(row) => {
            let value = values.as_primitive::<Float32Type>().value(row);
            value.to_string().parse().ok()
        }
        _ => None,
    };
    let text = match float {
        Some(value) if value.is_nan() => "NaN".to_owned(),
        Some(value) if value.is_infinite() && value > 0.0 => "Infinity".to_owned(),
        Some(value) if value.is_infinite() => "-Infinity".to_owned(),
        Some(value) => without_zeros(&format!("{value:.12}")),
        None => {
            let text = ArrayFormatter::try_new(values.as_ref(), options)
                .unwrap()
                .value(row)
                .to_string();
            match values.data_type() {
                DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Decimal64(..) => {
                    without_zeros(&text)
                }
                _ => text,
            }
        }
    };
    if text.is_empty() {
        "(empty)".to_owned()
    } else {
        text
    }
}

fn without_zeros(number: &str) -> String {
    let text = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn written(batches: &[RecordBatch], sort: Sort) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = (0..batch.num_columns()).map(|column| cell(batch, column, row, &options));
            if sort == Sort::Values {
                rows.extend(cells.map(|cell| settled(&cell)));
            } else {
                rows.push(settled(&cells.collect::<Vec<_>>().join(" ")));
            }
        }
    }
    if sort != Sort::None {
        rows.sort();
    }
    rows
}

/// Whether an answer is the expected one. Without an `order by` rows have no order to keep.
fn passes(answer: &Result<Vec<RecordBatch>, String>, record: &Record) -> bool {
    match (&record.kind, answer) {
        (Kind::Statement { fails } | Kind::Query { fails, .. }, Err(_)) => *fails,
        (Kind::Statement { fails }, Ok(_)) => !fails,
        (Kind::Query { fails: true, .. }, Ok(_)) => false,
        (Kind::Query { sort, rows, .. }, Ok(batches)) => {
            let (mut found, mut expected) = (written(batches, *sort), rows.clone());
            if *sort != Sort::None || !record.sql.to_lowercase().contains("order by") {
                found.sort();
                expected.sort();
            }
            found == expected
        }
    }
}

/// Tables whose making is for one of the reasons different; what reads them shares the reason.
struct Made(BTreeMap<String, &'static str>);

impl Made {
    fn reason(&self, sql: &str) -> Option<&'static str> {
        let text = sql.to_lowercase();
        let own = REASONS
            .iter()
            .find(|(_, words, _)| words.iter().any(|word| text.contains(word)))
            .map(|(reason, ..)| *reason);
        own.or_else(|| {
            text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .find_map(|word| self.0.get(word).copied())
        })
    }

    fn remember(&mut self, sql: &str, reason: &'static str) {
        let text = sql.to_lowercase();
        let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if text.trim_start().starts_with("create")
            && words.any(|word| word == "table" || word == "view")
            && let Some(name) = words.find(|word| !word.is_empty())
        {
            self.0.insert(name.to_owned(), reason);
        }
    }
}

async fn run_file(name: &str, text: &str, tally: &mut Tally) {
    let folder = tempfile::tempdir().unwrap();
    let (stock, ours) = (stock(), ours(folder.path()));
    let mut made = Made(BTreeMap::new());
    for record in records(text) {
        tally.records += 1;
        let text = record.sql.to_lowercase();
        if let Some((reason, _)) = LEFT_OUT
            .iter()
            .find(|(_, words)| words.iter().any(|word| text.contains(word)))
        {
            *tally.left_out.entry(reason).or_default() += 1;
            continue;
        }
        let expected = run_stock(&stock, &record.sql).await;
        let found = run_ours(&ours, &record.sql).await;
        let passes_stock = passes(&expected, &record);
        let passes_ours = passes(&found, &record);
        tally.pass_stock += usize::from(passes_stock);
        tally.pass_both += usize::from(passes_stock && passes_ours);
        if !passes_stock || passes_ours {
            continue;
        }
        match made.reason(&record.sql) {
            Some(reason) => {
                made.remember(&record.sql, reason);
                *tally.reasons.entry(reason).or_default() += 1;
            }
            None => tally.failures.push(format!(
                "{name}:{}: {}\n{}",
                record.line,
                record.sql,
                match found {
                    Ok(batches) => written(&batches, Sort::None).join("\n"),
                    Err(error) => error,
                }
            )),
        }
    }
}

#[test]
fn records_that_pass_in_a_stock_session_pass_in_ours() {
    super::run(async {
        let folder = test_files();
        let mut tally = Tally::default();
        let files = files_below(&folder);
        for file in &files {
            let name = file.strip_prefix(&folder).unwrap().display().to_string();
            run_file(&name, &with_included(file), &mut tally).await;
        }
        println!(
            "{} records of {} files: {} pass in a stock session, {} of them in ours",
            tally.records,
            files.len(),
            tally.pass_stock,
            tally.pass_both
        );
        for (reason, records) in &tally.left_out {
            println!("{records:>6} left out: {reason}");
        }
        for (reason, records) in &tally.reasons {
            println!("{records:>6} pass in a stock session only: {reason}");
        }
        assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
        for (reason, _, known) in REASONS {
            assert_eq!(tally.reasons.get(reason), Some(&known), "{reason}");
        }
        assert!(tally.pass_both > 17_000, "{} pass", tally.pass_both);
    });
}
